//! Flows are remembered, forgotten and told of.

use super::*;

const OWNER: Owner = Owner(SessionId(1), SessionEpoch(0));

fn flow(device: u8, protocol: Protocol, port: u16) -> FlowKey {
    let (device, resource) = (IpAddr::from([10, 99, 0, device]), IpAddr::from([10, 100, 5, 10]));
    FlowKey { device, resource, protocol, device_port: port, resource_port: 443 }
}

const REGION: RegionId = RegionId(7);

fn sent(key: FlowKey, owner: Owner) -> Use {
    Use { key, owner, direction: Direction::FromDevice, length: 100 }
}

fn received(key: FlowKey) -> Use {
    Use { key, owner: OWNER, direction: Direction::ToDevice, length: 1_000 }
}

fn at(seconds: u64) -> BootInstant {
    BootInstant::default().after(Duration::from_secs(seconds))
}

#[test]
fn flows_end_when_idle_and_last_while_used() {
    for (protocol, idle) in [(Protocol::Tcp, 7_200), (Protocol::Udp, 180), (Protocol::Echo, 30)] {
        let mut table = FlowTable::default();
        let key = flow(1, protocol, 1);
        table.remember(sent(key, OWNER), REGION, at(0));
        assert!(table.use_again(sent(key, OWNER), at(idle - 1)));
        assert!(table.knows(&key, OWNER, at(idle)));
        assert!(!table.use_again(sent(key, OWNER), at(2 * idle - 1)));
        table.remember(sent(key, OWNER), REGION, at(2 * idle));
        assert!(table.knows(&key, OWNER, at(2 * idle)));
    }
}

#[test]
fn flows_are_known_to_their_own_session_only() {
    let mut table = FlowTable::default();
    let key = flow(1, Protocol::Tcp, 1);
    let next = Owner(SessionId(1), SessionEpoch(1));
    table.remember(sent(key, OWNER), REGION, at(0));
    assert!(!table.use_again(sent(key, next), at(0)));
    table.remember(sent(key, next), REGION, at(0));
    assert!(table.knows(&key, next, at(0)) && !table.knows(&key, OWNER, at(0)));
}

#[test]
fn inv_r2_one_source_pushes_out_only_its_own_flows() {
    let mut table = FlowTable::default();
    let other = flow(2, Protocol::Udp, 1);
    table.remember(sent(other, OWNER), REGION, at(0));
    let cap = u16::try_from(MAX_FLOWS_PER_SOURCE).unwrap();
    for port in 0..=cap {
        table.remember(sent(flow(1, Protocol::Udp, port), OWNER), REGION, at(1));
    }
    assert_eq!(table.flows.len(), MAX_FLOWS_PER_SOURCE + 1);
    assert!(table.knows(&other, OWNER, at(1)));
    assert!(!table.knows(&flow(1, Protocol::Udp, 0), OWNER, at(1)));
    assert!(table.knows(&flow(1, Protocol::Udp, cap), OWNER, at(1)));
}

/// Fills the table from so few devices that each has as many flows as one may have.
fn fill(table: &mut FlowTable, now: BootInstant) -> u8 {
    let sources = u8::try_from(MAX_FLOWS / MAX_FLOWS_PER_SOURCE).unwrap();
    for port in 0..u16::try_from(MAX_FLOWS_PER_SOURCE).unwrap() {
        for device in 0..sources {
            table.remember(sent(flow(device, Protocol::Tcp, port), OWNER), REGION, now);
        }
    }
    sources
}

/// Every order knows the same flows.
fn check(table: &FlowTable) {
    let by_source: usize = table.by_source.values().map(BTreeSet::len).sum();
    assert_eq!([table.by_use.len(), by_source], [table.flows.len(); 2]);
    assert!(table.flows.iter().all(|(key, flow)| table.by_use.contains(&(flow.used, *key))));
    assert!(table.by_use.iter().all(|cursor| table.by_source[&cursor.1.device].contains(cursor)));
    let counts = table.by_source.iter().map(|(device, flows)| (flows.len(), *device));
    assert_eq!(table.by_count, counts.collect());
}

/// The flow that was unused for the longest time went, whosever it was: a few devices pushed out the flows of all
/// others.
#[test]
fn inv_r2_devices_with_many_flows_push_out_none_of_those_with_few() {
    let mut table = FlowTable::default();
    let quiet: Vec<FlowKey> =
        (200..=255).flat_map(|device| [1, 2].map(|port| flow(device, Protocol::Tcp, port))).collect();
    for key in &quiet {
        table.remember(sent(*key, OWNER), REGION, at(0));
    }
    let greedy = fill(&mut table, at(1));
    assert_eq!(table.flows.len(), MAX_FLOWS);
    for port in 0..5_000 {
        table.remember(sent(flow(greedy, Protocol::Udp, port), OWNER), REGION, at(2));
    }
    assert!(quiet.iter().all(|key| table.knows(key, OWNER, at(2))));
    check(&table);
    // one that has few may open more, and does so at the cost of one that has the most
    let next = flow(200, Protocol::Tcp, 3);
    let most = table.by_count.last().copied().unwrap();
    table.remember(sent(next, OWNER), REGION, at(2));
    assert!(table.knows(&next, OWNER, at(2)) && !table.by_count.contains(&most));
    assert!(quiet.iter().all(|key| table.knows(key, OWNER, at(2))));
    assert_eq!(table.flows.len(), MAX_FLOWS);
}

#[test]
fn inv_r2_the_longest_unused_flow_goes_of_those_with_the_most() {
    let mut table = FlowTable::default();
    let last = fill(&mut table, at(0)) - 1;
    assert!(table.use_again(sent(flow(last, Protocol::Tcp, 0), OWNER), at(60)));
    // of several that have the most it is the one who asks
    table.remember(sent(flow(3, Protocol::Udp, 1), OWNER), REGION, at(60));
    assert!(!table.knows(&flow(3, Protocol::Tcp, 0), OWNER, at(60)));
    table.remember(sent(flow(200, Protocol::Tcp, 1), OWNER), REGION, at(60));
    assert!(table.knows(&flow(last, Protocol::Tcp, 0), OWNER, at(60)));
    assert!(!table.knows(&flow(last, Protocol::Tcp, 1), OWNER, at(60)));
    assert_eq!(table.flows.len(), MAX_FLOWS);
    check(&table);
}

fn all(table: &mut FlowTable, now: BootInstant) -> (Vec<FlowRecord>, Vec<FlowRecord>, u64) {
    let (living, _) = table.page((None, usize::MAX), now, |_, _| None);
    let (ended, lost) = table.take_ended();
    (living, ended.into(), lost)
}

#[test]
fn what_a_flow_carried_is_told_once_it_has_ended() {
    let mut table = FlowTable::default();
    let key = flow(1, Protocol::Udp, 5);
    table.remember(sent(key, OWNER), REGION, at(1));
    assert!(table.use_again(received(key), at(3)));
    assert!(table.use_again(received(key), at(3)));
    let record = FlowRecord {
        device: key.device,
        resource: key.resource,
        protocol: Protocol::Udp,
        device_port: 5,
        resource_port: 443,
        session: SessionId(1),
        epoch: SessionEpoch(0),
        region: REGION,
        opened: at(1),
        used: at(3),
        sent: Traffic { packets: 1, bytes: 100 },
        received: Traffic { packets: 2, bytes: 2_000 },
        end: None,
    };
    assert_eq!(all(&mut table, at(3)), (vec![record], vec![], 0));
    let ended = FlowRecord { end: Some(FlowEnd::Idle), ..record };
    assert_eq!(all(&mut table, at(183)), (vec![], vec![ended], 0));
    assert_eq!(all(&mut table, at(183)), (vec![], vec![], 0));
}

#[test]
fn why_flows_ended_is_told() {
    let mut table = FlowTable::default();
    let [kept, regranted, cut, replaced] = [1, 2, 3, 4].map(|port| flow(1, Protocol::Tcp, port));
    for key in [kept, regranted, cut, replaced] {
        table.remember(sent(key, OWNER), REGION, at(0));
    }
    let next = Owner(SessionId(2), SessionEpoch(0));
    table.remember(sent(replaced, next), REGION, at(0));
    let ended = |key: &FlowKey, owner| {
        let grant = (*key == cut).then_some(FlowEnd::Grant);
        grant.or_else(|| (owner == OWNER && *key == regranted).then_some(FlowEnd::Session))
    };
    let (living, _) = table.page((None, usize::MAX), at(0), ended);
    assert_eq!(living.iter().map(|record| record.device_port).collect::<Vec<_>>(), [1, 4]);
    let (ended, _) = table.take_ended();
    let ends: Vec<_> = ended.iter().map(|record| (record.device_port, record.end.unwrap())).collect();
    assert_eq!(ends, [(4, FlowEnd::Session), (2, FlowEnd::Session), (3, FlowEnd::Grant)]);
}

/// A flow that is used between two pages moves behind the place that was reached, so it cannot be passed over.
#[test]
fn no_flow_is_passed_over_between_pages() {
    let mut table = FlowTable::default();
    for port in 0..100 {
        table.remember(sent(flow(1, Protocol::Tcp, port), OWNER), REGION, at(0));
    }
    let (mut seen, mut after, mut now) = (BTreeSet::new(), None, 0);
    loop {
        let (page, last) = table.page((after, 7), at(now), |_, _| None);
        seen.extend(page.iter().map(|record| record.device_port));
        if last.is_none() {
            break;
        }
        after = last;
        now += 1;
        for port in 0..3 {
            assert!(table.use_again(sent(flow(1, Protocol::Tcp, 99 - port), OWNER), at(now.min(20))));
        }
    }
    assert_eq!(seen, (0..100).collect());
}

#[test]
fn inv_r2_records_that_nobody_asks_for_are_counted() {
    let mut table = FlowTable::default();
    let flows = u16::try_from(MAX_FLOWS_PER_SOURCE).unwrap();
    let rounds = u64::try_from(MAX_ENDED / MAX_FLOWS_PER_SOURCE).unwrap() + 1;
    for round in 0..=rounds {
        for port in 0..flows {
            table.remember(sent(flow(1, Protocol::Echo, port), OWNER), REGION, at(60 * round));
        }
    }
    let (living, ended, lost) = all(&mut table, at(60 * rounds));
    assert_eq!((living.len(), ended.len()), (MAX_FLOWS_PER_SOURCE, MAX_ENDED));
    assert_eq!(usize::try_from(lost).unwrap(), MAX_FLOWS_PER_SOURCE);
}
