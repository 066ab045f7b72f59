//! Messages that make and remove tables, chains, rules, sets and counters (`net/netfilter/nf_tables_api.c`).

use super::{Attributes, Expression};

/// What kind a message is: the lower byte of its type.
pub(crate) mod kind {
    pub(crate) const NEW_TABLE: u8 = 0;
    pub(crate) const GET_TABLE: u8 = 1;
    pub(crate) const DEL_TABLE: u8 = 2;
    pub(crate) const NEW_CHAIN: u8 = 3;
    pub(crate) const GET_CHAIN: u8 = 4;
    pub(crate) const NEW_RULE: u8 = 6;
    pub(crate) const GET_RULE: u8 = 7;
    pub(crate) const DEL_RULE: u8 = 8;
    pub(crate) const NEW_SET: u8 = 9;
    pub(crate) const GET_SET: u8 = 10;
    pub(crate) const NEW_ELEMENTS: u8 = 12;
    pub(crate) const GET_ELEMENTS: u8 = 13;
    pub(crate) const DEL_ELEMENTS: u8 = 14;
    pub(crate) const GET_GENERATION: u8 = 16;
    pub(crate) const NEW_OBJECT: u8 = 18;
    pub(crate) const GET_OBJECT: u8 = 19;
}

/// A table of the family that sees IPv4 and IPv6.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(crate) name: &'a str,
    /// Kept with it, for whoever made it.
    pub(crate) note: &'a [u8],
}

impl Table<'_> {
    pub(super) fn attributes(&self) -> Attributes {
        Attributes::new().text(1, self.name).bytes(6, self.note)
    }
}

/// A chain of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain<'a> {
    pub(crate) name: &'a str,
    /// Where packets come into it, if not from another chain only. They go on where it has no rule for them.
    pub(crate) hook: Option<Hook>,
}

/// A place on a packet's way through the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) number: u32,
    pub(crate) priority: i32,
}

impl Hook {
    pub(crate) const PREROUTING: u32 = 0;
    pub(crate) const INPUT: u32 = 1;
}

impl Chain<'_> {
    pub(super) fn attributes(&self, table: &str) -> Attributes {
        const ACCEPT: u32 = 1;
        let chain = Attributes::new().text(1, table).text(3, self.name);
        match self.hook {
            None => chain,
            Some(hook) => {
                let place = Attributes::new().be32(1, hook.number).bytes(2, &hook.priority.to_be_bytes());
                chain.nest(4, &place).be32(5, ACCEPT).text(7, "filter")
            }
        }
    }
}

/// A rule at the end of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) chain: &'static str,
    pub(crate) expressions: Vec<Expression>,
}

impl Rule {
    pub(super) fn attributes(&self, table: &str) -> Attributes {
        const ELEMENT: u16 = 1;
        let expressions = self.expressions.iter();
        let list = expressions
            .fold(Attributes::new(), |list, expression| list.nest(ELEMENT, &expression.attributes()));
        Attributes::new().text(1, table).text(2, self.chain).nest(4, &list)
    }
}

/// A set, or a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) name: &'static str,
    /// The types of the fields of its keys, as nft numbers them, and their lengths in bytes.
    pub(crate) fields: &'static [(u32, u32)],
    /// How long elements live that do not say, in milliseconds; absent in sets whose elements do not end.
    pub(crate) default_timeout: Option<u64>,
    pub(crate) map: Option<Map>,
}

/// What makes a set a map of ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Map {
    /// The type of its values, and their length.
    pub(crate) value: (u32, u32),
}

impl Set {
    pub(super) fn attributes(&self, table: &str, id: u32) -> Attributes {
        const INTERVAL: u32 = 0x4;
        const MAP: u32 = 0x8;
        const TIMEOUT: u32 = 0x10;
        const CONCAT: u32 = 0x80;
        const BITS_OF_A_TYPE: u32 = 6;
        let concat = if self.fields.len() > 1 { CONCAT } else { 0 };
        let map = if self.map.is_some() { INTERVAL | MAP } else { 0 };
        let timeout = if self.default_timeout.is_some() { TIMEOUT } else { 0 };
        let key_type = self.fields.iter().fold(0, |all, (kind, _)| (all << BITS_OF_A_TYPE) | kind);
        let lengths = self.fields.iter().map(|(_, length)| length.next_multiple_of(4));
        let key_length = lengths.fold(0, u32::saturating_add);
        let mut set = Attributes::new().text(1, table).text(2, self.name).be32(3, concat | map | timeout);
        set = set.be32(4, key_type).be32(5, key_length);
        if let Some(Map { value: (kind, length) }) = self.map {
            set = set.be32(6, kind).be32(7, length);
        }
        if concat != 0 {
            let fields = self.fields.iter().fold(Attributes::new(), |fields, (_, length)| {
                fields.nest(1, &Attributes::new().be32(1, *length))
            });
            set = set.nest(9, &Attributes::new().nest(2, &fields));
        }
        set = set.be32(10, id);
        if let Some(timeout) = self.default_timeout {
            set = set.be64(11, timeout);
        }
        set
    }
}
