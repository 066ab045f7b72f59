//! Cedar's `duration`: milliseconds.

/// The units in the order in which they have to be written, with their milliseconds.
const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// The milliseconds of what Cedar's `duration(..)` takes, such as `-1d2h3m4s5ms`.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    if rest.is_empty() {
        return None;
    }
    let mut units = UNITS.iter();
    let mut sum = 0_i64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at_checked(letters)?;
        // A unit that was passed over cannot come again, and so none comes twice.
        let (_, millis) = units.find(|(name, _)| *name == unit)?;
        // With the sign from the start, for the least of all numbers has no positive one.
        let number = i64::try_from(i128::from(number.parse::<u64>().ok()?).checked_mul(sign.into())?).ok()?;
        sum = sum.checked_add(number.checked_mul(*millis)?)?;
        rest = after;
    }
    Some(sum)
}
