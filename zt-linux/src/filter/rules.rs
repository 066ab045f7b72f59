//! The rules: what happens to a packet, in the order in which it is asked.

use std::net::IpAddr;

use zt_core::net::{Prefix, Protocol, Service};

use super::config::FilterConfig;
use super::counts::{PASSED, Reason};
use super::layout::{BEFORE_ROUTING, FROM_DEVICES, Family, GATE, PASS, TO_DEVICES, TRANSPORTS, UNDERLAY};
use crate::nftables::{Direction, Expression, Register, Rule, Side, Verdict, ct, meta};

/// `NF_CT_STATE_BIT` and its like, as `ct state` has them.
mod state {
    pub(super) const INVALID: u32 = 1;
    pub(super) const ESTABLISHED: u32 = 2;
    pub(super) const RELATED: u32 = 4;
    pub(super) const NEW: u32 = 8;
}

/// Where a rule looks at things that it does not keep.
const FIRST: Register = Register(0);
const ROUTING_HEADER: u8 = 43;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// All rules of the table.
pub(super) fn rules(config: &FilterConfig) -> Vec<Rule> {
    let mut rules = before_routing(config);
    rules.extend(from_devices(config));
    rules.extend(to_devices());
    rules.push(pass(config));
    rules.extend(underlay(config));
    rules
}

/// What of ours a packet has to do with. Nobody else's mark counts.
fn before_routing(config: &FilterConfig) -> Vec<Rule> {
    let bit = config.reserved.accepted.mask();
    let mut rules = vec![
        rule(BEFORE_ROUTING, [load_mark(), change_mark(!bit, 0), Expression::set_mark(FIRST)]),
        rule(BEFORE_ROUTING, came_by(config.link.as_str()).into_iter().chain([goto(FROM_DEVICES)])),
    ];
    let goes_there = |pool| address_in(Destination, pool).into_iter().chain([goto(TO_DEVICES)]);
    rules.extend(config.pools.iter().map(|pool| rule(BEFORE_ROUTING, goes_there(pool))));
    let comes_thence = |pool| address_in(Source, pool).into_iter().chain(drop_for(Reason::Spoofed));
    rules.extend(config.pools.iter().map(|pool| rule(BEFORE_ROUTING, comes_thence(pool))));
    rules
}

fn from_devices(config: &FilterConfig) -> Vec<Rule> {
    let mut rules = admission(FROM_DEVICES, Source);
    // a device answers another one
    let answers = |pool| {
        let answer = [load_direction(), Expression::equals(FIRST, &[Direction::Reply as u8])];
        answer.into_iter().chain(address_in(Destination, pool)).chain([goto(TO_DEVICES)])
    };
    rules.extend(config.pools.iter().map(|pool| rule(FROM_DEVICES, answers(pool))));
    for family in Family::BOTH {
        let opens = || state_among(state::NEW | state::ESTABLISHED);
        let transports = opens().into_iter().chain(of_transports()).chain(of(family));
        let transports = transports.chain(packet_key(family, 2)).chain(may_use(family, Source));
        rules.push(rule(FROM_DEVICES, transports));
        let echo = opens().into_iter().chain(of_protocol(family.icmp().0)).chain(of(family));
        rules.push(rule(FROM_DEVICES, echo.chain(packet_key(family, 0)).chain(may_use(family, Source))));
        let errors = state_among(state::RELATED).into_iter().chain(of_protocol(family.icmp().0));
        let errors = errors.chain(goes(Direction::Original)).chain(of(family)).chain(flow_key(family));
        rules.push(rule(FROM_DEVICES, errors.chain(may_use(family, Source))));
    }
    rules.push(rule(FROM_DEVICES, drop_for(Reason::Pair)));
    rules
}

fn to_devices() -> Vec<Rule> {
    let mut rules = admission(TO_DEVICES, Destination);
    for family in Family::BOTH {
        let belongs = || flow_key(family).into_iter().chain(may_use(family, Destination));
        let reply = |states| state_among(states).into_iter().chain(goes(Direction::Reply)).chain(of(family));
        let transports = reply(state::ESTABLISHED).chain(of_transports()).chain(belongs());
        rules.push(rule(TO_DEVICES, transports));
        let icmp = reply(state::ESTABLISHED | state::RELATED).chain(of_protocol(family.icmp().0));
        rules.push(rule(TO_DEVICES, icmp.chain(belongs())));
    }
    rules.push(rule(TO_DEVICES, drop_for(Reason::Pair)));
    rules
}

/// What is asked of every packet of a device, in either direction.
fn admission(chain: &'static str, device: Endpoint) -> Vec<Rule> {
    let invalid = state_among(state::INVALID).into_iter().chain(drop_for(Reason::Invalid));
    let routed = of(Family::V6)
        .into_iter()
        .chain([Expression::load_has_header(ROUTING_HEADER, FIRST), Expression::equals(FIRST, &[1])]);
    let closed = [load_family(), Expression::is_not_in(GATE, FIRST)].into_iter();
    let mut rules = vec![
        rule(chain, invalid),
        rule(chain, routed.chain(drop_for(Reason::Routed))),
        rule(chain, closed.chain(drop_for(Reason::Gate))),
    ];
    rules.extend(Family::BOTH.map(|family| {
        let strange = [load_address(family, device), Expression::is_not_in(family.names().sources, FIRST)];
        rule(chain, of(family).into_iter().chain(strange).chain(drop_for(Reason::Source)))
    }));
    rules
}

/// The positive act, without which policy routing refuses the packet.
fn pass(config: &FilterConfig) -> Rule {
    let bit = config.reserved.accepted.mask();
    let marked = [load_mark(), change_mark(!bit, bit), Expression::set_mark(FIRST)];
    rule(PASS, marked.into_iter().chain([Expression::count(PASSED), Expression::verdict(Verdict::Accept)]))
}

fn underlay(config: &FilterConfig) -> Vec<Rule> {
    let accept = || [Expression::verdict(Verdict::Accept)];
    let mut rules: Vec<Rule> = ["lo", config.link.as_str()]
        .map(|link| rule(UNDERLAY, came_by(link).into_iter().chain(accept())))
        .into();
    let own = state_among(state::ESTABLISHED | state::RELATED).into_iter().chain(goes(Direction::Reply));
    rules.push(rule(UNDERLAY, own.chain(accept())));
    let wireguard = (UDP, [config.underlay.wireguard_port; 2]);
    let services = config.underlay.open.iter().flat_map(transport_of);
    rules.extend([wireguard].into_iter().chain(services).map(|(protocol, [first, last])| {
        let port = Expression::load_payload(Side::Transport, (2, 2), FIRST);
        let within = [
            port,
            Expression::at_least(FIRST, &first.to_be_bytes()),
            Expression::at_most(FIRST, &last.to_be_bytes()),
        ];
        rule(UNDERLAY, of_protocol(protocol).into_iter().chain(within).chain(accept()))
    }));
    let echoes = config.underlay.open.iter().any(|service| service.protocol == Protocol::Echo);
    for family in Family::BOTH.into_iter().filter(|_| echoes) {
        rules.push(rule(UNDERLAY, of_icmp(family, family.icmp().1).into_iter().chain(accept())));
    }
    // router and neighbour solicitations and advertisements
    rules.extend(
        (133..=136).map(|kind| rule(UNDERLAY, of_icmp(Family::V6, kind).into_iter().chain(accept()))),
    );
    rules.push(rule(UNDERLAY, drop_for(Reason::Underlay)));
    rules
}

fn transport_of(service: &Service) -> Option<(u8, [u16; 2])> {
    let ports = [service.ports.first, service.ports.last];
    match service.protocol {
        Protocol::Tcp => Some((TCP, ports)),
        Protocol::Udp => Some((UDP, ports)),
        Protocol::Echo => None,
    }
}

/// Which of a packet's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Source,
    Destination,
}
use Endpoint::{Destination, Source};

fn rule(chain: &'static str, expressions: impl IntoIterator<Item = Expression>) -> Rule {
    Rule { chain, expressions: expressions.into_iter().collect() }
}

fn goto(chain: &str) -> Expression {
    Expression::verdict(Verdict::Goto(chain))
}

fn drop_for(reason: Reason) -> [Expression; 2] {
    [Expression::count(reason.counter()), Expression::verdict(Verdict::Drop)]
}

fn load_mark() -> Expression {
    Expression::load_meta(meta::MARK, FIRST)
}

fn change_mark(keep: u32, set: u32) -> Expression {
    Expression::bitwise(FIRST, &keep.to_ne_bytes(), &set.to_ne_bytes())
}

fn load_family() -> Expression {
    Expression::load_meta(meta::NFPROTO, FIRST)
}

fn load_direction() -> Expression {
    Expression::load_ct(ct::DIRECTION, None, FIRST)
}

fn came_by(link: &str) -> [Expression; 2] {
    const LENGTH: usize = 16;
    let mut name = link.as_bytes().to_vec();
    name.resize(LENGTH, 0);
    [Expression::load_meta(meta::IIFNAME, FIRST), Expression::equals(FIRST, &name)]
}

fn of(family: Family) -> [Expression; 2] {
    [load_family(), Expression::equals(FIRST, &[family.number()])]
}

fn of_protocol(number: u8) -> [Expression; 2] {
    [Expression::load_meta(meta::L4PROTO, FIRST), Expression::equals(FIRST, &[number])]
}

fn of_transports() -> [Expression; 2] {
    [Expression::load_meta(meta::L4PROTO, FIRST), Expression::is_in(TRANSPORTS, FIRST)]
}

fn of_icmp(family: Family, kind: u8) -> Vec<Expression> {
    let its_kind =
        [Expression::load_payload(Side::Transport, (0, 1), FIRST), Expression::equals(FIRST, &[kind])];
    of(family).into_iter().chain(of_protocol(family.icmp().0)).chain(its_kind).collect()
}

fn state_among(states: u32) -> [Expression; 3] {
    [
        Expression::load_ct(ct::STATE, None, FIRST),
        Expression::bitwise(FIRST, &states.to_ne_bytes(), &[0; 4]),
        Expression::differs(FIRST, &[0; 4]),
    ]
}

fn goes(direction: Direction) -> [Expression; 2] {
    [load_direction(), Expression::equals(FIRST, &[direction as u8])]
}

fn load_address(family: Family, endpoint: Endpoint) -> Expression {
    let place = match (family, endpoint) {
        (Family::V4, Source) => (12, 4),
        (Family::V4, Destination) => (16, 4),
        (Family::V6, Source) => (8, 16),
        (Family::V6, Destination) => (24, 16),
    };
    Expression::load_payload(Side::Network, place, FIRST)
}

fn address_in(endpoint: Endpoint, prefix: &Prefix) -> Vec<Expression> {
    let (family, network, mask) = match prefix.address() {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.length().into())).unwrap_or(0);
            (Family::V4, address.octets().to_vec(), mask.to_be_bytes().to_vec())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix.length().into())).unwrap_or(0);
            (Family::V6, address.octets().to_vec(), mask.to_be_bytes().to_vec())
        }
    };
    let masked = Expression::bitwise(FIRST, &mask, &vec![0; mask.len()]);
    let within = [load_address(family, endpoint), masked, Expression::equals(FIRST, &network)];
    of(family).into_iter().chain(within).collect()
}

/// Where a key of a map of regions has its protocol: after the address.
const fn after_address(family: Family) -> (Register, Register) {
    match family {
        Family::V4 => (Register(1), Register(2)),
        Family::V6 => (Register(4), Register(5)),
    }
}

/// Destination, protocol and port as the packet itself has them; of ICMP, type and code are at the start.
fn packet_key(family: Family, port_at: u32) -> [Expression; 3] {
    let (protocol, port) = after_address(family);
    [
        load_address(family, Destination),
        Expression::load_meta(meta::L4PROTO, protocol),
        Expression::load_payload(Side::Transport, (port_at, 2), port),
    ]
}

/// Destination, protocol and port as the flow's first packet had them.
fn flow_key(family: Family) -> [Expression; 3] {
    let (protocol, port) = after_address(family);
    let address = match family {
        Family::V4 => ct::DST_IP,
        Family::V6 => ct::DST_IP6,
    };
    let original = Some(Direction::Original);
    [
        Expression::load_ct(address, original, FIRST),
        Expression::load_ct(ct::PROTOCOL, original, protocol),
        Expression::load_ct(ct::PROTO_DST, original, port),
    ]
}

/// The key's region, then whether the device may use that. One rule asks both: nothing is left in the packet's mark,
/// which others can change in between.
fn may_use(family: Family, device: Endpoint) -> [Expression; 4] {
    let names = family.names();
    let (region, _) = after_address(family);
    [
        Expression::look_up(names.regions, FIRST, region),
        load_address(family, device),
        Expression::is_in(names.pairs, FIRST),
        goto(PASS),
    ]
}
