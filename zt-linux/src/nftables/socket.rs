//! The socket that transactions and questions go through.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_recv_buffer_size_force, set_socket_send_buffer_size_force};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
use rustix::net::{recv, send, socket_with};
use tokio::io::unix::AsyncFd;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::answer::messages;
use super::batch::write;
use super::{Attributes, Batch};
use crate::netlink::{Netlink, NetlinkError, OpenError};

/// How often a list is asked for that changes while it is read.
const ATTEMPTS: u32 = 8;
/// A transaction is one message to the socket, which has to have room for all of it.
const BUFFER: usize = 64 << 20;
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;

/// A subsystem, a kind of message in it, and an address family.
type Kind = (u16, u8, u8);

/// A socket for the nftables of one network namespace. Copies share it, and requests go one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Nftables {
    socket: Arc<Mutex<Socket>>,
    transactions: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Socket {
    fd: AsyncFd<OwnedFd>,
    number: u32,
}

impl Nftables {
    /// Opens a socket in the network namespace of the calling thread.
    pub(crate) fn open() -> Result<Self, OpenError> {
        tokio::runtime::Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
        let socket = || -> io::Result<AsyncFd<OwnedFd>> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let protocol = Some(netlink::NETFILTER);
            let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
            // needs CAP_NET_ADMIN, as everything does that a small buffer would be too small for
            let _ = set_socket_send_buffer_size_force(&fd, BUFFER);
            let _ = set_socket_recv_buffer_size_force(&fd, BUFFER);
            #[expect(
                deprecated,
                reason = "what replaces it is unsafe; nobody else closes a descriptor that is owned"
            )]
            AsyncFd::new(fd)
        };
        let fd = socket().map_err(OpenError::Socket)?;
        let socket = Arc::new(Mutex::new(Socket { fd, number: 0 }));
        Ok(Self { socket, transactions: Arc::default() })
    }

    /// Carries out a transaction: all of it, or nothing.
    pub(crate) async fn commit(&self, batch: &Batch) -> Result<(), NetlinkError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.transactions.fetch_add(1, Ordering::Relaxed);
        within_deadline(async { self.socket.lock().await.commit(batch).await }).await
    }

    /// Changes one thing that transactions are not for.
    pub(super) async fn change(&self, kind: Kind, body: &Attributes) -> Result<(), NetlinkError> {
        within_deadline(async { self.socket.lock().await.ask((kind, ACK), body, |_| None::<()>).await })
            .await
            .map(drop)
    }

    /// How many transactions were sent.
    pub(crate) fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// Asks for one thing, whose attributes are given back; none if it is not there.
    pub(crate) async fn get(&self, kind: Kind, body: &Attributes) -> Result<Option<Vec<u8>>, NetlinkError> {
        let asked =
            async { self.socket.lock().await.ask((kind, 0), body, |found| Some(found.to_vec())).await };
        match within_deadline(asked).await {
            Err(error) if error.is(Errno::NOENT) => Ok(None),
            answer => answer.map(|answer| answer.and_then(|found| found.into_iter().next())),
        }
    }

    /// Asks for a list, again if it changed while it was read, and keeps what `keep` makes of its members' attributes.
    pub(crate) async fn list<T>(
        &self,
        kind: Kind,
        body: &Attributes,
        keep: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..ATTEMPTS {
            let asked = async { self.socket.lock().await.ask((kind, DUMP), body, &keep).await };
            match within_deadline(asked).await {
                Ok(Some(list)) => return Ok(list),
                Ok(None) => {}
                Err(error) if [Errno::INTR, Errno::AGAIN, Errno::BUSY].iter().any(|&no| error.is(no)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(NetlinkError::Interrupted { attempts: ATTEMPTS })
    }
}

async fn within_deadline<T>(
    request: impl Future<Output = Result<T, NetlinkError>>,
) -> Result<T, NetlinkError> {
    const DEADLINE: Duration = Netlink::DEADLINE;
    timeout(DEADLINE, request).await.map_err(|_| NetlinkError::Deadline(DEADLINE))?
}

impl Socket {
    async fn commit(&mut self, batch: &Batch) -> Result<(), NetlinkError> {
        let first = self.number.wrapping_add(1);
        let (bytes, last) = batch.to_bytes(first);
        self.number = last.wrapping_add(1);
        self.send(&bytes).await?;
        let mut outcome = Ok(());
        loop {
            let answer = self.receive().await?;
            for message in messages(&answer) {
                let Some(said) = message.end() else { continue };
                // what was asked for before, by a request that was given up
                if message.number.wrapping_sub(first) > last.wrapping_sub(first) {
                    continue;
                }
                outcome = outcome.and(said);
                // an error of the frame comes first, and then it may be all that comes
                if message.number == last || (message.number == first && outcome.is_err()) {
                    return outcome;
                }
            }
        }
    }

    /// None if what was listed changed meanwhile.
    async fn ask<T>(
        &mut self,
        ((subsystem, kind, family), flags): (Kind, u16),
        body: &Attributes,
        keep: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<Vec<T>>, NetlinkError> {
        self.number = self.number.wrapping_add(1);
        let mut bytes = Vec::new();
        let header = ((subsystem << 8) | u16::from(kind), REQUEST | flags, self.number);
        write(&mut bytes, header, (family, 0), body.as_bytes());
        self.send(&bytes).await?;
        let (mut kept, mut interrupted) = (Vec::new(), false);
        loop {
            let answer = self.receive().await?;
            for message in messages(&answer).filter(|message| message.number == self.number) {
                interrupted |= message.is_interrupted();
                if let Some(attributes) = message.attributes() {
                    kept.extend(keep(attributes));
                }
                match message.end() {
                    None => {}
                    Some(Ok(())) => return Ok((!interrupted).then_some(kept)),
                    Some(Err(error)) => return Err(error),
                }
            }
        }
    }

    async fn send(&self, bytes: &[u8]) -> Result<(), NetlinkError> {
        let sent =
            self.fd.async_io(tokio::io::Interest::WRITABLE, |fd| Ok(send(fd, bytes, SendFlags::empty())?));
        sent.await.map(drop).map_err(NetlinkError::Refused)
    }

    /// The next bytes from the kernel; those that did not fit, because they came too fast, are lost and an error.
    async fn receive(&self) -> Result<Vec<u8>, NetlinkError> {
        let received = self.fd.async_io(tokio::io::Interest::READABLE, |fd| {
            let (_, length) = recv(fd, [0_u8; 0].as_mut_slice(), RecvFlags::PEEK | RecvFlags::TRUNC)?;
            let mut bytes = vec![0; length];
            recv(fd, bytes.as_mut_slice(), RecvFlags::empty())?;
            Ok(bytes)
        });
        received.await.map_err(NetlinkError::Refused)
    }
}
