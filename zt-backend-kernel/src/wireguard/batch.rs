//! Changes of peers, cut up into messages.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU16;

use zt_core::key::PublicKey;
use zt_core::net::Prefix;

/// The most allowed IPs of one peer in one message.
///
/// Where a peer goes on in a second message, `wireguard-uapi` forgets that it is only to be changed, and the kernel
/// makes a peer that was gone.
pub(super) const MAX_ALLOWED_IPS: usize = 700;

/// How long a message may become, in bytes.
///
/// A refusal holds the message that was refused, and `wireguard-uapi` reads 32 KiB of an answer; of a longer one it
/// loses the error. At 64 KiB it would begin a second message, see [`MAX_ALLOWED_IPS`].
pub(super) const MAX_MESSAGE: usize = 32_000;

/// What is done to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Make it if it is not there, with just these allowed IPs.
    Create,
    /// Leave it just these allowed IPs, if it is there.
    Replace,
    /// Give it these allowed IPs beside those it has, if it is there.
    Extend,
    /// Remove it, if it is there.
    Remove,
}

/// A change of one peer, or a part of one, that fits into a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) key: PublicKey,
    pub(super) act: Act,
    pub(super) allowed_ips: Vec<Prefix>,
    pub(super) endpoint: Option<SocketAddr>,
    pub(super) keepalive: Option<NonZeroU16>,
}

impl Part {
    /// How long it becomes in a message, in bytes.
    pub(super) fn length(&self) -> usize {
        const HEADER_KEY_AND_FLAGS: usize = 4 + 36 + 8;
        const KEEPALIVE_AND_LIST: usize = 8 + 4;
        let endpoint: usize = match self.endpoint {
            None => 0,
            Some(SocketAddr::V4(_)) => 20,
            Some(SocketAddr::V6(_)) => 32,
        };
        let allowed_ips =
            self.allowed_ips.iter().map(|prefix| if prefix.address().is_ipv4() { 28 } else { 40 });
        allowed_ips.chain([HEADER_KEY_AND_FLAGS, KEEPALIVE_AND_LIST]).fold(endpoint, usize::saturating_add)
    }
}

/// Cuts a change up into parts, of which the first does all that takes away.
pub(super) fn parts(
    (key, act): (PublicKey, Act),
    allowed_ips: &BTreeSet<Prefix>,
    (endpoint, keepalive): (Option<SocketAddr>, Option<NonZeroU16>),
) -> Vec<Part> {
    let mut rest = allowed_ips.iter().copied();
    let first: Vec<Prefix> = rest.by_ref().take(MAX_ALLOWED_IPS).collect();
    let mut parts = vec![Part { key, act, allowed_ips: first, endpoint, keepalive }];
    loop {
        let more: Vec<Prefix> = rest.by_ref().take(MAX_ALLOWED_IPS).collect();
        if more.is_empty() {
            return parts;
        }
        parts.push(Part { key, act: Act::Extend, allowed_ips: more, endpoint: None, keepalive: None });
    }
}

/// Takes as many parts as fit into a message, but no more than `most` and at least one.
///
/// A message never holds two parts of one peer.
pub(super) fn message(rest: &mut &[Part], most: usize) -> Vec<Part> {
    const HEADERS: usize = 16 + 4 + 8 + 4;
    let mut length = HEADERS;
    let mut keys = BTreeSet::new();
    let fits = |part: &&Part| {
        length = length.saturating_add(part.length());
        length <= MAX_MESSAGE && keys.insert(part.key)
    };
    let count = rest.iter().take(most.max(1)).take_while(fits).count().max(1);
    let (message, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
    *rest = after;
    message.to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zt_core::key::PrivateKey;

    use super::*;

    fn key(seed: u8) -> PublicKey {
        PrivateKey::from_bytes([seed; 32]).public_key()
    }

    fn prefixes(count: u16, v6: bool) -> BTreeSet<Prefix> {
        let host = |number: u16| {
            let [high, low] = number.to_be_bytes();
            if v6 { [0xfd99, 0, 0, 0, 0, 0, 0, number].into() } else { [10, 0, high, low].into() }
        };
        (0..count).map(|number| Prefix::host(host(number))).collect()
    }

    #[test]
    fn a_long_list_takes_away_in_its_first_part_only() {
        let parts = parts((key(1), Act::Replace), &prefixes(2_000, false), (None, NonZeroU16::new(25)));
        let acts: Vec<_> = parts.iter().map(|part| (part.act, part.allowed_ips.len())).collect();
        assert_eq!(acts, [(Act::Replace, 700), (Act::Extend, 700), (Act::Extend, 600)]);
        assert_eq!(parts.iter().filter(|part| part.keepalive.is_some()).count(), 1);
    }

    #[test]
    fn emptying_is_one_part_and_many_fit_into_a_message() {
        let empty = parts((key(1), Act::Replace), &BTreeSet::new(), (None, None));
        assert_eq!(empty.len(), 1);
        let all: Vec<Part> = (1..=250).map(|seed| Part { key: key(seed), ..empty[0].clone() }).collect();
        let mut rest = all.as_slice();
        assert_eq!(message(&mut rest, 1_000).len(), 250);
        assert!(rest.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn messages_are_short_and_complete(
            changes in prop::collection::vec((1..20_u8, 0..1_500_u16, any::<bool>()), 0..12),
            most in 0..40_usize,
        ) {
            let all: Vec<Part> = changes
                .into_iter()
                .flat_map(|(seed, count, v6)| {
                    let endpoint = "[fd00::1]:9".parse().ok();
                    parts((key(seed), Act::Create), &prefixes(count, v6), (endpoint, NonZeroU16::new(25)))
                })
                .collect();
            let (mut rest, mut sent) = (all.as_slice(), Vec::new());
            while !rest.is_empty() {
                let message = message(&mut rest, most);
                let keys: BTreeSet<_> = message.iter().map(|part| part.key).collect();
                prop_assert!(keys.len() == message.len() && message.len() <= most.max(1));
                prop_assert!(message.iter().map(Part::length).sum::<usize>() <= MAX_MESSAGE);
                prop_assert!(message.iter().all(|part| part.allowed_ips.len() <= MAX_ALLOWED_IPS));
                sent.extend(message);
            }
            prop_assert_eq!(sent, all);
        }
    }
}
