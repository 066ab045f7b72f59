//! How people are named in policies.

use zt_core::identity::Subject;

/// The id of a person in policies: `issuer|subject`, as in `Zt::User::"https://id.example.com|alice"`.
///
/// A `|` or `%` in the issuer is written `%7C` or `%25`; so the first `|` ends the issuer, and no two people have the
/// same id.
#[must_use]
pub fn user_id(subject: &Subject) -> String {
    format!("{}|{}", escaped(subject.issuer().as_str()), subject.name())
}

/// Whom an id in a policy names, taken apart so that it can be compared without making ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Person {
    issuer: String,
    name: String,
}

impl Person {
    /// Reads an id; `None` if it can be nobody's.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let (issuer, name) =
            id.split_once('|').filter(|(issuer, name)| !issuer.is_empty() && !name.is_empty())?;
        let plain = issuer.replace("%7C", "|").replace("%25", "%");
        (escaped(&plain) == issuer).then(|| Self { issuer: plain, name: name.to_owned() })
    }

    pub(crate) fn is(&self, subject: &Subject) -> bool {
        self.name == subject.name() && self.issuer == subject.issuer().as_str()
    }

    /// The order of a person among others, as that of [`Person`] itself.
    pub(crate) fn cmp_subject(&self, subject: &Subject) -> std::cmp::Ordering {
        let issuer = self.issuer.as_str().cmp(subject.issuer().as_str());
        issuer.then_with(|| self.name.as_str().cmp(subject.name()))
    }
}

fn escaped(issuer: &str) -> String {
    issuer.replace('%', "%25").replace('|', "%7C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use zt_core::id::Issuer;

    #[test]
    fn ids_are_read_back_and_nobody_has_two() {
        for (issuer, name) in [("https://i", "a"), ("a|b", "c"), ("a%7Cb", "c"), ("%", "|"), ("%25", "x")] {
            let subject = Subject::new(Issuer::new(issuer).expect("an issuer"), name).expect("a name");
            let person = Person::parse(&user_id(&subject)).expect("an id");
            assert!(person.is(&subject), "{issuer} {name}");
            assert_eq!(person.cmp_subject(&subject), std::cmp::Ordering::Equal);
        }
        for nobody in ["", "|", "a|", "|a", "alice", "a%zz|b", "a%|b"] {
            assert_eq!(Person::parse(nobody), None, "{nobody}");
        }
    }
}
