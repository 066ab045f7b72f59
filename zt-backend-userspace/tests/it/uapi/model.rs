//! WireGuard as the protocol describes it: texts in lists, gone through from one end to the other.

use std::fmt::Write as _;

/// A peer, by its texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ModelPeer {
    pub(super) key: String,
    pub(super) allowed_ips: Vec<String>,
    pub(super) endpoint: Option<String>,
    pub(super) keepalive: Option<String>,
    pub(super) preshared_key: Option<String>,
}

/// An interface, by its texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) private_key: String,
    pub(super) public_key: String,
    pub(super) peers: Vec<ModelPeer>,
}

/// The hexadecimal digits of some bytes.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Model {
    pub(super) fn peer(&self, key: &str) -> Option<&ModelPeer> {
        self.peers.iter().find(|peer| peer.key == key)
    }

    /// Carries out a request to change something, line by line; what precedes a bad line is done. Gives the errno.
    pub(super) fn set(&mut self, request: &str) -> i32 {
        let Some(lines) = request.strip_prefix("set=1\n").and_then(|rest| rest.strip_suffix("\n\n")) else {
            return -71;
        };
        let mut seen = Vec::new();
        let mut at = None;
        let mut created = false;
        for line in lines.split('\n') {
            let Some((key, value)) = line.split_once('=') else { return -71 };
            if key == "public_key" {
                // one of the implementations refuses this
                if seen.contains(&value) {
                    return -22;
                }
                seen.push(value);
                at = self.peers.iter().position(|peer| peer.key == value);
                created = at.is_none() && value != self.public_key;
                if created {
                    at = Some(self.peers.len());
                    self.peers.push(ModelPeer { key: value.to_owned(), ..ModelPeer::default() });
                }
                continue;
            }
            if seen.is_empty() {
                return -22;
            }
            match (key, value) {
                ("update_only", "true") if created => {
                    self.peers.pop();
                    at = None;
                    created = false;
                }
                ("update_only", "true") => {}
                ("remove", "true") => {
                    if let Some(at) = at.take() {
                        self.peers.remove(at);
                    }
                }
                ("replace_allowed_ips", "true") => {
                    if let Some(at) = at {
                        self.peers[at].allowed_ips.clear();
                    }
                }
                ("allowed_ip", prefix) => {
                    if let Some(at) = at {
                        for peer in &mut self.peers {
                            peer.allowed_ips.retain(|held| held != prefix);
                        }
                        self.peers[at].allowed_ips.push(prefix.to_owned());
                    }
                }
                ("endpoint", endpoint) => {
                    if let Some(at) = at {
                        self.peers[at].endpoint = Some(endpoint.to_owned());
                    }
                }
                ("persistent_keepalive_interval", seconds) => {
                    if let Some(at) = at {
                        self.peers[at].keepalive = Some(seconds.to_owned());
                    }
                }
                _ => return -22,
            }
        }
        0
    }

    /// What it is like, as wireguard-go says it.
    pub(super) fn get(&self) -> String {
        let mut reply = String::new();
        if !self.private_key.is_empty() {
            writeln!(reply, "private_key={}", self.private_key).unwrap();
        }
        for peer in &self.peers {
            let preshared_key = peer.preshared_key.clone().unwrap_or_else(|| "0".repeat(64));
            writeln!(reply, "public_key={}\npreshared_key={preshared_key}\nprotocol_version=1", peer.key)
                .unwrap();
            if let Some(endpoint) = &peer.endpoint {
                writeln!(reply, "endpoint={endpoint}").unwrap();
            }
            writeln!(reply, "last_handshake_time_sec=0\nlast_handshake_time_nsec=0").unwrap();
            writeln!(reply, "tx_bytes=0\nrx_bytes=0").unwrap();
            let keepalive = peer.keepalive.as_deref().unwrap_or("0");
            writeln!(reply, "persistent_keepalive_interval={keepalive}").unwrap();
            for prefix in &peer.allowed_ips {
                writeln!(reply, "allowed_ip={prefix}").unwrap();
            }
        }
        reply + "errno=0\n\n"
    }
}
