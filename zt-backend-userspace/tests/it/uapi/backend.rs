//! The backend of peers alone.

use zt_backend_userspace::uapi::{NewPeer, PeerWriter, UapiGateway};
use zt_core::backend::{Backend as _, BackendError};
use zt_core::desired::{Elements, Pair};
use zt_core::id::{Generation, RegionId};
use zt_core::plan::{Add, Cut, Destroy, Gate, Plan, Step, steps};
use zt_core::time::Timestamp;

use super::server::{Conduct, Server};
use super::{add, lab, prefixes, public};
use crate::lab::address;

fn plan(steps: Vec<Step>) -> Plan {
    Plan { generation: Generation(1), now: Timestamp::from_millis(0), steps }
}

fn cut(seed: u8, prefix: &str) -> Step {
    Step::Cut(Cut::AllowedIp(public(seed), prefix.parse().unwrap()))
}

/// A gateway with three peers that somebody else has set up.
async fn gateway() -> (Server, PeerWriter, UapiGateway) {
    let (server, writer) = lab();
    let peers = [add(1, &["10.99.0.2", "fd99::2"]), add(2, &["10.99.0.3"]), add(3, &["10.99.0.4"])];
    writer.write(&peers).await.unwrap();
    let gateway = UapiGateway::new(server.socket());
    (server, writer, gateway)
}

#[tokio::test]
async fn peers_are_observed_behind_a_closed_gate() {
    let (_server, _writer, gateway) = gateway().await;
    let observed = gateway.observe().await.unwrap();
    assert_eq!(observed.gate, Gate::Closed);
    assert_eq!(observed.elements.peers[&public(1)].allowed_ips, prefixes(&["10.99.0.2", "fd99::2"]));
    let Elements { peers, sources, cells, pairs } = observed.elements;
    assert_eq!(peers.len(), 3);
    assert!(sources.is_empty() && cells.is_empty());
    assert_eq!(pairs, Elements::default().pairs);
}

#[tokio::test]
async fn a_plan_that_only_takes_away_is_carried_out() {
    let (_server, _writer, gateway) = gateway().await;
    let observed = gateway.observe().await.unwrap();
    let mut desired = observed.elements.clone();
    desired.peers.remove(&public(3));
    desired.peers.get_mut(&public(1)).unwrap().allowed_ips = prefixes(&["fd99::2"]);
    let steps = steps(&observed.elements, &desired, Timestamp::from_millis(0));
    gateway.apply(&plan(steps.clone())).await.unwrap();
    assert_eq!(gateway.observe().await.unwrap().elements, desired);
    // done already, and cuts of what is not here
    gateway.apply(&plan(steps)).await.unwrap();
    let elsewhere = [
        Cut::Gate,
        Cut::Source(address("10.99.0.2")),
        Cut::Pair(Pair { source: address("10.99.0.2"), region: RegionId(1) }),
    ];
    gateway.apply(&plan(elsewhere.into_iter().map(Step::Cut).collect())).await.unwrap();
    assert_eq!(gateway.observe().await.unwrap().elements, desired);
}

/// A grant that looked granted would be access without a filter.
#[tokio::test]
async fn inv_g5_every_addition_is_refused_with_the_cuts_before_it_done() {
    let additions = [
        Add::Peer(public(9)),
        Add::AllowedIp(public(2), "10.99.0.9".parse().unwrap()),
        Add::Gate(Timestamp::from_millis(60_000)),
    ];
    for addition in additions {
        let (server, _writer, gateway) = gateway().await;
        let refused = Step::Add(addition);
        let steps = vec![
            cut(1, "10.99.0.2"),
            Step::Cut(Cut::Gate),
            cut(3, "10.99.0.4"),
            refused.clone(),
            Step::Destroy(Destroy::Peer(public(2))),
        ];
        match gateway.apply(&plan(steps)).await {
            Err(BackendError::Step { step, problem }) => {
                assert_eq!(*step, refused);
                assert!(problem.contains("no packet filter") && problem.contains("no lease"), "{problem}");
            }
            other => panic!("{other:?}"),
        }
        let peers = gateway.observe().await.unwrap().elements.peers;
        assert_eq!(peers[&public(1)].allowed_ips, prefixes(&["fd99::2"]));
        assert!(peers[&public(3)].allowed_ips.is_empty());
        assert_eq!(peers[&public(2)].allowed_ips, prefixes(&["10.99.0.3"]));
        assert_eq!(server.state().model.peers.len(), 3);
    }
}

#[tokio::test]
async fn many_cuts_of_one_peer_are_one_request() {
    let (server, writer, gateway) = gateway().await;
    let texts: Vec<String> = (0..200).map(|n| format!("10.98.0.{n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let peer = NewPeer { allowed_ips: prefixes(&texts), ..NewPeer::default() };
    writer.write(&[zt_backend_userspace::uapi::Change::Add(public(4), peer)]).await.unwrap();
    server.state().requests.clear();
    let cuts = texts.iter().map(|text| cut(4, text)).chain([cut(2, "10.99.0.3")]).collect();
    gateway.apply(&plan(cuts)).await.unwrap();
    assert_eq!(server.state().requests.len(), 1);
}

#[tokio::test]
async fn what_goes_wrong_is_the_error_of_a_step() {
    let (mut server, _writer, gateway) = gateway().await;
    let steps = vec![Step::Cut(Cut::Gate), cut(1, "10.99.0.2"), cut(2, "10.99.0.3")];
    server.behave(Conduct::Inert);
    match gateway.apply(&plan(steps.clone())).await {
        Err(BackendError::Step { step, problem }) => {
            assert_eq!(*step, steps[1]);
            assert!(problem.contains("acknowledged but is not there"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
    server.state().reply = Some("errno=-5\n\n".into());
    let error = gateway.observe().await.unwrap_err();
    assert!(error.to_string().contains("what is installed cannot be read: bad reply"), "{error}");
    server.kill().await;
    assert!(matches!(gateway.apply(&plan(steps)).await, Err(BackendError::Step { .. })));
    assert!(matches!(gateway.observe().await, Err(BackendError::Unreadable(_))));
}
