//! Trails by name or ARN, what their names may be, and how they are shown.

use crate::CloudTrailService;
use crate::errors::{from_store, no_trail, not_built, refused};
use crate::shapes::{Trail as Shown, errors};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::cloudtrail::Trail;
use store::Versioned;

/// Longest prefix of the names of files.
const MOST_PREFIX: usize = 200;

impl CloudTrailService {
    /// The trail with a name or an ARN.
    pub(crate) async fn require_trail(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Versioned<Trail>, ServiceError> {
        let key = key(context, name)?;
        self.tables.get(&key).await.map_err(from_store)?.ok_or_else(|| no_trail(context, name))
    }

    /// Changes a trail, again and again until nobody interferes.
    pub(crate) async fn change_trail(
        &self,
        context: &RequestContext,
        name: &str,
        change: impl Fn(&mut Trail),
    ) -> Result<Versioned<Trail>, ServiceError> {
        let key = key(context, name)?;
        let changed = self.tables.update(&key, |old: &Trail| {
            let mut trail = old.clone();
            change(&mut trail);
            Ok(Some(trail))
        });
        changed.await.map_err(from_store)?.ok_or_else(|| no_trail(context, name))
    }
}

/// The key of the trail with a name or an ARN.
pub(crate) fn key(context: &RequestContext, name: &str) -> Result<String, ServiceError> {
    let account = context.account.as_str();
    if !name.starts_with("arn:") {
        check_name(name)?;
        return Ok(Trail::key_of(account, name));
    }
    let invalid = || {
        let text = format!("The ARN {name} is not the ARN of a trail.");
        refused(&errors::CLOUD_TRAIL_ARN_INVALID_EXCEPTION, text)
    };
    let arn: Arn = name.parse().map_err(|_| invalid())?;
    let plain = arn.resource.strip_prefix("trail/").filter(|_| arn.service == "cloudtrail");
    let plain = plain.ok_or_else(invalid)?;
    if arn.account != account || arn.region != context.region.as_str() {
        return Err(no_trail(context, name));
    }
    check_name(plain)?;
    Ok(Trail::key_of(account, plain))
}

/// The ARN of the trail with a name or an ARN.
pub(crate) fn arn(context: &RequestContext, name: &str) -> String {
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    format!("arn:aws:cloudtrail:{}:{}:trail/{name}", context.region, context.account)
}

/// What the name of a trail may be.
pub(crate) fn check_name(name: &str) -> Result<(), ServiceError> {
    let invalid = |text: String| Err(refused(&errors::INVALID_TRAIL_NAME_EXCEPTION, text));
    let length = name.chars().count();
    let bytes = name.as_bytes();
    if length < 3 {
        return invalid(format!(
            "Trail name too short. Minimum allowed length: 3 characters. Specified name length: {length} characters."
        ));
    }
    if length > 128 {
        return invalid(format!(
            "Trail name too long. Maximum allowed length: 128 characters. Specified name length: {length} characters."
        ));
    }
    if !bytes.first().is_some_and(u8::is_ascii_alphanumeric) {
        return invalid("Trail name must starts with a letter or number.".to_owned());
    }
    if !bytes.last().is_some_and(u8::is_ascii_alphanumeric) {
        return invalid("Trail name must ends with a letter or number.".to_owned());
    }
    if bytes.iter().any(|byte| !byte.is_ascii_alphanumeric() && !b"._-".contains(byte)) {
        return invalid(
            "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), \
             hyphens (-), and underscores (_)."
                .to_owned(),
        );
    }
    Ok(())
}

/// What the name of a bucket may be; it becomes the name of a directory.
pub(crate) fn check_bucket(name: &str) -> Result<(), ServiceError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let ends =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    let valid = (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| plain(*byte))
        && ends(bytes.first())
        && ends(bytes.last())
        && !name.contains("..");
    if valid {
        return Ok(());
    }
    Err(refused(&errors::INVALID_S3_BUCKET_NAME_EXCEPTION, "The specified S3 bucket name is not valid."))
}

/// What a prefix may be: parts that are names of directories.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), ServiceError> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=+@!".contains(&byte))
    };
    if prefix.len() <= MOST_PREFIX && prefix.trim_end_matches('/').split('/').all(plain) {
        return Ok(());
    }
    Err(refused(&errors::INVALID_S3_PREFIX_EXCEPTION, "The specified S3 key prefix is not valid."))
}

/// What a trail asks for that this region does not have.
pub(crate) struct Extras<'a> {
    pub(crate) sns_topic: Option<&'a str>,
    pub(crate) log_group: Option<&'a str>,
    pub(crate) log_role: Option<&'a str>,
    pub(crate) kms_key: Option<&'a str>,
    pub(crate) validation: Option<bool>,
    pub(crate) organization: Option<bool>,
}

impl Extras<'_> {
    /// Refuses them. Empty texts ask for nothing: clients send them to turn something off.
    pub(crate) fn refuse(&self) -> Result<(), ServiceError> {
        let asks = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
        if asks(self.sns_topic) {
            let text = "SNS Topic does not exist or the topic policy is incorrect!";
            return Err(refused(&errors::INSUFFICIENT_SNS_TOPIC_POLICY_EXCEPTION, text));
        }
        if asks(self.log_group) || asks(self.log_role) {
            let text = "CloudTrail cannot deliver events to CloudWatch Logs in this region.";
            return Err(refused(&errors::CLOUD_WATCH_LOGS_DELIVERY_UNAVAILABLE_EXCEPTION, text));
        }
        if asks(self.kms_key) {
            let text = "The KMS key does not exist: there is no KMS in this region.";
            return Err(refused(&errors::KMS_KEY_NOT_FOUND_EXCEPTION, text));
        }
        if self.validation == Some(true) {
            return Err(not_built("Log file validation"));
        }
        if self.organization == Some(true) {
            let text = "The account is not in an organization.";
            return Err(refused(&errors::ORGANIZATIONS_NOT_IN_USE_EXCEPTION, text));
        }
        Ok(())
    }
}

/// The rule that both creation and change keep.
pub(crate) fn check_regions(is_multi_region: bool, include_global: bool) -> Result<(), ServiceError> {
    if is_multi_region && !include_global {
        let text = "Multi-Region trail must include global service events.";
        return Err(refused(&errors::INVALID_PARAMETER_COMBINATION_EXCEPTION, text));
    }
    Ok(())
}

/// A trail as it is shown.
pub(crate) fn shown(trail: &Trail) -> Shown {
    Shown {
        name: Some(trail.name.clone()),
        s3_bucket_name: Some(trail.bucket.clone()),
        s3_key_prefix: trail.prefix.clone(),
        include_global_service_events: Some(trail.include_global_service_events),
        is_multi_region_trail: Some(trail.is_multi_region),
        home_region: Some(trail.home_region.clone()),
        trail_arn: Some(trail.arn()),
        log_file_validation_enabled: Some(false),
        has_custom_event_selectors: Some(trail.selectors.is_some()),
        has_insight_selectors: Some(false),
        is_organization_trail: Some(false),
        ..Shown::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["abc", "a.b-c_d", "0aZ", &"x".repeat(128)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "-abc", "abc.", "a b c", "a/b/c", &"x".repeat(129)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn buckets_and_prefixes_stay_inside_their_directory() {
        assert!(check_bucket("my-bucket.logs").is_ok());
        for bad in ["", "..", "a", "a/b/c", "A-bucket", ".hidden", "a..b", "-ab", &"a".repeat(64)] {
            assert!(check_bucket(bad).is_err(), "{bad}");
        }
        assert!(check_prefix("team/audit").is_ok() && check_prefix("team/").is_ok());
        for bad in ["", "/", "/etc", "a/../b", "..", "a//b", "a b", "a\0", ".x"] {
            assert!(check_prefix(bad).is_err(), "{bad:?}");
        }
    }
}
