//! What is known of a request when it is over: it is counted, and written into the access log.

use super::client::Client;
use super::headers::FORWARDED_FOR;
use crate::live::{Compiled, Step};
use crate::proxy_log::{self, number, text};
use crate::target::{Group, Target};
use environment::Timestamp;
use http::header::{HOST, HeaderMap, HeaderName, USER_AGENT};
use http::{Method, Uri};
use load_balancing::{ProtocolVersion, ProxyLog};
use std::fmt::Write;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// The status that a log has for a client that went before it was answered.
const CLIENT_WENT: u16 = 460;
/// Headers that a proxy tells of.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// A request in progress. Counted and logged when it is dropped.
pub(crate) struct Record {
    client: Rc<Client>,
    compiled: Arc<Compiled>,
    /// What answers.
    source: Source,
    status: u16,
    sent: u64,
    received: u64,
    complete: bool,
    /// Only when it is logged.
    entry: Option<Box<Entry>>,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody yet.
    Nobody,
    /// A target.
    Target,
    /// A rule: a redirect.
    Redirect,
    /// A rule: a fixed response.
    Fixed,
    /// The load balancer, for want of another answer.
    Own,
}

/// What the access log has beside that.
struct Entry {
    created: Timestamp,
    started: Instant,
    sent_to_target: Option<Instant>,
    answered: Option<Instant>,
    method: Method,
    uri: Uri,
    version: http::Version,
    host: String,
    user_agent: String,
    forwarded_for: String,
    request_id: String,
    grpc_status: Option<&'static str>,
    trace: String,
    group: Option<Arc<str>>,
    target: Option<SocketAddr>,
    target_status: Option<u16>,
    rule: Option<u32>,
    action: &'static str,
    redirect_url: String,
    error: &'static str,
    websocket: bool,
    received_head: usize,
    sent_head: usize,
}

impl Record {
    pub(crate) fn new(client: &Rc<Client>, compiled: &Arc<Compiled>) -> Self {
        Self {
            client: client.clone(),
            compiled: compiled.clone(),
            source: Source::Nobody,
            status: CLIENT_WENT,
            sent: 0,
            received: 0,
            complete: false,
            entry: None,
        }
    }

    pub(crate) fn compiled(&self) -> &Arc<Compiled> {
        &self.compiled
    }

    /// Remembers what the access log has of the request, if there is a log.
    pub(crate) fn describe(
        &mut self,
        method: &Method,
        uri: &Uri,
        version: http::Version,
        headers: &HeaderMap,
    ) {
        if self.compiled.balancer.log.is_none() {
            return;
        }
        let text = |name: HeaderName| {
            headers
                .get(name)
                .map_or(String::new(), |value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        self.entry = Some(Box::new(Entry {
            created: self.client.worker.environment.now(),
            started: Instant::now(),
            sent_to_target: None,
            answered: None,
            method: method.clone(),
            uri: uri.clone(),
            version,
            host: uri.authority().map_or_else(|| text(HOST), |authority| authority.as_str().to_owned()),
            user_agent: text(USER_AGENT),
            forwarded_for: text(FORWARDED_FOR),
            request_id: text(REQUEST_ID),
            grpc_status: None,
            trace: String::new(),
            group: None,
            target: None,
            target_status: None,
            rule: None,
            action: "-",
            redirect_url: String::new(),
            error: "-",
            websocket: false,
            received_head: head_length(headers) + uri.path().len() + 16,
            sent_head: 0,
        }));
    }

    /// The rule that decided, or nothing for the default, and what it said.
    pub(crate) fn decided(&mut self, rule: Option<usize>, action: &'static str) {
        let priority =
            rule.and_then(|index| self.compiled.listener.rules.get(index)).map(|rule| rule.priority);
        if let Some(entry) = &mut self.entry {
            entry.rule = Some(priority.unwrap_or(0));
            entry.action = action;
        }
    }

    pub(crate) fn traced(&mut self, trace: &http::HeaderValue) {
        if let Some(entry) = &mut self.entry {
            entry.trace = String::from_utf8_lossy(trace.as_bytes()).into_owned();
        }
    }

    /// It goes to a target now.
    pub(crate) fn given(&mut self, group: &Arc<Group>, target: &Target, now: Instant) {
        if let Some(entry) = &mut self.entry {
            entry.group = Some(group.arn.clone());
            entry.target = Some(target.address);
            entry.sent_to_target = Some(now);
        }
    }

    /// The target has answered.
    pub(crate) fn target_answered(&mut self, status: u16, headers: &HeaderMap, now: Instant) {
        self.source = Source::Target;
        self.status = status;
        if let Some(entry) = &mut self.entry {
            entry.target_status = Some(status);
            entry.answered = Some(now);
            entry.sent_head = head_length(headers) + 17;
        }
        self.trailers(headers);
    }

    /// Headers at the beginning of an answer or at its end, which may say how a call of gRPC went.
    pub(crate) fn trailers(&mut self, headers: &HeaderMap) {
        if let Some(entry) = &mut self.entry
            && let Some(code) = headers.get(GRPC_STATUS)
        {
            entry.grpc_status = proxy_log::grpc_status(code.as_bytes());
        }
    }

    /// It is answered here.
    pub(crate) fn answered(&mut self, source: Source, status: u16, headers: &HeaderMap, error: &'static str) {
        self.source = source;
        self.status = status;
        if let Some(entry) = &mut self.entry {
            entry.error = error;
            entry.sent_head = head_length(headers) + 17;
            if source == Source::Redirect {
                let location = headers.get(http::header::LOCATION);
                entry.redirect_url = location
                    .map_or(String::new(), |value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            }
        }
    }

    pub(crate) fn websocket(&mut self) {
        if let Some(entry) = &mut self.entry {
            entry.websocket = true;
        }
    }

    /// Bytes of the answer's body.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// Bytes of the request's body.
    pub(crate) fn received(&mut self, bytes: u64) {
        self.received = bytes;
    }

    /// The answer has been given as a whole.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// The target broke off within its answer.
    pub(crate) fn broken(&mut self) {
        if let Some(entry) = &mut self.entry {
            entry.error = "TargetConnectionError";
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let record = &mut *self;
        let counts = record.compiled.balancer.counts.here();
        if record.source != Source::Nobody {
            counts.requests.add(1);
        }
        counts.processed_bytes.add(record.sent + record.received);
        match record.source {
            Source::Own => counts.own_answer(record.status),
            Source::Redirect => {
                counts.redirects.add(1);
                counts.own_answer(record.status);
            }
            Source::Fixed => counts.fixed_responses.add(1),
            Source::Target | Source::Nobody => {}
        }
        if !record.client.http2 {
            record.client.activity.between_requests(true);
        }
        if let (Some(entry), Some(log)) = (&record.entry, &record.compiled.balancer.log) {
            log.write(|line| match log.proxy() {
                Some(own) => record.tell(entry, own, line),
                None => record.write(entry, line),
            });
        }
    }
}

impl Record {
    /// The line of the access log, in the order of AWS's format.
    fn write(&self, entry: &Entry, line: &mut String) {
        let client = &self.client;
        let now = Instant::now();
        let seconds = |from: Option<Instant>, to: Option<Instant>| match (from, to) {
            (Some(from), Some(to)) => format!("{:.3}", to.saturating_duration_since(from).as_secs_f64()),
            _ => "-1".to_owned(),
        };
        let kind = match (entry.websocket, client.tls.is_some(), entry.version, &entry.group) {
            (true, true, ..) => "wss",
            (true, false, ..) => "ws",
            (false, true, http::Version::HTTP_2, _) if self.is_grpc() => "grpcs",
            (false, true, http::Version::HTTP_2, _) => "h2",
            (false, true, ..) => "https",
            _ => "http",
        };
        let name = self.compiled.balancer.arn.split_once("loadbalancer/").map_or("-", |(_, name)| name);
        let target = entry.target.map_or("-".to_owned(), |target| target.to_string());
        let elb_status =
            if self.complete || self.source != Source::Nobody { self.status } else { CLIENT_WENT };
        let target_status = entry.target_status.map_or("-".to_owned(), |status| status.to_string());
        let (port, secure) = (self.compiled.listener.port, client.tls.is_some());
        let scheme = if secure { "https" } else { "http" };
        let host = entry.host.split(':').next().unwrap_or_default();
        let (sent, received) =
            (self.sent + entry.sent_head as u64, self.received + entry.received_head as u64);
        let tls = client.tls.as_ref();
        // Writing to a String cannot fail.
        let _ = writeln!(
            line,
            "{kind} {} {name} {}:{} {target} {} {} {} {elb_status} {target_status} {received} {sent} \"{} {scheme}://{}:{port}{} {:?}\" \"{}\" {} {} {} \"{}\" \"{}\" \"{}\" {} {} \"{}\" \"{}\" \"{}\" \"{target}\" \"{target_status}\" \"-\" \"-\" TID_{:032x} \"-\" \"-\" \"-\"",
            now_text(client.worker.environment.now()),
            client.peer.ip().to_canonical(),
            client.peer.port(),
            seconds(
                Some(entry.started),
                entry.sent_to_target.or(Some(now)).filter(|_| entry.target.is_some())
            ),
            seconds(entry.sent_to_target, entry.answered),
            seconds(entry.answered, Some(now)),
            entry.method,
            escaped(host),
            escaped(entry.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)),
            entry.version,
            escaped(&entry.user_agent),
            tls.map_or("-", |tls| tls.cipher),
            tls.map_or("-", |tls| tls.version),
            entry.group.as_deref().unwrap_or("-"),
            escaped(if entry.trace.is_empty() { "-" } else { &entry.trace }),
            tls.and_then(|tls| tls.name.as_deref()).unwrap_or("-"),
            tls.and_then(|tls| tls.certificate.as_deref()).unwrap_or(if secure {
                "session-reused"
            } else {
                "-"
            }),
            entry.rule.map_or("-".to_owned(), |rule| rule.to_string()),
            now_text(entry.created),
            entry.action,
            if entry.redirect_url.is_empty() { "-" } else { &entry.redirect_url },
            entry.error,
            client.trace,
        );
    }

    /// The line of a proxy.
    fn tell(&self, entry: &Entry, log: ProxyLog, line: &mut String) {
        let environment = &self.client.worker.environment;
        let path = if log.with_queries {
            entry.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str)
        } else {
            entry.uri.path()
        };
        let protocol = match entry.version {
            http::Version::HTTP_2 => "HTTP/2".to_owned(),
            other => format!("{other:?}"),
        };
        // A client that went before there was an answer has none.
        let status = if self.source == Source::Nobody { 0 } else { self.status };
        let millis = |from: Instant, to: Instant| {
            u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
        };
        let upstream = entry.sent_to_target.zip(entry.answered).map(|(from, to)| millis(from, to));
        let target = entry.target.map_or_else(String::new, |target| target.to_string());
        let mut fields = vec![text("start_time", &entry.created.to_rfc3339(), false)];
        match log.format {
            load_balancing::LogFormat::Text => {
                fields.push(text("request", &format!("{} {path} {protocol}", entry.method), true));
            }
            load_balancing::LogFormat::Json => fields.extend([
                text("method", entry.method.as_str(), false),
                text("path", path, false),
                text("protocol", &protocol, false),
            ]),
        }
        fields.push(number("response_code", status));
        let spoken = self.spoken();
        if spoken == ProtocolVersion::Grpc {
            fields.push(text("grpc_status", entry.grpc_status.unwrap_or_default(), false));
        }
        fields.extend([
            number("bytes_received", self.received),
            number("bytes_sent", self.sent),
            number("duration", millis(entry.started, Instant::now())),
            number("upstream_service_time", upstream),
            text("forwarded_for", &entry.forwarded_for, true),
            text("user_agent", &entry.user_agent, true),
            text("request_id", &entry.request_id, true),
            text("authority", &entry.host, true),
            text("upstream_host", &target, true),
        ]);
        if spoken != ProtocolVersion::Http1 {
            fields.push(text("stream_id", &environment.uuid(), true));
        }
        proxy_log::write(log, fields, line);
    }

    /// What the targets of the listener speak.
    fn spoken(&self) -> ProtocolVersion {
        let Step::Forward(forwarding) = &self.compiled.default else { return ProtocolVersion::Http1 };
        let group = forwarding.groups.first();
        group.map_or(ProtocolVersion::Http1, |own| own.group.view().spec.protocol_version)
    }

    fn is_grpc(&self) -> bool {
        let groups = [&self.compiled.default].into_iter().chain(&self.compiled.steps);
        let mut forwards = groups.filter_map(|step| match step {
            Step::Forward(forwarding) => Some(forwarding),
            _ => None,
        });
        forwards.any(|forwarding| {
            forwarding.groups.iter().any(|weighted| {
                let entry = self.entry.as_ref().and_then(|entry| entry.group.as_ref());
                entry.is_some_and(|arn| *arn == weighted.group.arn)
                    && weighted.group.view().spec.protocol_version == load_balancing::ProtocolVersion::Grpc
            })
        })
    }
}

/// RFC 3339 with microseconds, of which the last three are nothing.
fn now_text(time: Timestamp) -> String {
    let text = time.to_rfc3339();
    text.strip_suffix('Z').map_or(text.clone(), |text| format!("{text}000Z"))
}

/// Text between quotation marks.
fn escaped(text: &str) -> std::borrow::Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\') {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            0x20..0x7f => out.push(char::from(byte)),
            other => {
                let _ = write!(out, "\\x{other:02X}");
            }
        }
    }
    out.into()
}

/// About how many bytes headers take on the wire.
fn head_length(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_characters_do_not_break_a_line() {
        assert_eq!(escaped("plain"), "plain");
        assert_eq!(escaped("a\"b\\c\nd\u{e9}"), "a\\\"b\\\\c\\x0Ad\\xC3\\xA9");
        assert_eq!(now_text(Timestamp::from_millis(1)), "1970-01-01T00:00:00.001000Z");
    }
}
