//! Other processes that are gone, hang or break off: which error, and what it says of the state.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use zt_backend_userspace::uapi::{
    Change, MAX_REQUEST, PeerWriter, ReplyError, SocketError, UapiSocket, WriteError, decode,
};

use super::server::{Conduct, Server, folder};
use super::{add, lab, public, take};

#[tokio::test]
async fn a_socket_that_is_not_there_or_that_nobody_serves() {
    let (mut server, writer) = lab();
    writer.write(&[add(1, &["10.99.0.2"])]).await.unwrap();
    server.kill().await;
    assert!(matches!(writer.observe().await, Err(SocketError::Refused { .. })));
    let error = writer.write(&[Change::Remove(public(1))]).await.unwrap_err();
    assert!(matches!(error, WriteError::Unread(SocketError::Refused { .. })), "{error}");
    drop(server);
    let error = writer.observe().await.unwrap_err();
    assert!(matches!(error, SocketError::Absent { .. }), "{error}");
    assert!(error.to_string().ends_with("wg0.sock\""), "{error}");
    // a path that no socket can have
    let writer = PeerWriter::new(UapiSocket::new(format!("/{}", "x".repeat(200))));
    assert!(matches!(writer.observe().await, Err(SocketError::Connect { .. })));
}

#[tokio::test]
async fn a_socket_that_one_may_not_use() {
    let (server, writer) = lab();
    let folder = folder();
    let file = folder.join("wg0.sock");
    fs::write(&file, b"no socket").unwrap();
    // root may use everything, so that a plain file has to do for it
    let error = PeerWriter::new(UapiSocket::new(&file)).observe().await.unwrap_err();
    assert!(matches!(error, SocketError::Refused { .. }), "{error}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    let error = PeerWriter::new(UapiSocket::new(&file)).observe().await.unwrap_err();
    assert!(matches!(error, SocketError::Permission { .. } | SocketError::Refused { .. }), "{error}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    drop(server);
    assert!(writer.observe().await.is_err());
}

/// Makes changes, and waits until the other side was given up.
async fn hang(server: &Server, changes: &[Change]) -> WriteError {
    let writer = PeerWriter::new(server.socket().with_deadline(Duration::from_secs(60)));
    let pause = async {
        server.withheld.notified().await;
        // from here on nothing moves but the clock, which goes to the next deadline
        tokio::time::pause();
    };
    let (outcome, ()) = tokio::join!(writer.write(changes), pause);
    tokio::time::resume();
    outcome.unwrap_err()
}

#[tokio::test]
async fn one_that_hangs_is_given_up_and_its_state_unknown() {
    let (server, _) = lab();
    server.behave(Conduct::Hanging);
    let error = hang(&server, &[add(1, &["10.99.0.2"])]).await;
    assert!(matches!(error, WriteError::Unread(SocketError::Hung { .. })), "{error}");
    assert_eq!(error.to_string(), "the peers cannot be read: no whole reply within 60s");
    assert!(server.state().model.peers.is_empty());
    server.behave(Conduct::Silent);
    let error = hang(&server, &[add(1, &["10.99.0.2"])]).await;
    assert!(matches!(error, WriteError::Unfinished(SocketError::Hung { .. })), "{error}");
    // it was done all the same, as observing shows
    let writer = PeerWriter::new(server.socket());
    assert_eq!(writer.observe().await.unwrap().peers.len(), 1);
}

/// What was to be taken away was not even sent if the answer to the question before broke off or did not come.
#[tokio::test]
async fn inv_g2_one_whose_answers_break_off_or_do_not_come_can_be_cut_off() {
    let cuts = [take(1, &["10.99.0.2"]), Change::Remove(public(2)), Change::Remove(public(3))];
    for conduct in [Conduct::Mumbling, Conduct::Mute] {
        let (server, writer) = lab();
        writer.write(&[add(1, &["10.99.0.2", "fd99::2"]), add(2, &["10.99.0.3"])]).await.unwrap();
        server.state().requests.clear();
        server.behave(conduct.clone());
        let hasty = PeerWriter::new(server.socket().with_deadline(Duration::from_millis(500)));
        let error = hasty.write(&[Change::Remove(public(2)), add(3, &[])]).await.unwrap_err();
        assert!(matches!(error, WriteError::Unread(_)), "{conduct:?}: {error}");
        assert!(server.state().requests.is_empty(), "what gives is not sent unseen");
        let error = hasty.write(&cuts).await.unwrap_err();
        assert!(matches!(error, WriteError::Unconfirmed(_)), "{conduct:?}: {error}");
        server.behave(Conduct::Good);
        let peers = writer.observe().await.unwrap().peers;
        assert_eq!(peers.len(), 1, "{conduct:?}");
        assert!(peers[&public(1)].allowed_ips.is_empty(), "{conduct:?}");
    }
}

/// A process that is stopped is asked once and told once, not once for each cut.
#[tokio::test]
async fn inv_r3_cutting_off_one_that_hangs_takes_two_deadlines_at_most() {
    let (server, _) = lab();
    server.behave(Conduct::Hanging);
    let cuts: Vec<Change> = (1..=250).map(|seed| Change::Remove(public(seed))).collect();
    let deadline = Duration::from_millis(400);
    let writer = PeerWriter::new(server.socket().with_deadline(deadline));
    let start = Instant::now();
    let error = writer.write(&cuts).await.unwrap_err();
    assert!(matches!(error, WriteError::Unfinished(SocketError::Hung { .. })), "{error}");
    assert!(start.elapsed() >= 2 * deadline && start.elapsed() < 3 * deadline, "{:?}", start.elapsed());
}

/// Others carry out what they have of a request when the connection ends, and a torn line may mean more than a whole one.
#[tokio::test]
async fn one_that_stops_reading_never_has_half_a_request() {
    let (server, _) = lab();
    server.behave(Conduct::Deaf);
    let many: Vec<String> = (0..2_000_u32).map(|n| format!("10.{}.{}.0/24", n / 250, n % 250)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let error = hang(&server, &[add(1, &many)]).await;
    assert!(matches!(error, WriteError::Unfinished(SocketError::Hung { .. })), "{error}");
    let mut kept = server.state().kept.pop().unwrap();
    let mut rest = String::new();
    kept.read_to_string(&mut rest).await.unwrap();
    // the first 4,096 bytes were read before
    assert!(rest.len() + 4_096 > MAX_REQUEST - 100 && rest.ends_with("/24\n\n"), "{} bytes", rest.len());
}

#[tokio::test]
async fn one_that_takes_no_connections_ends_in_an_error_too() {
    let folder = folder();
    let path = folder.join("wg0.sock");
    // nobody accepts, and the queue is soon full
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let writer = PeerWriter::new(UapiSocket::new(&path).with_deadline(Duration::ZERO));
    let mut errors = Vec::new();
    for _ in 0..5_000 {
        let error = writer.observe().await.unwrap_err();
        let busy = matches!(error, SocketError::Busy { .. });
        errors.push(error);
        if busy {
            break;
        }
    }
    assert!(errors.iter().all(|error| matches!(error, SocketError::Hung { .. } | SocketError::Busy { .. })));
    assert!(matches!(errors.first(), Some(SocketError::Hung { .. })));
    drop(listener);
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn one_that_closes_before_its_reply_is_whole() {
    let (server, writer) = lab();
    server.behave(Conduct::Closing);
    let error = writer.write(&[add(1, &["10.99.0.2"])]).await.unwrap_err();
    assert!(matches!(error, WriteError::Unfinished(SocketError::Closed)), "{error}");
    let whole = server.state().model.get();
    for length in 0..whole.len() {
        server.state().reply = Some(whole.chars().take(length).collect());
        assert!(matches!(writer.observe().await, Err(SocketError::Closed)), "{length}");
    }
}

#[tokio::test]
async fn replies_are_the_same_in_pieces_of_any_size() {
    let (server, writer) = lab();
    writer.write(&[add(1, &["10.99.0.2", "fd99::2"]), add(2, &[])]).await.unwrap();
    let whole = decode(server.state().model.get().as_bytes()).unwrap();
    for piece in [1, 2, 3, 7, 64, 100] {
        server.state().piece = piece;
        assert_eq!(writer.observe().await.unwrap(), whole, "{piece}");
    }
    // bytes without end, and without a line's end
    server.state().piece = usize::MAX;
    server.state().reply = Some("x".repeat(100_000));
    let error = writer.observe().await.unwrap_err();
    assert!(matches!(error, SocketError::Reply(ReplyError::LongLine { line: 1 })), "{error}");
}
