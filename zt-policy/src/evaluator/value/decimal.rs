//! Cedar's `decimal`: a number of 1/10,000.

/// The units of what Cedar's `decimal(..)` takes: digits, a point and one to four digits.
pub(crate) fn parse_decimal(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.')?;
    let negative = whole.starts_with('-');
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(digits) || !plain(fraction) {
        return None;
    }
    let places = u32::try_from(fraction.len()).ok()?;
    let whole = whole.parse::<i64>().ok()?.checked_mul(10_000)?;
    let unit = 10_i64.checked_pow(4_u32.checked_sub(places)?)?;
    let fraction = fraction.parse::<i64>().ok()?.checked_mul(unit)?;
    if negative { whole.checked_sub(fraction) } else { whole.checked_add(fraction) }
}
