//! Network namespaces, and what is in them.

use std::time::Duration;

use rtnetlink::packet_route::RouteNetlinkMessage;
use zt_linux::{LinkName, Mtu, Netlink, Tun};

/// Long enough that only a failure takes it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a test in a network namespace that nothing else is in, where there can be one.
pub(crate) fn alone<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    zt_linux::testing::alone(3 * PATIENCE, test).unwrap();
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
