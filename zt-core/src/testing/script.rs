//! Scripts: what happens to a site, decoded from bytes.
//!
//! The same decoder serves property tests (random bytes), fuzzers (bytes that found something new) and replay (the
//! bytes of a failure). Universes are small on purpose: collisions are what is interesting.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use arbitrary::{Result, Unstructured};

use crate::access::AccessRequest;
use crate::device::{DeviceAddresses, KeyBinding};
use crate::event::{Event, IdentityEvent, Login, PolicySource, SiteSource};
use crate::id::{DeviceId, Issuer, NameError, RequestId, SessionId};
use crate::identity::{Assurance, Mfa, Subject};
use crate::key::{PrivateKey, PublicKey};
use crate::lock::{Lock, LockEnd, LockTarget};
use crate::session::Session;
use crate::time::Timestamp;

use super::packet::{Packet, Payload, Side};

/// How many people there are; each owns the device of the same number.
const PEOPLE: u8 = 4;
const KEYS: u8 = 6;
const GROUPS: u8 = 3;
const RESOURCES: u8 = 6;

/// A decoder of acts; it ends with the bytes.
#[derive(Debug)]
pub struct Script<'a> {
    bytes: Unstructured<'a>,
    now: Timestamp,
    /// The sessions that may be named, whether they live or not.
    sessions: Vec<Known>,
    /// The services of each resource of the last site.
    services: Vec<Vec<&'static str>>,
    /// The requests that may be named, whether they are open or not.
    requests: Vec<RequestId>,
    /// What devices have sent lately, to be answered.
    sent: Vec<(usize, Packet)>,
}

/// A session that started, and what its device sends with.
#[derive(Debug, Clone, Copy)]
struct Known {
    id: SessionId,
    public_key: PublicKey,
    addresses: DeviceAddresses,
}

const REMEMBERED: usize = 6;

/// One thing that happens.
#[derive(Debug, Clone)]
pub enum Act {
    /// An event comes in.
    Event(Event),
    /// Time passes until then.
    Pass(Timestamp),
    /// A packet comes to a gateway, named by its number in the order of ids.
    Packet(usize, Packet),
}

impl<'a> Script<'a> {
    /// A script that starts at `now`.
    #[must_use]
    pub fn new(bytes: &'a [u8], now: Timestamp) -> Self {
        Self {
            bytes: Unstructured::new(bytes),
            now,
            sessions: Vec::new(),
            requests: Vec::new(),
            services: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// The events that every script starts with: a site, a policy, people and their devices.
    ///
    /// # Errors
    /// Never; what the bytes do not say is taken as zero.
    pub fn beginning(&mut self) -> Result<Vec<Event>> {
        let mut events = vec![Event::SiteLoaded(self.site()?), Event::PolicyLoaded(self.policy()?)];
        for number in 0..PEOPLE {
            events.push(self.claims(number)?);
            let key = KeyBinding::AtLogin;
            events.push(Event::DeviceEnrolled { device: device(number), owner: subject(number), key });
        }
        Ok(events)
    }

    /// Notes that a session started, so that later acts may name it and send from its device.
    pub fn note_session(&mut self, session: &Session, addresses: DeviceAddresses) {
        self.sessions.push(Known { id: session.id, public_key: session.public_key, addresses });
    }

    /// Notes that a request was made, so that later acts may name it.
    pub fn note_request(&mut self, request: RequestId) {
        self.requests.push(request);
    }

    /// The next act; `None` once the bytes are used up.
    pub fn next_act(&mut self) -> Option<Act> {
        if self.bytes.is_empty() { None } else { self.act().ok() }
    }

    fn act(&mut self) -> Result<Act> {
        let event = match self.bytes.int_in_range(0..=39_u8)? {
            0..=6 => self.login()?,
            7 => Event::SessionEnded { session: self.session()? },
            8 => Event::SessionSuspended { session: self.session()? },
            9..=11 => Event::SessionRestored { session: self.session()? },
            12 if self.bytes.ratio(1_u8, 8_u8)? => {
                Event::KeyRevoked { public_key: key(self.bytes.int_in_range(0..=KEYS - 1)?) }
            }
            12..=14 => {
                let person = self.person()?;
                self.claims(person)?
            }
            15 => Event::Identity(IdentityEvent::SessionRevoked { subject: subject(self.person()?) }),
            16 => Event::Identity(IdentityEvent::AccountDisabled { subject: subject(self.person()?) }),
            17 | 18 => Event::Identity(IdentityEvent::AccountEnabled { subject: subject(self.person()?) }),
            19 | 20 => Event::PolicyLoaded(self.policy()?),
            21 => Event::SiteLoaded(self.site()?),
            22 => Event::DeviceRemoved { device: device(self.person()?) },
            23 => {
                let number = self.person()?;
                let key = KeyBinding::AtLogin;
                Event::DeviceEnrolled { device: device(number), owner: subject(number), key }
            }
            24..=26 => {
                let span = Duration::from_secs(self.bytes.int_in_range(0..=400_u64)?);
                self.now = self.now.after(span);
                return Ok(Act::Pass(self.now));
            }
            27 if self.bytes.ratio(1_u8, 3_u8)? => self.lock()?,
            28 => self.access_request()?,
            29..=31 => {
                Event::AccessApproved { request: self.request_id()?, approver: subject(self.person()?) }
            }
            32 if self.bytes.ratio(1_u8, 4_u8)? => Event::AccessEnded { request: self.request_id()? },
            _ => return self.packet(),
        };
        Ok(Act::Event(event))
    }

    fn lock(&mut self) -> Result<Event> {
        let person = self.person()?;
        let target = match self.bytes.int_in_range(0..=4_u8)? {
            0 => LockTarget::User(subject(person)),
            1 => LockTarget::Device(device(person)),
            2 => LockTarget::Key(key(person)),
            3 => LockTarget::Group(name(&format!("group-{}", person % GROUPS))),
            _ => LockTarget::Resource(name(&format!("resource-{person}"))),
        };
        if self.bytes.arbitrary()? {
            return Ok(Event::Unlocked { target });
        }
        let span = Duration::from_secs(self.bytes.int_in_range(0..=60_u64)?);
        let end = if span.is_zero() { LockEnd::WhenLifted } else { LockEnd::At(self.now.after(span)) };
        Ok(Event::Locked { target, lock: Lock { reason: "a script".into(), end } })
    }

    fn access_request(&mut self) -> Result<Event> {
        let subject = subject(self.person()?);
        let number = self.bytes.int_in_range(0..=RESOURCES / 2 - 1)? * 2 + 1;
        let resource = name(&format!("resource-{number}"));
        let services = self.services.get(usize::from(number)).cloned().unwrap_or_default();
        let services = (0..2).map(|_| self.bytes.choose(&services).copied()).collect::<Result<Vec<_>>>()?;
        let services = services.into_iter().filter_map(|service| service.parse().ok()).collect();
        let ends_at = self.now.after(Duration::from_secs(self.bytes.int_in_range(1..=700_u64)?));
        let reason = "a script".into();
        Ok(Event::AccessRequested(AccessRequest { subject, resource, services, reason, ends_at }))
    }

    fn request_id(&mut self) -> Result<RequestId> {
        if self.requests.is_empty() { Ok(RequestId(1)) } else { self.bytes.choose(&self.requests).copied() }
    }

    fn person(&mut self) -> Result<u8> {
        self.bytes.int_in_range(0..=PEOPLE - 1)
    }

    fn session(&mut self) -> Result<SessionId> {
        if self.sessions.is_empty() {
            Ok(SessionId(1))
        } else {
            self.bytes.choose(&self.sessions).map(|known| known.id)
        }
    }

    fn login(&mut self) -> Result<Event> {
        let person = self.person()?;
        let public_key = match self.bytes.ratio(1_u8, 10_u8)? {
            true => key(self.bytes.int_in_range(0..=KEYS - 1)?),
            false => key(person),
        };
        let span = Duration::from_secs(self.bytes.int_in_range(1..=3_000_u64)?);
        Ok(Event::SessionStarted(Login {
            subject: subject(person),
            device: device(person),
            public_key,
            assurance: Assurance { authenticated_at: self.now, mfa: Mfa::Absent, acr: "".into() },
            ends_at: self.now.after(span),
        }))
    }

    fn claims(&mut self, person: u8) -> Result<Event> {
        let mask = self.bytes.int_in_range(0..=15_u8)?;
        let claims = (0..4).filter(|bit| mask >> bit & 1 == 1).map(|bit| format!("claim-{bit}")).collect();
        Ok(Event::IdentityObserved { subject: subject(person), claims, attributes: BTreeMap::new() })
    }

    fn policy(&mut self) -> Result<PolicySource> {
        let mut text = String::new();
        for group in 0..GROUPS {
            for resource in 0..RESOURCES {
                if self.bytes.ratio(1_u8, 2_u8)? {
                    let approved =
                        if resource % 2 == 1 && self.bytes.arbitrary()? { " approved" } else { "" };
                    let _ = writeln!(text, "group-{group} resource-{resource}{approved}");
                }
            }
        }
        Ok(PolicySource { policies: [("table".to_owned(), text)].into(), schema: BTreeMap::new() })
    }

    fn site(&mut self) -> Result<SiteSource> {
        let mut text = String::from(HEAD);
        self.services.clear();
        for resource in 0..RESOURCES {
            let east = resource < RESOURCES - 1;
            let prefixes: BTreeSet<String> =
                (0..self.bytes.int_in_range(1..=3)?).map(|_| self.prefix(east)).collect::<Result<_>>()?;
            let services: BTreeSet<&str> =
                (0..self.bytes.int_in_range(1..=4)?).map(|_| self.service()).collect::<Result<_>>()?;
            let (prefixes, services) = (Vec::from_iter(prefixes), Vec::from_iter(services));
            self.services.push(services.clone());
            let group = if east { "east" } else { "west" };
            let _ = writeln!(
                text,
                "[[resource]]\nid = \"resource-{resource}\"\ngateways = \"{group}\"\naddresses = {prefixes:?}\nservices = {services:?}"
            );
            if resource % 2 == 1 {
                let count = 1 + resource / 5;
                let _ = writeln!(text, "approval = {{ by = [\"group-2\"], count = {count}, for = \"10m\" }}");
            }
        }
        Ok(SiteSource { file: "site.toml".into(), text })
    }

    fn prefix(&mut self, east: bool) -> Result<String> {
        let net: u8 = if east { 1 } else { 2 };
        let bits = self.bytes.int_in_range(0..=4_u8)?;
        let host = self.bytes.int_in_range(0..=15_u8)? >> bits << bits;
        Ok(if self.bytes.arbitrary()? {
            format!("10.{net}.0.{host}/{}", 32 - bits)
        } else {
            format!("fd00:{net}::{host:x}/{}", 128 - bits)
        })
    }

    fn service(&mut self) -> Result<&'static str> {
        let services = [
            "tcp/80",
            "tcp/79-81",
            "tcp/1-65535",
            "tcp/65535",
            "udp/80",
            "udp/1-80",
            "udp/65534-65535",
            "echo",
        ];
        self.bytes.choose(&services).copied()
    }

    fn packet(&mut self) -> Result<Act> {
        match self.bytes.int_in_range(0..=9_u8)? {
            0..=3 if !self.sessions.is_empty() => self.request(),
            4..=6 if !self.sent.is_empty() => self.reply(),
            7 | 8 if !self.sent.is_empty() => self.error(),
            _ => self.stray(),
        }
    }

    /// A packet that a device may well send.
    fn request(&mut self) -> Result<Act> {
        let recent = self.sessions.iter().rev().take(4).copied().collect::<Vec<_>>();
        let Known { public_key, addresses, .. } = *self.bytes.choose(&recent)?;
        let sources: Vec<IpAddr> = addresses.iter().collect();
        let source = *self.bytes.choose(&sources)?;
        let east = self.bytes.ratio(3_u8, 4_u8)?;
        let destination = self.remote(source, if east { 1 } else { 2 })?;
        let payload = self.transport(true)?;
        let packet = Packet { side: Side::Device(public_key), source, destination, payload };
        let gateway = if east { self.bytes.int_in_range(0..=1)? } else { 2 };
        if self.sent.len() == REMEMBERED {
            self.sent.remove(0);
        }
        self.sent.push((gateway, packet.clone()));
        Ok(Act::Packet(gateway, packet))
    }

    /// The answer to what a device sent.
    fn reply(&mut self) -> Result<Act> {
        let (gateway, Packet { source, destination, payload, .. }) = self.bytes.choose(&self.sent)?.clone();
        let payload = reversed(payload);
        Ok(Act::Packet(
            gateway,
            Packet { side: Side::Network, source: destination, destination: source, payload },
        ))
    }

    /// An error about what a device sent, or about the answer to it.
    fn error(&mut self) -> Result<Act> {
        let (gateway, sent) = self.bytes.choose(&self.sent)?.clone();
        let Packet { side, source: device, destination: remote, payload } = sent;
        let stranger = self.remote(device, 1)?;
        let other = |honest, bytes: &mut Unstructured<'_>| {
            Ok(if bytes.ratio(1_u8, 6_u8)? { stranger } else { honest })
        };
        let packet = if self.bytes.arbitrary()? {
            let destination = other(remote, &mut self.bytes)?;
            let payload = Box::new(reversed(payload));
            let payload = Payload::Error { source: remote, destination: device, payload };
            Packet { side, source: device, destination, payload }
        } else {
            let quoted = other(remote, &mut self.bytes)?;
            let payload = Payload::Error { source: device, destination: quoted, payload: Box::new(payload) };
            Packet { side: Side::Network, source: remote, destination: device, payload }
        };
        Ok(Act::Packet(gateway, packet))
    }

    /// A packet that nobody in particular sends.
    fn stray(&mut self) -> Result<Act> {
        let gateway = self.bytes.int_in_range(0..=2_usize)?;
        let (device, remote) = self.addresses()?;
        let from_device = self.bytes.arbitrary()?;
        let (source, destination) = if from_device { (device, remote) } else { (remote, device) };
        let payload =
            if self.bytes.ratio(1_u8, 4_u8)? { Payload::Other } else { self.transport(from_device)? };
        let side = match from_device {
            true => Side::Device(key(self.bytes.int_in_range(0..=KEYS - 1)?)),
            false => Side::Network,
        };
        Ok(Act::Packet(gateway, Packet { side, source, destination, payload }))
    }

    /// An address of the pool and one behind a gateway.
    fn addresses(&mut self) -> Result<(IpAddr, IpAddr)> {
        let host = self.bytes.int_in_range(1..=PEOPLE + 1)?;
        let device = match self.bytes.arbitrary()? {
            true => Ipv4Addr::new(10, 99, 0, host).into(),
            false => Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, host.into()).into(),
        };
        let net = self.bytes.int_in_range(1..=2)?;
        Ok((device, self.remote(device, net)?))
    }

    /// An address behind a gateway, of the family of `near`.
    fn remote(&mut self, near: IpAddr, net: u8) -> Result<IpAddr> {
        let host = self.bytes.int_in_range(0..=16_u8)?;
        Ok(match near {
            IpAddr::V4(_) => Ipv4Addr::new(10, net, 0, host).into(),
            IpAddr::V6(_) => Ipv6Addr::new(0xfd00, net.into(), 0, 0, 0, 0, 0, host.into()).into(),
        })
    }

    fn transport(&mut self, from_device: bool) -> Result<Payload> {
        let near = *self.bytes.choose(&[40_000_u16, 40_001])?;
        let far = *self
            .bytes
            .choose(&[80_u16, 80, 80, 80, 80, 80, 1, 78, 79, 80, 81, 82, 65_533, 65_534, 65_535])?;
        let (source, destination) = if from_device { (near, far) } else { (far, near) };
        Ok(match self.bytes.int_in_range(0..=4_u8)? {
            0 | 1 => Payload::Tcp { source, destination },
            2 | 3 => Payload::Udp { source, destination },
            _ if from_device => Payload::EchoRequest { id: near },
            _ => Payload::EchoReply { id: near },
        })
    }
}

const HEAD: &str = r#"
[site]
lease = "5s"
max-session = "1h"
[pools]
v4 = "10.99.0.0/28"
v6 = "fd99::/124"
[[group]]
id = "group-0"
claims = [{ issuer = "https://idp.example", value = "claim-0" }, { issuer = "https://idp.example", value = "claim-1" }]
[[group]]
id = "group-1"
claims = [{ issuer = "https://idp.example", value = "claim-1" }, { issuer = "https://idp.example", value = "claim-2" }]
[[group]]
id = "group-2"
claims = [{ issuer = "https://idp.example", value = "claim-3" }]
[[gateway]]
id = "gateway-0"
group = "east"
endpoint = "127.0.0.1:1"
addresses = ["10.1.0.1", "fd00:1::1"]
[[gateway]]
id = "gateway-1"
group = "east"
endpoint = "127.0.0.1:2"
addresses = ["10.1.0.2"]
[[gateway]]
id = "gateway-2"
group = "west"
endpoint = "127.0.0.1:3"
addresses = ["10.98.0.3"]
"#;

/// What goes the other way in the same flow.
fn reversed(payload: Payload) -> Payload {
    match payload {
        Payload::Tcp { source, destination } => Payload::Tcp { source: destination, destination: source },
        Payload::Udp { source, destination } => Payload::Udp { source: destination, destination: source },
        Payload::EchoRequest { id } => Payload::EchoReply { id },
        Payload::EchoReply { id } => Payload::EchoRequest { id },
        other @ (Payload::Error { .. } | Payload::Other) => other,
    }
}

/// An id of a number.
#[expect(clippy::expect_used, reason = "the texts are fixed and valid")]
fn name<T: TryFrom<String, Error = NameError>>(text: &str) -> T {
    T::try_from(text.to_owned()).expect("a name")
}

/// The person of a number.
#[expect(clippy::expect_used, reason = "the texts are fixed and valid")]
fn subject(number: u8) -> Subject {
    let issuer = Issuer::new("https://idp.example").expect("a valid issuer");
    Subject::new(issuer, &format!("person-{number}")).expect("a valid name")
}

#[expect(clippy::expect_used, reason = "the text is fixed and valid")]
fn device(number: u8) -> DeviceId {
    DeviceId::new(&format!("device-{number}")).expect("a valid id")
}

fn key(number: u8) -> PublicKey {
    PrivateKey::from_bytes([number.saturating_add(1); 32]).public_key()
}
