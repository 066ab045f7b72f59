//! Zero-trust access on WireGuard: who may reach what, from when to when, folded from a log and compiled to what
//! gateways install.
//!
//! WireGuard authenticates keys; it knows nothing of people, devices, time or policy. This crate holds what is missing,
//! without any I/O: no sockets, no clock, no randomness, no runtime. What it guarantees:
//!
//! * **One way in.** Everything that can change a decision or a grant is an [`Event`](event::Event) in a log. The
//!   [`Controller`](controller::Controller) folds the log; the same entries give the same outcomes and the same desired
//!   states, byte for byte.
//! * **Level, not edge.** Each gateway has one [`DesiredState`](desired::DesiredState). Start, change, retry, repair and
//!   failover are all [`plan`](plan::plan)`(observed, desired)`.
//! * **Removals first.** A plan cuts, then adds, then tidies up. After any number of its steps a gateway lets through
//!   only what it did before or is to let through.
//! * **Closed by default.** No policy, no facts, a stale report, an error, a lost control plane: no access. A gateway
//!   that hears nothing drops everything at the end of its [`Lease`](lease::Lease).
//! * **Secrets stay out.** Neither log nor state holds a private key.
//!
//! ```text
//!  evidence ─► Event ─► Entry ─► Controller ──Decide──► grants ─► DesiredState ─► plan ─► Backend::apply
//!                       (log)      fold     (zt-policy)            per gateway
//! ```
//!
//! A grant compiles to three artefacts. At the gateway, the device's own addresses (cryptokey routing) and pairs of
//! source and region, checked for every packet in both directions; at the device, routes. Allowed-IPs at the gateway
//! say which *source* a peer may use, never what it may reach.
//!
//! [`ControlPlane`](control::ControlPlane) ties a log, a controller and the gateways of one process together. A policy
//! engine implements [`Decide`](decide::Decide), a WireGuard implementation with its filter
//! [`Backend`](backend::Backend), a durable log [`EventLog`](log::EventLog).
//!
//! # Example
//!
//! ```
//! use zt_core::controller::Controller;
//! use zt_core::event::{Entry, Event, PolicySource, SiteSource};
//! use zt_core::id::GatewayId;
//! use zt_core::testing::TableEngine; // stands in for zt-policy's engine: lines of `group resource`
//! use zt_core::time::Timestamp;
//!
//! let site = r#"
//!     [pools]
//!     v4 = "10.99.0.0/24"
//!     [[gateway]]
//!     id = "gw-1"
//!     group = "main"
//!     endpoint = "192.0.2.1:51820"
//!     [[resource]]
//!     id = "grafana"
//!     gateways = "main"
//!     addresses = ["10.100.7.20/32"]
//!     services = ["tcp/3000"]
//! "#;
//! let mut controller = Controller::new(TableEngine::default());
//! let events = [
//!     Event::SiteLoaded(SiteSource { file: "site.toml".into(), text: site.into() }),
//!     Event::PolicyLoaded(PolicySource {
//!         policies: [("table".into(), "operations grafana".into())].into(),
//!         ..PolicySource::default()
//!     }),
//! ];
//! for event in events {
//!     let at = Timestamp::from_millis(1_800_000_000_000);
//!     let outcome = controller.handle(&Entry { seq: controller.next_seq(), at, event });
//!     assert_eq!(outcome.refusal, None);
//! }
//! let state = controller.desired(&GatewayId::new("gw-1")?).ok_or("declared above")?;
//! assert_eq!(state.roster.cells().len(), 1); // what could be reached is known,
//! assert!(state.roster.is_empty()); // and nobody may reach it: nobody has logged in
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! `testing`: a fake backend, a naive reference, and scripts made from bytes, for the tests of backends and embedders.

pub mod access;
pub mod backend;
pub mod compile;
pub mod control;
pub mod controller;
pub mod decide;
pub mod desired;
pub mod device;
pub mod directory;
pub mod event;
pub mod grant;
pub mod id;
pub mod identity;
pub mod key;
pub mod lease;
pub mod lock;
pub mod log;
pub mod net;
pub mod plan;
mod printable;
pub mod session;
pub mod site;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
