//! What a rule is made of: instructions of the kernel's packet machine (`net/netfilter/nft_*.c`).

use super::Attributes;

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expression {
    name: &'static str,
    data: Attributes,
}

/// One of the machine's sixteen words of four bytes; longer values go on in the next ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Register(pub(crate) u8);

impl Register {
    fn number(self) -> u32 {
        const FIRST: u32 = 8; // NFT_REG32_00
        FIRST.saturating_add(self.0.into())
    }
}

/// Where a packet's bytes are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Network,
    Transport,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<'a> {
    Drop,
    Accept,
    /// The rules of another chain decide, and there is no way back.
    Goto(&'a str),
}

/// `enum nft_meta_keys`.
pub(crate) mod meta {
    pub(crate) const MARK: u32 = 3;
    pub(crate) const IIFNAME: u32 = 6;
    pub(crate) const NFPROTO: u32 = 15;
    pub(crate) const L4PROTO: u32 = 16;
}

/// `enum nft_ct_keys`.
pub(crate) mod ct {
    pub(crate) const STATE: u32 = 0;
    pub(crate) const DIRECTION: u32 = 1;
    pub(crate) const PROTOCOL: u32 = 10;
    pub(crate) const PROTO_DST: u32 = 12;
    pub(crate) const DST_IP: u32 = 20;
    pub(crate) const DST_IP6: u32 = 22;
}

impl Expression {
    pub(super) fn attributes(&self) -> Attributes {
        const NAME: u16 = 1;
        const DATA: u16 = 2;
        Attributes::new().text(NAME, self.name).nest(DATA, &self.data)
    }

    const fn new(name: &'static str, data: Attributes) -> Self {
        Self { name, data }
    }

    /// Loads what is known of the packet besides its bytes.
    pub(crate) fn load_meta(key: u32, to: Register) -> Self {
        Self::new("meta", Attributes::new().be32(2, key).be32(1, to.number()))
    }

    /// Sets the packet's mark.
    pub(crate) fn set_mark(from: Register) -> Self {
        Self::new("meta", Attributes::new().be32(2, meta::MARK).be32(3, from.number()))
    }

    /// Loads bytes of the packet.
    pub(crate) fn load_payload(side: Side, (offset, length): (u32, u32), to: Register) -> Self {
        let base = match side {
            Side::Network => 1,
            Side::Transport => 2,
        };
        let data = Attributes::new().be32(1, to.number()).be32(2, base).be32(3, offset).be32(4, length);
        Self::new("payload", data)
    }

    /// Loads what is known of the packet's flow. In an inet table all keys that we use but the state and the direction
    /// need one.
    pub(crate) fn load_ct(key: u32, direction: Option<Direction>, to: Register) -> Self {
        let data = Attributes::new().be32(1, to.number()).be32(2, key);
        let data = match direction {
            Some(direction) => data.u8(3, direction as u8),
            None => data,
        };
        Self::new("ct", data)
    }

    /// Loads whether the packet has an IPv6 extension header of this kind.
    pub(crate) fn load_has_header(kind: u8, to: Register) -> Self {
        const PRESENT: u32 = 1;
        let data = Attributes::new().be32(1, to.number()).u8(2, kind);
        Self::new("exthdr", data.be32(3, 0).be32(4, 1).be32(5, PRESENT).be32(6, 0))
    }

    /// Computes `(register & mask) ^ xor`.
    pub(crate) fn bitwise(register: Register, mask: &[u8], xor: &[u8]) -> Self {
        let length = u32::try_from(mask.len()).unwrap_or(0);
        let data = Attributes::new().be32(1, register.number()).be32(2, register.number()).be32(3, length);
        Self::new("bitwise", data.nest(4, &value(mask)).nest(5, &value(xor)))
    }

    /// Goes on with the rule if the register holds this.
    pub(crate) fn equals(register: Register, bytes: &[u8]) -> Self {
        Self::compare(register, 0, bytes)
    }

    /// Goes on with the rule if the register holds something else.
    pub(crate) fn differs(register: Register, bytes: &[u8]) -> Self {
        Self::compare(register, 1, bytes)
    }

    /// Goes on with the rule if the register, as a big-endian number, holds this or more.
    pub(crate) fn at_least(register: Register, bytes: &[u8]) -> Self {
        Self::compare(register, 5, bytes)
    }

    /// Goes on with the rule if the register, as a big-endian number, holds this or less.
    pub(crate) fn at_most(register: Register, bytes: &[u8]) -> Self {
        Self::compare(register, 3, bytes)
    }

    fn compare(register: Register, operation: u32, bytes: &[u8]) -> Self {
        Self::new(
            "cmp",
            Attributes::new().be32(1, register.number()).be32(2, operation).nest(3, &value(bytes)),
        )
    }

    /// Goes on with the rule if a set has what the registers from here on hold.
    pub(crate) fn is_in(set: &str, from: Register) -> Self {
        Self::new("lookup", Attributes::new().text(1, set).be32(2, from.number()))
    }

    /// Goes on with the rule if a set does not have it.
    pub(crate) fn is_not_in(set: &str, from: Register) -> Self {
        const INVERTED: u32 = 1;
        Self::new("lookup", Attributes::new().text(1, set).be32(2, from.number()).be32(5, INVERTED))
    }

    /// Goes on with the rule if a map has it, with what the map has for it in `to`.
    pub(crate) fn look_up(map: &str, from: Register, to: Register) -> Self {
        Self::new("lookup", Attributes::new().text(1, map).be32(2, from.number()).be32(3, to.number()))
    }

    /// Counts the packet in a named counter.
    pub(crate) fn count(counter: &str) -> Self {
        const COUNTER: u32 = 1;
        Self::new("objref", Attributes::new().be32(1, COUNTER).text(2, counter))
    }

    /// Ends the rule.
    pub(crate) fn verdict(verdict: Verdict<'_>) -> Self {
        const GOTO: u32 = 0xffff_fffc; // -4
        let code = match verdict {
            Verdict::Drop => Attributes::new().be32(1, 0),
            Verdict::Accept => Attributes::new().be32(1, 1),
            Verdict::Goto(chain) => Attributes::new().be32(1, GOTO).text(2, chain),
        };
        let data = Attributes::new().nest(2, &code);
        Self::new("immediate", Attributes::new().be32(1, 0).nest(2, &data))
    }
}

/// Which way a flow's packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Direction {
    /// As its first one.
    Original = 0,
    /// The other way.
    Reply = 1,
}

fn value(bytes: &[u8]) -> Attributes {
    Attributes::new().bytes(1, bytes)
}
