//! Several network namespaces, used by one thread in turn: what is opened in one of them stays there.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns, unshare};
use zt_linux::testing::{alone, skip};

use crate::lab::PATIENCE;

const PROGRAM: &str = "ip";

/// Runs a test that makes namespaces, where there can be any.
pub(super) fn with_namespaces<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    let version = Command::new(PROGRAM).arg("-V").stdin(Stdio::null()).output();
    let ran = match version {
        Ok(_) => alone(10 * PATIENCE, test),
        Err(error) => skip(PROGRAM, format!("{PROGRAM} cannot be run ({error})")),
    };
    ran.unwrap();
}

/// A network namespace that forwards packets.
pub(super) struct Namespace(File);

impl Namespace {
    /// Makes one and enters it.
    pub(super) fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let namespace = Self(File::open("/proc/thread-self/ns/net").unwrap());
        for file in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
            fs::write(format!("/proc/sys/net/{file}"), "1").unwrap();
        }
        // else it takes two seconds until anything is forwarded
        for of in ["all", "default"] {
            fs::write(format!("/proc/sys/net/ipv6/conf/{of}/accept_dad"), "0").unwrap();
        }
        namespace.ip("link set lo up");
        namespace
    }

    /// Makes it the calling thread's.
    pub(super) fn enter(&self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// Runs commands of `ip` in it, one a line.
    pub(super) fn ip(&self, commands: &str) {
        self.enter();
        let mut child = Command::new(PROGRAM).args(["-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{commands}");
    }

    /// Connects two by a link of this number and MTU: `10.n.0.1` and `fd00:n::1` here, `.2` and `::2` there.
    pub(super) fn link(&self, other: &Self, number: u8, mtu: u32) {
        let there = format!("/proc/{}/fd/{}", std::process::id(), other.0.as_raw_fd());
        self.ip(&format!(
            "link add l{number} mtu {mtu} type veth peer name r{number} mtu {mtu} netns {there}"
        ));
        for (namespace, end, host) in [(self, 'l', 1), (other, 'r', 2)] {
            namespace.ip(&format!(
                "address add 10.{number}.0.{host}/24 dev {end}{number}\n\
                 address add fd00:{number}::{host}/64 dev {end}{number}\n\
                 link set {end}{number} up"
            ));
        }
    }

    /// Routes prefixes to the end of a link.
    pub(super) fn route(&self, prefixes: [&str; 2], (link, host): (u8, u8)) {
        let [v4, v6] = prefixes;
        self.ip(&format!("route add {v4} via 10.{link}.0.{host}\nroute add {v6} via fd00:{link}::{host}"));
    }

    /// How many packets arrived in fragments, all of them.
    pub(super) fn reassembled(&self) -> u64 {
        self.enter();
        let [v4, v6] = ["snmp", "snmp6"]
            .map(|file| fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap());
        let mut lines = v4.lines().filter(|line| line.starts_with("Ip: "));
        let [names, values] = [lines.next().unwrap(), lines.next().unwrap()];
        let mut pairs = names.split(' ').zip(values.split(' '));
        let of_v4 = pairs.find(|(name, _)| *name == "ReasmOKs").unwrap().1;
        let of_v6 = v6.lines().find_map(|line| line.strip_prefix("Ip6ReasmOKs")).unwrap();
        [of_v4, of_v6].map(|number| number.trim().parse::<u64>().unwrap()).iter().sum()
    }
}
