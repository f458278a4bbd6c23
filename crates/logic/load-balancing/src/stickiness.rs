//! Cookies that keep a client at its target or its target group.
//!
//! What AWS puts into its cookies is sealed and means nothing to clients. Here it is a number that a target has by its name in
//! its group, and when it is over: a load balancer that starts anew, or on another host, reads it as before.

use crate::choice::mix;
use environment::Timestamp;
use http::header::{COOKIE, HeaderMap, HeaderValue};
use std::time::{Duration, UNIX_EPOCH};

/// The cookie of a target's stickiness; beside it the one for requests from other sites.
pub const LB_COOKIE: [&str; 2] = ["AWSALB", "AWSALBCORS"];
/// The cookie of a target group's stickiness.
pub const GROUP_COOKIE: [&str; 2] = ["AWSALBTG", "AWSALBTGCORS"];
/// The cookie that goes with an application's own.
pub const APP_COOKIE: &str = "AWSALBAPP-0";

/// What a cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StickyToken {
    /// The number of the target or the group.
    pub token: u64,
    /// Until when it holds.
    pub expires_at: Timestamp,
}

impl StickyToken {
    /// The value of the cookie.
    pub fn encode(self) -> String {
        format!("{:016x}{:x}", self.token, self.expires_at.as_seconds().max(0))
    }

    /// Reads a value; nothing when it is no such value, or over at `now`.
    pub fn decode(value: &str, now: Timestamp) -> Option<Self> {
        let token = value.get(..16)?;
        let seconds = value.get(16..)?;
        if !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let token = u64::from_str_radix(token, 16).ok()?;
        let expires_at = Timestamp::from_seconds(i64::from_str_radix(seconds, 16).ok()?);
        (expires_at > now).then_some(Self { token, expires_at })
    }

    /// The `Set-Cookie` values for the cookie `names[0]` and, for requests from other sites, `names[1]`.
    pub fn set_cookies(self, names: [&str; 2], secure: bool) -> Vec<HeaderValue> {
        let secure = if secure { "; Secure" } else { "" };
        let plain = self.set_cookie(names[0]);
        let cors = format!("{}; SameSite=None{secure}", self.set_cookie(names[1]));
        [plain, cors].into_iter().filter_map(|text| HeaderValue::try_from(text).ok()).collect()
    }

    /// One `Set-Cookie` value.
    pub fn set_cookie(self, name: &str) -> String {
        let seconds = u64::try_from(self.expires_at.as_seconds()).unwrap_or(0).min(253_402_300_799);
        let expires = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        format!("{name}={}; Expires={expires}; Path=/", self.encode())
    }
}

/// The number of a target in its group.
pub fn target_token(group: &str, id: &str, port: u16) -> u64 {
    let mut hash = bytes_hash(0, group.as_bytes());
    hash = bytes_hash(hash, id.as_bytes());
    mix(hash ^ u64::from(port))
}

/// The number of a group.
pub fn group_token(group: &str) -> u64 {
    bytes_hash(1, group.as_bytes())
}

fn bytes_hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut hash = mix(seed ^ bytes.len() as u64);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = mix(hash ^ u64::from_le_bytes(word));
    }
    hash
}

/// The value of the first cookie of that name that a request carries.
pub fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).find_map(|line| {
        line.split(';').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key.trim() == name).then(|| value.trim())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_come_back() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let token = StickyToken {
            token: target_token("group", "10.0.0.1", 80),
            expires_at: now + Duration::from_secs(60),
        };
        assert_eq!(StickyToken::decode(&token.encode(), now), Some(token));
        assert_eq!(StickyToken::decode(&token.encode(), now + Duration::from_secs(60)), None);
        let set = token.set_cookies(LB_COOKIE, true);
        let text = set[1].to_str().expect("is text");
        assert!(text.starts_with("AWSALBCORS="), "{text}");
        assert!(
            text.ends_with("; Expires=Tue, 14 Nov 2023 22:14:20 GMT; Path=/; SameSite=None; Secure"),
            "{text}"
        );
        assert!(!set[0].to_str().expect("is text").contains("SameSite"));
    }

    #[test]
    fn foreign_values_mean_nothing() {
        let now = Timestamp::from_seconds(0);
        for value in [
            "",
            "abc",
            "0123456789abcdef",
            "0123456789abcdeg1",
            "0123456789abcdef-1",
            "ééééééééééé",
            "+123456789abcdef1",
        ] {
            assert_eq!(StickyToken::decode(value, now), None, "{value}");
        }
    }

    #[test]
    fn numbers_differ() {
        let one = target_token("g", "10.0.0.1", 80);
        for other in [
            target_token("g", "10.0.0.1", 81),
            target_token("g", "10.0.0.2", 80),
            target_token("h", "10.0.0.1", 80),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn cookies_are_found() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; AWSALBX=2;AWSALB=3; c"));
        headers.append(COOKIE, HeaderValue::from_static("d=x=y"));
        assert_eq!(cookie_value(&headers, "AWSALB"), Some("3"));
        assert_eq!(cookie_value(&headers, "d"), Some("x=y"));
        assert_eq!(cookie_value(&headers, "c"), None);
    }
}
