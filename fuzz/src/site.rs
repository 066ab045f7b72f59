//! Site files.

use zt_core::controller::Controller;
use zt_core::event::{Event, PolicySource, SiteSource};
use zt_core::grant::Refusal;
use zt_core::site::Site;
use zt_core::testing::TableEngine;

use crate::example::{START, handle};
use crate::naive::{assert_cells_disjoint, assert_covered, assert_protected};

/// Takes `bytes` for a site file.
///
/// A text that is refused has its fault on one of its lines. One that is accepted can be put in force, unless it cuts
/// up into too many cells; the cells are disjoint then, and cover what resources name and nothing that is protected.
pub fn body(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let source = SiteSource { file: "site.toml".into(), text: text.to_owned() };
    let site = match Site::parse(&source) {
        Ok(site) => site,
        Err(error) => return assert_in_text(text, error.line(), &error.to_string()),
    };
    let mut controller = Controller::new(TableEngine::default());
    let outcome = handle(&mut controller, START, Event::SiteLoaded(source));
    match outcome.refusal {
        None => {}
        Some(Refusal::Cells(_)) => return assert!(controller.site().is_none(), "half of a site is in force"),
        other => assert_eq!(other, None, "a valid site was refused"),
    }
    assert_eq!(controller.site(), Some(&site));
    let policy = handle(&mut controller, START, Event::PolicyLoaded(PolicySource::default()));
    assert_eq!(policy.refusal, None);
    for (id, gateway) in &site.gateways {
        let desired = controller.desired(id);
        let elements = desired.map(|desired| desired.elements()).unwrap_or_default();
        let behind: Vec<_> =
            site.resources().iter().filter(|resource| resource.gateways == gateway.group).collect();
        assert!(elements.peers.is_empty() && elements.pairs.is_empty() && elements.sources.is_empty());
        assert_cells_disjoint(&elements);
        assert_protected(&site, &behind, &elements);
        behind.iter().for_each(|resource| assert_covered(&site, resource, &elements));
    }
    pass_deadlines(&mut controller);
}

/// A fault is on a line of the text (or behind its end), and told in one line.
pub(crate) fn assert_in_text(text: &str, line: usize, message: &str) {
    let lines = text.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1);
    assert!((1..=lines).contains(&line), "line {line} of {lines}: {message}");
    assert!(!message.contains(char::is_control), "{message:?}");
}

/// Deadlines lie ahead, and each is done with once it has come.
fn pass_deadlines(controller: &mut Controller<TableEngine>) {
    for _ in 0..3 {
        let Some(deadline) = controller.next_deadline() else { return };
        assert!(deadline.at > controller.now(), "{deadline:?} lies behind");
        assert_eq!(handle(controller, deadline.at, Event::Tick).refusal, None);
        assert!(controller.next_deadline().is_none_or(|next| next.at > deadline.at));
    }
}
