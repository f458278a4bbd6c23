//! The functions of expressions.

use crate::Value;
use ipnet::IpNet;
use std::net::IpAddr;

/// What a function does with its arguments and the time of the query.
type Body = fn(&[Value], i64) -> Value;

/// A function by its name and how many arguments it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    least: usize,
    most: usize,
    run: Body,
}

/// Most arguments of a function that takes any number.
const ANY: usize = 64;
/// Most characters of a text that functions make.
const MOST_TEXT: usize = 1024 * 1024;

impl Function {
    /// The function of a name, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (least, most, run): (usize, usize, Body) = match name.to_ascii_lowercase().as_str() {
            "abs" => (1, 1, |v, _| number(v, f64::abs)),
            "ceil" => (1, 1, |v, _| number(v, f64::ceil)),
            "floor" => (1, 1, |v, _| number(v, f64::floor)),
            "log" => (1, 1, |v, _| number(v, f64::ln)),
            "sqrt" => (1, 1, |v, _| number(v, f64::sqrt)),
            "greatest" => (1, ANY, |v, _| extreme(v, f64::max)),
            "least" => (1, ANY, |v, _| extreme(v, f64::min)),
            "ispresent" => (1, 1, |v, _| Value::of_bool(!v[0].is_null())),
            "isempty" => (1, 1, |v, _| Value::of_bool(v[0].text().is_none_or(|text| text.is_empty()))),
            "isblank" => (1, 1, |v, _| Value::of_bool(v[0].text().is_none_or(|text| text.trim().is_empty()))),
            "coalesce" => (1, ANY, |v, _| v.iter().find(|v| !v.is_null()).cloned().unwrap_or(Value::Null)),
            "concat" => (1, ANY, |v, _| concat(v)),
            "strlen" => (1, 1, |v, _| of_text(v, |text| Value::Number(text.chars().count() as f64))),
            "toupper" => (1, 1, |v, _| of_text(v, |text| Value::Text(text.to_uppercase()))),
            "tolower" => (1, 1, |v, _| of_text(v, |text| Value::Text(text.to_lowercase()))),
            "trim" => (1, 2, |v, _| trim(v, true, true)),
            "ltrim" => (1, 2, |v, _| trim(v, true, false)),
            "rtrim" => (1, 2, |v, _| trim(v, false, true)),
            "substr" => (2, 3, |v, _| substring(v)),
            "replace" => (3, 3, |v, _| replace(v)),
            "strcontains" => (2, 2, |v, _| contains(v)),
            "bin" => (1, 2, |v, _| bin(v)),
            "datefloor" => (2, 2, |v, _| round_time(&v[0], &v[1], f64::floor)),
            "dateceil" => (2, 2, |v, _| round_time(&v[0], &v[1], f64::ceil)),
            "frommillis" => (1, 1, |v, _| v[0].number().map_or(Value::Null, |n| Value::Time(n as i64))),
            "tomillis" => (1, 1, |v, _| number(v, |n| n)),
            "now" => (0, 0, |_, now| Value::Number((now / 1000) as f64)),
            "isvalidip" => (1, 1, |v, _| is_address(v, |_| true)),
            "isvalidipv4" => (1, 1, |v, _| is_address(v, IpAddr::is_ipv4)),
            "isvalidipv6" => (1, 1, |v, _| is_address(v, IpAddr::is_ipv6)),
            "isipinsubnet" => (2, 2, |v, _| in_subnet(v, |_| true)),
            "isipv4insubnet" => (2, 2, |v, _| in_subnet(v, IpAddr::is_ipv4)),
            "isipv6insubnet" => (2, 2, |v, _| in_subnet(v, IpAddr::is_ipv6)),
            _ => return None,
        };
        Some(Self { least, most, run })
    }

    pub(crate) fn takes(self, arguments: usize) -> bool {
        // bin is written with its length alone; the time before it is put there.
        (self.least..=self.most).contains(&arguments)
    }

    /// Runs the function on as many values as it takes; `now` is in milliseconds.
    pub(crate) fn call(self, values: &[Value], now: i64) -> Value {
        (self.run)(values, now)
    }
}

fn number(values: &[Value], function: impl Fn(f64) -> f64) -> Value {
    let result = values[0].number().map(function).filter(|number| number.is_finite());
    result.map_or(Value::Null, Value::Number)
}

fn extreme(values: &[Value], choose: fn(f64, f64) -> f64) -> Value {
    values.iter().filter_map(Value::number).reduce(choose).map_or(Value::Null, Value::Number)
}

fn of_text(values: &[Value], function: impl Fn(&str) -> Value) -> Value {
    values[0].text().map_or(Value::Null, |text| function(&text))
}

fn concat(values: &[Value]) -> Value {
    let mut joined = String::new();
    for text in values.iter().filter_map(Value::text) {
        if joined.len() + text.len() > MOST_TEXT {
            break;
        }
        joined.push_str(&text);
    }
    Value::Text(joined)
}

fn trim(values: &[Value], start: bool, end: bool) -> Value {
    let wanted = values.get(1).and_then(Value::text).map(std::borrow::Cow::into_owned);
    of_text(values, |text| {
        let goes = |c: char| wanted.as_ref().map_or(c.is_whitespace(), |wanted| wanted.contains(c));
        let text = if start { text.trim_start_matches(goes) } else { text };
        let text = if end { text.trim_end_matches(goes) } else { text };
        Value::Text(text.to_owned())
    })
}

/// From a place on, counted in characters from zero, and as many as the third value says.
fn substring(values: &[Value]) -> Value {
    let count = |index: usize| values.get(index).and_then(Value::number).map(|n| n.max(0.0) as usize);
    let Some(start) = count(1) else { return Value::Null };
    let length = count(2).unwrap_or(usize::MAX);
    of_text(values, |text| Value::Text(text.chars().skip(start).take(length).collect()))
}

fn replace(values: &[Value]) -> Value {
    let (Some(old), Some(new)) = (values[1].text(), values[2].text()) else { return values[0].clone() };
    of_text(values, |text| {
        let grows = text.matches(old.as_ref()).count().saturating_mul(new.len());
        if old.is_empty() || grows > MOST_TEXT {
            Value::Text(text.to_owned())
        } else {
            Value::Text(text.replace(old.as_ref(), &new))
        }
    })
}

fn contains(values: &[Value]) -> Value {
    let (Some(text), Some(part)) = (values[0].text(), values[1].text()) else { return Value::of_bool(false) };
    Value::of_bool(text.contains(part.as_ref()))
}

/// The reader puts the time of the event before the length.
fn bin(values: &[Value]) -> Value {
    match values {
        [time, length] => round_time(time, length, f64::floor),
        _ => Value::Null,
    }
}

fn round_time(time: &Value, length: &Value, round: fn(f64) -> f64) -> Value {
    match (time.number(), length.number()) {
        (Some(time), Some(length)) if length >= 1.0 => Value::Time((round(time / length) * length) as i64),
        _ => Value::Null,
    }
}

fn is_address(values: &[Value], wanted: fn(&IpAddr) -> bool) -> Value {
    let address = values[0].text().and_then(|text| text.parse().ok());
    Value::of_bool(address.is_some_and(|address| wanted(&address)))
}

fn in_subnet(values: &[Value], wanted: fn(&IpAddr) -> bool) -> Value {
    let address = values[0].text().and_then(|text| text.parse::<IpAddr>().ok());
    let subnet = values[1].text().and_then(|text| text.parse::<IpNet>().ok());
    Value::of_bool(
        address.zip(subnet).is_some_and(|(address, subnet)| wanted(&address) && subnet.contains(&address)),
    )
}
