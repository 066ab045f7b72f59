//! Access that ends by itself.

use std::time::Duration;

use zt_core::backend::Backend as _;
use zt_core::desired::{Pair, PairEnd};
use zt_core::id::RegionId;
use zt_core::plan::{Add, Cut, Gate, Plan, Step};
use zt_core::testing::bytes::udp;

use crate::lab::{DNS, Lab, OTHER, eventually, socket};

const MILLISECOND: Duration = Duration::from_millis(1);

#[tokio::test]
async fn inv_l1_the_gate_closes_both_ways_when_the_lease_ends() {
    let mut lab = Lab::closed().await;
    let mut device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let (near, far) = (socket("10.99.0.2:40000"), socket("10.100.5.10:5000"));
    device.send(udp(near, far, b"before any lease")).await;
    lab.gate(Duration::from_secs(60)).await;
    let until = lab.now().after(Duration::from_secs(60));
    // what was sent before the lease may or may not have reached the closed gate: a probe tells when it did
    device.send(udp(near, far, b"opens")).await;
    while lab.arrives().await != udp(near, far, b"opens") {}
    lab.clock.advance(Duration::from_secs(60) - MILLISECOND);
    assert_eq!(lab.gateway.observe().await.unwrap().gate, Gate::OpenUntil(until));
    device.send(udp(near, far, b"last")).await;
    assert_eq!(lab.arrives().await, udp(near, far, b"last"));
    lab.reply(udp(far, near, b"last")).await;
    assert_eq!(device.arrives().await, udp(far, near, b"last"));

    lab.clock.advance(MILLISECOND);
    assert_eq!(lab.gateway.observe().await.unwrap().gate, Gate::Closed);
    let dropped = || lab.gateway.counts().from_devices.dropped.values().sum::<u64>();
    let back_dropped = || lab.gateway.counts().to_devices.dropped.values().sum::<u64>();
    let (before, back_before) = (dropped(), back_dropped());
    device.send(udp(near, far, b"too late")).await;
    lab.reply(udp(far, near, b"too late")).await;
    eventually(|| dropped() > before && back_dropped() > back_before).await;
    lab.gate(Duration::from_secs(60)).await;
    device.send(udp(near, far, b"new lease")).await;
    assert_eq!(lab.arrives().await, udp(near, far, b"new lease"));
    lab.reply(udp(far, near, b"new lease")).await;
    assert_eq!(device.arrives().await, udp(far, near, b"new lease"));
}

#[tokio::test]
async fn inv_l1_a_source_ends_when_its_session_does() {
    let mut lab = Lab::open().await;
    let mut a = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let mut b = lab.device(2, &["10.99.0.3"], &[DNS]).await;
    let far = socket("10.100.5.10:5000");
    let (a_port, b_port) = (socket("10.99.0.2:40000"), socket("10.99.0.3:40000"));
    lab.elements.sources.get_mut(&a_port.ip()).unwrap().until = lab.now().after(Duration::from_secs(30));
    lab.converge().await;
    for (device, near) in [(&mut a, a_port), (&mut b, b_port)] {
        device.send(udp(near, far, b"opens")).await;
        assert_eq!(lab.arrives().await, udp(near, far, b"opens"));
    }
    lab.clock.advance(Duration::from_secs(30) - MILLISECOND);
    lab.reply(udp(far, a_port, b"last")).await;
    assert_eq!(a.arrives().await, udp(far, a_port, b"last"));
    lab.clock.advance(MILLISECOND);
    // one queue leads to the filter in each direction, so B's packets come after A's in it
    lab.reply(udp(far, a_port, b"too late")).await;
    lab.reply(udp(far, b_port, b"lives on")).await;
    assert_eq!(b.arrives().await, udp(far, b_port, b"lives on"));
    assert_eq!(lab.gateway.observe().await.unwrap().elements.sources, lab.elements.sources);
    let lost = |lab: &Lab| lab.gateway.counts().from_devices.dropped.values().sum::<u64>();
    let before = lost(&lab);
    a.send(udp(a_port, far, b"too late")).await;
    eventually(|| lost(&lab) > before).await;
    b.send(udp(b_port, far, b"lives on")).await;
    assert_eq!(lab.arrives().await, udp(b_port, far, b"lives on"));
    // a longer session opens the way again
    lab.admit(&a, 1);
    lab.converge().await;
    lab.reply(udp(far, a_port, b"again")).await;
    assert_eq!(a.arrives().await, udp(far, a_port, b"again"));
}

/// What was granted for less than the session ends on the gateway's clock, to the millisecond; the rest goes on.
#[tokio::test]
async fn inv_l1_a_pair_ends_before_its_session() {
    let mut lab = Lab::open().await;
    let mut device = lab.device(1, &["10.99.0.2"], &[DNS, OTHER]).await;
    let (near, far) = (socket("10.99.0.2:40000"), socket("10.100.5.10:5000"));
    let lasting = socket("10.100.5.10:7000");
    let dns = Pair { source: near.ip(), region: RegionId(DNS.region) };
    let end = PairEnd::At(lab.now().after(Duration::from_secs(30)));
    lab.elements.pairs.insert(dns, end);
    assert_eq!(lab.plan().await.steps, [Step::Cut(Cut::PairUntil(dns, end))]);
    lab.converge().await;
    assert_eq!(lab.gateway.observe().await.unwrap().elements, lab.elements);
    device.send(udp(near, far, b"opens")).await;
    assert_eq!(lab.arrives().await, udp(near, far, b"opens"));
    lab.clock.advance(Duration::from_secs(30) - MILLISECOND);
    lab.reply(udp(far, near, b"last")).await;
    assert_eq!(device.arrives().await, udp(far, near, b"last"));
    lab.clock.advance(MILLISECOND);
    device.send(udp(near, far, b"too late")).await;
    device.send(udp(near, lasting, b"lives on")).await;
    assert_eq!(lab.arrives().await, udp(near, lasting, b"lives on"));
    lab.reply(udp(far, near, b"too late")).await;
    lab.reply(udp(lasting, near, b"lives on")).await;
    assert_eq!(device.arrives().await, udp(lasting, near, b"lives on"));
    // neither a repeated plan nor one that comes late prolongs it; a later end does
    lab.steps(vec![Step::Add(Add::Pair(dns, end))]).await;
    device.send(udp(near, far, b"still too late")).await;
    lab.elements.pairs.insert(dns, PairEnd::WithSource);
    assert_eq!(lab.plan().await.steps, [Step::Add(Add::Pair(dns, PairEnd::WithSource))]);
    lab.converge().await;
    device.send(udp(near, far, b"again")).await;
    // what was sent before may have reached the gateway only after it was open again
    while lab.arrives().await != udp(near, far, b"again") {}
}

/// The sooner end of a pair was counted from when its cut came: one that came late prolonged what it was to cut.
#[tokio::test]
async fn inv_l4_a_sooner_end_that_comes_late_does_not_prolong_a_pair() {
    let mut lab = Lab::open().await;
    let device = lab.device(1, &["10.99.0.2"], &[DNS, OTHER]).await;
    let (near, far) = (socket("10.99.0.2:40000"), socket("10.100.5.10:5000"));
    let pair = Pair { source: near.ip(), region: RegionId(DNS.region) };
    let made = lab.now();
    let end = |seconds| PairEnd::At(made.after(Duration::from_secs(seconds)));
    lab.steps(vec![Step::Cut(Cut::PairUntil(pair, end(100)))]).await;
    lab.clock.advance(Duration::from_secs(50));
    let steps = vec![Step::Cut(Cut::PairUntil(pair, end(90)))];
    lab.gateway.apply(&Plan { generation: lab.generation, now: made, steps }).await.unwrap();
    lab.clock.advance(Duration::from_secs(50));
    device.send(udp(near, far, b"too late")).await;
    let control = udp(near, socket("10.100.5.10:7000"), b"lives on");
    device.send(control.clone()).await;
    assert_eq!(lab.arrives().await, control);
}

#[tokio::test]
async fn inv_l3_what_has_ended_opens_nothing() {
    let mut lab = Lab::closed().await;
    let device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    for ended in [lab.now(), lab.now().after(Duration::ZERO), zt_core::time::Timestamp::from_millis(i64::MIN)]
    {
        lab.steps(vec![Step::Add(Add::Gate(ended))]).await;
        assert_eq!(lab.gateway.observe().await.unwrap().gate, Gate::Closed);
    }
    lab.gate(Duration::from_secs(60)).await;
    device.send(udp(socket("10.99.0.2:1"), socket("10.100.5.10:5000"), b"open")).await;
    lab.arrives().await;
}

#[tokio::test]
async fn inv_l4_neither_a_delayed_lease_nor_a_repeated_plan_prolongs() {
    let mut lab = Lab::open().await;
    lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let installed = lab.gateway.observe().await.unwrap();
    lab.gate(Duration::from_secs(60)).await;
    assert_eq!(lab.gateway.observe().await.unwrap(), installed, "a shorter lease takes nothing away");
    let until = installed.elements.sources.values().next().unwrap().until;
    let again =
        installed.elements.sources.iter().map(|(address, source)| Step::Add(Add::Source(*address, *source)));
    let old = Plan { generation: lab.generation, now: lab.now(), steps: again.collect() };
    lab.clock.advance(Duration::from_secs(1_000));
    lab.gateway.apply(&old).await.unwrap();
    lab.clock.advance(until.since(lab.now()));
    lab.gate(Duration::from_secs(60)).await;
    let counts = |lab: &Lab| lab.gateway.counts().to_devices;
    lab.reply(udp(socket("10.100.5.10:5000"), socket("10.99.0.2:40000"), b"too late")).await;
    eventually(|| !counts(&lab).dropped.is_empty()).await;
    let reasons: Vec<_> = counts(&lab).dropped.into_keys().collect();
    assert_eq!(reasons, [zt_backend_userspace::filter::DropReason::Source]);
}

#[tokio::test]
async fn what_is_installed_is_observed_and_needs_no_steps() {
    let mut lab = Lab::open().await;
    assert!(lab.plan().await.steps.is_empty());
    let a = lab.device(1, &["10.99.0.2", "fd99::2"], &[DNS, OTHER]).await;
    lab.device(2, &["10.99.0.3"], &[DNS]).await;
    let observed = lab.gateway.observe().await.unwrap();
    assert_eq!(observed.elements, lab.elements);
    assert!(lab.plan().await.steps.is_empty());
    lab.elements.peers.remove(&a.tunnel.public_key());
    lab.elements.sources.remove(&a.addresses[0]);
    let (first, _) = lab.elements.pairs.iter().next().unwrap();
    assert!(lab.elements.pairs.remove(&first));
    lab.elements.cells.pop_first();
    lab.converge().await;
    let observed = lab.gateway.observe().await.unwrap();
    assert_eq!(observed.elements, lab.elements);
    assert!(lab.plan().await.steps.is_empty());
}
