//! What operations that give out credentials have in common: tags, policies, durations, and the answer.

use crate::errors::{access, invalid, malformed_policy, store};
use crate::shapes::{Credentials, PolicyDescriptorType, Tag, errors};
use crate::{StsService, errors::denied};
use access::{Caller, MfaError, NotAPolicy, SessionCredentials, SessionPolicies};
use aws_wire::ServiceError;
use environment::Timestamp;
use identifiers::AccountId;
use std::time::Duration;

/// Most managed policies of a session.
const MOST_POLICIES: usize = 10;
/// Most session tags.
const MOST_TAGS: usize = 50;
/// Bytes of policies and tags that a session may carry, and what `PackedPolicySize` is a percentage of.
const MOST_PACKED: usize = 8192;

/// Session tags, checked.
pub(crate) struct SessionTags {
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) transitive: Vec<String>,
}

/// Tags that go on from the caller's session to the sessions it makes.
pub(crate) fn inherited_tags(caller: &Caller) -> Vec<(String, String)> {
    let Some(session) = &caller.session else { return Vec::new() };
    let transitive = |key: &str| session.transitive_tags.iter().any(|tag| tag.eq_ignore_ascii_case(key));
    session.tags.iter().filter(|(key, _)| transitive(key)).cloned().collect()
}

/// The tags of a new session: those asked for, and those that the caller's session hands on.
pub(crate) fn session_tags(
    caller: Option<&Caller>,
    given: Vec<Tag>,
    transitive: Vec<String>,
) -> Result<SessionTags, ServiceError> {
    if given.len() > MOST_TAGS {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length \
             less than or equal to {MOST_TAGS}"
        )));
    }
    let mut tags: Vec<(String, String)> = Vec::new();
    for tag in given {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys beginning with aws: are reserved for system use."));
        }
        if tags.iter().any(|(key, _)| key.eq_ignore_ascii_case(&tag.key)) {
            return Err(invalid(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned(),
            ));
        }
        tags.push((tag.key, tag.value));
    }
    if transitive.iter().any(|wanted| !tags.iter().any(|(key, _)| key.eq_ignore_ascii_case(wanted))) {
        return Err(invalid("The specified transitive tag key must be included in the requested tags."));
    }
    let mut transitive = transitive;
    for (key, value) in caller.map(inherited_tags).unwrap_or_default() {
        if tags.iter().any(|(given, _)| given.eq_ignore_ascii_case(&key)) {
            return Err(invalid(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag \
                 key from the calling session.",
            ));
        }
        transitive.push(key.clone());
        tags.push((key, value));
    }
    Ok(SessionTags { tags, transitive })
}

/// The policies that bound a new session; `None` when none were given.
pub(crate) async fn session_policies(
    service: &StsService,
    account: &AccountId,
    document: Option<String>,
    arns: Option<Vec<PolicyDescriptorType>>,
) -> Result<Option<SessionPolicies>, ServiceError> {
    let arns: Vec<String> = arns.into_iter().flatten().filter_map(|policy| policy.arn).collect();
    if document.is_none() && arns.is_empty() {
        return Ok(None);
    }
    if arns.len() > MOST_POLICIES {
        return Err(invalid(format!("A session has at most {MOST_POLICIES} managed policies.")));
    }
    let policies = SessionPolicies { document, arns };
    service.access.check_session_policies(account, &policies).await.map_err(|error| match error {
        NotAPolicy::Malformed(error) => malformed_policy(error.to_string()),
        missing @ NotAPolicy::Missing(_) => invalid(missing.to_string()),
        NotAPolicy::Failed(error) => access(error),
    })?;
    Ok(Some(policies))
}

/// How much of what a session may carry its policies and tags take, in percent; `None` when there are none.
pub(crate) fn packed_size(
    policies: Option<&SessionPolicies>,
    tags: &[(String, String)],
) -> Result<Option<i32>, ServiceError> {
    let mut bytes: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    if let Some(policies) = policies {
        bytes += policies.document.as_ref().map_or(0, String::len);
        bytes += policies.arns.iter().map(String::len).sum::<usize>();
    }
    if bytes == 0 {
        return Ok(None);
    }
    let percent = (bytes * 100).div_ceil(MOST_PACKED);
    if percent > 100 {
        return Err(ServiceError::new(
            &errors::PACKED_POLICY_TOO_LARGE_EXCEPTION,
            format!("Packed policy consumes {percent}% of allotted space, please use smaller policy."),
        ));
    }
    Ok(i32::try_from(percent).ok())
}

/// Checks a duration against the longest allowed.
pub(crate) fn duration(seconds: i32, longest: u32, too_long: &'static str) -> Result<Duration, ServiceError> {
    match u32::try_from(seconds) {
        Ok(seconds) if seconds <= longest => Ok(Duration::from_secs(u64::from(seconds))),
        _ => Err(invalid(too_long)),
    }
}

/// Takes the code of an MFA device, if the caller shows one; when it did.
pub(crate) async fn second_factor(
    service: &StsService,
    caller: &Caller,
    time: Timestamp,
    serial: Option<&str>,
    code: Option<&str>,
) -> Result<Option<Timestamp>, ServiceError> {
    let (serial, code) = match (serial, code) {
        (None, None) => return Ok(None),
        (Some(serial), Some(code)) => (serial, code),
        _ => {
            return Err(denied(
                "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
            ));
        }
    };
    match service.access.use_mfa(caller, serial, code).await {
        Ok(()) => Ok(Some(time)),
        Err(MfaError::WrongCode) => {
            Err(denied("MultiFactorAuthentication failed with invalid MFA one time pass code. "))
        }
        Err(MfaError::NoDevice) => Err(denied(
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is \
             valid and associated with this user.",
        )),
        Err(MfaError::Store(error)) => Err(store(error)),
    }
}

/// Credentials as answers show them.
pub(crate) fn show(credentials: &SessionCredentials) -> Credentials {
    // The one time that they are shown.
    Credentials {
        access_key_id: credentials.access_key_id.clone(),
        secret_access_key: credentials.secret_access_key.expose().to_owned(),
        session_token: credentials.session_token.expose().to_owned(),
        expiration: credentials.expires_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str) -> Tag {
        Tag { key: key.to_owned(), value: "v".to_owned() }
    }

    #[test]
    fn tags_are_checked() {
        let message = |tags: Vec<Tag>, transitive: Vec<String>| {
            session_tags(None, tags, transitive).err().map(|error| error.message.into_owned())
        };
        assert!(message(vec![tag("a"), tag("b")], vec!["A".into()]).is_none());
        assert!(message(vec![tag("a"), tag("A")], vec![]).is_some_and(|text| text.starts_with("Duplicate")));
        assert!(message(vec![tag("aws:a")], vec![]).is_some_and(|text| text.contains("reserved")));
        assert!(message(vec![tag("a")], vec!["b".into()]).is_some_and(|text| text.contains("transitive")));
    }

    #[test]
    fn sessions_carry_so_much_and_no_more() {
        assert_eq!(packed_size(None, &[]).expect("fits"), None);
        assert_eq!(packed_size(None, &[("k".into(), "v".repeat(819))]).expect("fits"), Some(11));
        let big = SessionPolicies { document: Some("x".repeat(9000)), arns: vec![] };
        assert!(packed_size(Some(&big), &[]).is_err());
    }
}
