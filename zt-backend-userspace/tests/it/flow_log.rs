//! What a gateway tells of flows.

use std::time::Duration;

use zt_backend_userspace::filter::{FlowEnd, FlowRecord, Traffic};
use zt_core::id::{RegionId, SessionId};
use zt_core::plan::{Cut, Step};
use zt_core::testing::bytes::{fragments, udp};

use crate::lab::{DNS, Device, Lab, OTHER, socket};

/// One packet from the device to a service, and one back.
async fn talk(lab: &mut Lab, device: &mut Device, far: &str, payload: &[u8]) {
    let (near, far) = (socket("10.99.0.2:40000"), socket(far));
    device.send(udp(near, far, payload)).await;
    lab.arrives().await;
    lab.reply(udp(far, near, b"back")).await;
    device.arrives().await;
}

fn ports(records: &[FlowRecord]) -> Vec<(u16, Option<FlowEnd>)> {
    let mut ports: Vec<_> = records.iter().map(|record| (record.resource_port, record.end)).collect();
    ports.sort_by_key(|(port, _)| *port);
    ports
}

#[tokio::test]
async fn flows_are_told_with_what_they_carried_and_why_they_ended() {
    let mut lab = Lab::open().await;
    let mut device = lab.device(1, &["10.99.0.2"], &[DNS, OTHER]).await;
    talk(&mut lab, &mut device, "10.100.5.10:5000", b"there").await;
    talk(&mut lab, &mut device, "10.100.5.10:5001", b"there").await;
    talk(&mut lab, &mut device, "10.100.5.10:7000", b"there").await;
    // of which nothing passes, so that it is no flow
    device.send(udp(socket("10.99.0.2:40000"), socket("10.100.5.10:6000"), b"refused")).await;
    talk(&mut lab, &mut device, "10.100.5.10:5000", b"again, more").await;
    let flows = lab.gateway.flows();
    assert_eq!(ports(&flows.living), [(5000, None), (5001, None), (7000, None)]);
    assert_eq!((flows.ended.len(), flows.lost), (0, 0));
    let first = flows.living.iter().find(|flow| flow.resource_port == 5000).unwrap();
    assert_eq!((first.session, first.region), (SessionId(1), RegionId(DNS.region)));
    assert_eq!(first.sent, Traffic { packets: 2, bytes: 2 * 28 + 5 + 11 });
    assert_eq!(first.received, Traffic { packets: 2, bytes: 2 * (28 + 4) });

    // a grant goes, then so does the session
    lab.elements.cells.remove(&OTHER.cell());
    lab.converge().await;
    let flows = lab.gateway.flows();
    assert_eq!(ports(&flows.living), [(5000, None), (5001, None)]);
    assert_eq!(ports(&flows.ended), [(7000, Some(FlowEnd::Grant))]);
    lab.steps(vec![Step::Cut(Cut::Source(device.addresses[0]))]).await;
    let flows = lab.gateway.flows();
    assert_eq!(ports(&flows.living), []);
    assert_eq!(ports(&flows.ended), [5000, 5001].map(|port| (port, Some(FlowEnd::Session))));
    assert!(lab.gateway.flows().ended.is_empty(), "told once");

    // and one is idle for too long
    lab.converge().await;
    talk(&mut lab, &mut device, "10.100.5.10:5000", b"there").await;
    lab.clock.advance(Duration::from_secs(180));
    assert_eq!(ports(&lab.gateway.flows().ended), [(5000, Some(FlowEnd::Idle))]);
}

#[tokio::test]
async fn a_packet_in_fragments_counts_once() {
    let mut lab = Lab::open().await;
    let device = lab.device(1, &["10.99.0.2"], &[DNS]).await;
    let whole = udp(socket("10.99.0.2:40000"), socket("10.100.5.10:5000"), &[7; 1_000]);
    for part in fragments(&whole, 400, 1) {
        device.send(part).await;
    }
    for _ in 0..3 {
        lab.arrives().await;
    }
    let flows = lab.gateway.flows();
    assert_eq!(flows.living[0].sent, Traffic { packets: 1, bytes: 1_028 });
}
