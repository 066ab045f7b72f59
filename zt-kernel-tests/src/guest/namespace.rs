//! Network namespaces, and links in them.

use std::fs::File;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use rtnetlink::{LinkUnspec, LinkVeth, LinkWireguard};
use tokio::net::UdpSocket;
use tokio::runtime::{Builder, Handle};
use zt_core::net::Prefix;
use zt_linux::{Link, LinkConfig, LinkName, Netlink, Route};

/// A network namespace. It is there as long as a copy of this, a thread or a socket in it is.
///
/// Sockets belong to the namespace of the thread that opened them, for good, and may be used from anywhere. So much of
/// a case can run where it is, and only open its sockets in namespaces. What opens sockets on its own gets a runtime
/// there.
#[derive(Debug, Clone)]
pub(crate) struct Namespace(Arc<File>);

impl Namespace {
    /// A new one, with its loopback device up.
    pub(crate) async fn new() -> Self {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace can be made");
            Self::here()
        });
        let namespace = made.join().unwrap_or_else(|panic| resume_unwind(panic));
        namespace.link("lo").await.set_up().await.expect("the loopback device goes up");
        namespace
    }

    /// The one of the calling thread.
    pub(crate) fn here() -> Self {
        Self(Arc::new(File::open("/proc/thread-self/ns/net").expect("/proc is mounted")))
    }

    /// Runs something short in it, in a thread of its own, and waits: opening a socket, writing to /proc/sys/net.
    ///
    /// What it spawns or registers is on the runtime of the caller, whose threads are where they were.
    pub(crate) fn within<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        let runtime = Handle::current();
        let run = || {
            let _guard = runtime.enter();
            self.enter();
            run()
        };
        thread::scope(|scope| scope.spawn(run).join().unwrap_or_else(|panic| resume_unwind(panic)))
    }

    /// A runtime whose threads live in it, those of `spawn_blocking` included; so do threads that they start.
    pub(crate) fn runtime(&self) -> Runtime {
        let namespace = self.clone();
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().on_thread_start(move || namespace.enter());
        Runtime(Some(builder.build().expect("threads can be started")))
    }

    /// Moves the calling thread into it.
    fn enter(&self) {
        setns(&*self.0, CloneFlags::CLONE_NEWNET).expect("a thread of root may enter");
    }
}

/// A runtime that lives in a network namespace. Its tasks end when this is dropped.
#[derive(Debug)]
pub(crate) struct Runtime(Option<tokio::runtime::Runtime>);

impl Runtime {
    /// Runs a future in the calling thread, wherever that is; what it spawns runs there.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.tokio().block_on(future)
    }

    /// Runs a future there, and waits for it.
    pub(crate) async fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        match self.tokio().spawn(future).await {
            Ok(result) => result,
            Err(error) => resume_unwind(error.into_panic()),
        }
    }

    fn tokio(&self) -> &tokio::runtime::Runtime {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background(); // the usual end would block, which a task may not
        }
    }
}

/// Sockets and links.
impl Namespace {
    /// A socket for links, addresses and routes.
    pub(crate) fn netlink(&self) -> Netlink {
        self.within(|| Netlink::open().expect("netlink is there"))
    }

    /// The same, for what zt-linux does not do.
    pub(crate) fn requests(&self) -> rtnetlink::Handle {
        self.within(|| {
            let (connection, handle, _) = rtnetlink::new_connection().expect("netlink is there");
            tokio::spawn(connection);
            handle
        })
    }

    /// A UDP socket with this address.
    pub(crate) fn udp(&self, address: SocketAddr) -> UdpSocket {
        self.within(|| {
            let socket = std::net::UdpSocket::bind(address).expect("the address is there, the port is free");
            socket.set_nonblocking(true).expect("sockets can be made non-blocking");
            UdpSocket::from_std(socket).expect("the runtime takes sockets")
        })
    }

    /// A link that is there.
    pub(crate) async fn link(&self, name: &str) -> Link {
        Link::find(&self.netlink(), &link_name(name)).await.expect("there is a link of this name")
    }

    /// Makes a WireGuard link, which is down.
    pub(crate) async fn add_wireguard(&self, name: &str) {
        let made = self.requests().link().add(LinkWireguard::new(name).build()).execute().await;
        made.expect("a WireGuard link can be made");
    }

    /// Moves a link of the namespace that these requests are made in to this one.
    pub(crate) async fn take(&self, index: u32, requests: &rtnetlink::LinkHandle) {
        let moved = LinkUnspec::new_with_index(index).setns_by_fd(self.0.as_raw_fd()).build();
        requests.set(moved).execute().await.expect("a link can be moved");
    }

    /// Makes a cable between this namespace and another; both links have this name, and are down.
    pub(crate) async fn connect(&self, other: &Self, name: &str) {
        const FAR: &str = "far";
        let requests = self.requests().link();
        requests.add(LinkVeth::new(name, FAR).build()).execute().await.expect("a veth pair can be made");
        let moved = LinkUnspec::new_with_name(FAR).setns_by_fd(other.0.as_raw_fd()).build();
        requests.set(moved).execute().await.expect("a link can be moved");
        let index = other.link(FAR).await.index();
        let renamed = LinkUnspec::new_with_index(index).name(name.to_owned()).build();
        other.requests().link().set(renamed).execute().await.expect("a link can be renamed");
    }

    /// Sets a link up, with addresses and with routes into it.
    pub(crate) async fn set_up(&self, name: &str, addresses: &[IpAddr], routes: &[Prefix]) {
        let link = self.link(name).await;
        link.set_up().await.expect("the link goes up");
        let routes = routes.iter().copied().map(Route::new).collect();
        let wanted = LinkConfig { addresses: addresses.iter().copied().collect(), routes };
        link.apply(&wanted).await.expect("addresses and routes are taken");
    }
}

pub(crate) fn link_name(name: &str) -> LinkName {
    LinkName::new(name).expect("a good name")
}
