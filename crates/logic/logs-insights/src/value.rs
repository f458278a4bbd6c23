//! Values of fields and expressions: how they are read, compared and shown.

use environment::Timestamp;
use std::borrow::Cow;
use std::cmp::Ordering;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// There is none.
    Null,
    /// A number; conditions give 1 and 0.
    Number(f64),
    /// A point in time, in milliseconds.
    Time(i64),
    /// A text.
    Text(String),
}

impl Value {
    /// What a condition gives.
    pub(crate) fn of_bool(value: bool) -> Self {
        Self::Number(f64::from(u8::from(value)))
    }

    /// The value as a number: texts that are written as one count.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Time(millis) => Some(*millis as f64),
            Self::Text(text) => {
                let plain = text.trim();
                // Names such as "inf" and "nan" are texts.
                let digits = plain.bytes().any(|byte| byte.is_ascii_digit());
                plain.parse().ok().filter(|number: &f64| digits && number.is_finite())
            }
            Self::Null => None,
        }
    }

    /// Whether a filter lets a row with this value pass.
    pub(crate) fn holds(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Number(number) => *number != 0.0,
            Self::Time(_) => true,
            Self::Text(text) => text == "true" || text == "1",
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// The text that results show; `None` for no value.
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Number(number) => Some(show_number(*number).into()),
            Self::Time(millis) => Some(show_time(*millis).into()),
            Self::Text(text) => Some(text.into()),
        }
    }

    /// Bytes that keeping the value takes, about.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + if let Self::Text(text) = self { text.len() } else { 0 }
    }

    /// Whether two values are the same: as numbers where both are, else as texts.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.total_cmp(&b) == Ordering::Equal || (a == 0.0 && b == 0.0),
            _ => !self.is_null() && self.text() == other.text(),
        }
    }

    /// Order for comparisons: as numbers where both are, else as texts; none with a missing value.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => Some(self.text()?.cmp(&other.text()?)),
        }
    }

    /// Order of the command sort: missing values first, then texts in natural order, then numbers.
    pub(crate) fn sort_order(&self, other: &Self) -> Ordering {
        match (self.text(), other.text()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (self.number(), other.number()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                (Some(_), None) => Ordering::Greater,
                (None, Some(_)) => Ordering::Less,
                (None, None) => natural(&a, &b),
            },
        }
    }
}

/// Runs of digits compare by length and then by value, all else by its characters.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (Some(first), Some(second)) = (a.chars().next(), b.chars().next()) else {
            return a.len().cmp(&b.len());
        };
        if first.is_ascii_digit() && second.is_ascii_digit() {
            let (left, right) = (digits(a), digits(b));
            let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
            if order != Ordering::Equal {
                return order;
            }
            (a, b) = (&a[left.len()..], &b[right.len()..]);
        } else if first == second {
            (a, b) = (&a[first.len_utf8()..], &b[second.len_utf8()..]);
        } else {
            return first.cmp(&second);
        }
    }
}

fn digits(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())]
}

/// Whole numbers without a fraction, others with at most four digits of one, as AWS shows them.
fn show_number(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `2024-01-02 03:04:05.678`
fn show_time(millis: i64) -> String {
    let text = Timestamp::from_millis(millis).to_rfc3339();
    let text = text.trim_end_matches('Z').replacen('T', " ", 1);
    if text.contains('.') { text } else { format!("{text}.000") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_aws_shows_them() {
        for (number, text) in
            [(3.0, "3"), (-0.5, "-0.5"), (1.0 / 3.0, "0.3333"), (1e20, "100000000000000000000")]
        {
            assert_eq!(show_number(number), text);
        }
        assert_eq!(show_time(1_704_164_645_678), "2024-01-02 03:04:05.678");
        assert_eq!(show_time(1_704_164_645_000), "2024-01-02 03:04:05.000");
    }

    #[test]
    fn sorting_is_natural() {
        let order =
            ["!:", "#", "*%04", "0#", "5A", "111A", "2345_", "@", "@_", "A", "A9876fghj", "a12345hfh"];
        let values: Vec<Value> = order.iter().map(|text| Value::Text((*text).to_owned())).collect();
        assert!(values.is_sorted_by(|a, b| a.sort_order(b) == Ordering::Less), "{values:?}");
        assert_eq!(values[0].sort_order(&Value::Number(0.0)), Ordering::Less);
        assert_eq!(Value::Null.sort_order(&values[0]), Ordering::Less);
    }

    #[test]
    fn texts_that_are_numbers_compare_as_numbers() {
        let text = |text: &str| Value::Text(text.to_owned());
        assert!(text("10").same(&Value::Number(10.0)) && !text("nan").same(&Value::Number(f64::NAN)));
        assert_eq!(text("9").compare(&text("10")), Some(Ordering::Less));
        assert_eq!(text("9a").compare(&text("10a")), Some(Ordering::Greater));
        assert_eq!(text("9").compare(&Value::Null), None);
    }
}
