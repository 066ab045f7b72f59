//! Cedar as the policy engine of `zt`: strictly loaded, fail-closed, and exact about how long an answer holds.
//!
//! What this crate guarantees:
//!
//! * **Doubt denies.** Cedar skips a policy that fails, so a forbid that fails lets through what it is there to stop.
//!   Here a failure of any policy denies, as do facts that do not fit the schema, entities that are not complete, and
//!   sessions whose times lie in the future (a span since then is negative, and below any bound).
//! * **Posture is never absent.** Each fact that the site declares is a required record of the context; one that is
//!   missing, stale or of the wrong kind has the status `unknown`.
//! * **Not to report never helps.** No policy loads whose permit could begin to hold, or whose forbid could lift, because
//!   a fact becomes unknown, or unsupported after it was known. `forbid .. when { .. == "fail" }` does not load, nor does
//!   `permit .. when { .. != "fail" }`.
//! * **An answer says when it ends.** Policies use time only in ways whose next turn can be computed: spans since an
//!   instant of the session, the age of a fact, `context.now` against a constant, and named windows. Anything else is
//!   an error at load.
//! * **No text can harm.** Size and depth are limited before Cedar's parser, which has no limits, sees a text; it runs
//!   on a stack of known size, whoever calls.
//! * **All or nothing.** What fails to load, for whatever reason, leaves in force what was. The error names file, line
//!   and policy.
//! * **The same in, the same out.** No clock, no randomness; no input but what is passed in. Only [`read_bundle`]
//!   touches files.
//!
//! [`PolicyEngine`] is the engine: `load` takes a [`PolicySource`](zt_core::event::PolicySource) for a
//! [`Site`](zt_core::site::Site), `decide` takes one session's facts and classes of resources, and `remedies`
//! tells what would turn a denial into an allow. [`schema_text`] shows what policies may read at a site, and [`user_id`]
//! how people are named in them.
//!
//! ```
//! use zt_core::decide::Decide;
//! use zt_core::event::{PolicySource, SiteSource};
//! use zt_core::site::Site;
//! use zt_policy::PolicyEngine;
//!
//! let site = Site::parse(&SiteSource {
//!     file: "site.toml".into(),
//!     text: r#"
//!         [pools]
//!         v4 = "10.99.0.0/24"
//!         [[gateway]]
//!         id = "gw-1"
//!         group = "main"
//!         endpoint = "192.0.2.1:51820"
//!         [[group]]
//!         id = "operations"
//!         [[fact]]
//!         id = "disk_encrypted"
//!         kind = "bool"
//!         max-age = "15m"
//!         [[resource]]
//!         id = "grafana"
//!         gateways = "main"
//!         addresses = ["10.100.7.20/32"]
//!         services = ["tcp/3000"]
//!     "#.into(),
//! })?;
//! let policy = |condition: &str| PolicySource {
//!     policies: [("access.cedar".into(), format!(r#"
//!         @id("operations-reach-grafana")
//!         permit (
//!             principal in Zt::Group::"operations",
//!             action == Zt::Action::"connect",
//!             resource == Zt::Resource::"grafana"
//!         )
//!         when {{ {condition} }};
//!     "#))].into(),
//!     ..PolicySource::default()
//! };
//!
//! let mut engine = PolicyEngine::new();
//! let version = engine.load(&policy(r#"context.posture.disk_encrypted.status == "pass""#), &site)?;
//! assert_eq!(engine.classes().iter().count(), 1);
//!
//! // The end of this cannot be scheduled, so it is refused, and the first version stays in force.
//! let error = engine.load(&policy("context.now.toTime() < duration(\"17h\")"), &site).unwrap_err();
//! assert_eq!(error.place, "access.cedar:2");
//! assert_eq!(engine.version(), Some(version));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # From text to decision
//!
//! ```text
//! texts ─ caps ─ parse ─ @id ─ strict validation ─ rules ─ lowering ─┬─► in force ─► evaluate ─► Decision
//! site ── schema, resources, classes ────────────────────────────────┘                  ▲         effect, because, valid
//!                                                                     one session's facts
//! ```
//!
//! What policies read is known from their texts. [`view`](zt_core::decide::Decide::view) says what they read of a
//! session: as long as that stays the same, so do all decisions. Where it changes,
//! [`affected`](zt_core::decide::Decide::affected) names the classes of resources to which a policy applies that reads
//! what has changed; on no other class can a decision differ.
//!
//! # In policies
//!
//! | | |
//! |---|---|
//! | `principal` | `Zt::User::"issuer\|subject"`, in the `Zt::Group`s that the site declares, with the attributes of `Site::UserAttributes` |
//! | `action` | `Zt::Action::"connect"` |
//! | `resource` | `Zt::Resource::"id"`, in its `Zt::Segment`s, with the attributes of `Site::ResourceAttributes` |
//! | `context` | `now`, `session`, `device`, `windows`, `posture`, `approved`; see [`schema_text`] |
//!
//! `context.approved.contains(resource)` holds while a request of the person for the resource is approved; it may be
//! asked where that an approval ends never widens access.
//!
//! Where the `status` of a fact is not `pass` or `fail`, its `value` is false, 0 or the empty text, its `tier` 0 and its
//! `age` a hundred years, whatever the device may be like. So ask the status beside the rest: `.. == "pass" && ..` in a
//! permit, `unless { .. == "pass" && .. }` in a forbid. What does without, and would widen access when the fact becomes
//! unknown, is an error at load; so is a test that compares a fact with anything but constants. Two things remain to the
//! author: that `pass` and `fail` mean what they should, and, if `unknown` and `unsupported` are told apart, that a
//! device may go from the first to the second.
//!
//! A site defines the two types of attributes in `*.cedarschema` files, in `namespace Site`; they are empty records
//! otherwise.

mod bits;
mod bundle;
mod caps;
mod conditions;
mod conform;
mod constants;
mod engine;
mod entities;
mod evaluate;
mod evaluator;
mod index;
mod lex;
mod loaded;
mod person;
mod policies;
mod problem;
mod reads;
mod remedies;
mod rules;
mod schema;
mod session;
mod time;
mod unknown;
mod version;

pub use bundle::{BundleError, read_bundle};
pub use caps::{MAX_BUNDLE_BYTES, MAX_DEPTH, MAX_POLICIES, MAX_POLICY_BYTES, MAX_SCHEMA_BYTES, MAX_STEPS};
pub use engine::PolicyEngine;
pub use evaluator::{
    Answer, CompileError, ConvertError, Engine, Evaluator, MAX_LEVELS, MAX_LOWERED_STEPS, MAX_VALUE_DEPTH,
    PrepareError, Prepared, Store, StoreError, Unlowered, read_entities, read_policies, read_schema,
    read_uid,
};
pub use person::user_id;
pub use schema::schema_text;
