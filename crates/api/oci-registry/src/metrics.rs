//! What the registry has done since it started, in the text format of Prometheus. Labels name kinds of requests and
//! classes of answers only, so there are few whatever clients send.

use http::{Method, StatusCode};
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Kinds of requests.
const KINDS: [&str; 7] = ["base", "catalog", "tags", "referrers", "manifest", "blob", "upload"];
/// Methods of the protocol; others count as the last.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other"];
/// Classes of answers.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Codes of errors; others count as the last.
const CODES: [&str; 17] = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "PAGINATION_NUMBER_INVALID",
    "SIZE_INVALID",
    "TAG_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNSUPPORTED",
    "UNKNOWN",
];
/// Upper ends of the classes of durations, in milliseconds and as they are written.
const ENDS: [(u128, &str); 9] = [
    (5, "0.005"),
    (10, "0.01"),
    (50, "0.05"),
    (100, "0.1"),
    (500, "0.5"),
    (1_000, "1"),
    (5_000, "5"),
    (30_000, "30"),
    (300_000, "300"),
];

/// Counters.
#[derive(Default)]
pub(crate) struct Metrics {
    answers: [[[AtomicU64; CLASSES.len()]; METHODS.len()]; KINDS.len()],
    errors: [AtomicU64; CODES.len()],
    durations: [Durations; KINDS.len()],
    received: AtomicU64,
    sent: AtomicU64,
    shared: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How long it took until answers began.
#[derive(Default)]
struct Durations {
    classes: [AtomicU64; ENDS.len() + 1],
    millis: AtomicU64,
}

impl Metrics {
    /// A request was answered, after this time.
    pub(crate) fn answered(&self, method: &Method, path: &str, status: StatusCode, after: Duration) {
        let durations = &self.durations[kind(path)];
        let millis = after.as_millis();
        let class = ENDS.iter().position(|(end, _)| millis <= *end).unwrap_or(ENDS.len());
        durations.classes[class].fetch_add(1, Relaxed);
        durations.millis.fetch_add(u64::try_from(millis).unwrap_or(u64::MAX), Relaxed);
        let method = METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(METHODS.len() - 1);
        let class = usize::from(status.as_u16() / 100).clamp(2, 5) - 2;
        self.answers[kind(path)][method][class].fetch_add(1, Relaxed);
    }

    /// An error was answered.
    pub(crate) fn failed(&self, code: &str) {
        let code = CODES.iter().position(|known| *known == code).unwrap_or(CODES.len() - 1);
        self.errors[code].fetch_add(1, Relaxed);
    }

    /// Bytes of uploads.
    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes of blobs.
    pub(crate) fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Relaxed);
    }

    /// A blob that a host of this machine took by reference.
    pub(crate) fn shared(&self) {
        self.shared.fetch_add(1, Relaxed);
    }

    /// A manifest of another registry, which was here or not.
    pub(crate) fn cached(&self, was_here: bool) {
        let counter = if was_here { &self.hits } else { &self.misses };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = Text(String::new());
        self.write_requests(&mut text);
        self.write_durations(&mut text);
        let name = text.head("errors_total", "Errors that were answered, by code.", "counter");
        for (code, count) in CODES.iter().zip(&self.errors) {
            text.count(&name, &format!("{{code=\"{code}\"}}"), count);
        }
        for (name, help, kind, method) in [
            ("pushes_total", "Manifests that were pushed.", "manifest", "PUT"),
            ("pulls_total", "Manifests that were pulled.", "manifest", "GET"),
            ("blob_pulls_total", "Blobs that were pulled, or sent for to the bucket.", "blob", "GET"),
        ] {
            let name = text.head(name, help, "counter");
            text.line(&name, "", self.successes(kind, method));
        }
        for (name, help, count) in [
            ("received_bytes_total", "Bytes of uploads that arrived.", &self.received),
            ("sent_bytes_total", "Bytes of blobs that were asked for and sent from here.", &self.sent),
            ("shared_blobs_total", "Blobs that hosts of this machine took by reference.", &self.shared),
        ] {
            let name = text.head(name, help, "counter");
            text.line(&name, "", count.load(Relaxed));
        }
        let help = "Manifests of other registries that were asked for.";
        let name = text.head("pull_through_total", help, "counter");
        for (outcome, count) in [("hit", &self.hits), ("miss", &self.misses)] {
            text.line(&name, &format!("{{outcome=\"{outcome}\"}}"), count.load(Relaxed));
        }
        text.0
    }

    fn write_requests(&self, text: &mut Text) {
        let name = text.head("requests_total", "Requests that were answered.", "counter");
        for (kind, methods) in KINDS.iter().zip(&self.answers) {
            for (method, classes) in METHODS.iter().zip(methods) {
                for (class, count) in CLASSES.iter().zip(classes) {
                    let labels = format!("{{kind=\"{kind}\",method=\"{method}\",status=\"{class}\"}}");
                    text.count(&name, &labels, count);
                }
            }
        }
    }

    fn write_durations(&self, text: &mut Text) {
        let help =
            "Time until an answer began, with the reading of an upload; counted in whole milliseconds.";
        let name = text.head("request_duration_seconds", help, "histogram");
        for (kind, durations) in KINDS.iter().zip(&self.durations) {
            let mut sum = 0;
            let ends = ENDS.iter().map(|(_, end)| *end).chain(["+Inf"]);
            let counts: Vec<u64> = durations.classes.iter().map(|count| count.load(Relaxed)).collect();
            if counts.iter().all(|count| *count == 0) {
                continue;
            }
            for (end, count) in ends.zip(counts) {
                sum += count;
                text.line(&format!("{name}_bucket"), &format!("{{kind=\"{kind}\",le=\"{end}\"}}"), sum);
            }
            let millis = durations.millis.load(Relaxed);
            let labels = format!("{{kind=\"{kind}\"}}");
            let seconds = format!("{}.{:03}", millis / 1000, millis % 1000);
            text.line(&format!("{name}_sum"), &labels, seconds);
            text.line(&format!("{name}_count"), &labels, sum);
        }
    }

    /// Requests of a kind that succeeded; a redirect is a success.
    fn successes(&self, kind: &str, method: &str) -> u64 {
        let place = |all: &[&str], wanted: &str| all.iter().position(|name| *name == wanted).unwrap_or(0);
        let classes = &self.answers[place(&KINDS, kind)][place(&METHODS, method)];
        classes[..2].iter().map(|count| count.load(Relaxed)).sum()
    }
}

/// The format of Prometheus.
struct Text(String);

impl Text {
    /// Begins a metric and returns its whole name.
    fn head(&mut self, name: &str, help: &str, kind: &str) -> String {
        let name = format!("longshore_registry_{name}");
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        name
    }

    fn line(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    /// A counter that is left out as long as it counted nothing.
    fn count(&mut self, name: &str, labels: &str, count: &AtomicU64) {
        let count = count.load(Relaxed);
        if count > 0 {
            self.line(name, labels, count);
        }
    }
}

fn kind(path: &str) -> usize {
    let mut parts = path.trim_end_matches('/').rsplit('/');
    let (last, before) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let name = match (before, last) {
        (_, "v2") => "base",
        ("v2", "_catalog") => "catalog",
        ("tags", "list") => "tags",
        ("referrers", _) => "referrers",
        ("manifests", _) => "manifest",
        ("blobs", "uploads") | ("uploads", _) => "upload",
        _ => "blob",
    };
    KINDS.iter().position(|known| *known == name).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_few_whatever_is_asked() {
        let metrics = Metrics::default();
        let odd = Method::from_bytes(b"BREW").expect("a method");
        for number in 0..1000 {
            let path = format!("/v2/repo{number}/manifests/tag{number}");
            metrics.answered(&Method::GET, &path, StatusCode::OK, Duration::from_millis(number));
            metrics.answered(&odd, &path, StatusCode::METHOD_NOT_ALLOWED, Duration::ZERO);
            metrics.failed("UNSUPPORTED");
            metrics.failed(&format!("MADE_UP_{number}"));
        }
        metrics.answered(&Method::POST, "/v2/a/blobs/uploads/", StatusCode::ACCEPTED, Duration::ZERO);
        let text = metrics.to_text();
        assert!(text.contains("{kind=\"manifest\",method=\"GET\",status=\"2xx\"} 1000"), "{text}");
        assert!(text.contains("{kind=\"upload\",method=\"POST\",status=\"2xx\"} 1"), "{text}");
        for line in [
            "longshore_registry_pulls_total 1000",
            "longshore_registry_errors_total{code=\"UNKNOWN\"} 1000",
            "longshore_registry_request_duration_seconds_bucket{kind=\"manifest\",le=\"0.1\"} 1101",
            "longshore_registry_request_duration_seconds_bucket{kind=\"manifest\",le=\"+Inf\"} 2000",
            "longshore_registry_request_duration_seconds_sum{kind=\"manifest\"} 499.500",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(text.lines().count() < 70, "{text}");
    }
}
