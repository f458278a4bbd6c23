//! Cron expressions in AWS's form of six fields: minutes, hours, day of month, month, day of week, year.
//!
//! One of the two days is `?`. Days of the week count from 1 for Sunday.

use crate::field::{Bounds, Numbers, number};
use jiff::civil::{Date, DateTime, Weekday};

const MINUTES: Bounds = Bounds { least: 0, most: 59, names: &[] };
const HOURS: Bounds = Bounds { least: 0, most: 23, names: &[] };
const DAYS: Bounds = Bounds { least: 1, most: 31, names: &[] };
const MONTHS: Bounds = Bounds {
    least: 1,
    most: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
const WEEKDAYS: Bounds =
    Bounds { least: 1, most: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] };
const YEARS: Bounds = Bounds { least: 1970, most: 2199, names: &[] };

/// A cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Numbers,
    hours: Numbers,
    days: Days,
    months: Numbers,
    years: Numbers,
}

/// Which days of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    /// These days of the month.
    OfMonth(Numbers),
    /// This many days before the last.
    Last(u16),
    /// The last day from Monday to Friday.
    LastWorkday,
    /// The day from Monday to Friday that is nearest to this one, in the same month.
    Workday(u16),
    /// These days of the week.
    OfWeek(Numbers),
    /// The last one of this day of the week.
    LastOfWeek(u16),
    /// This day of the week, and which one of the month.
    NthOfWeek(u16, u16),
}

impl Cron {
    /// Reads the six fields.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, of_month, months, of_week, years] = fields[..] else { return None };
        let days = match (of_month, of_week) {
            ("?", "?") => return None,
            ("?", of_week) => days_of_week(of_week)?,
            (of_month, "?") => days_of_month(of_month)?,
            _ => return None,
        };
        Some(Self {
            minutes: Numbers::parse(minutes, MINUTES)?,
            hours: Numbers::parse(hours, HOURS)?,
            days,
            months: Numbers::parse(months, MONTHS)?,
            years: Numbers::parse(years, YEARS)?,
        })
    }

    /// The first time after `after`; none when the years are over.
    pub(crate) fn next(&self, after: DateTime) -> Option<DateTime> {
        let from = after.with().second(0).subsec_nanosecond(0).build().ok()?;
        let from = from.checked_add(jiff::Span::new().minutes(1)).ok()?;
        let mut date = from.date();
        let mut time = self.time_from(from.hour(), from.minute());
        loop {
            if year(date) > YEARS.most {
                return None;
            }
            if !self.years.contains(year(date).checked_sub(YEARS.least)?) {
                date = Date::new(date.year() + 1, 1, 1).ok()?;
            } else if !self.months.contains(part(date.month()) - 1) {
                date = date.first_of_month().checked_add(jiff::Span::new().months(1)).ok()?;
            } else if let (true, Some((hour, minute))) = (self.days.contains(date), time) {
                return Some(date.at(hour, minute, 0, 0));
            } else {
                date = date.tomorrow().ok()?;
            }
            time = self.time_from(0, 0);
        }
    }

    /// The first time of a day that is not before this one.
    fn time_from(&self, hour: i8, minute: i8) -> Option<(i8, i8)> {
        let minute_from = |minute: i8| (minute..60).find(|minute| self.minutes.contains(part(*minute)));
        for later in hour..24 {
            if self.hours.contains(part(later))
                && let Some(found) = minute_from(if later == hour { minute } else { 0 })
            {
                return Some((later, found));
            }
        }
        None
    }
}

impl Days {
    fn contains(&self, date: Date) -> bool {
        let (day, last) = (part(date.day()), part(date.days_in_month()));
        let of_week = part(date.weekday().to_sunday_one_offset());
        match self {
            Self::OfMonth(days) => days.contains(day - 1),
            Self::Last(before) => day + before == last,
            Self::LastWorkday => Some(date) == workday_near(date.last_of_month()),
            Self::Workday(wanted) => {
                let near =
                    i8::try_from(*wanted).ok().and_then(|day| Date::new(date.year(), date.month(), day).ok());
                near.is_some_and(|near| workday_near(near) == Some(date))
            }
            Self::OfWeek(days) => days.contains(of_week - 1),
            Self::LastOfWeek(wanted) => of_week == *wanted && day + 7 > last,
            Self::NthOfWeek(wanted, nth) => of_week == *wanted && day.div_ceil(7) == *nth,
        }
    }
}

/// The day from Monday to Friday nearest to a date, in the same month.
fn workday_near(date: Date) -> Option<Date> {
    let days = match date.weekday() {
        Weekday::Saturday if date.day() == 1 => 2,
        Weekday::Saturday => -1,
        Weekday::Sunday if date.day() == date.days_in_month() => -2,
        Weekday::Sunday => 1,
        _ => 0,
    };
    date.checked_add(jiff::Span::new().days(days)).ok()
}

fn days_of_month(text: &str) -> Option<Days> {
    if text == "L" {
        return Some(Days::Last(0));
    }
    if text == "LW" {
        return Some(Days::LastWorkday);
    }
    if let Some(before) = text.strip_prefix("L-") {
        return number(before, DAYS).filter(|before| *before < 31).map(Days::Last);
    }
    if let Some(day) = text.strip_suffix('W') {
        return number(day, DAYS).map(Days::Workday);
    }
    Numbers::parse(text, DAYS).map(Days::OfMonth)
}

fn days_of_week(text: &str) -> Option<Days> {
    if let Some((day, nth)) = text.split_once('#') {
        let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth))?;
        return number(day, WEEKDAYS).map(|day| Days::NthOfWeek(day, nth));
    }
    if text == "L" {
        return Numbers::parse("7", WEEKDAYS).map(Days::OfWeek);
    }
    if let Some(day) = text.strip_suffix('L') {
        return number(day, WEEKDAYS).map(Days::LastOfWeek);
    }
    Numbers::parse(text, WEEKDAYS).map(Days::OfWeek)
}

/// Parts of dates are never negative.
fn part(value: i8) -> u16 {
    u16::try_from(value).unwrap_or(0)
}

fn year(date: Date) -> u16 {
    u16::try_from(date.year()).unwrap_or(0)
}
