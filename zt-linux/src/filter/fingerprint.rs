//! What the table looks like, apart from its elements.

use std::collections::BTreeSet;

use rustix::io::Errno;

use crate::netlink::NetlinkError;
use crate::nftables::{Attributes, Nftables, asked, attributes, kind};

/// All rules in order, and all chains and sets of a table, as the kernel lists them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fingerprint {
    rules: Vec<Vec<u8>>,
    others: BTreeSet<Vec<u8>>,
}

impl Fingerprint {
    /// Takes it of a table; of one that is not there it is empty.
    pub(super) async fn take(nftables: &Nftables, table: &str) -> Result<Self, NetlinkError> {
        const RULE: (u8, &[u16]) = (kind::GET_RULE, &[1, 2, 4]); // table, chain, expressions
        const CHAIN: (u8, &[u16]) = (kind::GET_CHAIN, &[1, 3, 4, 5, 7]); // table, name, hook, policy, type
        const SET: (u8, &[u16]) = (kind::GET_SET, &[1, 2, 3, 4, 5, 6, 7, 11]); // table, name, flags, types and lengths, timeout
        let of_table = Attributes::new().text(1, table);
        let list = async |(asked_for, kept): (u8, &[u16])| {
            let keep = |message: &[u8]| {
                let ours = attributes(message)
                    .any(|(kind, value)| kind == 1 && crate::nftables::text(value) == Some(table));
                ours.then(|| {
                    let kept = attributes(message).filter(|(kind, _)| kept.contains(kind));
                    kept.fold(Attributes::new(), |all, (kind, value)| all.bytes(kind, value))
                        .as_bytes()
                        .to_vec()
                })
            };
            match nftables.list(asked(asked_for), &of_table, keep).await {
                Err(error) if error.is(Errno::NOENT) => Ok(Vec::new()),
                listed => listed,
            }
        };
        let rules = list(RULE).await?;
        let others = list(CHAIN).await?.into_iter().chain(list(SET).await?).collect();
        Ok(Self { rules, others })
    }
}
