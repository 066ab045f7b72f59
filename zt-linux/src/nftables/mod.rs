//! nftables in the kernel's own words: transactions and lists over nfnetlink, without a process.

mod answer;
mod attribute;
mod batch;
mod conntrack;
mod element;
mod expression;
mod message;
mod socket;

pub(crate) use attribute::{Attributes, attributes, text, u64_of};
pub(crate) use batch::{Batch, asked};
pub(crate) use conntrack::TrackedFlow;
pub(crate) use element::Element;
pub(crate) use expression::{Direction, Expression, Register, Side, Verdict, ct, meta};
pub(crate) use message::{Chain, Hook, Map, Rule, Set, Table, kind};
pub(crate) use socket::Nftables;
