//! The example site, as something for inputs to meet.

use zt_core::controller::Controller;
use zt_core::decide::Decide;
use zt_core::directory::Directory;
use zt_core::event::{Entry, Event, Login, PolicySource, SiteSource};
use zt_core::grant::Outcome;
use zt_core::identity::{Assurance, Mfa};
use zt_core::key::PrivateKey;
use zt_core::site::Site;
use zt_core::time::Timestamp;

/// A Tuesday morning in 2027.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The text of a file of the example site.
macro_rules! text {
    ($name:literal) => {
        include_str!(concat!("../../examples/site/", $name))
    };
}

/// The example's site file.
pub(crate) fn source() -> SiteSource {
    SiteSource { file: "site.toml".into(), text: text!("site.toml").into() }
}

/// The example's site.
#[expect(clippy::expect_used, reason = "the tests of zt-core check that the file is valid")]
pub(crate) fn site() -> Site {
    Site::parse(&source()).expect("a valid site")
}

/// The example's policies.
pub(crate) fn policies() -> PolicySource {
    let policies = [
        ("access.cedar".to_owned(), text!("policy/access.cedar").to_owned()),
        ("contractors.cedar".to_owned(), text!("policy/contractors.cedar").to_owned()),
        ("production.cedar".to_owned(), text!("policy/production.cedar").to_owned()),
        ("quarantine.cedar".to_owned(), text!("policy/quarantine.cedar").to_owned()),
    ];
    PolicySource { policies: policies.into(), ..PolicySource::default() }
}

/// A controller at work: the example's site, `policies`, and everybody of the directory logged in for an hour.
#[expect(clippy::expect_used, reason = "the tests of zt-core check that the file is valid")]
pub(crate) fn controller<D: Decide>(engine: D, policies: PolicySource) -> Controller<D> {
    let mut controller = Controller::new(engine);
    let directory =
        Directory::parse("directory.toml", text!("directory.toml"), &site()).expect("a valid directory");
    let logins = (1_u8..).zip(directory.devices()).map(|(number, device)| {
        Event::SessionStarted(Login {
            subject: device.owner.clone(),
            device: device.id.clone(),
            public_key: PrivateKey::from_bytes([number; 32]).public_key(),
            assurance: Assurance { authenticated_at: START, mfa: Mfa::At(START), acr: "".into() },
            ends_at: START.after(std::time::Duration::from_hours(1)),
        })
    });
    let loads = [Event::SiteLoaded(source()), Event::PolicyLoaded(policies)];
    for event in loads.into_iter().chain(directory.events()).chain(logins) {
        let outcome = handle(&mut controller, START, event);
        assert_eq!(outcome.refusal, None, "the example is valid");
    }
    controller
}

/// Folds an event in at `at`.
pub(crate) fn handle<D: Decide>(controller: &mut Controller<D>, at: Timestamp, event: Event) -> Outcome {
    let entry = Entry { seq: controller.next_seq(), at, event };
    controller.handle(&entry)
}
