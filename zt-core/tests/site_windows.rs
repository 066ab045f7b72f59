//! Windows against a clock that is watched minute by minute.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test that fails says so by panicking"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use zt_core::decide::Validity;
use zt_core::site::{ClockTime, Weekday, Window, WindowError};
use zt_core::time::Timestamp;

fn window(zone: &str, days: &[&str], from: &str, to: &str) -> Result<Window, WindowError> {
    let days: Result<BTreeSet<Weekday>, _> = days.iter().map(|day| day.parse()).collect();
    Window::new(zone, days?, from.parse()?, to.parse()?)
}

fn at(text: &str) -> Timestamp {
    Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// When the window changes after `from`, up to `to`.
fn changes(window: &Window, from: &str, to: &str) -> Vec<String> {
    let (mut now, to) = (at(from), at(to));
    let mut changes = Vec::new();
    while let Validity::Until(change) = window.next_change(now)
        && change <= to
    {
        assert_ne!(window.is_open(now), window.is_open(change));
        changes.push(format!("{} {}", if window.is_open(change) { "opens" } else { "closes" }, change));
        now = change;
    }
    changes
}

#[test]
fn the_start_belongs_to_a_window_and_the_end_does_not() {
    let window = window("UTC", &["mon"], "08:00", "18:00").unwrap();
    assert!(!window.is_open(at("2026-11-23T07:59:59.999Z")));
    assert!(window.is_open(at("2026-11-23T08:00:00Z")));
    assert!(window.is_open(at("2026-11-23T17:59:59.999Z")));
    assert!(!window.is_open(at("2026-11-23T18:00:00Z")));
    assert!(!window.is_open(at("2026-11-24T12:00:00Z")));
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_opens() {
    let window = window("Europe/Berlin", &["fri"], "22:00", "06:00").unwrap();
    assert_eq!(
        changes(&window, "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
        ["opens 2026-11-27T21:00:00.000Z", "closes 2026-11-28T05:00:00.000Z"]
    );
}

#[test]
fn office_hours_follow_daylight_saving_time() {
    let window = window("Europe/Berlin", &["fri", "mon"], "08:00", "18:00").unwrap();
    assert_eq!(
        changes(&window, "2026-03-27T00:00:00Z", "2026-03-31T00:00:00Z"),
        [
            "opens 2026-03-27T07:00:00.000Z",
            "closes 2026-03-27T17:00:00.000Z",
            "opens 2026-03-30T06:00:00.000Z",
            "closes 2026-03-30T16:00:00.000Z"
        ]
    );
}

/// On 29 March 2026 clocks in Berlin go from 02:00 to 03:00, at 01:00 UTC.
#[test]
fn a_start_or_end_that_clocks_skip_is_reached_when_they_skip_it() {
    let (from, to) = ("2026-03-29T00:00:00Z", "2026-03-29T04:00:00Z");
    let start = window("Europe/Berlin", &["sun"], "02:30", "05:00").unwrap();
    assert_eq!(
        changes(&start, from, to),
        ["opens 2026-03-29T01:00:00.000Z", "closes 2026-03-29T03:00:00.000Z"]
    );
    let end = window("Europe/Berlin", &["sun"], "01:30", "02:30").unwrap();
    assert_eq!(
        changes(&end, from, to),
        ["opens 2026-03-29T00:30:00.000Z", "closes 2026-03-29T01:00:00.000Z"]
    );
    let both = window("Europe/Berlin", &["sun"], "02:15", "02:45").unwrap();
    assert_eq!(changes(&both, from, to), [""; 0]);
    assert!(
        matches!(both.next_change(at(from)), Validity::Until(change) if change == at("2026-04-05T00:15:00Z"))
    );
}

/// On 25 October 2026 clocks in Berlin go from 03:00 to 02:00, at 01:00 UTC.
#[test]
fn a_start_or_end_that_clocks_show_twice_counts_once() {
    let (from, to) = ("2026-10-24T23:00:00Z", "2026-10-25T06:00:00Z");
    let start = window("Europe/Berlin", &["sun"], "02:30", "05:00").unwrap();
    assert_eq!(
        changes(&start, from, to),
        ["opens 2026-10-25T00:30:00.000Z", "closes 2026-10-25T04:00:00.000Z"]
    );
    let end = window("Europe/Berlin", &["sun"], "01:30", "02:30").unwrap();
    assert_eq!(
        changes(&end, from, to),
        ["opens 2026-10-24T23:30:00.000Z", "closes 2026-10-25T00:30:00.000Z"]
    );
}

/// In 2010 clocks on Newfoundland went back at one minute past midnight, to the day before.
#[test]
fn clocks_that_go_back_to_the_day_before_close_nothing() {
    let window = window("America/St_Johns", &["sun"], "00:00", "06:00").unwrap();
    assert_eq!(
        changes(&window, "2010-11-07T00:00:00Z", "2010-11-08T00:00:00Z"),
        ["opens 2010-11-07T02:30:00.000Z", "closes 2010-11-07T09:30:00.000Z"]
    );
    // Half past eleven on Saturday, for the second time.
    assert!(window.is_open(at("2010-11-07T03:00:00Z")));
}

/// Samoa had no 30 December 2011, a Friday.
#[test]
fn a_day_that_a_zone_skips_has_no_window() {
    let window = window("Pacific/Apia", &["fri"], "08:00", "18:00").unwrap();
    assert_eq!(
        changes(&window, "2011-12-24T12:00:00Z", "2012-01-06T12:00:00Z"),
        ["opens 2012-01-05T18:00:00.000Z", "closes 2012-01-06T04:00:00.000Z"]
    );
}

#[test]
fn whole_days_join() {
    let two = window("Europe/Berlin", &["sat", "sun"], "00:00", "24:00").unwrap();
    assert_eq!(
        changes(&two, "2026-11-23T00:00:00Z", "2026-11-30T12:00:00Z"),
        ["opens 2026-11-27T23:00:00.000Z", "closes 2026-11-29T23:00:00.000Z"]
    );
    let all = Window::new("Europe/Berlin", Weekday::ALL.into(), ClockTime::MIDNIGHT, ClockTime::END_OF_DAY)
        .unwrap();
    assert_eq!(all.next_change(at("2026-11-23T00:00:00Z")), Validity::Unlimited);
    assert!(all.is_open(at("2026-11-23T00:00:00Z")) && all.is_open(Timestamp::from_millis(i64::MAX)));
}

#[test]
fn beyond_the_calendar_a_window_is_closed() {
    let window = window("UTC", &["mon"], "08:00", "18:00").unwrap();
    for millis in [i64::MIN, i64::MAX] {
        assert!(!window.is_open(Timestamp::from_millis(millis)));
        assert_eq!(window.next_change(Timestamp::from_millis(millis)), Validity::Unlimited);
    }
    let _ = window.next_change(at("9999-12-29T00:00:00Z"));
    let _ = window.next_change(at("-009999-01-03T00:00:00Z"));
}

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The weeks around a change of clocks: zone, first instant.
const WEEKS: [(&str, &str); 7] = [
    ("Europe/Berlin", "2026-03-22T00:00:00Z"),
    ("Europe/Berlin", "2026-10-18T00:00:00Z"),
    ("America/New_York", "2026-03-01T00:00:00Z"),
    ("America/New_York", "2026-10-25T00:00:00Z"),
    ("Asia/Kolkata", "2026-06-01T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-03-29T00:00:00Z"),
    ("America/St_Johns", "2010-11-01T00:00:00Z"),
];

/// For every minute of three weeks from `start`, whether the window is open: somebody watches the clock and goes by the
/// latest time that it has shown so far.
fn watched(zone: &str, start: i64, open: impl Fn(jiff::civil::DateTime) -> bool) -> Vec<bool> {
    let zone = jiff::tz::TimeZone::get(zone).unwrap();
    let mut latest = jiff::civil::DateTime::MIN;
    let minutes = (0..21 * DAY / MINUTE).map(|minute| start + minute * MINUTE);
    let readings = minutes.map(|at| zone.to_datetime(jiff::Timestamp::from_millisecond(at).unwrap()));
    readings
        .map(|reading| {
            latest = latest.max(reading);
            open(latest)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn windows_are_open_exactly_when_a_watched_clock_says_so(
        (zone, start) in proptest::sample::select(WEEKS.to_vec()),
        days in proptest::collection::btree_set(0_usize..7, 1..=7),
        from in 0_u16..96,
        to in 0_u16..=96,
        probes in proptest::collection::vec(0..14 * DAY, 40),
    ) {
        prop_assume!(from != to);
        let clock = |quarter: u16| {
            ClockTime::new(u8::try_from(quarter / 4).unwrap(), u8::try_from(quarter % 4 * 15).unwrap()).unwrap()
        };
        let named = days.iter().map(|day| Weekday::ALL[*day]).collect();
        let window = Window::new(zone, named, clock(from), clock(to)).unwrap();

        let declared = |date: jiff::civil::Date| {
            days.contains(&usize::try_from(date.weekday().to_monday_zero_offset()).unwrap())
        };
        let naive = |reading: jiff::civil::DateTime| {
            let minute = u16::try_from(reading.hour()).unwrap() * 60 + u16::try_from(reading.minute()).unwrap();
            let (from, to) = (from * 15, to * 15);
            let today = declared(reading.date()) && minute >= from && (to < from || minute < to);
            today || to < from && declared(reading.date().yesterday().unwrap()) && minute < to
        };
        let start = at(start).as_millis();
        let open = watched(zone, start, naive);
        let index = |at: i64| usize::try_from((at - start) / MINUTE).unwrap();
        for probe in probes {
            let now = start + DAY + probe;
            let is_open = window.is_open(Timestamp::from_millis(now));
            prop_assert_eq!(is_open, open[index(now)], "at {}", Timestamp::from_millis(now));
            let change = (index(now)..open.len()).find(|minute| open[*minute] != is_open);
            match (window.next_change(Timestamp::from_millis(now)), change) {
                (Validity::Until(until), Some(change)) => {
                    prop_assert_eq!(until.as_millis(), start + i64::try_from(change).unwrap() * MINUTE);
                    prop_assert_ne!(window.is_open(until), is_open);
                }
                (Validity::Until(until), None) => prop_assert!(until.as_millis() >= start + 21 * DAY),
                (Validity::Unlimited, change) => prop_assert_eq!(change, None),
            }
        }
    }
}
