//! Cedar's `datetime`: milliseconds since 1970, without leap seconds.

const DAY: i64 = 86_400_000;

/// The milliseconds of what Cedar's `datetime(..)` takes: `YYYY-MM-DD`, or that with `THH:MM:SS`, perhaps `.SSS`, and
/// `Z` or an offset like `+0700`.
pub(crate) fn parse_datetime(text: &str) -> Option<i64> {
    let mut rest = Rest(text);
    let (year, month) = (rest.number(4)?, rest.after('-')?.number(2)?);
    let day = rest.after('-')?.number(2)?;
    let date = days_since_1970(year, month, day)?.checked_mul(DAY)?;
    if rest.0.is_empty() {
        return Some(date);
    }
    let (hour, minute) = (rest.after('T')?.number(2)?, rest.after(':')?.number(2)?);
    let second = rest.after(':')?.number(2)?;
    let millis = if rest.0.starts_with('.') { rest.after('.')?.number(3)? } else { 0 };
    let offset = rest.offset()?;
    if !rest.0.is_empty() || hour >= 24 || minute >= 60 || second >= 60 {
        return None;
    }
    let time = hours(hour, minute)?.checked_add(second.checked_mul(1000)?)?.checked_add(millis)?;
    date.checked_add(time)?.checked_sub(offset)
}

/// The midnight before, or at, an instant; `None` if it is out of range.
pub(crate) const fn to_date(millis: i64) -> Option<i64> {
    millis.checked_sub(millis.rem_euclid(DAY))
}

/// The time since midnight.
pub(crate) const fn to_time(millis: i64) -> i64 {
    millis.rem_euclid(DAY)
}

/// What is left of a text.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
    }

    fn after(&mut self, mark: char) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(mark)?;
        Some(self)
    }

    /// Milliseconds east of Greenwich.
    fn offset(&mut self) -> Option<i64> {
        if self.after('Z').is_some() {
            return Some(0);
        }
        let west = self.0.starts_with('-');
        self.after(if west { '-' } else { '+' })?;
        let (hour, minute) = (self.number(2)?, self.number(2)?);
        let offset = (hour < 24 && minute < 60).then(|| hours(hour, minute))??;
        if west { offset.checked_neg() } else { Some(offset) }
    }
}

fn hours(hour: i64, minute: i64) -> Option<i64> {
    hour.checked_mul(60)?.checked_add(minute)?.checked_mul(60_000)
}

/// Days of the Gregorian calendar, for years from 0 to 9999.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month.checked_sub(1)?).ok()?;
    let length = *lengths.get(before)?;
    if day < 1 || day > length {
        return None;
    }
    let months: i64 = lengths.iter().take(before).sum();
    // Leap years before this one; the year 0 is one.
    let last = year.checked_sub(1)?;
    let count = |every: i64| last.div_euclid(every);
    let leaps = count(4).checked_sub(count(100))?.checked_add(count(400))?.checked_add(1)?;
    let since_0 = year.checked_mul(365)?.checked_add(leaps)?.checked_add(months)?.checked_add(day)?;
    since_0.checked_sub(719_529)
}
