//! What the registry has done since it started, in the text format of Prometheus. Labels name kinds of requests and
//! classes of answers only, so there are few whatever clients send.

use http::{Method, StatusCode};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Kinds of requests.
const KINDS: [&str; 7] = ["base", "catalog", "tags", "referrers", "manifest", "blob", "upload"];
/// Methods of the protocol; others count as the last.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other"];
/// Classes of answers.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// Counters.
#[derive(Default)]
pub(crate) struct Metrics {
    answers: [[[AtomicU64; CLASSES.len()]; METHODS.len()]; KINDS.len()],
    received: AtomicU64,
    sent: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Metrics {
    pub(crate) fn answered(&self, method: &Method, path: &str, status: StatusCode) {
        let method = METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(METHODS.len() - 1);
        let class = usize::from(status.as_u16() / 100).clamp(2, 5) - 2;
        self.answers[kind(path)][method][class].fetch_add(1, Relaxed);
    }

    /// Bytes of uploads.
    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes of blobs.
    pub(crate) fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Relaxed);
    }

    /// A manifest of another registry, which was here or not.
    pub(crate) fn cached(&self, was_here: bool) {
        let counter = if was_here { &self.hits } else { &self.misses };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        let name = "longshore_registry_requests_total";
        let _ = writeln!(text, "# HELP {name} Requests that were answered.\n# TYPE {name} counter");
        for (kind, methods) in KINDS.iter().zip(&self.answers) {
            for (method, classes) in METHODS.iter().zip(methods) {
                for (class, count) in CLASSES.iter().zip(classes) {
                    let count = count.load(Relaxed);
                    if count > 0 {
                        let labels = format!("kind=\"{kind}\",method=\"{method}\",status=\"{class}\"");
                        // Writing to a String cannot fail.
                        let _ = writeln!(text, "{name}{{{labels}}} {count}");
                    }
                }
            }
        }
        let bytes = [
            ("received", "Bytes of uploads that arrived.", &self.received),
            ("sent", "Bytes of blobs that were asked for and sent from here.", &self.sent),
        ];
        for (what, help, count) in bytes {
            let name = format!("longshore_registry_{what}_bytes_total");
            let count = count.load(Relaxed);
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}");
        }
        let name = "longshore_registry_pull_through_total";
        let _ = writeln!(
            text,
            "# HELP {name} Manifests of other registries that were asked for.\n# TYPE {name} counter"
        );
        for (outcome, count) in [("hit", &self.hits), ("miss", &self.misses)] {
            let _ = writeln!(text, "{name}{{outcome=\"{outcome}\"}} {}", count.load(Relaxed));
        }
        text
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
            metrics.answered(&Method::GET, &path, StatusCode::OK);
            metrics.answered(&odd, &path, StatusCode::METHOD_NOT_ALLOWED);
        }
        metrics.answered(&Method::POST, "/v2/a/blobs/uploads/", StatusCode::ACCEPTED);
        let text = metrics.to_text();
        assert!(text.contains("{kind=\"manifest\",method=\"GET\",status=\"2xx\"} 1000"), "{text}");
        assert!(text.contains("{kind=\"upload\",method=\"POST\",status=\"2xx\"} 1"), "{text}");
        assert_eq!(text.lines().count(), 2 + 3 + 6 + 4, "{text}");
    }
}
