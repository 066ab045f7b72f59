//! The control plane of one process: receipts, leases, gateways that fail.

#![allow(clippy::unwrap_used, reason = "a test that fails says so by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use zt_core::backend::{Backend, BackendError};
use zt_core::control::{Clock, ControlPlane, Ended, Revocation, SubmitError};
use zt_core::device::KeyBinding;
use zt_core::event::{Event, Login, PolicySource, SiteSource};
use zt_core::grant::Refusal;
use zt_core::id::{DeviceId, GatewayId, Issuer, Nonce, SessionId};
use zt_core::identity::{Assurance, Mfa, Subject};
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::lease::{LeaseHolder, LeaseRefusal, LeaseRejection};
use zt_core::log::{EventLog, MemoryLog};
use zt_core::plan::{Gate, ObservedState, Plan};
use zt_core::testing::{FakeBackend, TableEngine};
use zt_core::time::{BootInstant, Timestamp};

/// A clock that moves only when somebody sleeps on it, or is told to.
#[derive(Debug, Clone)]
struct VirtualClock(Arc<AtomicI64>);

impl VirtualClock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000)))
    }

    fn pass(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, span: Duration) {
        self.pass(span);
    }
}

/// A gateway that can be unplugged: it answers no more then.
#[derive(Debug, Default)]
struct Gateway {
    inner: FakeBackend,
    unplugged: AtomicBool,
}

impl Gateway {
    async fn reach(&self) {
        if self.unplugged.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Backend for Gateway {
    async fn observe(&self) -> Result<ObservedState, BackendError> {
        self.reach().await;
        self.inner.observe().await
    }

    async fn apply(&self, plan: &Plan) -> Result<(), BackendError> {
        self.reach().await;
        self.inner.apply(plan).await
    }
}

type Control = ControlPlane<TableEngine, Arc<MemoryLog>, VirtualClock>;

struct World {
    control: Control,
    clock: VirtualClock,
    gateways: [Arc<Gateway>; 2],
}

const SITE: &str = r#"
[site]
lease = "10s"
[pools]
v4 = "10.99.0.0/24"
[[group]]
id = "staff"
claims = [{ issuer = "https://idp.example", value = "staff" }]
[[gateway]]
id = "gw-1"
group = "main"
endpoint = "192.0.2.1:51820"
[[gateway]]
id = "gw-2"
group = "main"
endpoint = "192.0.2.2:51820"
[[resource]]
id = "wiki"
gateways = "main"
addresses = ["10.100.2.30/32"]
services = ["tcp/443"]
"#;

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn gateway(number: usize) -> GatewayId {
    GatewayId::new(&format!("gw-{number}")).unwrap()
}

fn key(byte: u8) -> PublicKey {
    PrivateKey::from_bytes([byte; 32]).public_key()
}

fn dana() -> Subject {
    Subject::new(Issuer::new("https://idp.example").unwrap(), "u-1").unwrap()
}

fn laptop() -> DeviceId {
    DeviceId::new("laptop").unwrap()
}

impl World {
    fn new() -> Self {
        let (clock, log) = (VirtualClock::new(), Arc::new(MemoryLog::default()));
        let mut control = now(Control::open(TableEngine::default(), log, clock.clone())).unwrap();
        let gateways = [Arc::default(), Arc::default()];
        let claims = BTreeSet::from(["staff".to_owned()]);
        let mut events = vec![
            Event::SiteLoaded(SiteSource { file: "site.toml".into(), text: SITE.into() }),
            Event::PolicyLoaded(PolicySource {
                policies: [("table".into(), "staff wiki".into())].into(),
                ..PolicySource::default()
            }),
            Event::IdentityObserved { subject: dana(), claims, attributes: [].into() },
            Event::DeviceEnrolled { device: laptop(), owner: dana(), key: KeyBinding::AtLogin },
        ];
        for (number, byte) in [(1, 101), (2, 102)] {
            let endpoint = format!("192.0.2.{number}:51820").parse().unwrap();
            events.push(Event::GatewayEnrolled { gateway: gateway(number), public_key: key(byte), endpoint });
        }
        for event in events {
            let _submission = now(control.submit(event)).unwrap();
        }
        for (number, backend) in [1, 2].into_iter().zip(&gateways) {
            let backend: Arc<Gateway> = Arc::clone(backend);
            now(control.attach(gateway(number), backend));
        }
        Self { control, clock, gateways }
    }

    fn log_in(&mut self) -> SessionId {
        let at = self.clock.now();
        let login = Login {
            subject: dana(),
            device: laptop(),
            public_key: key(1),
            assurance: Assurance { authenticated_at: at, mfa: Mfa::Absent, acr: "".into() },
            ends_at: at.after(Duration::from_hours(1)),
        };
        now(self.control.submit(Event::SessionStarted(login))).unwrap().outcome.started.unwrap()
    }

    /// How many sources each gateway has, and whether its gate is open by the clock.
    fn installed(&self) -> Vec<(usize, bool)> {
        let open = |gate| matches!(gate, Gate::OpenUntil(until) if until > self.clock.now());
        let states = self.gateways.iter().map(|gateway| gateway.inner.installed());
        states.map(|state| (state.elements.sources.len(), open(state.gate))).collect()
    }
}

#[test]
fn revoke_is_acknowledged_by_every_gateway() {
    let mut world = World::new();
    let session = world.log_in();
    assert_eq!(world.installed(), [(1, true), (1, true)]);
    let receipt = now(world.control.revoke(Revocation::End(session))).unwrap();
    assert!(receipt.is_cut_everywhere());
    assert_eq!(receipt.iter().count(), 2);
    assert_eq!(world.installed(), [(0, true), (0, true)]);
    let again = now(world.control.revoke(Revocation::End(session)));
    assert_eq!(again.unwrap_err(), SubmitError::Refused(Refusal::UnknownSession(session)));
}

/// A suspended session keeps its bare peer and its pairs, and comes back as it was.
#[test]
fn suspend_is_undone_at_once() {
    let mut world = World::new();
    let session = world.log_in();
    let before = world.gateways[0].inner.installed().elements;
    assert!(now(world.control.revoke(Revocation::Suspend(session))).unwrap().is_cut_everywhere());
    let suspended = world.gateways[0].inner.installed().elements;
    assert!(suspended.sources.is_empty());
    assert!(suspended.peers[&key(1)].allowed_ips.is_empty());
    assert_eq!(suspended.pairs, before.pairs);
    let _restored = now(world.control.submit(Event::SessionRestored { session })).unwrap();
    let restored = world.gateways[0].inner.installed().elements;
    assert_eq!((&restored.peers, &restored.pairs), (&before.peers, &before.pairs));
    let epochs = [&before, &restored].map(|elements| elements.sources.values().next().unwrap().epoch);
    assert!(epochs[0] < epochs[1], "what was issued before the cut is void");
}

/// K1: a revoked key is refused for ever, also in another session of the same person.
#[test]
fn inv_k1_revoked_key_is_never_accepted_again() {
    let mut world = World::new();
    let _session = world.log_in();
    assert!(now(world.control.revoke(Revocation::Key(key(1)))).unwrap().is_cut_everywhere());
    assert_eq!(world.installed(), [(0, true), (0, true)]);
    let at = world.clock.now();
    let login = |public_key| Login {
        subject: dana(),
        device: laptop(),
        public_key,
        assurance: Assurance { authenticated_at: at, mfa: Mfa::Absent, acr: "".into() },
        ends_at: at.after(Duration::from_hours(1)),
    };
    for (refused, refusal) in [(key(1), Refusal::KeyRevoked(key(1))), (key(101), Refusal::KeyTaken(key(101)))]
    {
        let error = now(world.control.submit(Event::SessionStarted(login(refused)))).unwrap_err();
        assert_eq!(error, SubmitError::Refused(refusal));
    }
    assert!(now(world.control.submit(Event::SessionStarted(login(key(2))))).is_ok());
}

/// A gateway that does not answer is named with the end of its lease, gets no other, and is cut when it is back.
#[test]
fn unreachable_gateway_ends_with_its_lease() {
    let mut world = World::new();
    let session = world.log_in();
    let ends = world.control.access_ends().map(|(_, at)| at).max().unwrap();
    world.gateways[1].unplugged.store(true, Ordering::SeqCst);
    let receipt = now(world.control.revoke(Revocation::End(session))).unwrap();
    let answers: Vec<_> = receipt.iter().map(|(_, ended)| ended).collect();
    assert!(
        matches!(answers[..], [Ended::Cut { .. }, Ended::Unreachable { access_ends_by }] if access_ends_by == ends)
    );
    now(receipt.all_ended(&world.clock));
    assert!(world.clock.now() >= ends);
    assert_eq!(world.installed(), [(0, false), (1, false)], "nobody was renewed meanwhile");
    let _ = now(world.control.advance());
    assert_eq!(world.installed(), [(0, true), (1, false)]);
    world.gateways[1].unplugged.store(false, Ordering::SeqCst);
    world.clock.pass(Duration::from_secs(1));
    now(world.control.advance()).unwrap();
    assert_eq!(world.installed(), [(0, true), (0, true)]);
}

/// Leases are renewed at a third of their length, and end by themselves.
#[test]
fn inv_l1_leases_end_without_renewal() {
    let mut world = World::new();
    let wake_at = world.control.wake_at();
    assert!(wake_at.since(world.clock.now()) <= Duration::from_secs(10) / 3);
    world.clock.pass(Duration::from_secs(4));
    now(world.control.advance()).unwrap();
    world.clock.pass(Duration::from_millis(9_999));
    assert_eq!(world.installed(), [(0, true), (0, true)]);
    world.clock.pass(Duration::from_millis(1));
    assert_eq!(world.installed(), [(0, false), (0, false)]);
}

/// L4: a lease answers the latest question of a gateway that has installed its latest generation, and nothing else.
#[test]
fn inv_l4_only_the_latest_question_is_answered() {
    let mut world = World::new();
    let (at, boot) = (world.clock.now(), BootInstant::from_millis);
    let current = world.control.controller().desired(&gateway(1)).unwrap().generation;
    let mut holder = LeaseHolder::new(gateway(1));
    let controller = world.control.controller();
    let stale = holder.ask(Nonce(1), boot(0));
    let refusal = LeaseRefusal::Generation { installed: stale.installed, current };
    assert_eq!(controller.lease(&stale, at), Err(refusal));
    holder.installed(current);
    let first = controller.lease(&holder.ask(Nonce(2), boot(100)), at).unwrap();
    let second = controller.lease(&holder.ask(Nonce(3), boot(200)), at).unwrap();
    assert_eq!(holder.accept(&first, boot(300)), Err(LeaseRejection::Nonce), "a replayed answer");
    assert_eq!(LeaseHolder::new(gateway(2)).accept(&second, boot(300)), Err(LeaseRejection::Gateway));
    let over = boot(200).after(second.remaining);
    assert_eq!(holder.clone().accept(&second, over), Err(LeaseRejection::Over), "a delayed answer");
    let (plan, anchor) = holder.accept(&second, boot(300)).unwrap();
    assert_eq!((anchor.at, anchor.boot, plan.now), (at, boot(200), at.after(Duration::from_millis(100))));
    assert_eq!(holder.accept(&second, boot(300)), Err(LeaseRejection::Nonce), "an answer counts once");
    let before = Timestamp::from_millis(at.as_millis() - 1);
    assert_eq!(controller.lease(&stale, before), Err(LeaseRefusal::ClockBehind));
    let session = world.log_in();
    let controller = world.control.controller();
    let ends_at = controller.session(session).unwrap().ends_at;
    holder.installed(controller.desired(&gateway(1)).unwrap().generation);
    let asked = holder.ask(Nonce(4), boot(400));
    assert_eq!(controller.lease(&asked, ends_at), Err(LeaseRefusal::Due), "a deadline has come first");
}

/// A control plane over a log that somebody else writes to folds the entries of both in one order.
#[test]
fn two_writers_share_a_log() {
    let mut world = World::new();
    let log = Arc::clone(world.control.log());
    let mut other = now(Control::open(TableEngine::default(), log, world.clock.clone())).unwrap();
    let session = world.log_in();
    assert!(now(other.revoke(Revocation::End(session))).is_ok(), "it has read the login first");
    let _ticked = now(world.control.submit(Event::Tick)).unwrap();
    now(world.control.advance()).unwrap();
    assert_eq!(world.installed(), [(0, true), (0, true)]);
    assert_eq!(
        world.control.controller().next_seq(),
        now(async {
            now(world.control.log().read(zt_core::id::Seq(1), usize::MAX)).unwrap().last().unwrap().seq.next()
        })
    );
}

/// Claims that no group names are ignored and counted.
#[test]
fn unnamed_claims_are_counted() {
    let mut world = World::new();
    let claims = ["staff", "everyone", "vpn-users"].map(str::to_owned).into();
    let observed = Event::IdentityObserved { subject: dana(), claims, attributes: [].into() };
    let outcome = now(world.control.submit(observed)).unwrap().outcome;
    assert_eq!(outcome.ignored_claims, 2);
}

/// A login takes a suspended session's place, not its suspension away.
#[test]
fn suspension_outlasts_a_login() {
    let mut world = World::new();
    let suspended = world.log_in();
    let _receipt = now(world.control.revoke(Revocation::Suspend(suspended))).unwrap();
    let session = world.log_in();
    assert_eq!(world.installed(), [(0, true), (0, true)]);
    let _restored = now(world.control.submit(Event::SessionRestored { session })).unwrap();
    assert_eq!(world.installed(), [(1, true), (1, true)]);
}

/// A login from before a revocation that comes after it is void.
#[test]
fn login_older_than_a_revocation_is_refused() {
    let mut world = World::new();
    let at = world.clock.now();
    world.clock.pass(Duration::from_secs(1));
    let _receipt = now(world.control.revoke(Revocation::Subject(dana()))).unwrap();
    let login = |authenticated_at| Login {
        subject: dana(),
        device: laptop(),
        public_key: key(1),
        assurance: Assurance { authenticated_at, mfa: Mfa::Absent, acr: "".into() },
        ends_at: at.after(Duration::from_mins(10)),
    };
    let error = now(world.control.submit(Event::SessionStarted(login(at)))).unwrap_err();
    assert_eq!(error, SubmitError::Refused(Refusal::LoginRevoked(at)));
    let fresh = world.clock.now();
    assert!(now(world.control.submit(Event::SessionStarted(login(fresh)))).is_ok());
}

/// A gateway whose place another takes lets nothing through any more.
#[test]
fn replaced_gateway_is_closed() {
    let mut world = World::new();
    let replacement: Arc<Gateway> = Arc::default();
    now(world.control.attach(gateway(1), Arc::<Gateway>::clone(&replacement)));
    assert_eq!(world.gateways[0].inner.installed().gate, Gate::Closed);
    assert!(matches!(replacement.inner.installed().gate, Gate::OpenUntil(_)));
}
