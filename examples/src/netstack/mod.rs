//! TCP and UDP over a packet port: a smoltcp interface with a task that drives it.

mod tcp;
mod udp;
mod wire;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use smoltcp::iface::{Config, Interface, PollResult, SocketSet};
use smoltcp::socket::tcp as tcp_socket;
use smoltcp::time::Instant as StackInstant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};
use tokio::sync::Notify;
use tokio::sync::mpsc::error::TrySendError;
use zt_backend_userspace::PacketPort;

pub use self::tcp::TcpStream;
pub use self::udp::UdpSocket;
use self::wire::Wire;

const IDLE: Duration = Duration::from_millis(200);

/// A TCP/IP stack at the end of a packet port; it ends when the last handle to it is dropped.
#[derive(Clone)]
pub struct Stack {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    kick: Notify,
}

struct Inner {
    interface: Interface,
    sockets: SocketSet<'static>,
    wire: Wire,
    started: Instant,
    next_port: u16,
}

/// Which addresses a stack answers on.
#[derive(Debug, Clone, Copy)]
pub enum Answers<'a> {
    /// Just these.
    On(&'a [IpAddr]),
    /// Whatever a packet is addressed to: a whole network in one stack.
    Everywhere,
}

impl Stack {
    /// Starts a stack on `port`.
    pub fn start(port: PacketPort, answers: Answers<'_>) -> Self {
        let mut wire = Wire::default();
        let started = Instant::now();
        let mut interface =
            Interface::new(Config::new(HardwareAddress::Ip), &mut wire, StackInstant::from_millis(0));
        let own = match answers {
            Answers::On(addresses) => addresses.to_vec(),
            Answers::Everywhere => vec![IpAddr::from([192, 0, 2, 1])],
        };
        interface.update_ip_addrs(|list| {
            for address in own {
                let length = if address.is_ipv4() { 32 } else { 128 };
                let _ = list.push(IpCidr::new(IpAddress::from(address), length));
            }
        });
        if matches!(answers, Answers::Everywhere) {
            interface.set_any_ip(true);
        }
        let _ = interface.routes_mut().add_default_ipv4_route([192, 0, 2, 1].into());
        let inner =
            Inner { interface, sockets: SocketSet::new(Vec::new()), wire, started, next_port: 40_000 };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), kick: Notify::new() });
        tokio::spawn(drive(Arc::downgrade(&shared), port));
        Self { shared }
    }

    /// Begins to open a TCP connection; [`TcpStream::established`] says when it is there.
    ///
    /// # Errors
    /// If the address is none to connect to.
    pub fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = {
            let mut inner = self.shared.lock();
            let handle = inner.sockets.add(tcp::socket());
            let port = inner.fresh_port();
            let Inner { interface, sockets, .. } = &mut *inner;
            let socket = sockets.get_mut::<tcp_socket::Socket<'_>>(handle);
            socket.connect(interface.context(), to, port).map_err(io::Error::other)?;
            TcpStream::new(Arc::clone(&self.shared), handle)
        };
        self.shared.kick.notify_one();
        Ok(stream)
    }

    /// Waits for one TCP connection to `at`. While it waits, one that comes is kept; others are refused.
    ///
    /// # Errors
    /// If the port is 0.
    pub async fn accept(&self, at: SocketAddr) -> io::Result<TcpStream> {
        loop {
            let stream = {
                let mut inner = self.shared.lock();
                let mut socket = tcp::socket();
                socket.listen(at).map_err(io::Error::other)?;
                let handle = inner.sockets.add(socket);
                TcpStream::new(Arc::clone(&self.shared), handle)
            };
            if stream.established().await.is_ok() {
                return Ok(stream);
            }
        }
    }

    /// Binds a UDP socket; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn bind(&self, at: SocketAddr) -> io::Result<UdpSocket> {
        let mut inner = self.shared.lock();
        let mut socket = udp::socket();
        let port = if at.port() == 0 { inner.fresh_port() } else { at.port() };
        socket.bind(SocketAddr::new(at.ip(), port)).map_err(io::Error::other)?;
        let handle = inner.sockets.add(socket);
        Ok(UdpSocket::new(Arc::clone(&self.shared), handle))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn fresh_port(&mut self) -> u16 {
        self.next_port = self.next_port.checked_add(1).unwrap_or(40_000);
        self.next_port
    }

    /// Lets the stack work until it has nothing to do; returns when it wants to be called again.
    fn poll(&mut self) -> Option<Duration> {
        let Self { interface, sockets, wire, started, .. } = self;
        let now = StackInstant::from_micros(i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX));
        while interface.poll(now, wire, sockets) == PollResult::SocketStateChanged {}
        interface.poll_delay(now, sockets).map(|delay| Duration::from_micros(delay.total_micros()))
    }
}

/// Moves packets between the port and the stack, and gives the stack its time.
async fn drive(shared: std::sync::Weak<Shared>, mut port: PacketPort) {
    loop {
        let Some(alive) = shared.upgrade() else { return };
        let (outgoing, delay) = {
            let mut inner = alive.lock();
            let delay = inner.poll();
            (std::mem::take(&mut inner.wire.outgoing), delay)
        };
        for packet in outgoing {
            if let Err(TrySendError::Closed(_)) = port.sender.try_send(packet) {
                return;
            }
        }
        let mut incoming = None;
        tokio::select! {
            packet = port.receiver.recv() => match packet {
                Some(packet) => incoming = Some(packet),
                None => return,
            },
            () = alive.kick.notified() => {}
            () = tokio::time::sleep(delay.unwrap_or(IDLE).min(IDLE)) => {}
        }
        let mut inner = alive.lock();
        inner.wire.incoming.extend(incoming);
        while let Ok(packet) = port.receiver.try_recv() {
            inner.wire.incoming.push_back(packet);
        }
    }
}
