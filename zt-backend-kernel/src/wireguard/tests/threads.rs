//! Calls that hang, futures that are dropped, and the key on its way to the kernel.

use std::sync::Arc;

use netlink_packet_core::{NlaBuffer, NlasIterator, Parseable};
use netlink_packet_wireguard::WireguardAttribute;

use super::*;
use crate::wireguard::dump::Names;
use crate::wireguard::error::WriteError;
use crate::wireguard::fault::{Fault, Recovery};
use crate::wireguard::reader::Settings;

#[tokio::test]
async fn after_a_deadline_it_is_unknown_what_was_done_and_is_read_before_anything_is_given() {
    let kernel = Kernel::new();
    let device = device_with(&kernel, Duration::from_millis(500));
    device.add(&[peer(1)]).await.unwrap();
    kernel.hang_after(Some(0));
    let error = device.add(&[peer(2)]).await.unwrap_err();
    assert!(matches!(error, WriteError::Unfinished(Fault::Deadline(_))), "{error:?}");
    assert_eq!(error.recovery(), Recovery::Resync);
    // while that message may yet take effect, what is read would not last
    assert!(device.observe().await.is_err());
    assert!(matches!(device.add(&[peer(3)]).await, Err(WriteError::Unread(Fault::Deadline(_)))));
    kernel.hang_after(None);
    let present = device.add(&[peer(2)]).await;
    assert!(matches!(present, Err(WriteError::Refused(_))), "the late message was seen: {present:?}");
    device.add(&[peer(3)]).await.unwrap();
    assert_eq!(kernel.peers().len(), 3);
}

#[tokio::test]
async fn a_future_that_is_dropped_leaves_nothing_unknown_behind() {
    let kernel = Kernel::new();
    let device = Arc::new(device(&kernel));
    device.observe().await.unwrap();
    kernel.hang_after(Some(0));
    let adding = tokio::spawn({
        let device = Arc::clone(&device);
        async move { device.add(&[peer(1)]).await }
    });
    kernel.changes(1).await;
    adding.abort();
    assert!(adding.await.is_err());
    kernel.hang_after(None);
    let read = device.observe().await.unwrap();
    assert_eq!(read.peers.len(), kernel.peers().len());
    assert!(matches!(device.add(&[peer(1)]).await, Err(WriteError::Refused(_))));
}

/// A cut that is made after the kernel made its list, and before the list is read.
#[tokio::test]
async fn a_list_from_before_a_cut_is_not_what_is_remembered() {
    let kernel = Kernel::new();
    let device = Arc::new(device(&kernel));
    device.add(&(0..20).map(peer).collect::<Vec<_>>()).await.unwrap();
    let requests = kernel.requests();
    kernel.hold_lists(true);
    let observing = tokio::spawn({
        let device = Arc::clone(&device);
        async move { device.observe().await }
    });
    while kernel.requests() == requests {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    device.set_allowed_ips(&[(key(7), BTreeSet::new())]).await.unwrap();
    kernel.hold_lists(false);
    let status = observing.await.unwrap().unwrap();
    assert_eq!(status.peers[&key(7)].allowed_ips, BTreeSet::new());
    // it is remembered, so that there is something to give
    device.set_allowed_ips(&[(key(7), hosts(7..8))]).await.unwrap();
    assert_eq!(kernel.peers()[&key(7)], hosts(7..8));
}

#[tokio::test]
async fn the_key_goes_to_the_kernel_and_nowhere_else() {
    let kernel = Kernel::new();
    let device = device(&kernel);
    let private_key = PrivateKey::from_bytes([77; 32]);
    let settings = Settings { private_key, listen_port: 4_242.try_into().ok(), fwmark: 7.try_into().ok() };
    assert!(!format!("{settings:?} {device:?}").contains("77, 77"));
    device.set(settings).await.unwrap();
    let sent = kernel.model().settings.clone();
    let attributes: Vec<WireguardAttribute> = NlasIterator::new(&sent[0][20..])
        .map(|nla| WireguardAttribute::parse(&NlaBuffer::new(nla.unwrap().into_inner())).unwrap())
        .collect();
    assert_eq!(
        attributes,
        [
            WireguardAttribute::IfIndex(INDEX),
            WireguardAttribute::PrivateKey([77; 32]),
            WireguardAttribute::ListenPort(4_242),
            WireguardAttribute::Fwmark(7),
        ]
    );
}

/// The kernel tells the private key whenever a device is read.
#[test]
fn no_key_stays_in_a_buffer() {
    let kernel = Kernel::new();
    kernel.model().peers.insert(key(1), hosts(1..2));
    let mut reader = kernel.reader(DEADLINE);
    assert_eq!(reader.read(INDEX, &Names::new()).unwrap().peers.len(), 1);
    reader.identify(INDEX).unwrap();
    assert!(reader.buffer().iter().all(|byte| *byte == 0));
    assert!(reader.read(INDEX + 1, &Names::new()).is_err());
    assert!(reader.buffer().iter().all(|byte| *byte == 0));
}
