//! What is refused before anything is sent.

use super::*;
use crate::wireguard::error::WriteError;
use crate::wireguard::peers::Refusal;

#[tokio::test]
async fn what_wireguard_would_silently_get_wrong_is_refused() {
    let kernel = Kernel::new();
    let device = device(&kernel);
    let nets = new_peer(prefixes(["10.99.0.0/24", "fd99::/64"]));
    device.add(&[(key(1), nets), peer(1_000)]).await.unwrap();
    let before = kernel.peers();
    let overlap = |prefix: &str, other: &str, owner| {
        let (prefix, other) = (prefix.parse().unwrap(), other.parse().unwrap());
        Refusal::Overlap { prefix, other, owner }
    };
    let with = |seed, prefix: &str| (key(seed), new_peer(prefixes([prefix])));
    for (peers, refusal) in [
        (vec![(own(), NewPeer::default())], Refusal::OwnKey(own())),
        (vec![peer(2_000), peer(2_000)], Refusal::Repeated(key(2_000))),
        (vec![peer(2_000), peer(1_000)], Refusal::Present(key(1_000))),
        (vec![with(2, "10.99.0.9/32")], overlap("10.99.0.9/32", "10.99.0.0/24", key(1))),
        (vec![with(2, "10.0.0.0/8")], overlap("10.0.0.0/8", "10.99.0.0/24", key(1))),
        (vec![with(2, "fd99::/64")], overlap("fd99::/64", "fd99::/64", key(1))),
        (vec![with(2, "10.1.0.0/16"), with(3, "10.1.2.3/32")], overlap("10.1.2.3/32", "10.1.0.0/16", key(2))),
    ] {
        match device.add(&peers).await {
            Err(WriteError::Refused(found)) => assert_eq!(found, refusal),
            outcome => panic!("{outcome:?}"),
        }
    }
    for (wanted, refusal) in [
        (vec![(own(), BTreeSet::new())], Refusal::OwnKey(own())),
        (vec![(key(1), BTreeSet::new()), (key(1), BTreeSet::new())], Refusal::Repeated(key(1))),
        (vec![(key(1), BTreeSet::new()), (key(4), hosts(1..2))], Refusal::Absent(key(4))),
        (vec![(key(1_000), prefixes(["10.99.0.9/32"]))], overlap("10.99.0.9/32", "10.99.0.0/24", key(1))),
    ] {
        match device.set_allowed_ips(&wanted).await {
            Err(WriteError::Refused(found)) => assert_eq!(found, refusal),
            outcome => panic!("{outcome:?}"),
        }
    }
    assert_eq!((kernel.sent(), &kernel.peers()), (1, &before));
    let text = WriteError::from(Refusal::OwnKey(own())).to_string();
    assert!(text.contains(&own().to_string()), "{text}");
}

#[tokio::test]
async fn nothing_to_do_is_nothing_to_send() {
    let kernel = Kernel::new();
    let device = device(&kernel);
    device.add(&[]).await.unwrap();
    device.set_allowed_ips(&[]).await.unwrap();
    device.remove(&BTreeSet::new()).await.unwrap();
    assert_eq!((kernel.requests(), kernel.sent()), (0, 0));
}
