//! Where a message of several lines begins: a pattern, or the form of a date.

use regex::Regex;
use std::collections::BTreeMap;

/// Longest pattern, and largest program it may become.
const MOST_PATTERN: usize = 1024;
const MOST_PROGRAM: usize = 1 << 20;

/// The first lines of messages.
#[derive(Clone, Debug)]
pub struct Multiline(Regex);

impl PartialEq for Multiline {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Multiline {}

impl Multiline {
    /// Reads the two options of the awslogs driver, of which one may be given.
    pub(crate) fn read(options: &BTreeMap<String, String>) -> Result<Option<Self>, String> {
        let pattern = match (options.get("awslogs-multiline-pattern"), options.get("awslogs-datetime-format"))
        {
            (Some(_), Some(_)) => {
                return Err(
                    "awslogs-datetime-format and awslogs-multiline-pattern exclude each other".to_owned()
                );
            }
            (Some(pattern), None) => pattern.clone(),
            (None, Some(format)) => date_pattern(format),
            (None, None) => return Ok(None),
        };
        if pattern.len() > MOST_PATTERN {
            return Err("the pattern is too long".to_owned());
        }
        let regex = regex::RegexBuilder::new(&pattern).size_limit(MOST_PROGRAM).build();
        regex.map(|regex| Some(Self(regex))).map_err(|error| error.to_string())
    }

    /// Whether a line begins a message.
    pub(crate) fn begins(&self, line: &str) -> bool {
        self.0.is_match(line)
    }
}

/// A pattern for dates in the notation of strftime.
fn date_pattern(format: &str) -> String {
    let mut pattern = String::new();
    let mut rest = format.chars();
    while let Some(next) = rest.next() {
        if next != '%' {
            pattern.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
            continue;
        }
        match rest.next() {
            Some('A') => pattern.push_str("(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"),
            Some('a') => pattern.push_str("(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"),
            Some('B') => pattern.push_str(
                "(?:January|February|March|April|May|June|July|August|September|October|November|December)",
            ),
            Some('b') => pattern.push_str("(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"),
            Some('Y') => pattern.push_str(r"\d{4}"),
            Some('y' | 'm' | 'd' | 'H' | 'I' | 'M' | 'S') => pattern.push_str(r"\d{2}"),
            Some('j') => pattern.push_str(r"\d{3}"),
            Some('w') => pattern.push_str(r"\d"),
            Some('f') => pattern.push_str(r"\d{6}"),
            Some('L') => pattern.push_str(r"\.\d{3}"),
            Some('p') => pattern.push_str("(?:AM|PM)"),
            Some('Z') => pattern.push_str("[A-Z]{1,4}T"),
            Some('z') => pattern.push_str(r"[+-]\d{4}"),
            Some(other) => pattern.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
            None => pattern.push('%'),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Option<Multiline>, String> {
        Multiline::read(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn dates_and_patterns() {
        let date = |format: &str, line: &str| {
            read("awslogs-datetime-format", format).expect("reads").expect("is there").begins(line)
        };
        assert!(date("[%b %d, %Y %H:%M:%S]", "[May 01, 2017 19:00:01] A message"));
        assert!(!date("[%b %d, %Y %H:%M:%S]", "  at main.rs:12"));
        assert!(date("%Y-%m-%d %H:%M:%S%L%z", "2026-01-02 03:04:05.678+0000 x"));
        assert!(date("%A %j%%", "Tuesday 002%"));
        assert!(date("%d.%m", "01.02") && !date("%d.%m", "01x02"), "other characters stand for themselves");
        let pattern = read("awslogs-multiline-pattern", "^INFO").expect("reads").expect("is there");
        assert!(pattern.begins("INFO a") && !pattern.begins(" INFO"));
        assert!(read("awslogs-multiline-pattern", "(").is_err());
        assert!(read("awslogs-group", "g").expect("reads").is_none());
    }
}
