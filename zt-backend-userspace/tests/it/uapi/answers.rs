//! Other processes that refuse, lie or talk nonsense: which error, and what it says of the state.

use zt_backend_userspace::uapi::{Change, Errno, NewPeer, ReplyError, SocketError, WriteError};

use super::server::Conduct;
use super::{add, allow, lab, public, take};

fn reply(error: WriteError) -> ReplyError {
    let WriteError::Unfinished(SocketError::Reply(error)) = error else { panic!("{error}") };
    error
}

/// A reply of which nothing can be made does not keep access from being taken away.
#[tokio::test]
async fn one_whose_replies_cannot_be_used_can_be_cut_off() {
    let (server, writer) = lab();
    writer.write(&[add(1, &["10.99.0.2", "fd99::2"]), add(2, &["10.99.0.3"])]).await.unwrap();
    // a peer that somebody else has added, with a key that nobody can have
    let good = server.state().model.get();
    let strange = good.replace("errno=0", &format!("public_key={}\nerrno=0", "0".repeat(64)));
    server.state().reply = Some(strange);
    server.state().requests.clear();
    let mixed = [Change::Remove(public(1)), add(3, &["10.99.0.9"])];
    for change in [&mixed[..], &mixed[1..], &[allow(1, &["10.99.0.9"])]] {
        let error = writer.write(change).await.unwrap_err();
        assert!(matches!(error, WriteError::Unread(SocketError::Reply(_))), "{error}");
    }
    assert!(server.state().requests.is_empty());
    let cuts = [take(1, &["10.99.0.2"]), Change::Remove(public(2)), Change::Remove(public(3))];
    let error = writer.write(&cuts).await.unwrap_err();
    assert!(matches!(error, WriteError::Unconfirmed(SocketError::Reply(_))), "{error}");
    server.state().reply = None;
    let peers = writer.observe().await.unwrap().peers;
    assert_eq!(peers.len(), 1);
    assert!(peers[&public(1)].allowed_ips.is_empty());
}

#[tokio::test]
async fn one_that_refuses_says_why_by_name() {
    let (server, writer) = lab();
    server.behave(Conduct::Refusing(-22));
    let error = writer.write(&[add(1, &["10.99.0.2"])]).await.unwrap_err();
    assert!(error.to_string().ends_with("EINVAL (-22)"), "{error}");
    assert_eq!(reply(error), ReplyError::Errno(Errno(-22)));
    // also while the rest of a large request is still on its way
    let many: Vec<String> = (0..1_500_u32).map(|n| format!("10.{}.{}.0/24", n / 250, n % 250)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for _ in 0..20 {
        let error = writer.write(&[add(1, &many)]).await.unwrap_err();
        assert_eq!(reply(error), ReplyError::Errno(Errno(-22)));
    }
    server.state().reply = Some("errno=1\n\n".into());
    let error = writer.observe().await.unwrap_err();
    assert_eq!(error.to_string(), "bad reply: the other side answers EPERM (1)");
    assert_eq!(Errno(4_095).to_string(), "error 4095");
}

#[tokio::test]
async fn one_that_acknowledges_what_it_does_not_do_is_found_out() {
    let (server, writer) = lab();
    writer.write(&[add(1, &["10.99.0.2", "10.99.0.3"]), add(2, &[])]).await.unwrap();
    server.behave(Conduct::Inert);
    let changes = [
        add(3, &["10.99.0.4"]),
        Change::Allow(public(2), super::prefixes(&["10.99.0.5"])),
        take(1, &["10.99.0.2"]),
        Change::Remove(public(2)),
    ];
    for change in changes {
        let error = writer.write(std::slice::from_ref(&change)).await.unwrap_err();
        assert!(matches!(error, WriteError::Ineffective(key) if key == *change.key()), "{error}");
    }
    let (endpoint, keepalive) = ("192.0.2.1:51820".parse().ok(), 25.try_into().ok());
    let peer = NewPeer { endpoint, keepalive, ..NewPeer::default() };
    for (key, seed) in [("persistent_keepalive_interval", 4), ("endpoint", 5)] {
        server.behave(Conduct::Forgetting(key));
        let error = writer.write(&[Change::Add(public(seed), peer.clone())]).await.unwrap_err();
        assert!(matches!(error, WriteError::Ineffective(key) if key == public(seed)), "{error}");
    }
    server.behave(Conduct::Good);
    writer.write(&[take(1, &["10.99.0.2"]), Change::Remove(public(2))]).await.unwrap();
    writer.write(&[Change::Add(public(6), peer)]).await.unwrap();
}

#[tokio::test]
async fn what_was_done_before_an_error_is_told_apart() {
    let (server, writer) = lab();
    server.state().reply = Some("hello\n".into());
    let error = writer.write(&[add(1, &["10.99.0.2"])]).await.unwrap_err();
    assert!(
        matches!(error, WriteError::Unread(SocketError::Reply(ReplyError::Syntax { line: 1 }))),
        "{error}"
    );
    assert!(server.state().requests.is_empty());

    server.state().reply = None;
    server.behave(Conduct::Saying("errno=0\nlisten_port=5\n\n"));
    let error = writer.write(&[add(1, &["10.99.0.2"])]).await.unwrap_err();
    assert_eq!(reply(error), ReplyError::Misplaced { line: 2, key: "listen_port" });

    // taking comes first: what fails then is what gives
    server.state().requests.clear();
    server.behave(Conduct::Tiring(1));
    let error = writer.write(&[add(2, &["10.99.0.3"]), take(1, &["10.99.0.2"])]).await.unwrap_err();
    assert_eq!(reply(error), ReplyError::Errno(Errno(-12)));
    let peers = writer.observe().await.unwrap().peers;
    assert!(peers[&public(1)].allowed_ips.is_empty() && !peers.contains_key(&public(2)));

    server.behave(Conduct::Blinding);
    let error = writer.write(&[add(2, &["10.99.0.3"])]).await.unwrap_err();
    assert!(matches!(error, WriteError::Unconfirmed(SocketError::Reply(_))), "{error}");
    assert_eq!(server.state().model.peers.len(), 2);
}
