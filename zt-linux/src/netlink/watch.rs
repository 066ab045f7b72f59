//! Notices that IPv6 routes were removed while they were listed, which the kernel does not say in the list.

use std::io;

use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};
use rustix::io::Errno;

/// The multicast group of changes of IPv6 routes (`RTNLGRP_IPV6_ROUTE`), as a bit.
const IPV6_ROUTES: u32 = 1 << 10;
/// The type of the message that a route is removed.
const RTM_DELROUTE: u16 = 25;
/// How many messages are read at once; more of them come from a kernel that changes faster than we read.
const AT_ONCE: usize = 4_096;

/// A socket that the kernel tells of changes of IPv6 routes.
///
/// When the tree of IPv6 routes changes between two parts of a list, the kernel goes on after as many nodes as it had
/// listed. If one of those was removed, it leaves out one that is there all the time, and sets no flag. But it tells of
/// a removal under the lock that it lists under: what is removed before the last part is told before that part.
pub(super) struct Watch(Socket);

impl Watch {
    /// Opens one in the network namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        socket.bind(&SocketAddr::new(0, IPV6_ROUTES))?;
        Ok(Self(socket))
    }

    /// Whether an IPv6 route was removed since this was last asked, or may have been.
    ///
    /// What nobody asks for is kept by the kernel up to the size of a socket's buffer.
    pub(super) fn removed(&self) -> bool {
        let mut removed = false;
        for _ in 0..AT_ONCE {
            let mut header = [0; 16]; // the rest of the message is cut off
            match self.0.recv_from(&mut header.as_mut_slice(), 0) {
                Ok(_) => removed |= kind(header) == RTM_DELROUTE,
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::AGAIN) => return removed,
                    Some(Errno::INTR) => {}
                    Some(Errno::NOBUFS) => removed = true, // messages were lost, but these can be read
                    _ => return true,
                },
            }
        }
        true
    }
}

/// The type of the message that has this header.
fn kind(header: [u8; 16]) -> u16 {
    let [_, _, _, _, low, high, ..] = header;
    u16::from_ne_bytes([low, high])
}
