//! Transactions: messages that the kernel carries out all together or not at all.

use super::message::kind;
use super::{Attributes, Chain, Element, Rule, Set, Table};

/// What is to be carried out together, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    messages: Vec<Message>,
    sets: u32,
}

/// A message of a transaction.
#[derive(Debug, Clone)]
struct Message {
    kind: u16,
    flags: u16,
    family: u8,
    body: Attributes,
}

/// So many bytes of elements go into one message: a list of them is an attribute, which ends at 65,535.
const ROOM: usize = 60_000;
/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;
/// `NFPROTO_INET`.
const INET: u8 = 1;
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const EXCLUSIVE: u16 = 0x200;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

impl Batch {
    pub(crate) const fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Makes a table, if it is not there.
    pub(crate) fn add_table(&mut self, table: Table<'_>) {
        self.push(kind::NEW_TABLE, CREATE, table.attributes());
    }

    /// Makes a table that must not be there.
    pub(crate) fn create_table(&mut self, table: Table<'_>) {
        self.push(kind::NEW_TABLE, CREATE | EXCLUSIVE, table.attributes());
    }

    /// Removes a table with all that is in it.
    pub(crate) fn delete_table(&mut self, name: &str) {
        self.push(kind::DEL_TABLE, 0, Attributes::new().text(1, name));
    }

    pub(crate) fn add_chain(&mut self, table: &str, chain: Chain<'_>) {
        self.push(kind::NEW_CHAIN, CREATE, chain.attributes(table));
    }

    /// Removes all rules of a chain.
    pub(crate) fn flush_chain(&mut self, table: &str, chain: &str) {
        self.push(kind::DEL_RULE, 0, Attributes::new().text(1, table).text(2, chain));
    }

    pub(crate) fn add_rule(&mut self, table: &str, rule: &Rule) {
        self.push(kind::NEW_RULE, CREATE | APPEND, rule.attributes(table));
    }

    pub(crate) fn add_set(&mut self, table: &str, set: &Set) {
        self.sets = self.sets.saturating_add(1);
        self.push(kind::NEW_SET, CREATE, set.attributes(table, self.sets));
    }

    pub(crate) fn add_counter(&mut self, table: &str, name: &str) {
        const COUNTER: u32 = 1;
        let body = Attributes::new().text(1, table).text(2, name).be32(3, COUNTER);
        self.push(kind::NEW_OBJECT, CREATE, body.nest(4, &Attributes::new()));
    }

    pub(crate) fn add_elements(&mut self, table: &str, set: &str, elements: &[Element]) {
        self.elements(kind::NEW_ELEMENTS, (table, set), elements);
    }

    /// Removes elements that are there, or all if there are none: what is not there fails the transaction.
    pub(crate) fn delete_elements(&mut self, table: &str, set: &str, elements: &[Element]) {
        self.elements(kind::DEL_ELEMENTS, (table, set), elements);
    }

    /// Removes all elements.
    pub(crate) fn flush_set(&mut self, table: &str, set: &str) {
        self.push(kind::DEL_ELEMENTS, 0, Attributes::new().text(1, table).text(2, set));
    }

    fn elements(&mut self, kind: u8, (table, set): (&str, &str), elements: &[Element]) {
        let flags = if kind == kind::NEW_ELEMENTS { CREATE } else { 0 };
        let mut list = Attributes::new();
        for element in elements {
            list = list.nest(1, &element.attributes(kind == kind::NEW_ELEMENTS));
            if list.len() > ROOM {
                let body = Attributes::new().text(1, table).text(2, set).nest(3, &std::mem::take(&mut list));
                self.push(kind, flags, body);
            }
        }
        if list.len() > 0 {
            self.push(kind, flags, Attributes::new().text(1, table).text(2, set).nest(3, &list));
        }
    }

    fn push(&mut self, kind: u8, flags: u16, body: Attributes) {
        let kind = (SUBSYSTEM << 8) | u16::from(kind);
        self.messages.push(Message { kind, flags, family: INET, body });
    }

    /// All of it with its frame. Its messages have the numbers from `first` on; the last one of them, which is given
    /// back, is acknowledged.
    pub(super) fn to_bytes(&self, first: u32) -> (Vec<u8>, u32) {
        let mut bytes = Vec::new();
        frame(&mut bytes, BEGIN, first);
        let mut number = first;
        for (at, message) in self.messages.iter().enumerate() {
            number = number.wrapping_add(1);
            let ack = if at.saturating_add(1) == self.messages.len() { ACK } else { 0 };
            let header = (message.kind, REQUEST | ack | message.flags, number);
            write(&mut bytes, header, (message.family, 0), message.body.as_bytes());
        }
        frame(&mut bytes, END, number.wrapping_add(1));
        (bytes, number)
    }
}

/// What a question about nftables is called.
pub(crate) const fn asked(kind: u8) -> (u16, u8, u8) {
    (SUBSYSTEM, kind, INET)
}

fn frame(bytes: &mut Vec<u8>, kind: u16, number: u32) {
    write(bytes, (kind, REQUEST, number), (0, SUBSYSTEM), &[]);
}

/// Appends a message: kind, flags and number; family and resource; attributes.
pub(super) fn write(
    bytes: &mut Vec<u8>,
    (kind, flags, number): (u16, u16, u32),
    (family, resource): (u8, u16),
    body: &[u8],
) {
    const HEADERS: usize = 20;
    let length = u32::try_from(body.len().saturating_add(HEADERS)).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&number.to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]); // from whom: the kernel knows
    bytes.extend_from_slice(&[family, 0]);
    bytes.extend_from_slice(&resource.to_be_bytes());
    bytes.extend_from_slice(body);
}
