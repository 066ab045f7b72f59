//! It hangs, is killed, ends, or does not like what it is asked.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use zt_backend_userspace::uapi::{
    Change, Errno, PeerWriter, ReplyError, SocketError, WriteError, decode_acknowledgement,
};
use zt_linux::{Link, Netlink};

use super::super::model::hex;
use super::super::{add, prefixes, public};
use super::process::{until, with_process};

#[test]
fn one_that_is_stopped_is_given_up_and_serves_again_when_it_goes_on() {
    with_process(async |process| {
        process.give_key().await;
        let writer = process.writer();
        writer.write(&[add(1, &["10.99.0.2"])]).await.unwrap();
        let before = writer.observe().await.unwrap();
        process.stop();
        let deadline = Duration::from_millis(50);
        let hasty = PeerWriter::new(process.socket().with_deadline(deadline));
        for _ in 0..3 {
            let error = hasty.observe().await.unwrap_err();
            assert!(matches!(error, SocketError::Hung { deadline: given } if given == deadline), "{error}");
            let error = hasty.write(&[add(2, &["10.99.0.3"])]).await.unwrap_err();
            assert!(matches!(error, WriteError::Unread(SocketError::Hung { .. })), "{error}");
        }
        process.signal(Signal::CONT);
        assert_eq!(writer.observe().await.unwrap(), before);
        writer.write(&[Change::Remove(public(1))]).await.unwrap();
    });
}

/// It is cut off unseen: what it was told while it was stopped it does once it goes on.
#[test]
fn one_that_is_stopped_takes_away_what_it_was_told_to_when_it_goes_on() {
    with_process(async |process| {
        process.give_key().await;
        let writer = process.writer();
        writer.write(&[add(1, &["10.99.0.2"])]).await.unwrap();
        process.stop();
        let hasty = PeerWriter::new(process.socket().with_deadline(Duration::from_millis(50)));
        let error = hasty.write(&[Change::Remove(public(1))]).await.unwrap_err();
        assert!(matches!(error, WriteError::Unfinished(SocketError::Hung { .. })), "{error}");
        process.signal(Signal::CONT);
        until(async || writer.observe().await.unwrap().peers.is_empty()).await;
    });
}

/// Why what became of a request is unknown once it was given up.
#[test]
fn a_request_that_was_given_up_is_carried_out_later() {
    with_process(async |process| {
        process.stop();
        let mut stream = UnixStream::connect(&process.path).await.unwrap();
        let request = format!("set=1\npublic_key={}\nallowed_ip=10.99.0.2/32\n\n", hex(public(1).as_bytes()));
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
        process.signal(Signal::CONT);
        let writer = process.writer();
        until(async || writer.observe().await.unwrap().peers.contains_key(&public(1))).await;
    });
}

/// Why a request is never sent in part: `/32` ends as `/3`.
#[test]
fn a_request_that_breaks_off_is_carried_out_as_far_as_it_goes() {
    with_process(async |process| {
        let request = format!("set=1\npublic_key={}\nallowed_ip=96.0.0.1/3", hex(public(1).as_bytes()));
        assert_eq!(process.ask(&request).await, "errno=0\n\n");
        let peers = process.writer().observe().await.unwrap().peers;
        assert_eq!(peers[&public(1)].allowed_ips, prefixes(&["96.0.0.0/3"]));
    });
}

#[test]
fn one_that_is_killed_leaves_a_socket_that_nobody_serves() {
    with_process(async |mut process| {
        let writer = process.writer();
        writer.write(&[add(1, &["10.99.0.2"])]).await.unwrap();
        process.signal(Signal::KILL);
        process.end().await;
        let error = writer.write(&[Change::Remove(public(1))]).await.unwrap_err();
        assert!(matches!(error, WriteError::Unread(SocketError::Refused { .. })), "{error}");
        fs::remove_file(&process.path).unwrap();
        let error = writer.observe().await.unwrap_err();
        assert!(matches!(error, SocketError::Absent { .. }), "{error}");
    });
}

#[test]
fn one_that_is_asked_to_end_takes_socket_and_interface_with_it() {
    with_process(async |mut process| {
        process.signal(Signal::TERM);
        process.end().await;
        assert!(matches!(process.writer().observe().await, Err(SocketError::Absent { .. })));
        let netlink = Netlink::open().unwrap();
        assert!(Link::find(&netlink, &process.name).await.is_err());
    });
}

#[test]
fn one_whose_socket_is_deleted_ends_with_its_interface() {
    with_process(async |mut process| {
        let netlink = Netlink::open().unwrap();
        Link::find(&netlink, &process.name).await.unwrap();
        fs::remove_file(&process.path).unwrap();
        process.end().await;
        assert!(matches!(process.writer().observe().await, Err(SocketError::Absent { .. })));
        assert!(Link::find(&netlink, &process.name).await.is_err());
    });
}

#[test]
fn what_it_does_not_like_it_answers_with_an_errno() {
    with_process(async |process| {
        let peer = format!("public_key={}\n", hex(public(1).as_bytes()));
        let long = "x".repeat(70_000);
        let cases = [
            ("set=1\nno_such_key=1\n\n".to_owned(), -22, "EINVAL (-22)"),
            ("set=1\nlisten_port=65536\n\n".to_owned(), -22, "EINVAL (-22)"),
            ("set=1\npublic_key=ff\n\n".to_owned(), -22, "EINVAL (-22)"),
            (format!("set=1\n{peer}protocol_version=2\n\n"), -22, "EINVAL (-22)"),
            ("set=1\nno value\n\n".to_owned(), -71, "EPROTO (-71)"),
            (format!("set=1\n{long}\n\n"), -5, "EIO (-5)"),
            (
                format!("set=1\n{peer}allowed_ip=10.99.0.2/32\nallowed_ip=10.99.0.3/33\n\n"),
                -22,
                "EINVAL (-22)",
            ),
        ];
        for (request, errno, shown) in cases {
            let reply = process.ask(&request).await;
            let error = decode_acknowledgement(reply.as_bytes()).unwrap_err();
            assert_eq!(error, ReplyError::Errno(Errno(errno)), "{request:.80}");
            assert_eq!(error.to_string(), format!("the other side answers {shown}"));
        }
        assert_eq!(process.ask("what=1\n\n").await, "", "it closes without an answer");
        // what precedes a line that it does not like is done
        let peers = process.writer().observe().await.unwrap().peers;
        assert_eq!(peers[&public(1)].allowed_ips, prefixes(&["10.99.0.2"]));
    });
}
