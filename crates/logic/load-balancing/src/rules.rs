//! Which rule a request matches.

use crate::{Action, Condition, Listener, Pattern};
use http::header::{HeaderMap, HeaderName};
use http::{Method, header};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::net::IpAddr;

/// What rules look at of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The method.
    pub method: &'a Method,
    /// The host that the client named, with or without a port.
    pub host: &'a str,
    /// The path as it came.
    pub path: &'a str,
    /// The query, without its question mark.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The address that connects.
    pub source: IpAddr,
}

/// The compiled rules of a listener. Indices are those of [`Listener::rules`].
#[derive(Debug, Default)]
pub struct Rules {
    /// By priority.
    rules: Vec<(usize, Vec<Test>)>,
}

#[derive(Debug)]
enum Test {
    Path(Vec<Pattern>),
    Host(Vec<Pattern>),
    Header(HeaderName, Vec<Pattern>),
    HeaderIs(HeaderName, Option<String>),
    Method(Vec<Method>),
    Query(Vec<(Option<Pattern>, Pattern)>),
    Source(Vec<IpNet>),
    /// A condition that nothing can meet: its header's name is none.
    Never,
}

impl Rules {
    /// Compiles the rules of a listener.
    pub fn new(listener: &Listener) -> Self {
        let mut order: Vec<usize> = (0..listener.rules.len()).collect();
        order.sort_by_key(|index| listener.rules[*index].priority);
        let compiled =
            |index: usize| (index, listener.rules[index].conditions.iter().map(Test::new).collect());
        Self { rules: order.into_iter().map(compiled).collect() }
    }

    /// Index of the first rule, by priority, whose conditions all hold.
    pub fn find(&self, request: &RequestView<'_>) -> Option<usize> {
        if self.rules.is_empty() {
            return None;
        }
        let path = normalize_path(request.path);
        self.rules
            .iter()
            .find(|(_, tests)| tests.iter().all(|test| test.holds(request, &path)))
            .map(|(index, _)| *index)
    }

    /// What becomes of a request: the action of the first rule that matches, or the default. With it the index of the rule.
    pub fn decide<'l>(
        &self,
        listener: &'l Listener,
        request: &RequestView<'_>,
    ) -> (Option<usize>, &'l Action) {
        match self.find(request) {
            Some(index) => (Some(index), &listener.rules[index].action),
            None => (None, &listener.default_action),
        }
    }
}

impl Test {
    fn new(condition: &Condition) -> Self {
        let folded = |values: &[String]| values.iter().map(|value| Pattern::folded(value)).collect();
        match condition {
            Condition::PathPattern(values) => {
                Self::Path(values.iter().map(|value| Pattern::exact(value)).collect())
            }
            Condition::HostHeader(values) => Self::Host(folded(values)),
            Condition::HttpHeader { name, values } => match HeaderName::try_from(name.as_str()) {
                Ok(name) => Self::Header(
                    name,
                    values.iter().map(|value| Pattern::folded_with_escapes(value)).collect(),
                ),
                Err(_) => Self::Never,
            },
            Condition::HeaderIs { name, value } => match HeaderName::try_from(name.as_str()) {
                Ok(name) => Self::HeaderIs(name, value.clone()),
                Err(_) => Self::Never,
            },
            Condition::HttpRequestMethod(values) => Self::Method(
                values.iter().filter_map(|value| Method::from_bytes(value.as_bytes()).ok()).collect(),
            ),
            Condition::QueryString(pairs) => Self::Query(
                pairs
                    .iter()
                    .map(|pair| {
                        (
                            pair.key.as_deref().map(Pattern::folded_with_escapes),
                            Pattern::folded_with_escapes(&pair.value),
                        )
                    })
                    .collect(),
            ),
            Condition::SourceIp(ranges) => Self::Source(ranges.clone()),
        }
    }

    fn holds(&self, request: &RequestView<'_>, path: &str) -> bool {
        match self {
            Self::Path(patterns) => patterns.iter().any(|pattern| pattern.matches(path.as_bytes())),
            Self::Host(patterns) => {
                let host = host_without_port(request.host).as_bytes();
                patterns.iter().any(|pattern| pattern.matches(host))
            }
            Self::Header(name, patterns) => request
                .headers
                .get_all(name)
                .iter()
                .any(|value| patterns.iter().any(|pattern| pattern.matches(value.as_bytes()))),
            Self::HeaderIs(name, value) => request
                .headers
                .get_all(name)
                .iter()
                .any(|own| value.as_ref().is_none_or(|wanted| own.as_bytes() == wanted.as_bytes())),
            Self::Method(methods) => methods.contains(request.method),
            Self::Query(pairs) => query_pairs(request.query).any(|(key, value)| {
                pairs.iter().any(|(wanted_key, wanted)| {
                    wanted_key.as_ref().is_none_or(|pattern| pattern.matches(&key)) && wanted.matches(&value)
                })
            }),
            Self::Source(ranges) => {
                let source = request.source.to_canonical();
                ranges.iter().any(|range| range.contains(&source))
            }
            Self::Never => false,
        }
    }
}

fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or(("", pair));
        (percent_decode_str(key).into(), percent_decode_str(value).into())
    })
}

/// A host without its port; an IPv6 address keeps its brackets.
pub fn host_without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(':') && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            if host.starts_with('[') && !name.ends_with(']') {
                host
            } else {
                name
            }
        }
        _ => host,
    }
}

/// The path that patterns are held against, normalized as RFC 3986, 6.2.2 has it: percent-encoded characters that need
/// not be are decoded, and dot segments are resolved. Nothing is allocated for a path that is normal already.
pub fn normalize_path(path: &str) -> Cow<'_, str> {
    let odd = path.contains('%') || path.contains("/.");
    if !odd {
        return Cow::Borrowed(path);
    }
    Cow::Owned(without_dot_segments(&decode_unreserved(path)))
}

fn decode_unreserved(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let decoded = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok()))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte));
        if let Some(byte) = decoded {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn without_dot_segments(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path.split('/').peekable();
    let rooted = path.starts_with('/');
    if rooted {
        parts.next();
    }
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." => {}
            ".." => {
                segments.pop();
            }
            other => {
                segments.push(other);
                continue;
            }
        }
        if last {
            segments.push("");
        }
    }
    let joined = segments.join("/");
    if rooted { format!("/{joined}") } else { joined }
}

impl<'a> RequestView<'a> {
    /// The value of the `Host` header, or nothing.
    pub fn host_of(headers: &'a HeaderMap) -> &'a str {
        headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
