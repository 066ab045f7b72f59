//! TCP connections.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;

use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp;

use super::Shared;

const BUFFER: usize = 256 * 1024;

/// A TCP connection; dropped, it is reset.
pub struct TcpStream {
    shared: Arc<Shared>,
    handle: SocketHandle,
}

impl TcpStream {
    pub(super) const fn new(shared: Arc<Shared>, handle: SocketHandle) -> Self {
        Self { shared, handle }
    }

    /// Reads what there is, at least one byte; 0 at the end.
    ///
    /// # Errors
    /// If the connection was reset.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|context| {
            let mut inner = self.shared.lock();
            let socket = inner.sockets.get_mut::<tcp::Socket<'_>>(self.handle);
            match socket.recv_slice(buffer) {
                Ok(0) => {
                    socket.register_recv_waker(context.waker());
                    Poll::Pending
                }
                Ok(count) => Poll::Ready(Ok(count)),
                Err(tcp::RecvError::Finished) => Poll::Ready(Ok(0)),
                Err(tcp::RecvError::InvalidState) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            }
        })
        .await
        .inspect(|_| self.shared.kick.notify_one())
    }

    /// Writes all of `bytes` into the send buffer.
    ///
    /// # Errors
    /// If the connection is over.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = poll_fn(|context| {
                let mut inner = self.shared.lock();
                let socket = inner.sockets.get_mut::<tcp::Socket<'_>>(self.handle);
                match socket.send_slice(bytes) {
                    Ok(0) => {
                        socket.register_send_waker(context.waker());
                        Poll::Pending
                    }
                    Ok(count) => Poll::Ready(Ok(count)),
                    Err(tcp::SendError::InvalidState) => {
                        Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe)))
                    }
                }
            })
            .await?;
            self.shared.kick.notify_one();
            bytes = bytes.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Waits until the connection is there, for as long as it takes.
    ///
    /// # Errors
    /// If the other end refuses it.
    pub async fn established(&self) -> io::Result<()> {
        poll_fn(|context| {
            let mut inner = self.shared.lock();
            let socket = inner.sockets.get_mut::<tcp::Socket<'_>>(self.handle);
            if socket.may_send() {
                return Poll::Ready(Ok(()));
            }
            if !socket.is_open() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into()));
            }
            socket.register_send_waker(context.waker());
            socket.register_recv_waker(context.waker());
            Poll::Pending
        })
        .await
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        self.shared.lock().sockets.remove(self.handle);
        self.shared.kick.notify_one();
    }
}

/// A socket that sends at once what it is given.
pub(super) fn socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; BUFFER]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    socket
}
