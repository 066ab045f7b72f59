//! Attacks on the fold and the control plane: what must not let anybody in, or claim that somebody is out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails says so by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use zt_core::backend::{Backend, BackendError};
use zt_core::control::{Clock, ControlPlane, Ended, Revocation};
use zt_core::controller::Controller;
use zt_core::device::{FactStatus, FactValue, KeyBinding, PostureFact, Tier};
use zt_core::event::{Entry, Event, IdentityEvent, Login, PolicySource, SiteSource};
use zt_core::grant::{Outcome, Refusal};
use zt_core::id::{DeviceId, FactName, GatewayId, Issuer, Seq, SessionId};
use zt_core::identity::{Assurance, Mfa, Subject};
use zt_core::key::{PrivateKey, PublicKey};
use zt_core::lease::{LeaseHolder, LeaseRefusal};
use zt_core::log::{EventLog, LogError, MemoryLog};
use zt_core::plan::{Gate, ObservedState, Plan};
use zt_core::testing::{FakeBackend, TableEngine};
use zt_core::time::{BootInstant, Timestamp};

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_hours(1);

const HEAD: &str = r#"
site.lease = "10s"
pools = { v4 = "10.99.0.0/24" }
group = [{ id = "staff", claims = [{ issuer = "https://idp.example", value = "staff" }] }]
fact = [{ id = "disk", kind = "bool", max-age = "1h" }]
"#;
const GATEWAY: &str = r#"gateway = [{ id = "gw-1", group = "main", endpoint = "192.0.2.1:51820" }]
"#;
const WIKI: &str = r#"resource = [{ id = "wiki", gateways = "main", addresses = ["10.100.2.30/32"], services = ["tcp/443"] }]
"#;

fn site(parts: &[&str]) -> Event {
    let text = parts.concat();
    Event::SiteLoaded(SiteSource { file: "site.toml".into(), text })
}

fn policy(text: &str) -> Event {
    Event::PolicyLoaded(PolicySource {
        policies: [("table".into(), text.into())].into(),
        ..PolicySource::default()
    })
}

fn person(name: &str) -> Subject {
    Subject::new(Issuer::new("https://idp.example").unwrap(), name).unwrap()
}

fn observed(name: &str) -> Event {
    let claims = BTreeSet::from(["staff".to_owned()]);
    Event::IdentityObserved { subject: person(name), claims, attributes: [].into() }
}

fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn enrolled(name: &str, owner: &str) -> Event {
    Event::DeviceEnrolled { device: device(name), owner: person(owner), key: KeyBinding::AtLogin }
}

fn key(byte: u8) -> PublicKey {
    PrivateKey::from_bytes([byte; 32]).public_key()
}

fn gateway() -> GatewayId {
    GatewayId::new("gw-1").unwrap()
}

fn gateway_enrolled(byte: u8) -> Event {
    let endpoint = "192.0.2.1:51820".parse().unwrap();
    Event::GatewayEnrolled { gateway: gateway(), public_key: key(byte), endpoint }
}

fn login((who, on): (&str, &str), byte: u8, (at, span): (Timestamp, Duration)) -> Event {
    Event::SessionStarted(Login {
        subject: person(who),
        device: device(on),
        public_key: key(byte),
        assurance: Assurance { authenticated_at: at, mfa: Mfa::Absent, acr: "".into() },
        ends_at: at.after(span),
    })
}

/// What every world starts with.
fn beginning() -> Vec<Event> {
    vec![
        site(&[HEAD, GATEWAY, WIKI]),
        policy("staff wiki"),
        observed("dana"),
        enrolled("laptop", "dana"),
        gateway_enrolled(101),
    ]
}

/// A fold alone.
struct Fold {
    controller: Controller<TableEngine>,
    now: Timestamp,
}

impl Fold {
    fn new() -> Self {
        let mut fold = Self { controller: Controller::new(TableEngine::default()), now: START };
        for event in beginning() {
            assert_eq!(fold.handle(event).refusal, None);
        }
        fold
    }

    fn handle(&mut self, event: Event) -> Outcome {
        let seq = self.controller.next_seq();
        self.controller.handle(&Entry { seq, at: self.now, event })
    }

    fn log_in(&mut self, who: (&str, &str), byte: u8, span: Duration) -> SessionId {
        self.handle(login(who, byte, (self.now, span))).started.unwrap()
    }
}

/// A site that is loaded in the very entry in which a session ends must not hide that end from the gateways.
#[test]
fn session_end_is_lost_in_a_site_load() {
    let mut fold = Fold::new();
    fold.log_in(("dana", "laptop"), 1, SECOND);
    let before = fold.controller.desired(&gateway()).unwrap();
    fold.now = fold.now.after(SECOND);
    let outcome = fold.handle(site(&[HEAD, GATEWAY, WIKI]));
    let after = fold.controller.desired(&gateway()).unwrap();
    assert_ne!(before.roster, after.roster);
    assert_eq!(outcome.gateways, [(gateway(), after.generation)].into());
    assert!(before.generation < after.generation, "other elements under the same generation");
}

/// A gateway whose key was revoked is given no lease, no route leads to it, and it is to install nothing.
#[test]
fn inv_k1_gateway_with_a_revoked_key_goes_on() {
    let mut fold = Fold::new();
    let session = fold.log_in(("dana", "laptop"), 1, HOUR);
    assert_eq!(fold.controller.routes(session).unwrap().gateways.len(), 1);
    let outcome = fold.handle(Event::KeyRevoked { public_key: key(101) });
    assert_eq!(fold.controller.routes(session).unwrap().gateways.len(), 0);
    let desired = fold.controller.desired(&gateway()).unwrap();
    assert_eq!(outcome.gateways, [(gateway(), desired.generation)].into());
    assert_eq!(desired.elements(), zt_core::desired::Elements::default());
    let mut holder = LeaseHolder::new(gateway());
    holder.installed(desired.generation);
    let asked = holder.ask(zt_core::id::Nonce(1), BootInstant::default());
    assert_eq!(fold.controller.lease(&asked, fold.now), Err(LeaseRefusal::UnknownGateway));
    let again = fold.handle(gateway_enrolled(101));
    assert_eq!(again.refusal, Some(Refusal::KeyRevoked(key(101))));
    let other = fold.handle(gateway_enrolled(102));
    assert_eq!((other.refusal, other.gateways.len()), (None, 1));
    assert_eq!(fold.controller.desired(&gateway()).unwrap().elements().pairs.len(), 1);
}

/// K2: a key that one person's device had is not accepted from the next owner of that device, who may not be alone to
/// know it.
#[test]
fn inv_k2_key_changes_hands_with_its_device() {
    let mut fold = Fold::new();
    fold.log_in(("dana", "laptop"), 1, HOUR);
    for event in
        [observed("eve"), Event::DeviceRemoved { device: device("laptop") }, enrolled("laptop", "eve")]
    {
        assert_eq!(fold.handle(event).refusal, None);
    }
    let outcome = fold.handle(login(("eve", "laptop"), 1, (fold.now, HOUR)));
    assert_eq!(outcome.refusal, Some(Refusal::KeyTaken(key(1))));
    assert_eq!(fold.handle(login(("eve", "laptop"), 2, (fold.now, HOUR))).refusal, None);
}

fn disk(passes: bool, observed_at: Timestamp) -> Event {
    let fact = PostureFact {
        name: FactName::new("disk").unwrap(),
        status: if passes { FactStatus::Pass } else { FactStatus::Fail },
        value: FactValue::Bool(passes),
        source: String::new(),
        tier: Tier::SelfAsserted,
        observed_at,
    };
    Event::PostureReported { device: device("laptop"), facts: vec![fact] }
}

/// B26: a report that was delayed or replayed does not take the place of a later one; one from the future does not
/// keep out those that follow.
#[test]
fn b26_replayed_report_replaces_a_later_one() {
    let mut fold = Fold::new();
    let status = |fold: &Fold| {
        let facts = &fold.controller.device(&device("laptop")).unwrap().facts;
        facts.get(&FactName::new("disk").unwrap()).unwrap().finding.status
    };
    let early = fold.now;
    fold.now = fold.now.after(SECOND);
    assert_eq!(fold.handle(disk(false, fold.now)).refusal, None);
    assert_eq!(fold.handle(disk(true, early)).refusal, None);
    assert_eq!(status(&fold), FactStatus::Fail);
    let future = Timestamp::from_millis(i64::MAX);
    assert_eq!(fold.handle(disk(true, future)).refusal, None);
    assert_eq!(fold.handle(disk(false, fold.now)).refusal, None);
    assert_eq!(status(&fold), FactStatus::Fail);
}

/// S1: an account that was disabled before anything else was known of it stays disabled.
#[test]
fn inv_s1_account_disabled_early_is_enabled() {
    let mut fold = Fold::new();
    let subject = person("eve");
    let disabled = fold.handle(Event::Identity(IdentityEvent::AccountDisabled { subject: subject.clone() }));
    assert_eq!(disabled.refusal, None);
    for event in [observed("eve"), enrolled("tablet", "eve")] {
        assert_eq!(fold.handle(event).refusal, None);
    }
    let outcome = fold.handle(login(("eve", "tablet"), 2, (fold.now, HOUR)));
    assert_eq!(outcome.refusal, Some(Refusal::AccountDisabled(subject)));
}

/// A region's id never stands for another set of resources, not even when its group has been away meanwhile.
#[test]
fn region_id_is_used_again() {
    let mut fold = Fold::new();
    let regions = |fold: &Fold| -> Vec<_> {
        fold.controller.desired(&gateway()).unwrap().roster.cells().values().copied().collect()
    };
    let first = regions(&fold);
    let other = r#"gateway = [{ id = "gw-1", group = "other", endpoint = "192.0.2.1:51820" }]
"#;
    let git = r#"resource = [{ id = "git", gateways = "main", addresses = ["10.100.2.31/32"], services = ["tcp/22"] }]
"#;
    for event in [policy(""), site(&[HEAD, other]), site(&[HEAD, GATEWAY, git])] {
        assert_eq!(fold.handle(event).refusal, None);
    }
    assert!(regions(&fold).iter().all(|region| !first.contains(region)), "{first:?} {:?}", regions(&fold));
}

/// A clock that moves only when somebody sleeps on it, or is told to.
#[derive(Debug, Clone)]
struct VirtualClock(Arc<AtomicI64>);

impl VirtualClock {
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

/// A gateway that can be unplugged, or carry plans out late.
#[derive(Debug)]
struct Plug {
    inner: FakeBackend,
    unplugged: AtomicBool,
    /// By how many milliseconds a plan is late; its ends are counted from when it comes.
    late: AtomicI64,
    clock: VirtualClock,
}

#[async_trait]
impl Backend for Plug {
    async fn observe(&self) -> Result<ObservedState, BackendError> {
        self.apply(&Plan { generation: Default::default(), now: START, steps: Vec::new() }).await?;
        self.inner.observe().await
    }

    async fn apply(&self, plan: &Plan) -> Result<(), BackendError> {
        if self.unplugged.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let late = Duration::from_millis(self.late.load(Ordering::SeqCst).unsigned_abs());
        let mut plan = plan.clone();
        if !late.is_zero() && !plan.steps.is_empty() {
            self.clock.pass(late);
            for step in &mut plan.steps {
                if let zt_core::plan::Step::Add(zt_core::plan::Add::Gate(until)) = step {
                    *until = until.after(late);
                }
            }
        }
        self.inner.apply(&plan).await
    }
}

/// A log that can fail.
#[derive(Debug, Default)]
struct Log {
    inner: MemoryLog,
    broken: AtomicBool,
    /// Entries are read back under these places instead of their own.
    shifted: AtomicBool,
}

#[async_trait]
impl EventLog for Log {
    async fn append(&self, entry: &Entry) -> Result<(), LogError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(LogError::Storage("broken".into()));
        }
        self.inner.append(entry).await
    }

    async fn read(&self, from: Seq, limit: usize) -> Result<Vec<Entry>, LogError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(LogError::Storage("broken".into()));
        }
        let mut entries = self.inner.read(from, limit).await?;
        if self.shifted.load(Ordering::SeqCst) {
            entries.iter_mut().for_each(|entry| entry.seq = entry.seq.next());
        }
        Ok(entries)
    }
}

type Control = ControlPlane<TableEngine, Arc<Log>, VirtualClock>;

struct World {
    control: Control,
    clock: VirtualClock,
    log: Arc<Log>,
    plug: Arc<Plug>,
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

impl World {
    fn new() -> Self {
        let clock = VirtualClock(Arc::new(AtomicI64::new(START.as_millis())));
        let log = Arc::new(Log::default());
        let mut control =
            now(Control::open(TableEngine::default(), Arc::clone(&log), clock.clone())).unwrap();
        for event in beginning() {
            let _submission = now(control.submit(event)).unwrap();
        }
        let plug = Plug {
            inner: FakeBackend::default(),
            unplugged: AtomicBool::default(),
            late: AtomicI64::default(),
            clock: clock.clone(),
        };
        let mut world = Self { control, clock, log, plug: Arc::new(plug) };
        world.attach();
        world
    }

    fn attach(&mut self) {
        let backend: Arc<Plug> = Arc::clone(&self.plug);
        now(self.control.attach(gateway(), backend));
    }

    fn replica(&self) -> Control {
        now(Control::open(TableEngine::default(), Arc::clone(&self.log), self.clock.clone())).unwrap()
    }

    fn log_in(&mut self) -> SessionId {
        let event = login(("dana", "laptop"), 1, (self.clock.now(), HOUR));
        now(self.control.submit(event)).unwrap().outcome.started.unwrap()
    }

    /// Whether the gateway lets anything of a session through at this instant.
    fn lets_through(&self) -> bool {
        let state = self.plug.inner.installed();
        matches!(state.gate, Gate::OpenUntil(until) if until > self.clock.now())
            && !state.elements.sources.is_empty()
    }

    fn unplug(&self, unplugged: bool) {
        self.plug.unplugged.store(unplugged, Ordering::SeqCst);
    }
}

/// H1: a control plane that has not heard of a revocation in the log that it shares renews no lease.
#[test]
fn inv_h1_stale_replica_renews_what_another_revoked() {
    let mut world = World::new();
    let session = world.log_in();
    let mut other = world.replica();
    let receipt = now(other.revoke(Revocation::End(session))).unwrap();
    assert!(!receipt.is_cut_everywhere(), "nobody has told the gateway: {receipt:?}");
    let ended_by = receipt.ended_by().unwrap();
    let again = now(other.submit(Event::Tick)).unwrap().receipt;
    assert_eq!(again, receipt, "nobody has told it meanwhile");
    while world.clock.now() < ended_by {
        world.clock.pass(SECOND);
        now(world.control.advance()).unwrap();
    }
    assert!(!world.lets_through());
    assert!(world.control.controller().session(session).is_none());
}

/// A control plane that cannot read the log renews nothing, and does not ask for its next turn at once.
#[test]
fn lease_is_renewed_without_a_log() {
    let mut world = World::new();
    world.log_in();
    world.log.broken.store(true, Ordering::SeqCst);
    for _ in 0..10 {
        world.clock.pass(SECOND);
        assert!(now(world.control.advance()).is_err());
        assert!(world.control.wake_at() > world.clock.now(), "a busy loop");
    }
    assert!(!world.lets_through());
    world.log.broken.store(false, Ordering::SeqCst);
    world.clock.pass(SECOND);
    now(world.control.advance()).unwrap();
    assert!(world.lets_through());
}

/// A revocation that has nothing left to change does not claim the cut that an earlier one failed to bring about.
#[test]
fn second_revocation_claims_the_cut() {
    let mut world = World::new();
    let session = world.log_in();
    world.unplug(true);
    let first = now(world.control.revoke(Revocation::Suspend(session))).unwrap();
    assert!(!first.is_cut_everywhere());
    let second = now(world.control.revoke(Revocation::Suspend(session))).unwrap();
    assert!(world.lets_through() && !second.is_cut_everywhere(), "{second:?}");
    world.unplug(false);
    world.clock.pass(SECOND);
    let third = now(world.control.revoke(Revocation::Suspend(session))).unwrap();
    assert!(matches!(third.iter().next(), Some((_, Ended::Cut { .. }))) && !world.lets_through());
}

/// What another writer revoked is cut at this one's gateways before they count as cut.
#[test]
fn revocation_behind_anothers_claims_the_cut() {
    let mut world = World::new();
    let session = world.log_in();
    let _receipt = now(world.replica().revoke(Revocation::Suspend(session))).unwrap();
    let receipt = now(world.control.revoke(Revocation::Suspend(session))).unwrap();
    assert!(receipt.iter().count() == 1 && receipt.is_cut_everywhere());
    assert!(!world.lets_through());
}

/// A gateway that is attached once more, or to a control plane that has just started, may still be open.
#[test]
fn inv_l3_attaching_again_forgets_the_lease() {
    let mut world = World::new();
    let session = world.log_in();
    world.unplug(true);
    for _ in 0..2 {
        world.attach();
        let receipt = now(world.control.revoke(Revocation::Suspend(session))).unwrap();
        let ended_by = receipt.ended_by().unwrap();
        assert!(world.lets_through() && ended_by > world.clock.now(), "said to end by {ended_by}");
        world.control = world.replica();
    }
}

/// A shorter lease in a new site does not shorten the leases that were given.
#[test]
fn inv_l3_shorter_lease_hides_a_longer_one() {
    let mut world = World::new();
    let session = world.log_in();
    let short = HEAD.replace("10s", "5s");
    let mut other = world.replica();
    let _loaded = now(other.submit(site(&[&short, GATEWAY, WIKI]))).unwrap();
    let receipt = now(other.revoke(Revocation::End(session))).unwrap();
    assert!(receipt.ended_by().unwrap() >= START.after(LEASE));
}

/// A gateway that counts its lease from when the plan came, and not from when it was made, is not open longer than the
/// control plane says.
#[test]
fn inv_l1_late_plan_outlasts_the_stated_end() {
    let mut world = World::new();
    world.log_in();
    world.plug.late.store(700, Ordering::SeqCst);
    world.clock.pass(4 * SECOND);
    now(world.control.advance()).unwrap();
    let (_, stated) = world.control.access_ends().next().unwrap();
    let gate = world.plug.inner.installed().gate;
    assert!(matches!(gate, Gate::OpenUntil(until) if until <= stated), "{gate:?}, stated {stated}");
}

/// A gateway that no site declares, as before the first site, is waited for without a busy loop.
#[test]
fn undeclared_gateway_keeps_the_control_plane_busy() {
    let clock = VirtualClock(Arc::new(AtomicI64::new(START.as_millis())));
    let mut control = now(Control::open(TableEngine::default(), Arc::default(), clock.clone())).unwrap();
    now(control.attach(gateway(), Arc::new(FakeBackend::default())));
    for _ in 0..3 {
        assert!(control.wake_at() > clock.now());
        clock.pass(control.wake_at().since(clock.now()));
        now(control.advance()).unwrap();
    }
}

/// A log whose places do not follow one another is an error, and not read for ever.
#[test]
fn log_with_a_gap_is_read_for_ever() {
    let world = World::new();
    world.log.shifted.store(true, Ordering::SeqCst);
    let opened = now(Control::open(TableEngine::default(), Arc::clone(&world.log), world.clock.clone()));
    assert!(matches!(opened, Err(LogError::Storage(_))));
}

/// R1: resources that overlap in too many ways are refused as soon as that shows; the same services on many addresses
/// are none.
#[test]
fn inv_r1_overlaps_are_cut_without_bound() {
    let resource = |number: usize, prefixes: usize, step: usize| {
        let addresses: Vec<_> = (0..prefixes).map(|net| format!("10.100.{net}.{}/32", number % 2)).collect();
        let services: Vec<_> =
            (0..64).map(|at| 1 + at * 900 + number * step).map(|at| format!("tcp/{at}")).collect();
        format!(
            "[[resource]]\nid = \"r-{number}\"\ngateways = \"main\"\naddresses = {addresses:?}\nservices = {services:?}\n"
        )
    };
    let (gateway, staff) =
        ("[[gateway]]\nid = \"gw-1\"\ngroup = \"main\"\nendpoint = \"192.0.2.1:51820\"\n", HEAD);
    let load = |prefixes, step| {
        let resources: String = (0..12).map(|number| resource(number, prefixes, step)).collect();
        let mut fold = Fold { controller: Controller::new(TableEngine::default()), now: START };
        fold.handle(site(&[staff, gateway, &resources])).refusal
    };
    assert_eq!(load(64, 0), None);
    assert!(matches!(load(256, 3), Some(Refusal::Cells(_))));
}
