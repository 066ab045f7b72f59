//! Tests of values against constants.

use zt_core::decide::{Comparison, FactTest};
use zt_core::device::FactValue;

/// The comparison that holds just where this one does not.
pub(super) const fn negated(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}

/// The comparison with its sides in the other order.
pub(super) const fn swapped(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal | Comparison::NotEqual => comparison,
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
    }
}

/// Whether a test of a value holds of this one; tests of anything else do.
pub(super) fn holds(test: &FactTest, value: &FactValue) -> bool {
    match test {
        FactTest::Value { comparison, constant } => compare(value, *comparison, constant),
        FactTest::Like(pattern) => match value {
            FactValue::String(text) => matches(&pieces(pattern), text),
            FactValue::Bool(_) | FactValue::Long(_) => false,
        },
        FactTest::Status(_) | FactTest::Tier(_) | FactTest::Source(_) | FactTest::Age(_) => true,
    }
}

/// A value of which all these tests hold, `current` if it will do; `None` if there seems to be none.
pub(super) fn witness(tests: &[&FactTest], current: FactValue) -> Option<FactValue> {
    let near = tests.iter().flat_map(|test| match test {
        FactTest::Value { constant, .. } => near(constant),
        FactTest::Like(pattern) => vec![FactValue::String(pieces(pattern).into_iter().flatten().collect())],
        FactTest::Status(_) | FactTest::Tier(_) | FactTest::Source(_) | FactTest::Age(_) => Vec::new(),
    });
    std::iter::once(current).chain(near).find(|value| tests.iter().all(|test| holds(test, value)))
}

/// Whether the second test holds of every value of which the first does.
pub(super) fn implies(test: &FactTest, other: &FactTest) -> bool {
    if test == other {
        return true;
    }
    match (test, other) {
        (FactTest::Value { comparison, constant }, FactTest::Value { .. } | FactTest::Like(_))
            if *comparison == Comparison::Equal =>
        {
            holds(other, constant)
        }
        (
            FactTest::Value { comparison, constant: FactValue::Long(bound) },
            FactTest::Value { comparison: other_comparison, constant: FactValue::Long(other) },
        ) => range(*comparison, *bound).is_some_and(|(least, most)| match other_comparison {
            Comparison::NotEqual => *other < least || *other > most,
            Comparison::Equal
            | Comparison::Less
            | Comparison::LessOrEqual
            | Comparison::Greater
            | Comparison::GreaterOrEqual => range(*other_comparison, *other)
                .is_some_and(|(other_least, other_most)| other_least <= least && most <= other_most),
        }),
        _ => false,
    }
}

fn compare(value: &FactValue, comparison: Comparison, constant: &FactValue) -> bool {
    match comparison {
        Comparison::Equal => value == constant,
        Comparison::NotEqual => value != constant,
        Comparison::Less => value < constant,
        Comparison::LessOrEqual => value <= constant,
        Comparison::Greater => value > constant,
        Comparison::GreaterOrEqual => value >= constant,
    }
}

/// The least and the greatest number that compare so; `None` if they are no range.
fn range(comparison: Comparison, bound: i64) -> Option<(i64, i64)> {
    match comparison {
        Comparison::Equal => Some((bound, bound)),
        Comparison::NotEqual => None,
        Comparison::Less => Some((i64::MIN, bound.checked_sub(1)?)),
        Comparison::LessOrEqual => Some((i64::MIN, bound)),
        Comparison::Greater => Some((bound.checked_add(1)?, i64::MAX)),
        Comparison::GreaterOrEqual => Some((bound, i64::MAX)),
    }
}

fn near(constant: &FactValue) -> Vec<FactValue> {
    match constant {
        FactValue::Bool(value) => [*value, !value].map(FactValue::Bool).into(),
        FactValue::Long(value) => {
            [*value, value.saturating_sub(1), value.saturating_add(1)].map(FactValue::Long).into()
        }
        FactValue::String(value) => [value.clone(), format!("{value}~")].map(FactValue::String).into(),
    }
}

/// The characters of a pattern; `None` for any text.
fn pieces(pattern: &str) -> Vec<Option<char>> {
    let (mut pieces, mut escaped) = (Vec::new(), false);
    for c in pattern.chars() {
        match (c, escaped) {
            ('\\', false) => escaped = true,
            ('*', false) => pieces.push(None),
            _ => {
                pieces.push(Some(c));
                escaped = false;
            }
        }
    }
    pieces
}

fn matches(pieces: &[Option<char>], text: &str) -> bool {
    // The places in the pattern at which the rest of the text may go on.
    let skip = |places: Vec<bool>| {
        let mut before = false;
        let next = places.into_iter().enumerate().map(|(place, here)| {
            let wild = place.checked_sub(1).and_then(|last| pieces.get(last)) == Some(&None);
            before = here || before && wild;
            before
        });
        next.collect::<Vec<_>>()
    };
    let mut places = skip((0..=pieces.len()).map(|place| place == 0).collect());
    for c in text.chars() {
        let reached = |place: usize| {
            let stays = pieces.get(place) == Some(&None) && places.get(place) == Some(&true);
            let last = place.checked_sub(1);
            let comes = last
                .is_some_and(|last| pieces.get(last) == Some(&Some(c)) && places.get(last) == Some(&true));
            stays || comes
        };
        places = skip((0..=pieces.len()).map(reached).collect());
    }
    places.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_policies() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "abc", true),
            ("a*", "abc", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("*b*", "abc", true),
            ("a**c*", "ac", true),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            (r"a\\*", r"a\b", true),
        ] {
            assert_eq!(matches(&pieces(pattern), text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_follows_holds_of_every_value_near() {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        let comparisons = [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual];
        let tests: Vec<_> = comparisons
            .into_iter()
            .flat_map(|comparison| (-2..3).map(move |number| (comparison, number)))
            .map(|(comparison, number)| FactTest::Value { comparison, constant: FactValue::Long(number) })
            .collect();
        let values: Vec<_> = (-9..9).map(FactValue::Long).collect();
        for (one, other) in tests.iter().flat_map(|one| tests.iter().map(move |other| (one, other))) {
            let follows = values.iter().all(|value| !holds(one, value) || holds(other, value));
            assert_eq!(implies(one, other), follows, "{one:?} {other:?}");
            let both = values.iter().any(|value| holds(one, value) && holds(other, value));
            assert_eq!(witness(&[one, other], FactValue::Long(0)).is_some(), both, "{one:?} {other:?}");
        }
    }
}
