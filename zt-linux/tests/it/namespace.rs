//! Network namespaces: each test has one of its own, in a thread of its own.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::sync::Once;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use rtnetlink::packet_route::RouteNetlinkMessage;
use tokio::runtime::Builder;
use zt_linux::{LinkName, Mtu, Netlink, Tun};

/// Long enough that only a failure takes it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What is missing for a namespace with TUN devices, if anything; leaves the calling thread in one.
fn enter() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|error| format!("no network namespace can be made, which needs root ({error})"))?;
    let node = OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    node.map(drop).map_err(|error| format!("/dev/net/tun cannot be opened ({error})"))
}

/// Runs a test in a network namespace that nothing else is in; says so and does nothing if there can be none, and fails
/// then if `ZT_REQUIRE_ALL` is 1.
pub(crate) fn alone<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    static SKIPPED: Once = Once::new();
    let run = move || {
        if let Err(missing) = enter() {
            assert!(env::var("ZT_REQUIRE_ALL").as_deref() != Ok("1"), "{missing}");
            // written past the test harness, which shows output of failed tests only
            let line = format!("SKIPPED zt-linux network namespaces: {missing}\n");
            return SKIPPED.call_once(|| io::stderr().write_all(line.as_bytes()).unwrap());
        }
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime
            .block_on(async { tokio::time::timeout(3 * PATIENCE, test()).await.expect("a test that ends") });
    };
    thread::scope(|scope| {
        if let Err(panic) = scope.spawn(run).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

pub(crate) fn name(text: &str) -> LinkName {
    text.parse().unwrap()
}

/// A device that is up.
pub(crate) async fn tun(netlink: &Netlink, text: &str) -> Tun {
    let tun = Tun::create(netlink, Some(&name(text)), Mtu::TUNNEL).await.unwrap();
    tun.link().set_up().await.unwrap();
    tun
}

/// What other programs do: requests as they are, without our crate.
pub(crate) struct Others {
    handle: rtnetlink::Handle,
}

impl Others {
    pub(crate) fn open() -> Self {
        let (connection, handle, _) = rtnetlink::new_connection().unwrap();
        tokio::spawn(connection);
        Self { handle }
    }

    pub(crate) fn handle(&self) -> &rtnetlink::Handle {
        &self.handle
    }

    /// Sends a request with these flags beside those for a request with an answer.
    pub(crate) async fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(), i32> {
        use futures_util::StreamExt as _;
        use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        let mut answers = self.handle.request(message).unwrap();
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload {
                return Err(error.raw_code());
            }
        }
        Ok(())
    }

    pub(crate) async fn delete_link(&self, index: u32) {
        self.handle.link().del(index).execute().await.unwrap();
    }
}
