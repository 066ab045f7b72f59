//! From findings to facts that may be reported.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use zt_core::device::{FactKind, FactStatus, FactValue, PostureFact, Tier};
use zt_core::id::{FactName, check_name};
use zt_core::time::Timestamp;

use crate::collector::{Collector, Finding};
use crate::collectors::BUILT_IN;
use crate::sysroot::Sysroot;

/// The most characters of a source; the rest becomes `…`.
const MAX_SOURCE_CHARS: usize = 400;

/// Asks all of [`BUILT_IN`] about the machine whose files lie under `sysroot` (`/` for this one).
///
/// The facts are sorted by name, one for each collector, with the tier [`Tier::SelfAsserted`]. If the sysroot cannot
/// be opened, all are unknown.
#[must_use]
pub fn collect(sysroot: &Path, observed_at: Timestamp) -> Vec<PostureFact> {
    collect_with(&BUILT_IN, sysroot, observed_at)
}

/// Asks the given collectors; otherwise as [`collect`].
///
/// Findings are not taken on trust: a value of the wrong kind, and a text that is empty, longer than a name may be or
/// has control characters, makes an unknown fact, as do two collectors of one name.
#[must_use]
pub fn collect_with(
    collectors: &[&dyn Collector],
    sysroot: &Path,
    observed_at: Timestamp,
) -> Vec<PostureFact> {
    let sysroot = Sysroot::open(sysroot);
    let mut facts = BTreeMap::new();
    for collector in collectors {
        let Ok(name) = FactName::new(collector.name()) else { continue };
        let finding = match &sysroot {
            Ok(sysroot) => collector.find(sysroot),
            Err(error) => Finding::Unknown(error.to_string()),
        };
        match facts.entry(name) {
            Entry::Vacant(entry) => {
                let name = entry.key().clone();
                entry.insert(fact(name, collector.kind(), finding, observed_at));
            }
            Entry::Occupied(mut entry) => {
                let finding = Finding::Unknown("two collectors have this name".into());
                let name = entry.key().clone();
                entry.insert(fact(name, collector.kind(), finding, observed_at));
            }
        }
    }
    facts.into_values().collect()
}

fn fact(name: FactName, kind: FactKind, finding: Finding, observed_at: Timestamp) -> PostureFact {
    let (status, value, source) = match checked(kind, finding) {
        Finding::Pass { value, source } => (FactStatus::Pass, value, source),
        Finding::Fail { value, source } => (FactStatus::Fail, value, source),
        Finding::Unknown(reason) => (FactStatus::Unknown, kind.zero(), reason),
        Finding::Unsupported(reason) => (FactStatus::Unsupported, kind.zero(), reason),
    };
    PostureFact { name, status, value, source: readable(&source), tier: Tier::SelfAsserted, observed_at }
}

/// The finding, unless its value is none that may be reported.
fn checked(kind: FactKind, finding: Finding) -> Finding {
    let (Finding::Pass { value, source } | Finding::Fail { value, source }) = &finding else {
        return finding;
    };
    if value.kind() != kind {
        return Finding::Unknown(format!("a value of the wrong kind from `{source}`"));
    }
    let FactValue::String(text) = value else { return finding };
    match check_name(text) {
        Ok(()) => finding,
        Err(error) => Finding::Unknown(format!("`{source}` gives {error}")),
    }
}

/// The text without what would garble a log.
fn readable(text: &str) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut letters = text.chars().map(shown);
    let mut kept: String = letters.by_ref().take(MAX_SOURCE_CHARS).collect();
    if letters.next().is_some() {
        kept.push('…');
    }
    kept
}
