//! The form of actions, and which of them a trust policy may name.

use super::Checked;
use crate::MalformedPolicy;
use crate::pattern::Pattern;
use crate::syntax::RawStatement;
use crate::template::Special;

/// What the trust policy of a role may allow.
const TRUST_ACTIONS: &[&str] = &[
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:setcontext",
    "sts:setsourceidentity",
    "sts:tagsession",
];

/// `*` or `service:Name`.
pub(super) fn check_prefixes(statements: &[RawStatement]) -> Checked {
    let only = statements.iter().filter_map(|statement| statement.action.as_ref());
    let except = statements.iter().filter_map(|statement| statement.not_action.as_ref());
    only.chain(except).flatten().try_for_each(|action| check_prefix(action))
}

fn check_prefix(action: &str) -> Checked {
    if action == "*" {
        return Ok(());
    }
    let Some((vendor, name)) = action.split_once(':') else { return Err(MalformedPolicy::NoVendor) };
    if name.contains(':') {
        return Err(MalformedPolicy::Colons);
    }
    let is_name =
        |vendor: &str| vendor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    if vendor == "*" || is_name(vendor) { Ok(()) } else { Err(MalformedPolicy::Vendor(vendor.to_owned())) }
}

/// A trust policy speaks of assuming the role and nothing else; wildcards may stand for that.
pub(super) fn assume_role_only(statements: &[RawStatement]) -> Checked {
    let special = Special { wildcards: true, variables: false };
    let context = crate::Context::new();
    let permitted = |action: &String| {
        let action = action.to_ascii_lowercase();
        let pattern = Pattern::compile(&action, special);
        action.starts_with("sts:") && TRUST_ACTIONS.iter().any(|known| pattern.matches(known, &context))
    };
    // `NotAction` would speak of everything else.
    let mut actions = statements.iter().map(|statement| statement.action.as_ref());
    let all = actions.all(|actions| actions.is_some_and(|actions| actions.iter().all(permitted)));
    if all { Ok(()) } else { Err(MalformedPolicy::TrustAction) }
}
