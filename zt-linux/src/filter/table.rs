//! The table as a transaction.

use super::config::FilterConfig;
use super::counts::{PASSED, Reason};
use super::error::InstallError;
use super::layout::{CHAINS, SETS, TRANSPORTS};
use super::rules::rules;
use crate::nftables::{Attributes, Batch, Element, Nftables, Table, asked, attributes, kind};

/// What marks a table as ours, and as one with these sets: other sets need another number.
const NOTE: &[u8] = b"\x7a\x0bzt-filter 1";
const NOTE_OF_ANY: &[u8] = b"\x7a\x0bzt-filter ";

/// What there is of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Present {
    /// No table.
    Nothing,
    /// Ours, whose elements can be kept.
    Ours,
    /// Ours, of another version of this crate.
    Other,
}

/// Looks for the table.
pub(super) async fn present(nftables: &Nftables, name: &str) -> Result<Present, InstallError> {
    const USERDATA: u16 = 6;
    let Some(found) = nftables.get(asked(kind::GET_TABLE), &Attributes::new().text(1, name)).await? else {
        return Ok(Present::Nothing);
    };
    let note = attributes(&found).find(|(kind, _)| *kind == USERDATA).map(|(_, note)| note);
    match note {
        Some(note) if note == NOTE => Ok(Present::Ours),
        Some(note) if note.starts_with(NOTE_OF_ANY) => Ok(Present::Other),
        _ => Err(InstallError::Occupied(name.to_owned())),
    }
}

/// Makes the table, or makes the rules of one that is there what they should be and keeps its elements.
pub(super) fn write(config: &FilterConfig, present: Present, batch: &mut Batch) {
    let name = config.reserved.table.as_str();
    let table = Table { name, note: NOTE };
    match present {
        Present::Nothing => batch.create_table(table),
        Present::Ours => batch.add_table(table),
        Present::Other => {
            batch.delete_table(name);
            batch.create_table(table);
        }
    }
    for reason in Reason::ALL {
        batch.add_counter(name, reason.counter());
    }
    batch.add_counter(name, PASSED);
    SETS.iter().for_each(|set| batch.add_set(name, set));
    for chain in CHAINS {
        batch.add_chain(name, chain);
    }
    for chain in CHAINS {
        batch.flush_chain(name, chain.name);
    }
    let transports = [6, 17].map(|number| Element { key: vec![number, 0, 0, 0], ..Element::default() });
    batch.add_elements(name, TRANSPORTS, &transports);
    rules(config).iter().for_each(|rule| batch.add_rule(name, rule));
}
