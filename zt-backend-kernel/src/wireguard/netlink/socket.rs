//! The socket, and the seam at which it can be made up.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::{GENERIC, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrAny, SocketFlags, SocketType, bind, recvfrom, sendto,
    socket_with,
};

/// A netlink socket: whole datagrams, to and from the kernel.
pub(crate) trait Wire: Send {
    /// Sends a datagram to the kernel, which handles it before this returns.
    fn send(&mut self, request: &[u8]) -> io::Result<()>;

    /// Receives the next datagram of the kernel. One that is longer than `buffer` is an error.
    fn receive<'a>(&mut self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]>;
}

/// Opens sockets. Each request has one of its own: nothing that is left of one can be taken for the answer to another.
pub(crate) type Connect = Box<dyn FnMut() -> io::Result<Box<dyn Wire>> + Send>;

/// A socket to the kernel, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct KernelSocket(OwnedFd);

impl KernelSocket {
    /// Opens one that waits for an answer no longer than this.
    pub(crate) fn open(patience: Duration) -> io::Result<Self> {
        let protocol = Some(GENERIC);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(patience))?;
        Ok(Self(socket))
    }
}

impl Wire for KernelSocket {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let sent = sendto(&self.0, request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        if sent == request.len() { Ok(()) } else { Err(Errno::MSGSIZE.into()) }
    }

    fn receive<'a>(&mut self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        loop {
            let (_, length, from) = recvfrom(&self.0, &mut *buffer, RecvFlags::TRUNC)?;
            if is_kernel(from) {
                return buffer.get(..length).ok_or_else(|| Errno::MSGSIZE.into());
            }
        }
    }
}

/// Whether a datagram is from the kernel: other processes may send some, too.
fn is_kernel(from: Option<SocketAddrAny>) -> bool {
    let from = from.and_then(|from| SocketAddrNetlink::try_from(from).ok());
    from.is_some_and(|from| from.pid() == 0)
}
