//! What a calendar and a clock on the wall show: days of the week and times of the day.

use std::fmt;
use std::str::FromStr;

use super::window::WindowError;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weekday {
    /// Monday, `mon`.
    Monday,
    /// Tuesday, `tue`.
    Tuesday,
    /// Wednesday, `wed`.
    Wednesday,
    /// Thursday, `thu`.
    Thursday,
    /// Friday, `fri`.
    Friday,
    /// Saturday, `sat`.
    Saturday,
    /// Sunday, `sun`.
    Sunday,
}

impl Weekday {
    /// All of them, from Monday.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// Its name in a site file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "mon",
            Self::Tuesday => "tue",
            Self::Wednesday => "wed",
            Self::Thursday => "thu",
            Self::Friday => "fri",
            Self::Saturday => "sat",
            Self::Sunday => "sun",
        }
    }

    pub(super) fn of(date: jiff::civil::Date) -> Self {
        match date.weekday() {
            jiff::civil::Weekday::Monday => Self::Monday,
            jiff::civil::Weekday::Tuesday => Self::Tuesday,
            jiff::civil::Weekday::Wednesday => Self::Wednesday,
            jiff::civil::Weekday::Thursday => Self::Thursday,
            jiff::civil::Weekday::Friday => Self::Friday,
            jiff::civil::Weekday::Saturday => Self::Saturday,
            jiff::civil::Weekday::Sunday => Self::Sunday,
        }
    }
}

impl FromStr for Weekday {
    type Err = WindowError;

    /// The first three letters of the English name, in lower case.
    fn from_str(text: &str) -> Result<Self, WindowError> {
        let day = Self::ALL.into_iter().find(|day| day.as_str() == text);
        day.ok_or_else(|| WindowError::Day(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A time of the day in whole minutes, from 00:00 to 24:00, the end of the day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockTime {
    hour: u8,
    minute: u8,
}

impl ClockTime {
    /// The start of the day, 00:00.
    pub const MIDNIGHT: Self = Self { hour: 0, minute: 0 };
    /// The end of the day, 24:00.
    pub const END_OF_DAY: Self = Self { hour: 24, minute: 0 };

    /// The time `minute` minutes after `hour`.
    ///
    /// # Errors
    /// If it is later than 24:00, or `minute` is not below 60.
    pub fn new(hour: u8, minute: u8) -> Result<Self, WindowError> {
        let time = Self { hour, minute };
        if minute < 60 && time <= Self::END_OF_DAY {
            Ok(time)
        } else {
            Err(WindowError::Clock(time.to_string()))
        }
    }

    /// The instant of the calendar at which a clock shows this time on `date`; `None` beyond the year 9999.
    pub(super) fn on(self, date: jiff::civil::Date) -> Option<jiff::civil::DateTime> {
        let (date, hour) =
            if self == Self::END_OF_DAY { (date.tomorrow().ok()?, 0) } else { (date, self.hour) };
        let hour = i8::try_from(hour).ok()?;
        let minute = i8::try_from(self.minute).ok()?;
        Some(date.to_datetime(jiff::civil::Time::new(hour, minute, 0, 0).ok()?))
    }
}

impl FromStr for ClockTime {
    type Err = WindowError;

    /// Four digits, `08:00` or `24:00`.
    fn from_str(text: &str) -> Result<Self, WindowError> {
        let error = || WindowError::Clock(text.chars().take(64).collect());
        let number = |digits: &str| {
            let two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            two.then(|| digits.parse().ok()).flatten().ok_or_else(error)
        };
        let (hour, minute) = text.split_once(':').ok_or_else(error)?;
        Self::new(number(hour)?, number(minute)?).map_err(|_| error())
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl fmt::Debug for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
