//! Stickiness: which cookies count, and which are set.

use crate::live::{Forwarding, WeightedGroup};
use crate::target::{Target, View};
use environment::Timestamp;
use http::HeaderMap;
use http::header::{HeaderValue, SET_COOKIE};
use load_balancing::{APP_COOKIE, GROUP_COOKIE, LB_COOKIE, Stickiness, StickyToken, cookie_value};
use std::sync::Arc;
use std::time::Duration;

/// The group that a client got before, or one by weight.
pub(crate) fn group<'f>(
    forwarding: &'f Forwarding,
    headers: &HeaderMap,
    now: impl Fn() -> Timestamp,
) -> Option<&'f WeightedGroup> {
    if forwarding.stickiness_seconds.is_some()
        && let Some(token) = token(headers, &GROUP_COOKIE, now)
        && let Some(group) = forwarding.groups.iter().find(|group| group.token == token && group.weight > 0)
    {
        return Some(group);
    }
    forwarding.choose()
}

/// The target that a client got before, if it still gets requests.
pub(crate) fn target(view: &View, headers: &HeaderMap, now: impl Fn() -> Timestamp) -> Option<Arc<Target>> {
    let token = match view.spec.attributes.stickiness.as_ref()? {
        Stickiness::LbCookie { .. } => token(headers, &LB_COOKIE, now)?,
        Stickiness::AppCookie { name, .. } => {
            cookie_value(headers, name)?;
            token(headers, &[APP_COOKIE], now)?
        }
        Stickiness::SourceIp => return None,
    };
    view.by_token(token).cloned()
}

fn token(headers: &HeaderMap, names: &[&str], now: impl Fn() -> Timestamp) -> Option<u64> {
    let value = names.iter().find_map(|name| cookie_value(headers, name))?;
    StickyToken::decode(value, now()).map(|token| token.token)
}

/// Sets the cookies that bring the client back.
pub(crate) fn set_cookies(
    forwarding: &Forwarding,
    group: &WeightedGroup,
    view: &View,
    target: &Target,
    headers: &mut HeaderMap,
    secure: bool,
    now: impl Fn() -> Timestamp,
) {
    let token = |token: u64, seconds: u32| StickyToken {
        token,
        expires_at: now() + Duration::from_secs(u64::from(seconds)),
    };
    match view.spec.attributes.stickiness.as_ref() {
        Some(Stickiness::LbCookie { seconds }) => {
            for value in token(target.token, *seconds).set_cookies(LB_COOKIE, secure) {
                headers.append(SET_COOKIE, value);
            }
        }
        Some(Stickiness::AppCookie { name, seconds }) if sets_cookie(headers, name) => {
            let cookie = token(target.token, *seconds).set_cookie(APP_COOKIE);
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                headers.append(SET_COOKIE, cookie);
            }
        }
        _ => {}
    }
    if let Some(seconds) = forwarding.stickiness_seconds {
        for value in token(group.token, seconds).set_cookies(GROUP_COOKIE, secure) {
            headers.append(SET_COOKIE, value);
        }
    }
}

fn sets_cookie(headers: &HeaderMap, name: &str) -> bool {
    headers.get_all(SET_COOKIE).iter().any(|value| {
        value.as_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
    })
}
