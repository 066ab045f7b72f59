//! The socket that links, addresses and routes are listed and changed with.

mod answer;
mod error;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{AsyncSocket, TokioSocket};
use rustix::io::Errno;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use answer::Answer;
pub use error::{NetlinkError, OpenError};
use watch::Watch;

/// How often a list is asked for that changes while it is read.
const ATTEMPTS: u32 = 8;

/// A netlink socket for links, addresses and routes of one network namespace.
///
/// Copies share the socket, and requests go one after the other: the kernel makes one list at a time for a socket. The
/// socket is closed with the last copy.
///
/// No request takes longer than [`Netlink::DEADLINE`]. A list during which it changed, or a message was lost, is thrown
/// away and asked for again; what cannot be read whole is an error, never a shorter list. The kernel flags such lists,
/// except those of IPv6 routes: there, removals are listened to.
#[derive(Clone)]
pub struct Netlink {
    shared: Arc<Shared>,
}

struct Shared {
    socket: Mutex<Socket>,
    deadline: Duration,
    connection: AbortHandle,
}

struct Socket {
    requests: rtnetlink::Handle,
    watch: Option<Watch>,
    unsolicited: Box<dyn Stream<Item = Message> + Send + Unpin>,
}

type Message = NetlinkMessage<RouteNetlinkMessage>;

impl Netlink {
    /// How long a request may take, waiting for those before it included; each attempt at a list has as long again.
    pub const DEADLINE: Duration = Duration::from_secs(5);

    /// Opens a socket in the network namespace of the calling thread, and drives it from a task.
    ///
    /// Needs no privileges: listing is for everybody, and changes are refused one by one.
    ///
    /// # Errors
    /// If there is no tokio runtime or no socket.
    ///
    /// # Panics
    /// If the runtime has its I/O switched off; requests panic if it has its timers switched off.
    pub fn open() -> Result<Self, OpenError> {
        let runtime = Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        let socket = TokioSocket::new(NETLINK_ROUTE).map_err(OpenError::Socket)?;
        // Then the kernel lists what belongs to one link only. Kernels before 4.20 do not, which costs time only.
        let _ = socket.socket_ref().set_netlink_get_strict_chk(true);
        let watch = Watch::open().map_err(OpenError::Socket)?;
        Ok(Self::over(socket, Some(watch), (Self::DEADLINE, &runtime)))
    }

    /// Uses sockets that are open.
    fn over<S>(socket: S, watch: Option<Watch>, (deadline, runtime): (Duration, &Handle)) -> Self
    where
        S: AsyncSocket + Send + 'static,
    {
        let (mut connection, requests, unsolicited) = rtnetlink::from_socket(socket);
        // An answer that ends without these was cut short.
        connection.set_forward_done(true);
        connection.set_forward_ack(true);
        let connection = runtime.spawn(connection).abort_handle();
        let unsolicited = Box::new(unsolicited.map(|(message, _)| message));
        let socket = Mutex::new(Socket { requests, watch, unsolicited });
        Self { shared: Arc::new(Shared { socket, deadline, connection }) }
    }

    /// Changes something; returns when the kernel has said that it is done.
    pub(crate) async fn change(&self, request: RouteNetlinkMessage, flags: u16) -> Result<(), NetlinkError> {
        self.exchange(request, NLM_F_REQUEST | NLM_F_ACK | flags, |_| None::<()>).await.map(drop)
    }

    /// Asks for one thing.
    pub(crate) async fn get<T>(
        &self,
        request: RouteNetlinkMessage,
        keep: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Option<T>, NetlinkError> {
        Ok(self.exchange(request, NLM_F_REQUEST, keep).await?.kept.into_iter().next())
    }

    /// Asks for a list, again if it changed while it was read, and keeps what `keep` makes of its members.
    pub(crate) async fn list<T>(
        &self,
        request: RouteNetlinkMessage,
        keep: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..ATTEMPTS {
            match self.exchange(request.clone(), NLM_F_REQUEST | NLM_F_DUMP, &keep).await {
                Ok(answer) if !answer.interrupted => return Ok(answer.kept),
                Ok(_) => {}
                Err(error) if [Errno::INTR, Errno::AGAIN, Errno::BUSY].iter().any(|&no| error.is(no)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(NetlinkError::Interrupted { attempts: ATTEMPTS })
    }

    async fn exchange<T>(
        &self,
        request: RouteNetlinkMessage,
        flags: u16,
        keep: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Answer<T>, NetlinkError> {
        let deadline = self.shared.deadline;
        let exchange = async {
            let mut socket = self.shared.socket.lock().await;
            socket.exchange(request, flags, keep).await
        };
        timeout(deadline, exchange).await.map_err(|_| NetlinkError::Deadline(deadline))?
    }
}

impl Socket {
    async fn exchange<T>(
        &mut self,
        request: RouteNetlinkMessage,
        flags: u16,
        keep: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Answer<T>, NetlinkError> {
        // what happened before does not count
        self.lost_messages();
        let listens = lists_routes_v6(&request, flags);
        let _ = listens && self.removed_routes();
        let mut message = NetlinkMessage::from(request);
        message.header.flags = flags;
        let mut messages = self.requests.request(message).map_err(|_| NetlinkError::Closed)?;
        let mut answer = Answer::new();
        while let Some(message) = messages.next().await {
            answer.take(message, &keep)?;
        }
        answer.interrupted |= listens && answer.is_long() && self.removed_routes();
        answer.interrupted |= self.lost_messages();
        answer.end()
    }

    /// Whether an IPv6 route was removed since this was last asked.
    fn removed_routes(&self) -> bool {
        self.watch.as_ref().is_some_and(Watch::removed)
    }

    /// Whether the kernel said, since this was last asked, that it had no room for a message: it does not say of which
    /// answer.
    fn lost_messages(&mut self) -> bool {
        let mut lost = false;
        while let Some(Some(message)) = self.unsolicited.next().now_or_never() {
            lost |= matches!(message.payload, NetlinkPayload::Overrun(_));
        }
        lost
    }
}

fn lists_routes_v6(request: &RouteNetlinkMessage, flags: u16) -> bool {
    let v6 = matches!(request, RouteNetlinkMessage::GetRoute(route) if route.header.address_family == AddressFamily::Inet6);
    v6 && flags & NLM_F_DUMP == NLM_F_DUMP
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl fmt::Debug for Netlink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Netlink").field("deadline", &self.shared.deadline).finish_non_exhaustive()
    }
}
