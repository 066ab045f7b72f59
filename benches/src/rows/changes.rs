//! What a change of one session costs among a thousand and among a million, and what a session takes up.

use serde::{Deserialize, Serialize};
use zt_core::device::FactValue;
use zt_core::event::Event;
use zt_core::id::SessionId;
use zt_policy::PolicyEngine;

use crate::report::{Bound, Row};
use crate::valgrind::{Measured, measured_call};
use crate::world::fleet::{self, COMBINATIONS, Fleet, accepted};
use crate::world::{policies, site};
use crate::{Error, valgrind};

/// How many kinds of devices there are: with the combinations of groups 100 classes of sessions.
const KINDS: usize = 5;

/// How many resources there are; each session is granted 20 of them.
const RESOURCES: usize = 1_000;
const GRANTS: usize = 20;

/// How often each kind of change is measured.
const TIMES: usize = 5;

/// What is changed of a session, in the order of measuring.
const CHANGES: [&str; 4] = [POSTURE, NEW_CLASS, GROUP, END];
const POSTURE: &str = "posture_change";
/// The same, but nobody has been in that state before.
const NEW_CLASS: &str = "posture_change_to_new_class";
const GROUP: &str = "group_change";
const END: &str = "session_end";

/// What a world of sessions takes up.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Bytes {
    /// How many sessions there are.
    sessions: usize,
    /// Live heap bytes of each, without grants.
    of_session: f64,
    /// Live heap bytes that come with each grant.
    of_grant: f64,
}

/// Brings so many sessions in, measures what they take up, and then changes some of them.
///
/// # Errors
/// If the world is refused, or a change does not do what it should.
pub fn run(sessions: usize, is_instrumented: bool) -> Result<Bytes, Error> {
    let mut fleet = Fleet::new(PolicyEngine::new(), site::site(RESOURCES), policies::bundle(&[]))?;
    fleet.kinds = KINDS;
    let mut ids = Vec::with_capacity(sessions);
    let of_sessions =
        live(|| (0..sessions).try_for_each(|person| fleet.bring(person).map(|id| ids.push(id))))?;
    let granting = Event::PolicyLoaded(policies::bundle(&policies::few_permits()));
    let of_grants = live(|| fleet.submit(granting).map(drop))?;
    let last = ids.last().copied().unwrap_or_default();
    for id in [ids.first().copied().unwrap_or_default(), last] {
        let granted = fleet.controller.grants(id).count();
        if granted != GRANTS {
            return Err(Error::Disagree(format!("{granted} grants where {GRANTS} are meant")));
        }
    }
    let count = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let bytes = Bytes {
        sessions,
        of_session: of_sessions / count(sessions),
        of_grant: of_grants / count(sessions) / count(GRANTS),
    };
    if is_instrumented {
        // Once for each kind, so that nothing is measured that happens only the first time.
        change(&mut fleet, &ids, false)?;
        valgrind::instrument()?;
        change(&mut fleet, &ids, true)?;
    }
    Ok(bytes)
}

/// The bytes that are allocated by a call and not freed.
fn live(call: impl FnOnce() -> Result<(), Error>) -> Result<f64, Error> {
    let mut result = Ok(());
    let info = allocation_counter::measure(|| result = call());
    result.map(|()| f64::from(i32::try_from(info.bytes_current >> 8).unwrap_or(i32::MAX)) * 256.0)
}

/// Makes each kind of change once to each of [`TIMES`] people, all of different classes of sessions.
fn change(fleet: &mut Fleet<PolicyEngine>, ids: &[SessionId], is_measured: bool) -> Result<(), Error> {
    // From the middle, where trees have their usual depth; the warm-up takes people of its own.
    let classes = COMBINATIONS * KINDS;
    let middle = ids.len() / 2 / classes * classes;
    for (kind, name) in CHANGES.into_iter().enumerate() {
        for time in 0..TIMES {
            // A class that is new is never one of the warm-up.
            let class = kind * 2 * TIMES + time;
            let is_moved = is_measured && name == NEW_CLASS;
            let person =
                middle + class + if is_moved { TIMES } else { 0 } + if is_measured { classes } else { 0 };
            let event = match name {
                GROUP => fleet::identity(person, fleet::groups_of(person + 1))?,
                END => Event::SessionEnded { session: ids.get(person).copied().unwrap_or_default() },
                _ => {
                    let fact =
                        fleet::fact("disk_encrypted", false, FactValue::Bool(false), fleet.controller.now())?;
                    Event::PostureReported { device: fleet::device(person)?, facts: vec![fact] }
                }
            };
            let entry = fleet.entry(event);
            let controller = &mut fleet.controller;
            let mut outcome = None;
            let mut handle = || outcome = Some(controller.handle(&entry));
            if is_measured {
                measured_call(&mut handle)
            } else {
                handle()
            }
            let nothing = || Error::Disagree("nothing was handled".to_owned());
            let outcome = accepted(outcome.ok_or_else(nothing)?)?;
            let issued = if name == GROUP { GRANTS } else { 0 };
            if (outcome.ended.len(), outcome.issued.len()) != (GRANTS, issued) {
                let (ended, issued) = (outcome.ended.len(), outcome.issued.len());
                return Err(Error::Disagree(format!("{name}: {ended} grants ended, {issued} were issued")));
            }
        }
    }
    Ok(())
}

/// The rows of the changes and of the bytes of the larger world, from children under callgrind with many sessions and with few.
///
/// # Errors
/// If a child printed something else.
pub fn rows(many: &Measured, few: &Measured) -> Result<Vec<Row>, Error> {
    let bytes = |measured: &Measured| serde_json::from_value::<Bytes>(measured.printed.clone());
    let bytes_of_many = bytes(many)?;
    let note = format!("{} sessions beside {}", bytes_of_many.sessions, bytes(few)?.sessions);
    let mut rows = Vec::new();
    for (index, name) in CHANGES.into_iter().enumerate() {
        let middle = |measured: &Measured| {
            let mut all: Vec<_> = measured.instructions.iter().skip(index * TIMES).take(TIMES).collect();
            all.sort_unstable();
            let median = all.get(TIMES / 2).copied().copied();
            median.ok_or_else(|| Error::Valgrind(format!("{name} was not counted")))
        };
        let instructions = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let (many, few) = (instructions(middle(many)?), instructions(middle(few)?));
        rows.push(
            Row::ratio(metric(name), many, few, "instructions").bounded(Bound::AtMost(1.1)).noted(&*note),
        );
    }
    rows.extend(bytes_of_many.rows());
    Ok(rows)
}

/// The rows of the changes where they cannot be measured.
pub fn unavailable(reason: &str) -> impl Iterator<Item = Row> {
    CHANGES.into_iter().map(move |name| Row::unavailable(metric(name), reason).bounded(Bound::AtMost(1.1)))
}

fn metric(name: &str) -> String {
    format!("{name}_instructions_1m_vs_1k_sessions")
}

impl Bytes {
    /// The rows of what sessions and grants take up.
    #[must_use]
    pub fn rows(self) -> [Row; 2] {
        let note = format!("{} sessions", self.sessions);
        [
            Row::value("bytes_per_session_1m", self.of_session, "bytes")
                .bounded(Bound::AtMost(768.0))
                .noted(&*note),
            Row::value("bytes_per_grant_1m", self.of_grant, "bytes").bounded(Bound::AtMost(16.0)).noted(note),
        ]
    }
}
