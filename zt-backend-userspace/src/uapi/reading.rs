//! What a reply says so far, line by line.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use zt_core::key::{PrivateKey, PublicKey};

use super::decode::{Names, Question};
use super::errno::Errno;
use super::hex;
use super::interface::{Interface, PeerStatus};
use super::key::{Key, Part};
use super::reply::ReplyError;
use super::value;

/// What was read so far.
pub(super) struct Reading<'n> {
    question: Question,
    names: &'n Names,
    interface: Interface,
    peer: Option<(PublicKey, PeerStatus)>,
    /// The keys that were given for the interface or for this peer, as bits.
    given: u16,
    errno: Option<Errno>,
}

impl<'n> Reading<'n> {
    pub(super) fn new(question: Question, names: &'n Names) -> Self {
        Self { question, names, interface: Interface::default(), peer: None, given: 0, errno: None }
    }

    /// The error number, if it was given, and what precedes it.
    pub(super) fn finish(self) -> Option<(Errno, Interface)> {
        self.errno.map(|errno| (errno, self.interface))
    }

    /// Takes a line; whether it is the last.
    pub(super) fn line(&mut self, line: usize, bytes: &[u8]) -> Result<bool, ReplyError> {
        if bytes.is_empty() {
            return if self.errno.is_some() { Ok(true) } else { Err(ReplyError::NoErrno { line }) };
        }
        let text = str::from_utf8(bytes).ok().and_then(|text| text.split_once('='));
        let (name, value) = text.filter(|(name, _)| !name.is_empty()).ok_or(ReplyError::Syntax { line })?;
        let Some(key) = Key::named(name) else {
            let late = self.errno.map(|_| ReplyError::Misplaced { line, key: "another key" });
            return late.map_or(Ok(false), Err);
        };
        self.check_place(line, key)?;
        self.take(line, key, value)?.ok_or_else(|| bad_value(line, key, value))?;
        Ok(false)
    }

    /// Whether a key may stand where it stands, and is the first of its kind there.
    fn check_place(&mut self, line: usize, key: Key) -> Result<(), ReplyError> {
        let fits = match key.part() {
            Part::Interface => self.peer.is_none(),
            Part::Peer => self.peer.is_some(),
            Part::Both => true,
        };
        let asked = self.question == Question::Get || key == Key::Errno;
        if self.errno.is_some() || !fits || !asked {
            return Err(ReplyError::Misplaced { line, key: key.name() });
        }
        if self.given & key.bit() != 0 && !matches!(key, Key::AllowedIp | Key::Public) {
            return Err(ReplyError::Repeated { line, key: key.name() });
        }
        self.given |= key.bit();
        Ok(())
    }

    /// Takes a value; `None` if the key cannot have it.
    fn take(&mut self, line: usize, key: Key, value: &str) -> Result<Option<()>, ReplyError> {
        Ok(match key {
            Key::Public => return self.begin_peer(line, value),
            Key::Errno => {
                self.end_peer();
                let digits = value.strip_prefix('-').unwrap_or(value);
                let errno =
                    value::number::<u16>(digits).filter(|_| value != "-0").and_then(|_| value.parse().ok());
                errno.map(|errno| self.errno = Some(Errno(errno)))
            }
            Key::ProtocolVersion => (value == "1").then_some(()),
            Key::Private | Key::OwnPublic => {
                let Some(own) = own_key(key, value) else { return Ok(None) };
                if self.interface.public_key.is_some() {
                    return Err(ReplyError::Repeated { line, key: key.name() });
                }
                self.interface.public_key = own;
                Some(())
            }
            Key::ListenPort => {
                value::number(value).map(|port| self.interface.listen_port = NonZeroU16::new(port))
            }
            Key::Fwmark => value::number(value).map(|mark| self.interface.fwmark = NonZeroU32::new(mark)),
            Key::AllowedIp => {
                let prefix = value::prefix(value);
                let peer = self.peer.as_mut().map(|(_, peer)| peer);
                let is_new = prefix.zip(peer).map(|(prefix, peer)| peer.allowed_ips.insert(prefix));
                if is_new == Some(false) {
                    return Err(ReplyError::Repeated { line, key: key.name() });
                }
                is_new.map(|_| ())
            }
            Key::Preshared
            | Key::Endpoint
            | Key::Keepalive
            | Key::ReceivedBytes
            | Key::SentBytes
            | Key::HandshakeSeconds
            | Key::HandshakeNanoseconds => {
                self.peer.as_mut().and_then(|(_, peer)| set_status(peer, key, value))
            }
        })
    }

    fn begin_peer(&mut self, line: usize, value: &str) -> Result<Option<()>, ReplyError> {
        self.end_peer();
        let Some(bytes) = hex::decode(value) else { return Ok(None) };
        let known = self.names.get(&*bytes).copied();
        let Some(key) = known.or_else(|| PublicKey::from_bytes(*bytes).ok()) else { return Ok(None) };
        if self.interface.peers.contains_key(&key) {
            return Err(ReplyError::Repeated { line, key: Key::Public.name() });
        }
        self.peer = Some((key, PeerStatus::default()));
        self.given = 0;
        Ok(Some(()))
    }

    fn end_peer(&mut self) {
        self.interface.peers.extend(self.peer.take());
    }
}

/// The interface's public key, `Some(None)` if it has none; `None` if the key cannot have the value.
fn own_key(key: Key, value: &str) -> Option<Option<PublicKey>> {
    let bytes = hex::decode(value)?;
    if key == Key::OwnPublic {
        return PublicKey::from_bytes(*bytes).ok().map(Some);
    }
    Some((*bytes != [0; 32]).then(|| PrivateKey::from_bytes(*bytes).public_key()))
}

/// Notes what a peer's line says; `None` if its key cannot have the value.
fn set_status(peer: &mut PeerStatus, key: Key, value: &str) -> Option<()> {
    match key {
        Key::Preshared => peer.has_preshared_key = *hex::decode(value)? != [0; 32],
        Key::Endpoint => peer.endpoint = Some(value::endpoint(value)?),
        Key::Keepalive => peer.keepalive = NonZeroU16::new(value::number(value)?),
        Key::ReceivedBytes => peer.received = value::number(value)?,
        Key::SentBytes => peer.sent = value::number(value)?,
        Key::HandshakeSeconds => {
            let fraction = peer.last_handshake.map_or(0, |since| since.subsec_nanos());
            peer.last_handshake = since_epoch(value::number(value)?, fraction);
        }
        Key::HandshakeNanoseconds => {
            let fraction = value::number(value).filter(|nanoseconds| *nanoseconds < 1_000_000_000)?;
            let seconds = peer.last_handshake.map_or(0, |since| since.as_secs());
            peer.last_handshake = since_epoch(seconds, fraction);
        }
        Key::Private
        | Key::OwnPublic
        | Key::ListenPort
        | Key::Fwmark
        | Key::Public
        | Key::AllowedIp
        | Key::ProtocolVersion
        | Key::Errno => return None,
    }
    Some(())
}

/// The time since the epoch; zero says that there was none.
fn since_epoch(seconds: u64, nanoseconds: u32) -> Option<Duration> {
    Some(Duration::new(seconds, nanoseconds)).filter(|since| !since.is_zero())
}

fn bad_value(line: usize, key: Key, value: &str) -> ReplyError {
    let value = if key.is_secret() { "..".into() } else { value.escape_debug().take(80).collect() };
    ReplyError::Value { line, key: key.name(), value }
}
