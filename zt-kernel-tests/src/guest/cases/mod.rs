//! The cases: one line each in [`all`].

mod filter;
mod modules;
mod tun;
mod wireguard;

use crate::case::Case;

/// All cases, in the order in which they run.
pub(crate) fn all() -> Vec<Case> {
    vec![
        Case::new("modules", modules::are_there),
        Case::new("tun", tun::carries_packets_both_ways),
        Case::new("filter", filter::is_closed_at_first),
        Case::new("wireguard", wireguard::nothing_arrives_from_a_removed_peer),
    ]
}
