//! Rows of the report, and whether each keeps its bound.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::clock::Times;

/// One line of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    metric: String,
    unit: &'static str,
    outcome: Outcome,
    bound: Option<Bound>,
    note: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Value(f64),
    /// A value with what it is compared to, and how many times the one is the other.
    Ratio {
        value: f64,
        baseline: f64,
        ratio: f64,
    },
    /// Why there is no value.
    Unavailable(String),
}

/// What a row's ratio, or its value if it has none, is to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// More than this.
    MoreThan(f64),
    /// Less than this.
    LessThan(f64),
}

impl Bound {
    /// Whether `figure` keeps it; what is no number keeps no bound.
    #[must_use]
    pub fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtMost(bound) => figure <= bound,
            Self::AtLeast(bound) => figure >= bound,
            Self::MoreThan(bound) => figure > bound,
            Self::LessThan(bound) => figure < bound,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, bound) = match self {
            Self::AtMost(bound) => ("<=", bound),
            Self::AtLeast(bound) => (">=", bound),
            Self::MoreThan(bound) => (">", bound),
            Self::LessThan(bound) => ("<", bound),
        };
        write!(f, "{sign} {bound}")
    }
}

impl Row {
    /// A row with a value of its own.
    pub fn value(metric: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { metric: metric.into(), unit, outcome: Outcome::Value(value), bound: None, note: None }
    }

    /// A row that says how many times `value` is `baseline`.
    pub fn ratio(metric: impl Into<String>, value: f64, baseline: f64, unit: &'static str) -> Self {
        let outcome = Outcome::Ratio { value, baseline, ratio: value / baseline };
        Self { outcome, ..Self::value(metric, value, unit) }
    }

    /// A row that says how many times `value` goes into `baseline`.
    pub fn speedup(metric: impl Into<String>, value: f64, baseline: f64, unit: &'static str) -> Self {
        let outcome = Outcome::Ratio { value, baseline, ratio: baseline / value };
        Self { outcome, ..Self::value(metric, value, unit) }
    }

    /// A speedup by the least times of both sides, with the medians in the note.
    pub fn speedup_of(metric: impl Into<String>, ours: Times, theirs: Times) -> Self {
        let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6;
        let note = format!("medians {:.3} us and {:.3} us", micros(ours.median), micros(theirs.median));
        Self::speedup(metric, micros(ours.min), micros(theirs.min), "us").noted(note)
    }

    /// A row that could not be measured, and why.
    pub fn unavailable(metric: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { outcome: Outcome::Unavailable(reason.into()), ..Self::value(metric, 0.0, "") }
    }

    /// The same row with a bound on its ratio, or on its value if it has no ratio.
    #[must_use]
    pub fn bounded(self, bound: Bound) -> Self {
        Self { bound: Some(bound), ..self }
    }

    /// The same row with a remark.
    #[must_use]
    pub fn noted(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    /// Whether it keeps its bound; `None` if it has none, or could not be measured.
    #[must_use]
    pub fn ok(&self) -> Option<bool> {
        let figure = match self.outcome {
            Outcome::Value(value) => value,
            Outcome::Ratio { ratio, .. } => ratio,
            Outcome::Unavailable(_) => return None,
        };
        self.bound.map(|bound| bound.holds(figure))
    }

    /// Whether it could not be measured.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self.outcome, Outcome::Unavailable(_))
    }

    /// What is measured.
    #[must_use]
    pub fn metric(&self) -> &str {
        &self.metric
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("metric", &self.metric)?;
        match &self.outcome {
            Outcome::Value(value) => {
                map.serialize_entry("value", value)?;
                map.serialize_entry("unit", self.unit)?;
            }
            Outcome::Ratio { value, baseline, ratio } => {
                map.serialize_entry("value", value)?;
                map.serialize_entry("unit", self.unit)?;
                map.serialize_entry("baseline", baseline)?;
                map.serialize_entry("ratio", ratio)?;
            }
            Outcome::Unavailable(reason) => map.serialize_entry("unavailable", reason)?,
        }
        if let Some(bound) = self.bound {
            map.serialize_entry("bound", &bound.to_string())?;
        }
        if let Some(ok) = self.ok() {
            map.serialize_entry("ok", &ok)?;
        }
        if let Some(note) = &self.note {
            map.serialize_entry("note", note)?;
        }
        map.end()
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = match (self.is_unavailable(), self.ok()) {
            (true, _) => "none",
            (false, None) => "",
            (false, Some(true)) => "ok",
            (false, Some(false)) => "MISSED",
        };
        write!(f, "{verdict:6}  {:55}  ", self.metric)?;
        match &self.outcome {
            Outcome::Value(value) => write!(f, "{} {}", short(*value), self.unit)?,
            Outcome::Ratio { value, baseline, ratio } => {
                let (value, baseline) = (short(*value), short(*baseline));
                write!(f, "{} x  ({value} {} beside {baseline})", short(*ratio), self.unit)?;
            }
            Outcome::Unavailable(reason) => write!(f, "unavailable: {reason}")?,
        }
        if let Some(bound) = self.bound {
            write!(f, "  [{bound}]")?;
        }
        self.note.as_ref().map_or(Ok(()), |note| write!(f, "  {note}"))
    }
}

/// Four digits that matter, and all of a whole number.
fn short(value: f64) -> String {
    let whole = value.fract() == 0.0;
    match value.abs() {
        _ if whole => format!("{value:.0}"),
        1_000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.3}"),
        _ => format!("{value:.5}"),
    }
}

/// Whether a report is good: no bound is missed, and, if all of it is required, no row is missing.
#[must_use]
pub fn is_good(rows: &[Row], require_all: bool) -> bool {
    rows.iter().all(|row| row.ok() != Some(false) && !(require_all && row.is_unavailable()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_bound_fails_the_report() {
        let good = Row::ratio("r", 11.0, 10.0, "instructions").bounded(Bound::AtMost(1.2));
        let bad = Row::ratio("r", 13.0, 10.0, "instructions").bounded(Bound::AtMost(1.2));
        assert_eq!((good.ok(), bad.ok()), (Some(true), Some(false)));
        assert!(is_good(std::slice::from_ref(&good), true));
        assert!(!is_good(&[good, bad], false));
    }

    #[test]
    fn a_bound_is_on_the_ratio_and_else_on_the_value() {
        let judged = |row: Row, bound| row.bounded(bound).ok();
        assert_eq!(judged(Row::value("a", 0.0, ""), Bound::AtMost(0.0)), Some(true));
        assert_eq!(judged(Row::value("a", 1.0, ""), Bound::AtMost(0.0)), Some(false));
        assert_eq!(judged(Row::speedup("a", 1.0, 100.0, "us"), Bound::AtLeast(100.0)), Some(true));
        assert_eq!(judged(Row::speedup("a", 1.01, 100.0, "us"), Bound::AtLeast(100.0)), Some(false));
        assert_eq!(judged(Row::speedup("a", 1.0, 1.0, "us"), Bound::MoreThan(1.0)), Some(false));
        assert_eq!(judged(Row::value("a", 1.0, "s"), Bound::LessThan(1.0)), Some(false));
    }

    #[test]
    fn nothing_measured_keeps_no_bound() {
        assert_eq!(Row::ratio("a", 0.0, 0.0, "").bounded(Bound::AtMost(1.0)).ok(), Some(false));
        assert_eq!(Row::speedup("a", 0.0, 0.0, "").bounded(Bound::MoreThan(1.0)).ok(), Some(false));
    }

    #[test]
    fn a_missing_row_fails_only_where_all_are_required() {
        let rows = [Row::unavailable("a", "valgrind is not installed").bounded(Bound::AtMost(1.0))];
        assert!(is_good(&rows, false));
        assert!(!is_good(&rows, true));
    }

    #[test]
    fn json_names_what_is_missing() {
        let row = Row::unavailable("a", "no valgrind").bounded(Bound::AtMost(1.1));
        let json = serde_json::to_string(&row).unwrap_or_default();
        assert_eq!(json, r#"{"metric":"a","unavailable":"no valgrind","bound":"<= 1.1"}"#);
        let row = Row::ratio("a", 3.0, 2.0, "us").bounded(Bound::AtMost(1.1));
        let json = serde_json::to_string(&row).unwrap_or_default();
        let expected = r#"{"metric":"a","value":3.0,"unit":"us","baseline":2.0,"ratio":1.5,"bound":"<= 1.1","ok":false}"#;
        assert_eq!(json, expected);
    }
}
