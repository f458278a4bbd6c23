//! The form of resources. AWS takes more than ARNs and refuses some that are: the rules are as observed.

use super::Checked;
use crate::MalformedPolicy;
use crate::pattern::Pattern;
use crate::syntax::RawStatement;
use crate::template::Special;

const PARTITIONS: &[&str] =
    &["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];

/// The types of IAM's resources.
const IAM_PATHS: &[&str] = &[
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];

/// The types of S3's resources that lie in a region.
const S3_REGIONAL_PATHS: &[&str] =
    &["accesspoint/", "access-grants/", "async-request/", "job/", "storage-lens/", "storage-lens-group/"];

/// The first fault in the form of a resource. An error is a fault that AWS reports at once; it is looked for only as
/// long as no other fault was found.
pub(super) fn first_fault(statements: &[RawStatement]) -> Result<Option<MalformedPolicy>, MalformedPolicy> {
    let only = statements.iter().filter_map(|statement| statement.resource.as_ref());
    let except = statements.iter().filter_map(|statement| statement.not_resource.as_ref());
    for resources in only.chain(except) {
        for resource in resources.iter().filter(|resource| *resource != "*") {
            if let Err(fault) = check_form(resource) {
                return Ok(Some(fault));
            }
        }
        for resource in resources.iter().filter(|resource| *resource != "*") {
            check_legacy(resource)?;
        }
    }
    Ok(None)
}

fn check_form(resource: &str) -> Checked {
    let Some((_, after)) = resource.split_once(':') else {
        return Err(MalformedPolicy::NotAnArn(resource.to_owned()));
    };
    let (partition, after) = match after.split_once(':') {
        Some((partition, after)) => (partition, Some(after)),
        None => (after, None),
    };
    if !is_partition(partition) {
        return Err(MalformedPolicy::Partition {
            partition: partition.to_owned(),
            resource: completed(partition, after.unwrap_or("")),
        });
    }
    let Some(after) = after else { return Err(MalformedPolicy::ResourceVendor) };
    let mut parts = after.splitn(4, ':');
    let (service, region) = (parts.next().unwrap_or(""), parts.next());
    let path = parts.nth(1);
    if service.contains(['*', '?', '$']) {
        return Err(MalformedPolicy::ResourceVendor);
    }
    match service {
        "iam" => check_iam(resource, region, path),
        "s3" => check_s3(resource, region, path),
        _ => Ok(()),
    }
}

/// A partition by name, or a pattern that stands for one.
fn is_partition(text: &str) -> bool {
    let pattern = Pattern::compile(text, Special { wildcards: true, variables: false });
    let context = crate::Context::new();
    PARTITIONS.iter().any(|partition| pattern.matches(partition, &context))
}

/// The resource as AWS completes it for its message: `a:b:c` is `arn:b:c:*:*:*`.
fn completed(partition: &str, after: &str) -> String {
    let mut parts = after.splitn(4, ':').collect::<Vec<_>>();
    if after.is_empty() {
        parts.clear();
    }
    parts.resize(4, "*");
    format!("arn:{partition}:{}", parts.join(":"))
}

fn check_iam(resource: &str, region: Option<&str>, path: Option<&str>) -> Checked {
    if region.is_some_and(|region| !region.is_empty()) {
        return Err(MalformedPolicy::IamRegion(resource.to_owned()));
    }
    // Root is the resource of sts:AssumeRoot.
    let known = |path: &str| {
        path == "root" || path.starts_with('*') || IAM_PATHS.iter().any(|known| path.starts_with(known))
    };
    // Missing parts may be anything, and are left to the legacy rules.
    if path.is_none_or(known) { Ok(()) } else { Err(MalformedPolicy::IamPath(IAM_PATHS.join(", "))) }
}

fn check_s3(resource: &str, region: Option<&str>, path: Option<&str>) -> Checked {
    let is_regional = |path: &str| S3_REGIONAL_PATHS.iter().any(|known| path.starts_with(known));
    if region.is_none_or(str::is_empty) || path.is_some_and(is_regional) {
        Ok(())
    } else {
        Err(MalformedPolicy::Region(resource.to_owned()))
    }
}

/// An ARN that is cut short where it has empty parts, or that has no service.
fn check_legacy(resource: &str) -> Checked {
    let colons = resource.bytes().filter(|byte| *byte == b':').count();
    let cut_short = colons < 5 && resource.contains("::");
    let no_service = resource.split(':').nth(2).is_none_or(str::is_empty);
    if cut_short || no_service { Err(MalformedPolicy::LegacyParsing) } else { Ok(()) }
}
