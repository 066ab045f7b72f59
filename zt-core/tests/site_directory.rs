//! Every rule of a directory file, broken once: the fault, its line and its words.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test that fails says so by panicking"
)]

use zt_core::device::KeyBinding;
use zt_core::directory::{Directory, DirectoryError, DirectoryFault};
use zt_core::event::SiteSource;
use zt_core::id::{DeviceId, NameError};
use zt_core::key::PublicKeyError;
use zt_core::site::{AttributeError, Malformed, Site};

const SITE: &str = r#"
pools = { v4 = "10.99.0.0/24" }
group = [
    { id = "developers", claims = [{ issuer = "i", value = "dev" }, { issuer = "j", value = "dev-j" }] },
    { id = "staff", claims = [{ issuer = "i", value = "all" }] },
    { id = "everybody", claims = [{ issuer = "i", value = "all" }, { issuer = "i", value = "any" }] },
    { id = "nobody" },
]
"#;

const BASE: &str = r#"
[[user]]
issuer = "i"
subject = "1"
name = "dana"
groups = ["developers"]

[[device]]
id = "laptop"
owner = "dana"
public-key = "CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
"#;

fn parse(text: &str) -> Result<Directory, DirectoryError> {
    let site = Site::parse(&SiteSource { file: "site.toml".into(), text: SITE.into() }).unwrap();
    Directory::parse("directory.toml", text, &site)
}

fn user(fields: &str) -> String {
    format!("[[user]]\nissuer = 'i'\nsubject = '2'\nname = 'devon'\n{fields}")
}

fn device(fields: &str) -> String {
    format!("[[device]]\nid = 'phone'\nowner = 'dana'\n{fields}")
}

macro_rules! refused {
    ($($name:ident: $text:expr, $fault:pat, $words:expr;)*) => {$(
        #[test]
        fn $name() {
            let text = format!("{BASE}{}", $text);
            let error = parse(&text).unwrap_err();
            let marked = text.lines().position(|line| line.contains("# here")).unwrap() + 1;
            assert!(matches!(error.fault(), $fault), "{error} is {:?}", error.fault());
            assert!(error.to_string().starts_with(&format!("directory.toml:{marked}: ")), "{error}, not at {marked}");
            assert!(error.to_string().contains($words), "`{error}` lacks `{}`", $words);
        }
    )*};
}

refused! {
    b17_a_text_that_is_not_toml: "[[user] # here", DirectoryFault::Malformed(Malformed::Syntax { .. }), "[[user]";
    an_unknown_field_of_a_user: user("claims = ['x'] # here"), DirectoryFault::Malformed(Malformed::UnknownField(_)), "`claims`";
    an_unknown_field_of_a_device: device("key = 'x' # here"), DirectoryFault::Malformed(Malformed::UnknownField(_)), "`key`";
    a_user_without_a_subject: "[[user]] # here\nissuer = 'i'\nname = 'devon'", DirectoryFault::Malformed(Malformed::Shape { .. }), "missing field `subject`";
    an_empty_subject: "[[user]]\nissuer = 'i'\nsubject = '' # here\nname = 'devon'", DirectoryFault::Name(_, NameError::Empty), "empty name";
    a_person_twice: "[[user]]\nissuer = 'i'\nsubject = '1' # here\nname = 'devon'", DirectoryFault::DuplicateSubject { .. }, "subject `1` of `i` is also user `dana`";
    a_name_twice: "[[user]]\nissuer = 'i'\nsubject = '2'\nname = 'dana' # here", DirectoryFault::DuplicateName(_), "another user `dana`";
    an_undeclared_group: user("groups = ['developers',\n'devlopers'] # here"), DirectoryFault::UndeclaredGroup(_), "group `devlopers` is not declared";
    a_group_without_claims: user("groups = ['nobody'] # here"), DirectoryFault::NoClaim { .. }, "group `nobody` has no claim of `i`";
    a_group_that_implies_another: user("groups = ['staff'] # here"), DirectoryFault::ImpliedGroup { .. }, "in group `everybody` too";
    b9_an_attribute_that_is_a_fraction: user("attributes = { risk = 0.5 } # here"), DirectoryFault::Attribute(AttributeError::Type { .. }), "`risk`";
    b9_an_attribute_beyond_all_numbers: user("attributes = { risk = 1e400 } # here"), DirectoryFault::Malformed(Malformed::Shape { .. }), "risk = 1e400";
    a_device_twice: "[[device]]\nid = 'laptop' # here\nowner = 'dana'", DirectoryFault::DuplicateDevice(_), "another device `laptop`";
    a_device_of_nobody: "[[device]]\nid = 'phone'\nowner = 'dna' # here", DirectoryFault::UnknownUser(_), "no user `dna`";
    b4_a_key_of_two_devices: device("public-key = 'CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' # here"), DirectoryFault::DuplicateKey { .. }, "also that of device `laptop`";
    b2_the_all_zero_key: device("public-key = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' # here"), DirectoryFault::Key(_, PublicKeyError::Zero), "AAAAAAAAAAAA";
    b2_a_key_of_low_order: device("public-key = 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' # here"), DirectoryFault::Key(_, PublicKeyError::LowOrder), "low order";
    b2_a_key_that_is_not_canonical: device("public-key = '7v///////////////////////////////////////38=' # here"), DirectoryFault::Key(_, PublicKeyError::NonCanonical), "canonical";
    b1_a_key_of_the_wrong_length: device("public-key = 'CQAAAAAAAAAAAAAA' # here"), DirectoryFault::Key(_, PublicKeyError::Encoding(_)), "base64";
    b1_a_key_in_hexadecimal: device("public-key = '0900000000000000000000000000000000000000000000000000000000000000' # here"), DirectoryFault::Key(_, PublicKeyError::Encoding(_)), "base64";
    b1_a_key_with_a_space: device("public-key = ' CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=' # here"), DirectoryFault::Key(_, PublicKeyError::Encoding(_)), "base64";
    b1_a_key_with_trailing_bits: device("public-key = 'CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=' # here"), DirectoryFault::Key(_, PublicKeyError::Encoding(_)), "base64";
}

#[test]
fn groups_become_claims_of_the_users_own_provider() {
    let text = format!(
        "{BASE}[[user]]\nissuer = 'j'\nsubject = '1'\nname = 'jo'\ngroups = ['developers']\n{}",
        user("groups = ['staff', 'everybody']\nattributes = { title = 'x', level = 3 }")
    );
    let directory = parse(&text).unwrap();
    let claims = |name: &str| directory.user(name).unwrap().claims.iter().cloned().collect::<Vec<_>>();
    assert_eq!(claims("dana"), ["dev"]);
    assert_eq!(claims("jo"), ["dev-j"]);
    assert_eq!(claims("devon"), ["all"]);
    assert_eq!(directory.user("devon").unwrap().attributes.len(), 2);
    let laptop = directory.device(&DeviceId::new("laptop").unwrap()).unwrap();
    assert!(matches!(laptop.key, KeyBinding::Pinned(_)));
    assert_eq!(laptop.owner, directory.user("dana").unwrap().subject);
}

/// A group that leads into another one is still usable by a claim that does not.
#[test]
fn a_claim_is_chosen_that_implies_no_other_group() {
    let directory = parse(&format!("{BASE}{}", user("groups = ['everybody']"))).unwrap();
    assert_eq!(directory.user("devon").unwrap().claims.iter().collect::<Vec<_>>(), ["any"]);
}
