//! Policy files.

use zt_core::decide::Decide as _;
use zt_core::event::{Event, PolicySource};
use zt_policy::PolicyEngine;

use crate::example::{controller, handle, policies};

/// Where the policies end and a schema file begins.
const SCHEMA: &str = "\n// schema\n";

/// Takes `bytes` for a policy file of the example site; what stands behind a line `// schema` is a schema file.
///
/// A text that is refused leaves the example's policies in force, with every grant that they gave. One that is
/// accepted is in force, twice the same, and decides about everybody of the example, also when time passes.
pub fn body(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (text, schema) = text.split_once(SCHEMA).map_or((text, None), |(text, schema)| (text, Some(schema)));
    let schema = schema.map(|schema| ("fuzz.cedarschema".to_owned(), schema.to_owned()));
    let source = PolicySource {
        policies: [("fuzz.cedar".to_owned(), text.to_owned())].into(),
        schema: schema.into_iter().collect(),
    };
    let mut controller = controller(PolicyEngine::new(), policies());
    let (version, before) = (controller.policy_version(), granted(&controller));
    assert!(version.is_some() && !before.is_empty(), "the example's policies grant something");
    let now = controller.now();
    let outcome = handle(&mut controller, now, Event::PolicyLoaded(source.clone()));
    if let Some(refusal) = outcome.refusal {
        assert!(!refusal.to_string().is_empty());
        assert_eq!(controller.policy_version(), version, "a refused policy is in force");
        assert_eq!(controller.decider().version(), version, "the engine has a refused policy in force");
        assert_eq!(granted(&controller), before, "a refused policy changed a grant");
        return;
    }
    assert_eq!(controller.policy_version(), controller.decider().version());
    let mut classed: Vec<_> =
        controller.decider().classes().iter().flat_map(|(_, members)| members.to_vec()).collect();
    classed.sort_unstable();
    let resources = controller.site().map_or(0, |site| site.resources().len());
    assert!(classed.windows(2).all(|two| two.first() < two.last()), "a resource in two classes");
    assert_eq!(classed.len(), resources, "a resource in no class");
    for grant in controller.sessions().flat_map(|session| controller.grants(session.id)) {
        assert!(!grant.because.is_empty(), "{grant:?} has no cause");
    }
    let (version, first) = (controller.policy_version(), granted(&controller));
    assert_eq!(handle(&mut controller, now, Event::PolicyLoaded(source)).refusal, None);
    assert_eq!(
        (controller.policy_version(), granted(&controller)),
        (version, first),
        "loaded again it differs"
    );
    for _ in 0..3 {
        let Some(deadline) = controller.next_deadline() else { return };
        assert!(deadline.at > controller.now(), "{deadline:?} lies behind");
        let _ = handle(&mut controller, deadline.at, Event::Tick);
    }
}

/// Who may reach what.
fn granted(controller: &zt_core::controller::Controller<PolicyEngine>) -> Vec<String> {
    let grants = controller.sessions().flat_map(|session| controller.grants(session.id));
    grants.map(|grant| format!("{} {}", grant.session, grant.resource)).collect()
}
