//! Peers that are added, changed and removed, what is refused, and what is sent.

use zt_backend_userspace::uapi::{Change, NewPeer, PeerWriter, Refusal, WriteError};

use super::model::hex;
use super::server::Server;
use super::{OWN, add, allow, lab, prefixes, public, take};

fn hexed(seed: u8) -> String {
    hex(public(seed).as_bytes())
}

/// What a batch is refused for; nothing is sent.
async fn refusal(server: &Server, writer: &PeerWriter, changes: &[Change]) -> Refusal {
    let sent = server.state().requests.len();
    let error = writer.write(changes).await.unwrap_err();
    assert_eq!(server.state().requests.len(), sent, "{error} was sent all the same");
    let WriteError::Refused(refusal) = error else { panic!("{error}") };
    refusal
}

#[tokio::test]
async fn peers_come_change_and_go() {
    let (server, writer) = lab();
    let endpoint = "[fe80::1%2]:51820".parse().unwrap();
    let keepalive = 25.try_into().ok();
    let peer =
        NewPeer { allowed_ips: prefixes(&["10.99.0.2", "fd99::2"]), endpoint: Some(endpoint), keepalive };
    writer.write(&[Change::Add(public(1), peer), add(2, &["10.99.0.3"])]).await.unwrap();
    let interface = writer.observe().await.unwrap();
    assert_eq!(interface.public_key, Some(public(OWN)));
    let peer = &interface.peers[&public(1)];
    assert_eq!((peer.endpoint, peer.keepalive), (Some(endpoint), keepalive));
    assert_eq!(peer.allowed_ips, prefixes(&["10.99.0.2", "fd99::2"]));

    writer.write(&[take(1, &["10.99.0.2"]), allow(2, &["10.99.0.2"])]).await.unwrap();
    let peers = writer.observe().await.unwrap().peers;
    assert_eq!(peers[&public(1)].allowed_ips, prefixes(&["fd99::2"]));
    assert_eq!(peers[&public(1)].endpoint, Some(endpoint));
    assert_eq!(peers[&public(2)].allowed_ips, prefixes(&["10.99.0.2", "10.99.0.3"]));

    writer.write(&[Change::Remove(public(2)), add(3, &["10.99.0.2"])]).await.unwrap();
    let peers = writer.observe().await.unwrap().peers;
    assert_eq!(peers.into_keys().collect::<Vec<_>>(), {
        let mut keys = [public(1), public(3)];
        keys.sort();
        keys
    });
    assert!(server.state().requests.iter().all(|request| request.len() < 500));
}

#[tokio::test]
async fn one_allowed_ip_is_taken_by_replacing_them_all_in_one_request() {
    let (server, writer) = lab();
    writer.write(&[add(1, &["10.99.0.2", "10.99.0.3", "10.99.0.4"])]).await.unwrap();
    server.state().requests.clear();
    writer.write(&[take(1, &["10.99.0.3"])]).await.unwrap();
    let expected = format!(
        "set=1\npublic_key={}\nupdate_only=true\nreplace_allowed_ips=true\nallowed_ip=10.99.0.2/32\n\
         allowed_ip=10.99.0.4/32\n\n",
        hexed(1)
    );
    assert_eq!(server.state().requests, [expected]);
}

#[tokio::test]
async fn what_is_as_it_is_to_be_is_not_sent() {
    let (server, writer) = lab();
    writer.write(&[add(1, &["10.99.0.2"])]).await.unwrap();
    server.state().requests.clear();
    let nothing = [Change::Remove(public(9)), take(8, &["10.99.0.2"]), take(1, &["10.99.0.9"])];
    writer.write(&nothing).await.unwrap();
    writer.write(&[allow(1, &["10.99.0.2"])]).await.unwrap();
    writer.write(&[]).await.unwrap();
    assert!(server.state().requests.is_empty());
}

/// Of all requests, only the first one about a new peer may create it.
#[tokio::test]
async fn inv_k2_a_peer_that_was_removed_meanwhile_does_not_come_back() {
    let (server, writer) = lab();
    writer.write(&[add(1, &["10.99.0.2", "10.99.0.3"])]).await.unwrap();
    // somebody else removes it between the question and the request
    let stale = server.state().model.get();
    server.state().model.peers.clear();
    server.state().reply = Some(stale);
    // what was to be taken is gone with it, but the stale reply says otherwise
    let error = writer.write(&[take(1, &["10.99.0.2"])]).await.unwrap_err();
    assert!(matches!(error, WriteError::Ineffective(key) if key == public(1)), "{error}");
    let error = writer.write(&[allow(1, &["10.99.0.9"])]).await.unwrap_err();
    assert!(matches!(error, WriteError::Ineffective(key) if key == public(1)), "{error}");
    assert!(server.state().model.peers.is_empty(), "it came back to life");
}

#[tokio::test]
async fn b3_the_interfaces_own_key_is_refused() {
    let (server, writer) = lab();
    let refused = refusal(&server, &writer, &[add(1, &["10.99.0.2"]), add(OWN, &["10.99.0.3"])]).await;
    assert_eq!(refused, Refusal::OwnKey(public(OWN)));
}

#[tokio::test]
async fn b6_a_prefix_of_another_peer_is_refused() {
    let (server, writer) = lab();
    writer.write(&[add(1, &["10.99.0.0/24", "fd99::2"]), add(2, &["10.99.2.0/24"])]).await.unwrap();
    for taken in ["10.99.0.0/24", "10.99.0.0/16", "10.99.0.128/25", "10.99.0.2/32", "fd99::/64", "0.0.0.0/0"]
    {
        for change in [add(3, &["10.99.1.0/24", taken]), allow(2, &["10.99.1.0/24", taken])] {
            let refused = refusal(&server, &writer, &[change]).await;
            let Refusal::Overlap { prefix, other, owner } = refused else { panic!("{taken}: {refused}") };
            assert_eq!(prefix, taken.parse().unwrap());
            let owned: &[&str] =
                if owner == public(1) { &["10.99.0.0/24", "fd99::2"] } else { &["10.99.2.0/24"] };
            assert!([public(1), public(2)].contains(&owner) && prefixes(owned).contains(&other), "{taken}");
            assert!(prefix.overlaps(&other), "{taken}");
        }
    }
    // two that are to be given at once
    let both = [add(3, &["10.99.5.0/24"]), add(4, &["10.99.5.7"])];
    assert!(matches!(refusal(&server, &writer, &both).await, Refusal::Overlap { .. }));
    // one's own may be nested, neighbours are no overlap, and what is taken in the same batch may be given
    writer.write(&[allow(1, &["10.99.0.7", "10.99.1.0/25"])]).await.unwrap();
    writer.write(&[take(1, &["10.99.1.0/25"]), allow(2, &["10.99.1.0/24"])]).await.unwrap();
    assert_eq!(server.state().model.peer(&hexed(2)).unwrap().allowed_ips.len(), 2);
}

/// An overlap that others have made must not keep access from being taken away.
#[tokio::test]
async fn b25_an_overlap_of_others_hinders_no_cut() {
    let (server, writer) = lab();
    writer.write(&[add(1, &["10.99.0.0/24"]), add(2, &[])]).await.unwrap();
    server.state().model.peers[1].allowed_ips.push("10.99.0.2/32".into());
    writer.write(&[take(1, &["10.99.0.0/24"])]).await.unwrap();
    writer.write(&[Change::Remove(public(2))]).await.unwrap();
    assert_eq!(server.state().model.peers.len(), 1);
}

#[tokio::test]
async fn b23_a_peer_is_changed_once_at_a_time() {
    let (server, writer) = lab();
    let twice = [add(1, &["10.99.0.2"]), add(1, &["10.99.0.3"])];
    assert_eq!(refusal(&server, &writer, &twice).await, Refusal::Repeated(public(1)));
    let both = [Change::Remove(public(1)), add(1, &["10.99.0.3"])];
    assert_eq!(refusal(&server, &writer, &both).await, Refusal::Repeated(public(1)));
    writer.write(&[add(1, &["10.99.0.2"])]).await.unwrap();
    let again = [add(1, &["10.99.0.2"])];
    assert_eq!(refusal(&server, &writer, &again).await, Refusal::Present(public(1)));
    let nobody = [allow(9, &["10.99.0.9"])];
    assert_eq!(refusal(&server, &writer, &nobody).await, Refusal::Absent(public(9)));
}
