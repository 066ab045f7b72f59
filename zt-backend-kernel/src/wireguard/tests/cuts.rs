//! What a cut costs, and that nothing is ahead of it.

use std::sync::Arc;

use super::*;
use crate::wireguard::batch::Act;
use crate::wireguard::error::WriteError;

/// The acts of each message, and how many there are of them.
fn acts(kernel: &Kernel) -> Vec<(Act, usize)> {
    kernel.model().changes.iter().map(|parts| (parts[0].act, parts.len())).collect()
}

#[tokio::test]
async fn a_cut_is_one_message_and_no_list() {
    let kernel = Kernel::new();
    let device = device(&kernel);
    let peers: Vec<_> = (0..40).map(peer).collect();
    device.add(&peers).await.unwrap();
    let (requests, changes) = (kernel.requests(), kernel.sent());
    device.set_allowed_ips(&[(key(7), BTreeSet::new())]).await.unwrap();
    assert_eq!(kernel.sent(), changes + 1);
    let all: Vec<_> = (0..40).map(|number| (key(number), BTreeSet::new())).collect();
    device.set_allowed_ips(&all).await.unwrap();
    assert_eq!(acts(&kernel)[changes..], [(Act::Replace, 1), (Act::Replace, 40)]);
    // of a peer that nobody knows here, too
    device.set_allowed_ips(&[(key(99), BTreeSet::new())]).await.unwrap();
    assert_eq!((kernel.requests(), kernel.sent()), (requests, changes + 3));
    assert!(kernel.peers().values().all(BTreeSet::is_empty));
}

#[tokio::test]
async fn before_anything_is_known_a_cut_needs_no_list_either() {
    let kernel = Kernel::new();
    kernel.model().peers = [(key(1), hosts(1..2))].into();
    device(&kernel).set_allowed_ips(&[(key(1), BTreeSet::new())]).await.unwrap();
    assert_eq!((kernel.requests(), kernel.sent()), (0, 1));
    assert_eq!(kernel.peers()[&key(1)], BTreeSet::new());
}

#[tokio::test]
async fn what_a_peer_keeps_is_not_touched_by_what_it_is_given() {
    let kernel = Kernel::new();
    let device = device(&kernel);
    device.add(&[(key(1), new_peer(hosts(0..3)))]).await.unwrap();
    device.set_allowed_ips(&[(key(1), hosts(0..5))]).await.unwrap();
    let grown = kernel.model().changes.last().unwrap()[0].clone();
    assert_eq!((grown.act, grown.allowed_ips.into_iter().collect()), (Act::Extend, hosts(3..5)));
    device.set_allowed_ips(&[(key(1), hosts(0..5))]).await.unwrap();
    assert_eq!(kernel.sent(), 2, "nothing to do");
    // less and more at once: what takes away comes first
    device.set_allowed_ips(&[(key(1), hosts(4..6))]).await.unwrap();
    assert_eq!(acts(&kernel)[2..], [(Act::Replace, 1), (Act::Extend, 1)]);
    assert_eq!(kernel.peers()[&key(1)], hosts(4..6));
}

#[tokio::test]
async fn a_prefix_goes_from_one_peer_to_another_by_a_cut_and_a_gift() {
    let kernel = Kernel::new();
    let device = device(&kernel);
    device.add(&[(key(1), new_peer(hosts(0..2))), (key(2), new_peer(hosts(2..3)))]).await.unwrap();
    device.set_allowed_ips(&[(key(2), hosts(1..3)), (key(1), hosts(0..1))]).await.unwrap();
    assert_eq!(kernel.peers(), [(key(1), hosts(0..1)), (key(2), hosts(1..3))].into());
    assert_eq!(acts(&kernel)[1..], [(Act::Replace, 1), (Act::Extend, 1)]);
}

/// A peer that was removed by others does not come to life, however many allowed IPs it was to have.
#[tokio::test]
async fn a_peer_that_is_gone_stays_gone() {
    let kernel = Kernel::new();
    let device = device(&kernel);
    device.add(&[(key(1), new_peer(hosts(0..4_000))), peer(5_000)]).await.unwrap();
    assert_eq!(kernel.peers()[&key(1)], hosts(0..4_000));
    kernel.model().peers.remove(&key(1));
    device.set_allowed_ips(&[(key(1), hosts(0..4_001))]).await.unwrap();
    device.set_allowed_ips(&[(key(1), hosts(0..3_000))]).await.unwrap();
    device.remove(&[key(1)].into()).await.unwrap();
    assert_eq!(kernel.peers().len(), 1);
    let sizes = kernel.model().changes.iter().flatten().map(|part| part.allowed_ips.len()).max();
    assert_eq!(sizes, Some(700));
}

/// The kernel hangs in the first message of an addition; a cut that is asked for then is the next message.
#[tokio::test]
async fn a_cut_enters_between_the_messages_of_an_addition() {
    let kernel = Kernel::new();
    let device = Arc::new(device(&kernel));
    device.add(&[peer(1_000)]).await.unwrap();
    kernel.hang_after(Some(0));
    let peers: Vec<_> = (0..100).map(peer).collect();
    let adding = tokio::spawn({
        let device = Arc::clone(&device);
        async move { device.add(&peers).await }
    });
    kernel.changes(2).await;
    let waiting = tokio::spawn({
        let device = Arc::clone(&device);
        async move { device.add(&[peer(2_000)]).await }
    });
    let cutting = tokio::spawn({
        let device = Arc::clone(&device);
        // one that is there, one that waits in this addition, one in the next
        async move {
            device.set_allowed_ips(&[1_000, 99, 2_000].map(|number| (key(number), BTreeSet::new()))).await
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    kernel.hang_after(None);
    cutting.await.unwrap().unwrap();
    assert!(matches!(adding.await.unwrap(), Err(WriteError::Overtaken(it)) if it == key(99)));
    let later = waiting.await.unwrap();
    assert!(matches!(later, Err(WriteError::Overtaken(it)) if it == key(2_000)), "{later:?}");
    assert_eq!(acts(&kernel)[1..3], [(Act::Create, 16), (Act::Replace, 3)]);
    let peers = kernel.peers();
    assert_eq!(peers.len(), 100, "0 to 98, and 1000");
    assert!(!peers.contains_key(&key(99)) && !peers.contains_key(&key(2_000)));
    // once the cut is over, it may be added
    device.add(&[peer(99)]).await.unwrap();
    assert_eq!(kernel.peers()[&key(99)], hosts(99..100));
}

#[tokio::test]
async fn a_cut_enters_between_the_messages_of_a_removal() {
    let kernel = Kernel::new();
    let device = Arc::new(device(&kernel));
    device.add(&(0..60).map(peer).collect::<Vec<_>>()).await.unwrap();
    let before = kernel.sent();
    kernel.hang_after(Some(0));
    let removing = tokio::spawn({
        let device = Arc::clone(&device);
        async move { device.remove(&(0..50).map(key).collect()).await }
    });
    kernel.changes(before + 1).await;
    let cutting = tokio::spawn({
        let device = Arc::clone(&device);
        async move { device.set_allowed_ips(&[(key(55), BTreeSet::new())]).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    kernel.hang_after(None);
    cutting.await.unwrap().unwrap();
    removing.await.unwrap().unwrap();
    assert_eq!(acts(&kernel)[before..before + 2], [(Act::Remove, 16), (Act::Replace, 1)]);
    assert_eq!(kernel.peers().len(), 10);
}
