//! A made-up kernel at the other end of the socket, which does what a real one does rarely.
#![allow(clippy::arithmetic_side_effects, reason = "small numbers")]

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use rtnetlink::packet_core::{DoneMessage, ErrorMessage, NLM_F_DUMP_INTR, NLM_F_MULTIPART, NetlinkHeader};
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::sys::{Socket, SocketAddr};

use super::*;

/// What the kernel sends for one request; nothing is a kernel that hangs.
type Reply = Vec<Event>;

#[derive(Clone)]
enum Event {
    /// A datagram with one message, of this payload and these flags.
    Message(NetlinkPayload<RouteNetlinkMessage>, u16),
    /// The socket had no room for a message.
    NoRoom,
    /// The socket fails.
    Fails,
}

#[derive(Default)]
struct Kernel {
    replies: VecDeque<Reply>,
    requests: usize,
    pending: VecDeque<(Event, u32)>,
    waker: Option<Waker>,
}

struct MadeUp {
    /// Never used; the trait wants one.
    socket: Socket,
    kernel: Arc<Mutex<Kernel>>,
}

impl AsyncSocket for MadeUp {
    fn socket_ref(&self) -> &Socket {
        &self.socket
    }

    fn socket_mut(&mut self) -> &mut Socket {
        &mut self.socket
    }

    fn new(protocol: isize) -> io::Result<Self> {
        Ok(Self { socket: Socket::new(protocol)?, kernel: Arc::default() })
    }

    fn poll_send(&self, _: &mut Context<'_>, request: &[u8]) -> Poll<io::Result<usize>> {
        let mut kernel = self.kernel.lock().unwrap();
        kernel.requests += 1;
        let sequence = u32::from_ne_bytes(request[8..12].try_into().unwrap());
        let reply = kernel.replies.pop_front().unwrap_or_default();
        kernel.pending.extend(reply.into_iter().map(|event| (event, sequence)));
        if let Some(waker) = kernel.waker.take() {
            waker.wake();
        }
        Poll::Ready(Ok(request.len()))
    }

    fn poll_send_to(&self, cx: &mut Context<'_>, request: &[u8], _: &SocketAddr) -> Poll<io::Result<usize>> {
        self.poll_send(cx, request)
    }

    fn poll_recv<B: bytes::BufMut>(&self, cx: &mut Context<'_>, buffer: &mut B) -> Poll<io::Result<()>> {
        self.poll_recv_from(cx, buffer).map_ok(drop)
    }

    fn poll_recv_from<B: bytes::BufMut>(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut B,
    ) -> Poll<io::Result<SocketAddr>> {
        let mut kernel = self.kernel.lock().unwrap();
        let Some((event, sequence)) = kernel.pending.pop_front() else {
            kernel.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(match event {
            Event::Message(payload, flags) => {
                let mut header = NetlinkHeader::default();
                (header.flags, header.sequence_number) = (flags, sequence);
                let mut message = NetlinkMessage::new(header, payload);
                message.finalize();
                let mut bytes = vec![0; message.buffer_len()];
                message.serialize(&mut bytes);
                buffer.put_slice(&bytes);
                Ok(SocketAddr::new(0, 0))
            }
            Event::NoRoom => Err(io::Error::from(Errno::NOBUFS)),
            Event::Fails => Err(io::Error::from(Errno::BADF)),
        })
    }

    fn poll_recv_from_full(&self, _: &mut Context<'_>) -> Poll<io::Result<(Vec<u8>, SocketAddr)>> {
        Poll::Pending
    }
}

/// A socket to a kernel with these replies, in this order.
fn connect(replies: impl IntoIterator<Item = Reply>) -> (Netlink, Arc<Mutex<Kernel>>) {
    let socket = MadeUp::new(NETLINK_ROUTE).unwrap();
    let kernel = Arc::clone(&socket.kernel);
    kernel.lock().unwrap().replies.extend(replies);
    (Netlink::over(socket, None, (Duration::from_millis(200), &Handle::current())), kernel)
}

fn member(index: u32, flags: u16) -> Event {
    let mut link = LinkMessage::default();
    link.header.index = index;
    let payload = NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link));
    Event::Message(payload, NLM_F_MULTIPART | flags)
}

fn done(flags: u16) -> Event {
    Event::Message(NetlinkPayload::Done(DoneMessage::default()), NLM_F_MULTIPART | flags)
}

fn error(errno: Option<Errno>) -> Event {
    let mut message = ErrorMessage::default();
    message.code = errno.and_then(|errno| (-errno.raw_os_error()).try_into().ok());
    Event::Message(NetlinkPayload::Error(message), 0)
}

/// Lists the indices of links.
async fn list(netlink: &Netlink) -> Result<Vec<u32>, NetlinkError> {
    let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
    netlink
        .list(request, |message| {
            if let RouteNetlinkMessage::NewLink(link) = message { Some(link.header.index) } else { None }
        })
        .await
}

async fn change(netlink: &Netlink) -> Result<(), NetlinkError> {
    netlink.change(RouteNetlinkMessage::SetLink(LinkMessage::default()), 0).await
}

#[tokio::test]
async fn a_list_is_believed_when_it_is_whole() {
    let (netlink, kernel) = connect([vec![member(1, 0), member(2, 0), done(0)]]);
    assert_eq!(list(&netlink).await.unwrap(), [1, 2]);
    assert_eq!(kernel.lock().unwrap().requests, 1);
}

#[tokio::test]
async fn a_list_that_changed_meanwhile_is_asked_for_again() {
    let whole = || vec![member(1, 0), member(2, 0), done(0)];
    for cut_short in [
        vec![member(1, 0), member(7, NLM_F_DUMP_INTR), done(0)],
        vec![member(1, 0), done(NLM_F_DUMP_INTR)],
        vec![done(NLM_F_DUMP_INTR)],
        vec![member(1, 0), Event::NoRoom, done(0)],
        vec![error(Some(Errno::BUSY))],
        vec![member(1, 0), error(Some(Errno::INTR))],
    ] {
        let (netlink, kernel) = connect([cut_short, whole()]);
        assert_eq!(list(&netlink).await.unwrap(), [1, 2]);
        assert_eq!(kernel.lock().unwrap().requests, 2);
    }
}

#[tokio::test]
async fn a_list_that_changes_each_time_is_an_error() {
    let (netlink, kernel) = connect(vec![vec![member(1, NLM_F_DUMP_INTR), done(0)]; 20]);
    assert!(matches!(list(&netlink).await, Err(NetlinkError::Interrupted { attempts: ATTEMPTS })));
    assert_eq!(kernel.lock().unwrap().requests, 8);
}

#[tokio::test]
async fn a_list_without_its_end_is_an_error() {
    let (netlink, _) = connect([vec![member(1, 0), Event::Fails]]);
    assert!(matches!(list(&netlink).await, Err(NetlinkError::Closed)));
    assert!(matches!(change(&netlink).await, Err(NetlinkError::Closed)));
}

#[tokio::test]
async fn a_kernel_that_hangs_is_an_error_and_the_next_request_is_not() {
    let (netlink, _) = connect([vec![], vec![], vec![error(None)], vec![member(3, 0), done(0)]]);
    assert!(matches!(list(&netlink).await, Err(NetlinkError::Deadline(_))));
    assert!(matches!(change(&netlink).await, Err(NetlinkError::Deadline(_))));
    change(&netlink).await.unwrap();
    assert_eq!(list(&netlink).await.unwrap(), [3]);
}

#[tokio::test]
async fn what_the_kernel_refuses_is_an_error_with_its_number() {
    for errno in [Errno::PERM, Errno::NODEV, Errno::NOMEM, Errno::NOBUFS, Errno::OPNOTSUPP, Errno::MSGSIZE] {
        let (netlink, kernel) = connect([vec![error(Some(errno))], vec![error(Some(errno))]]);
        assert!(change(&netlink).await.unwrap_err().is(errno));
        assert!(list(&netlink).await.unwrap_err().is(errno));
        assert_eq!(kernel.lock().unwrap().requests, 2, "nothing is tried again");
    }
}

#[tokio::test]
async fn an_overrun_from_before_does_not_count() {
    let (netlink, kernel) = connect([vec![error(None), Event::NoRoom], vec![member(1, 0), done(0)]]);
    change(&netlink).await.unwrap();
    assert_eq!(list(&netlink).await.unwrap(), [1]);
    assert!(kernel.lock().unwrap().requests <= 3);
}

#[test]
fn without_a_runtime_there_is_no_socket() {
    assert!(matches!(Netlink::open(), Err(OpenError::NoRuntime)));
}
