//! Dates of conditions: W3C's profile of ISO 8601, from a year alone to a time with a zone, or seconds since 1970.
//!
//! What AWS takes and what it refuses (`The policy failed legacy parsing`) is wider than calendars go: years up to
//! 292278993 are dates. Such a date lies before or after all others.

use jiff::civil;
use jiff::tz::Offset;

/// A point in time: seconds since 1970 and nanoseconds.
pub(crate) type Instant = (i64, i32);

const YEARS: std::ops::RangeInclusive<i64> = -292_275_054..=292_278_993;

/// None for what AWS does not take as a date.
pub(crate) fn parse(text: &str) -> Option<Instant> {
    if !text.contains(['t', 'T', '-']) {
        let seconds: i64 = digits(text, 19)?;
        return Some((seconds, 0));
    }
    let (date, time) = text.split_once(['t', 'T']).unwrap_or((text, ""));
    let (year, month, day) = parse_date(date)?;
    let (hour, minute, second, nanosecond, offset) = parse_time(time)?;
    let Ok(year) = i16::try_from(year) else {
        return Some(if year < 0 { (i64::MIN, 0) } else { (i64::MAX, 0) });
    };
    let date = civil::Date::new(year, month, day).ok()?;
    let time = civil::Time::new(hour, minute, second, nanosecond).ok()?;
    // Fails only within hours of the first and last moment of the calendar, where it does not matter which.
    match offset.to_timestamp(date.to_datetime(time)) {
        Ok(timestamp) => Some((timestamp.as_second(), timestamp.subsec_nanosecond())),
        Err(_) => Some(if year < 0 { (i64::MIN, 0) } else { (i64::MAX, 0) }),
    }
}

/// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
fn parse_date(text: &str) -> Option<(i64, i8, i8)> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let mut parts = text.split('-');
    let year = sign * digits::<i64>(parts.next()?, 9)?;
    let month = parts.next().map_or(Some(1), |text| digits(text, 2))?;
    let day = parts.next().map_or(Some(1), |text| digits(text, 2))?;
    let plausible = YEARS.contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    (plausible && parts.next().is_none()).then_some((year, month, day))
}

/// `hh`, `hh:mm`, `hh:mm:ss`, `hh:mm:ss.fff`, then `Z` or an offset; nothing at all is midnight.
fn parse_time(text: &str) -> Option<(i8, i8, i8, i32, Offset)> {
    if text.is_empty() {
        return Some((0, 0, 0, 0, Offset::UTC));
    }
    let (clock, zone) = match text.find(['z', 'Z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = parts.next().map_or(Some(0), |text| digits(text, 2))?;
    let (second, nanosecond) = match parts.next() {
        Some(text) => match text.split_once('.') {
            Some((second, fraction)) => (digits(second, 2)?, nanoseconds(fraction)?),
            None => (digits(text, 2)?, 0),
        },
        None => (0, 0),
    };
    if parts.next().is_some() {
        return None;
    }
    Some((hour, minute, second, nanosecond, parse_zone(zone)?))
}

/// `Z`, `+hh`, `+hh:mm` or nothing, which is UTC too.
fn parse_zone(text: &str) -> Option<Offset> {
    if matches!(text, "" | "z" | "Z") {
        return Some(Offset::UTC);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = match text[1..].split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, digits::<i32>(minutes, 2)?),
        Some(_) => return None,
        None => (&text[1..], 0),
    };
    let hours = digits::<i32>(hours, 2).filter(|_| hours.len() == 2)?;
    let plausible = (0..=23).contains(&hours) && (0..=59).contains(&minutes);
    plausible.then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok())?
}

fn nanoseconds(fraction: &str) -> Option<i32> {
    let value: i32 = digits(fraction, 9)?;
    Some(value * 10_i32.pow(9 - fraction.len() as u32))
}

/// A number of digits alone, at least one and at most `most`.
fn digits<N: std::str::FromStr>(text: &str, most: usize) -> Option<N> {
    let plain = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_that_aws_takes() {
        for (text, seconds) in [
            ("0", 0),
            ("1500000000", 1_500_000_000),
            ("9223372036854775807", i64::MAX),
            ("2017-07-01T00:00:00Z", 1_498_867_200),
            ("2017-07-01t00:00:00z", 1_498_867_200),
            ("2017-07-01", 1_498_867_200),
            ("2017-07", 1_498_867_200),
            ("2017T", 1_483_228_800),
            ("2017-07-01T02:00+02:00", 1_498_867_200),
            ("2017-06-30T19:00:00-05:00", 1_498_867_200),
            ("2017-07-01T00", 1_498_867_200),
            ("01T", -62_135_596_800),
            ("2016-12-13T21:20:37.593194+00:00", 1_481_664_037),
            ("2016-12-13t2:00:00.593194+23", 1_481_511_600),
            ("-292275054", i64::MIN),
            ("292278993-01", i64::MAX),
        ] {
            assert_eq!(parse(text).map(|(seconds, _)| seconds), Some(seconds), "{text}");
        }
        assert_eq!(parse("1970-01-01T00:00:00.5"), Some((0, 500_000_000)));
        assert!(parse("2017-07-01T00:00:00.25Z") > parse("2017-07-01T00:00:00.249Z"));
    }

    #[test]
    fn dates_that_aws_refuses() {
        for text in [
            "",
            "sdfdsf",
            "9223372036854775808",
            "-1-2-3-4",
            "234-13",
            "2016-02-30",
            "2016-12-13t2:00:00.593194+1",
            "2016-12-13t2:00:00.1999999999+10:59",
            "2016-12-13T24:00",
            "2016-12-13T10:60",
            "2016-12-13T10:00:00Zx",
            "2016-12-13T10:00:00+10:5",
            "300000000-01",
            "+5",
            "1.5",
            "t",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-+0-9tTzZ:. ü]{0,30}") {
            parse(&text);
        }
    }
}
