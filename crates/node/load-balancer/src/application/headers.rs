//! Headers on their way through.

use http::header::{
    CONNECTION, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRANSFER_ENCODING, UPGRADE,
};
use load_balancing::ForwardedFor;
use std::net::SocketAddr;

/// `X-Forwarded-For`.
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `X-Forwarded-Proto`.
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// `X-Forwarded-Port`.
pub(crate) const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// `X-Amzn-Trace-Id`.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

const HOP_BY_HOP: [HeaderName; 6] =
    [KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION];

/// Most addresses that `X-Forwarded-For` may hold; more are answered with 463.
pub(crate) const MOST_FORWARDED_FOR: usize = 30;

/// Takes out what concerns one connection only (RFC 9110, 7.6.1). `TE: trailers` stays, since trailers are passed on.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|name| HeaderName::try_from(name.trim()).ok())
            .collect();
        for name in named {
            // Taking these away would change what the message is.
            if name != HOST && name != http::header::CONTENT_LENGTH && name != TE {
                headers.remove(name);
            }
        }
        headers.remove(CONNECTION);
    }
    // Most messages have none of them: one look at the names is cheaper than looking each one up.
    if headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        for name in HOP_BY_HOP {
            headers.remove(name);
        }
    }
    if headers.get(TE).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"trailers")) {
        headers.remove(TE);
    }
}

/// Whether a request wants to go over to a websocket.
pub(crate) fn wants_websocket(headers: &HeaderMap) -> bool {
    let upgrade =
        headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    upgrade && lists(headers, &CONNECTION, "upgrade")
}

/// Whether a header's list has an entry.
fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(wanted))
}

/// What a listener and a client put into the headers of requests; made once a connection.
#[derive(Clone, Debug)]
pub(crate) struct Forwarded {
    client: HeaderValue,
    proto: HeaderValue,
    port: HeaderValue,
}

impl Forwarded {
    pub(crate) fn new(client: SocketAddr, with_port: bool, secure: bool, port: u16) -> Self {
        let ip = client.ip().to_canonical();
        let client = match (with_port, ip) {
            (false, ip) => ip.to_string(),
            (true, ip) => SocketAddr::new(ip, client.port()).to_string(),
        };
        Self {
            // Addresses and numbers are visible ASCII.
            client: HeaderValue::try_from(client).unwrap_or(HeaderValue::from_static("unknown")),
            proto: HeaderValue::from_static(if secure { "https" } else { "http" }),
            port: HeaderValue::from(port),
        }
    }

    /// Sets the headers of a request.
    pub(crate) fn apply(&self, headers: &mut HeaderMap, mode: ForwardedFor) {
        headers.insert(FORWARDED_PROTO, self.proto.clone());
        headers.insert(FORWARDED_PORT, self.port.clone());
        match mode {
            ForwardedFor::Append => self.append(headers),
            ForwardedFor::Preserve => {}
            ForwardedFor::Remove => {
                headers.remove(FORWARDED_FOR);
            }
        }
    }

    fn append(&self, headers: &mut HeaderMap) {
        if !headers.contains_key(FORWARDED_FOR) {
            headers.insert(FORWARDED_FOR, self.client.clone());
            return;
        }
        let mut all = Vec::new();
        for value in headers.get_all(FORWARDED_FOR).iter().filter(|value| !value.is_empty()) {
            all.extend_from_slice(value.as_bytes());
            all.extend_from_slice(b", ");
        }
        all.extend_from_slice(self.client.as_bytes());
        // Values and the separator are what values are made of.
        headers.insert(FORWARDED_FOR, HeaderValue::from_bytes(&all).unwrap_or_else(|_| self.client.clone()));
    }
}

/// How many addresses `X-Forwarded-For` holds.
pub(crate) fn forwarded_for_count(headers: &HeaderMap) -> usize {
    let values = headers.get_all(FORWARDED_FOR);
    values.iter().map(|value| value.as_bytes().split(|byte| *byte == b',').count()).sum()
}

/// What goes to the target as `X-Amzn-Trace-Id`: a root of our own when the client has none, else the client's with a field
/// `Self` of ours. `seconds` is the time, `random` fills the rest.
pub(crate) fn trace_id(given: Option<&HeaderValue>, seconds: i64, random: (u64, u32)) -> HeaderValue {
    let mut own = [b'-'; ROOT];
    own[0] = b'1';
    write_hex(&mut own[2..10], u64::from(seconds as u32));
    write_hex(&mut own[11..27], random.0);
    write_hex(&mut own[27..], u64::from(random.1));
    let Some(given) = given else {
        let mut value = [0; 5 + ROOT];
        value[..5].copy_from_slice(b"Root=");
        value[5..].copy_from_slice(&own);
        // Made of visible ASCII.
        return HeaderValue::from_bytes(&value).unwrap_or(HeaderValue::from_static(""));
    };
    let own = String::from_utf8_lossy(&own);
    let text = match given.to_str().ok() {
        None => format!("Root={own}"),
        Some(given) if has_field(given, "Root") => {
            let rest: Vec<&str> =
                given.split(';').map(str::trim).filter(|field| !field.starts_with("Self=")).collect();
            format!("Self={own};{}", rest.join(";"))
        }
        Some(given) if given.trim().is_empty() => format!("Root={own}"),
        Some(given) => format!("Root={own};{given}"),
    };
    // Made of visible ASCII.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// Length of a root: `1-`, eight digits, `-`, twenty-four digits.
const ROOT: usize = 35;

fn write_hex(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

fn has_field(value: &str, name: &str) -> bool {
    value.split(';').any(|field| field.trim().strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
}

/// Takes out headers whose names are not letters, digits and hyphens.
pub(crate) fn drop_invalid(headers: &mut HeaderMap) {
    let odd: Vec<HeaderName> = headers
        .keys()
        .filter(|name| !name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
        .cloned()
        .collect();
    for name in odd {
        headers.remove(name);
    }
}

/// Takes out what was meant for this load balancer.
pub(crate) fn remove_own(headers: &mut HeaderMap) {
    // The client is told to go on when its body is wanted.
    headers.remove(EXPECT);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).expect("is one"), value.parse().expect("is one"));
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn hop_by_hop_headers_stay_here() {
        let mut headers = headers(&[
            ("host", "a"),
            ("connection", "keep-alive, X-Mine, host"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("x-other", "2"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
        ]);
        remove_hop_by_hop(&mut headers);
        let mut left = names(&headers);
        left.sort_unstable();
        assert_eq!(left, ["host", "te", "x-other"]);
        headers.insert(TE, HeaderValue::from_static("gzip"));
        remove_hop_by_hop(&mut headers);
        assert!(!headers.contains_key(TE));
    }

    #[test]
    fn websockets_are_recognized() {
        assert!(wants_websocket(&headers(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket")
        ])));
        assert!(!wants_websocket(&headers(&[("upgrade", "websocket")])));
        assert!(!wants_websocket(&headers(&[("connection", "upgrade"), ("upgrade", "h2c")])));
    }

    #[test]
    fn the_client_is_named() {
        let forwarded = Forwarded::new("[::ffff:192.0.2.1]:5000".parse().expect("is one"), false, true, 443);
        let mut given = headers(&[
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-proto", "x"),
        ]);
        forwarded.apply(&mut given, ForwardedFor::Append);
        assert_eq!(given[FORWARDED_FOR], "10.0.0.1, 10.0.0.2, 192.0.2.1");
        assert_eq!(given.get_all(FORWARDED_FOR).iter().count(), 1);
        assert_eq!(
            (&given[FORWARDED_PROTO], &given[FORWARDED_PORT]),
            (&HeaderValue::from_static("https"), &HeaderValue::from_static("443"))
        );
        let mut given = headers(&[("x-forwarded-for", "10.0.0.1")]);
        forwarded.apply(&mut given, ForwardedFor::Preserve);
        assert_eq!(given[FORWARDED_FOR], "10.0.0.1");
        forwarded.apply(&mut given, ForwardedFor::Remove);
        assert!(!given.contains_key(FORWARDED_FOR));
        let with_port = Forwarded::new("[2001:db8::1]:5000".parse().expect("is one"), true, false, 80);
        with_port.apply(&mut given, ForwardedFor::Append);
        assert_eq!(given[FORWARDED_FOR], "[2001:db8::1]:5000");
        assert_eq!(
            forwarded_for_count(&headers(&[("x-forwarded-for", "a, b"), ("x-forwarded-for", "c")])),
            3
        );
    }

    #[test]
    fn traces_go_on() {
        let made = |given: Option<&str>| {
            let given = given.map(|text| HeaderValue::try_from(text).expect("is one"));
            trace_id(given.as_ref(), 0x6789_1234, (0x1234_5678, 0xab)).to_str().expect("is text").to_owned()
        };
        let own = "1-67891234-0000000012345678000000ab";
        assert_eq!(made(None), format!("Root={own}"));
        assert_eq!(made(Some("Root=1-a-b;Self=1-c-d;Sampled=1")), format!("Self={own};Root=1-a-b;Sampled=1"));
        assert_eq!(made(Some("Sampled=1")), format!("Root={own};Sampled=1"));
    }

    #[test]
    fn odd_names_can_be_dropped() {
        let mut headers = headers(&[("x_odd", "1"), ("x-even", "2"), ("!x", "3")]);
        drop_invalid(&mut headers);
        assert_eq!(names(&headers), ["x-even"]);
    }
}
