//! A wireguard-go that runs as long as a test.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};
use zt_backend_userspace::uapi::{PeerWriter, UapiSocket, decode_acknowledgement};
use zt_linux::LinkName;
use zt_linux::testing::{alone, skip};

use super::super::OWN;
use super::super::model::hex;
use crate::lab::{PATIENCE, key};

const PROGRAM: &str = "wireguard-go";

/// A running wireguard-go. Dropped, it is killed, and its socket goes too.
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) name: LinkName,
    pub(super) path: PathBuf,
}

/// Runs a test with a wireguard-go that has just been started, where there can be one.
pub(super) fn with_process<F: Future<Output = ()>>(test: impl FnOnce(Process) -> F + Send) {
    with_program(|| async { test(Process::start().await).await });
}

/// Runs a test that starts wireguard-go, where it can be.
pub(super) fn with_program<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    let version = Command::new(PROGRAM).arg("--version").stdin(Stdio::null()).output();
    let ran = match version {
        Ok(_) => alone(10 * PATIENCE, test),
        Err(error) => skip(PROGRAM, format!("{PROGRAM} cannot be run ({error})")),
    };
    ran.unwrap();
}

/// Waits until it `happens`.
pub(super) async fn until(mut happens: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !happens().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it should have happened");
}

impl Process {
    /// Starts one in the network namespace of the calling thread, with a name that no other test has: sockets are in
    /// no namespace.
    pub(super) async fn start() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name: LinkName = format!("ztgo{}-{count}", std::process::id()).parse().unwrap();
        let path = format!("/var/run/wireguard/{name}.sock").into();
        let mut command = Command::new(PROGRAM);
        command.args(["-f", name.as_str()]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Self { child: command.spawn().unwrap(), name, path };
        let listening = async {
            while !process.is_listening().await {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, listening).await.expect("it should listen");
        process
    }

    /// It answers before it listens for its peers.
    async fn is_listening(&mut self) -> bool {
        assert_eq!(self.child.try_wait().unwrap(), None, "{PROGRAM} should run");
        self.writer().observe().await.is_ok_and(|interface| interface.listen_port.is_some())
    }

    /// Gives it its private key, which this crate does not write.
    pub(super) async fn give_key(&self) {
        let private_key = hex(key(OWN).expose_bytes());
        let reply = self.ask(&format!("set=1\nprivate_key={private_key}\n\n")).await;
        decode_acknowledgement(reply.as_bytes()).unwrap();
    }

    pub(super) fn socket(&self) -> UapiSocket {
        UapiSocket::new(&self.path).with_deadline(PATIENCE)
    }

    pub(super) fn writer(&self) -> PeerWriter {
        PeerWriter::new(self.socket())
    }

    /// What it answers to these bytes, after which nothing more comes.
    pub(super) async fn ask(&self, request: &str) -> String {
        let mut stream = UnixStream::connect(&self.path).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut reply = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut reply)).await.expect("an answer").unwrap();
        reply
    }

    /// Stops all of it; it stays there, and listens.
    pub(super) fn stop(&self) {
        self.signal(Signal::STOP);
        let (_, status) = waitpid(Some(self.pid()), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped());
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until it has ended.
    pub(super) async fn end(&mut self) {
        until(async || self.child.try_wait().unwrap().is_some()).await;
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.path);
    }
}
