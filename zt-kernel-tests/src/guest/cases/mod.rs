//! The cases: one line each in [`all`].

mod filter;
mod interface;
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
        Case::new("interface-start", interface::starts_is_adopted_and_deleted),
        Case::new("interface-taken", interface::takes_no_port_and_no_name_of_others),
        Case::new("interface-peers", interface::writes_and_reads_peers),
        Case::new("interface-gone", interface::knows_what_has_taken_its_place),
        Case::new("interface-lists", interface::believes_no_list_that_changed_meanwhile),
        Case::new("interface-costs", interface::cuts_cost_little_with_many_peers),
    ]
}
