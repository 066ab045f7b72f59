//! Extension values, which Cedar's public API hands out as text only.

use crate::evaluator::value::{Ip, parse_datetime, parse_decimal, parse_duration};

/// An extension value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extension {
    Ip(Ip),
    Decimal(i64),
    Datetime(i64),
    Duration(i64),
}

/// Reads what Cedar writes for an extension value: the call that made it, or, for an instant that was calculated,
/// `datetime("1970-01-01").offset(duration("..ms"))`, with or without parentheses.
pub(crate) fn parse_extension(text: &str) -> Option<Extension> {
    let mut quoted = text.split('"').skip(1).step_by(2);
    let (first, second, more) = (quoted.next()?, quoted.next(), quoted.next());
    let name = text.split('"').next()?.trim_start_matches('(').trim_end_matches('(');
    match (name, second, more) {
        ("ip", None, None) => Ip::parse(first).map(Extension::Ip),
        ("decimal", None, None) => parse_decimal(first).map(Extension::Decimal),
        ("datetime", None, None) => parse_datetime(first).map(Extension::Datetime),
        ("duration", None, None) => parse_duration(first).map(Extension::Duration),
        ("datetime", Some(second), None) if text.contains(".offset(duration(") => {
            parse_datetime(first)?.checked_add(parse_duration(second)?).map(Extension::Datetime)
        }
        _ => None,
    }
}
