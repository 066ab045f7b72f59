//! Policy routing that refuses whatever the table has not let through, so that there is nothing open without the table.

use std::collections::BTreeSet;

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType};
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;
use zt_core::net::Prefix;

use super::config::FilterConfig;
use crate::link::PROTOCOL;
use crate::netlink::{Netlink, NetlinkError};

const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;
/// The kernel's own table of the host's addresses.
const LOCAL: u8 = 255;
/// The first rule there is, unless somebody moved it: it looks into [`LOCAL`].
const KERNELS_OWN: u32 = 0;

/// Adds what is missing; says how much that was.
pub(super) async fn install(netlink: &Netlink, config: &FilterConfig) -> Result<usize, NetlinkError> {
    let mut added = 0_usize;
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let pools = || config.pools.iter().filter(|pool| family_of(pool) == family);
        let present = rules_of(netlink, family).await?;
        for wanted in rules(config, family) {
            if !present.iter().any(|found| is_same(found, &wanted)) {
                match netlink.change(RouteNetlinkMessage::NewRule(wanted), NEW).await {
                    Err(error) if error.is(Errno::EXIST) => {}
                    made => made.map(|()| added = added.saturating_add(1))?,
                }
            }
        }
        // It would find the host's own addresses before the refusals. Ours of the same kind stands behind them by now.
        if let Some(first) = present.iter().find(|found| looks_into_local_first(found)) {
            match netlink.change(RouteNetlinkMessage::DelRule(first.clone()), 0).await {
                Err(error) if error.is(Errno::NOENT) => {}
                removed => removed.map(|()| added = added.saturating_add(1))?,
            }
        }
        for pool in pools() {
            match netlink.change(RouteNetlinkMessage::NewRoute(refusal(pool)), NEW).await {
                Err(error) if error.is(Errno::EXIST) => {}
                made => made.map(|()| added = added.saturating_add(1))?,
            }
        }
    }
    Ok(added)
}

async fn rules_of(netlink: &Netlink, family: AddressFamily) -> Result<Vec<RuleMessage>, NetlinkError> {
    let mut request = RuleMessage::default();
    request.header.family = family;
    let keep = |message| {
        let RouteNetlinkMessage::NewRule(rule) = message else { return None };
        Some(rule).filter(|rule| rule.header.family == family)
    };
    netlink.list(RouteNetlinkMessage::GetRule(request), keep).await
}

/// The rules in the order in which they are asked, which is that of their numbers.
fn rules(config: &FilterConfig, family: AddressFamily) -> Vec<RuleMessage> {
    let bit = config.reserved.accepted.mask();
    let table = config.reserved.routes.number();
    let unmarked = [RuleAttribute::FwMark(0), RuleAttribute::FwMask(bit)];
    let marked = [RuleAttribute::FwMark(bit), RuleAttribute::FwMask(bit)];
    let from_link = RuleAttribute::Iifname(config.link.as_str().to_owned());
    let from_host = RuleAttribute::Iifname("lo".to_owned());
    let refuse = |number, attributes: Vec<RuleAttribute>| {
        let mut rule = rule((family, number), attributes);
        rule.header.action = RuleAction::Prohibit;
        rule
    };
    let look = |number, table: u32, mut attributes: Vec<RuleAttribute>| {
        attributes.push(RuleAttribute::Table(table));
        let mut rule = rule((family, number), attributes);
        rule.header.action = RuleAction::ToTable;
        rule.header.table = u8::try_from(table).unwrap_or(0);
        rule
    };
    let mut rules = vec![refuse(10, [vec![from_link], unmarked.to_vec()].concat())];
    let pools: BTreeSet<&Prefix> = config.pools.iter().filter(|pool| family_of(pool) == family).collect();
    // holds when the link is renamed
    rules.extend(pools.into_iter().map(|pool| {
        let mut rule = refuse(11, [vec![RuleAttribute::Source(pool.address())], unmarked.to_vec()].concat());
        rule.header.src_len = pool.length();
        rule
    }));
    rules.push(look(20, LOCAL.into(), Vec::new()));
    rules.push(look(30, table, marked.to_vec()));
    rules.push(look(31, table, vec![from_host])); // what the host itself sends to devices
    rules
}

fn rule((family, number): (AddressFamily, u32), mut attributes: Vec<RuleAttribute>) -> RuleMessage {
    attributes.push(RuleAttribute::Priority(number));
    attributes.push(RuleAttribute::Protocol(RouteProtocol::from(PROTOCOL)));
    let mut rule = RuleMessage::default();
    rule.header.family = family;
    rule.attributes = attributes;
    rule
}

/// Whether a listed rule is one that is wanted: the kernel lists what it was not told as well, and leaves out zeros.
fn is_same(found: &RuleMessage, wanted: &RuleMessage) -> bool {
    let told = |rule: &RuleMessage| {
        let attributes = rule.attributes.iter().filter(|attribute| {
            let untold = RuleAttribute::SuppressPrefixLen(u32::MAX);
            !matches!(attribute, RuleAttribute::FwMark(0) | RuleAttribute::Table(0)) && **attribute != untold
        });
        let mut attributes: Vec<String> = attributes.map(|attribute| format!("{attribute:?}")).collect();
        attributes.sort_unstable();
        (attributes, rule.header.src_len, rule.header.action)
    };
    told(found) == told(wanted)
}

fn looks_into_local_first(rule: &RuleMessage) -> bool {
    let number = rule.attributes.iter().find_map(|attribute| {
        if let RuleAttribute::Priority(number) = attribute { Some(*number) } else { None }
    });
    number.unwrap_or(KERNELS_OWN) == KERNELS_OWN && rule.header.table == LOCAL
}

/// Keeps what is for devices, and was not let through, from leaving by the default route.
fn refusal(pool: &Prefix) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family_of(pool);
    message.header.destination_prefix_length = pool.length();
    message.header.table = 254;
    message.header.protocol = RouteProtocol::from(PROTOCOL);
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Prohibit;
    message.attributes = vec![RouteAttribute::Destination(pool.address().into()), RouteAttribute::Table(254)];
    message
}

fn family_of(prefix: &Prefix) -> AddressFamily {
    if prefix.address().is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}
