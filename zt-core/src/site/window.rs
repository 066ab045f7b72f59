//! Named windows: spans of time that recur by the clock of a place.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use super::clock::{ClockTime, Weekday};
use crate::decide::Validity;
use crate::time::Timestamp;

/// Why a window is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// No time zone of the bundled table has exactly this name.
    #[error("`{0}` is not a time zone; write its IANA name, such as `Europe/Berlin`")]
    UnknownZone(String),
    /// The window recurs on no day.
    #[error("a window without days is never open")]
    NoDays,
    /// It would start and end at the same time of the day.
    #[error("a window from `{0}` to `{0}` is empty; write `00:00` to `24:00` for whole days")]
    Empty(ClockTime),
    /// It would start at the end of a day.
    #[error("a window cannot start at `24:00`; write `00:00` and the next day")]
    StartsAtEndOfDay,
    /// The text is no day of the week.
    #[error("`{0}` is not a day; write `mon`, `tue`, `wed`, `thu`, `fri`, `sat` or `sun`")]
    Day(String),
    /// The text is no time of the day.
    #[error("`{0}` is not a time of the day; write `08:00`, or `24:00` for the end of the day")]
    Clock(String),
}

/// A span of time that recurs: on some days of the week, from one time to another by the clocks of a time zone.
///
/// A clock that is set forward over the start or the end reaches it at that instant. A clock that is set back reaches
/// nothing a second time: what it opened stays open and what it closed stays closed until it shows a time that it has
/// not shown before. A window therefore never opens twice on one day.
///
/// The zone table is part of the program, so every replica agrees. Outside the years -9999 to 9999 a window is closed,
/// except one that is open on all days from 00:00 to 24:00.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    zone: TimeZone,
    days: BTreeSet<Weekday>,
    from: ClockTime,
    to: ClockTime,
}

/// How many days to look ahead for a change. A weekly window changes within eight days, unless clocks skip what there is
/// of it, which no zone does week after week.
const DAYS_AHEAD: usize = 60;

impl Window {
    /// The window that opens on `days` at `from` and closes at `to`, on the next day if `to` is the earlier time.
    ///
    /// `zone` is an IANA name in its exact spelling; `to` may be 24:00, the end of the day.
    ///
    /// # Errors
    /// If the zone is unknown, there are no days, the two times are equal, or `from` is 24:00.
    pub fn new(
        zone: &str,
        days: BTreeSet<Weekday>,
        from: ClockTime,
        to: ClockTime,
    ) -> Result<Self, WindowError> {
        let unknown = || WindowError::UnknownZone(zone.chars().take(64).collect());
        let named = TimeZoneDatabase::bundled().get(zone).map_err(|_| unknown())?;
        if named.iana_name() != Some(zone) || named.is_unknown() {
            return Err(unknown());
        }
        if days.is_empty() {
            return Err(WindowError::NoDays);
        }
        if from == to {
            return Err(WindowError::Empty(from));
        }
        if from == ClockTime::END_OF_DAY {
            return Err(WindowError::StartsAtEndOfDay);
        }
        Ok(Self { zone: named, days, from, to })
    }

    /// Whether it is open at `at`: the start belongs to the window, the end does not.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.is_always_open()
            || instant(at).is_some_and(|at| self.spans(at).take(3).flatten().any(|span| span.contains(&at)))
    }

    /// Until when it stays as it is at `at`: the first instant after `at` at which it opens or closes.
    #[must_use]
    pub fn next_change(&self, at: Timestamp) -> Validity {
        if self.is_always_open() {
            return Validity::Unlimited;
        }
        let Some(at) = instant(at) else { return Validity::Unlimited };
        let mut open_until = None;
        for span in self.spans(at).flatten().filter(|span| at < span.end) {
            match open_until {
                None if at < span.start => return until(span.start),
                Some(end) if end < span.start => return until(end),
                None | Some(_) => open_until = Some(span.end),
            }
        }
        open_until.map_or(Validity::Unlimited, until)
    }

    /// The days on which it opens.
    #[must_use]
    pub const fn days(&self) -> &BTreeSet<Weekday> {
        &self.days
    }

    fn is_always_open(&self) -> bool {
        self.days.len() == Weekday::ALL.len()
            && self.from == ClockTime::MIDNIGHT
            && self.to == ClockTime::END_OF_DAY
    }

    /// What each day contributes, in order, from the day before `at` to the last that [`DAYS_AHEAD`] allows.
    ///
    /// The first three may hold `at`: a window may have opened the day before, or on the day after if clocks were then
    /// set back over midnight.
    fn spans(&self, at: jiff::Timestamp) -> impl Iterator<Item = Option<Range<jiff::Timestamp>>> {
        let today = self.zone.to_datetime(at).date();
        let first = today.yesterday().unwrap_or(Date::MIN);
        let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        days.take(DAYS_AHEAD).map(|day| self.span(day))
    }

    /// What `day` contributes; `None` if nothing.
    fn span(&self, day: Date) -> Option<Range<jiff::Timestamp>> {
        if !self.days.contains(&Weekday::of(day)) {
            return None;
        }
        let last_day = if self.to < self.from { day.tomorrow().ok()? } else { day };
        let span = self.reached(self.from.on(day)?)?..self.reached(self.to.on(last_day)?)?;
        (!span.is_empty()).then_some(span)
    }

    /// The first instant at which the zone's clocks show `time` or a later time.
    fn reached(&self, time: DateTime) -> Option<jiff::Timestamp> {
        match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(time).ok(),
            AmbiguousOffset::Gap { after, .. } => {
                let before_the_gap = after.to_timestamp(time).ok()?;
                self.zone.following(before_the_gap).next().map(|change| change.timestamp())
            }
        }
    }
}

fn instant(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(at.as_millis()).ok()
}

fn until(at: jiff::Timestamp) -> Validity {
    Validity::Until(Timestamp::from_millis(at.as_millisecond()))
}
