//! Parameters as the API shows them.

use crate::names::Selector;
use crate::shapes as wire;
use resources::ssm::{Parameter, ParameterKind, ParameterVersion, Policy, Tier, VersionInfo};

/// A parameter with a value that the caller may see.
pub(crate) fn with_value(
    parameter: &Parameter,
    version: &ParameterVersion,
    selector: &Selector<'_>,
    value: String,
) -> wire::Parameter {
    wire::Parameter {
        name: Some(parameter.name.clone()),
        r#type: Some(kind(version.info.kind)),
        value: Some(value),
        version: Some(version.info.version),
        selector: match selector {
            Selector::Newest => None,
            Selector::Version(number) => Some(format!(":{number}")),
            Selector::Label(label) => Some(format!(":{label}")),
        },
        source_result: None,
        last_modified_date: Some(version.info.modified_at),
        arn: Some(parameter.arn()),
        data_type: Some(version.info.data_type.clone()),
    }
}

/// What DescribeParameters shows.
pub(crate) fn metadata(parameter: &Parameter) -> wire::ParameterMetadata {
    let info = &parameter.newest;
    wire::ParameterMetadata {
        name: Some(parameter.name.clone()),
        arn: Some(parameter.arn()),
        r#type: Some(kind(info.kind)),
        key_id: info.key_id.clone(),
        last_modified_date: Some(info.modified_at),
        last_modified_user: Some(info.modified_by.clone()),
        description: info.description.clone(),
        allowed_pattern: info.allowed_pattern.clone(),
        version: Some(info.version),
        tier: Some(tier(info.tier)),
        policies: Some(policies(info)),
        data_type: Some(info.data_type.clone()),
    }
}

/// An item of GetParameterHistory.
pub(crate) fn history(
    parameter: &Parameter,
    version: &ParameterVersion,
    value: String,
) -> wire::ParameterHistory {
    let info = &version.info;
    wire::ParameterHistory {
        name: Some(parameter.name.clone()),
        r#type: Some(kind(info.kind)),
        key_id: info.key_id.clone(),
        last_modified_date: Some(info.modified_at),
        last_modified_user: Some(info.modified_by.clone()),
        description: info.description.clone(),
        value: Some(value),
        allowed_pattern: info.allowed_pattern.clone(),
        version: Some(info.version),
        labels: Some(parameter.labels_of(info.version)),
        tier: Some(tier(info.tier)),
        policies: Some(policies(info)),
        data_type: Some(info.data_type.clone()),
    }
}

/// The tier as the API writes it.
pub(crate) fn tier(tier: Tier) -> wire::ParameterTier {
    match tier {
        Tier::Standard => wire::ParameterTier::Standard,
        Tier::Advanced => wire::ParameterTier::Advanced,
    }
}

/// The type as the API writes it.
pub(crate) fn kind(kind: ParameterKind) -> wire::ParameterType {
    match kind {
        ParameterKind::String => wire::ParameterType::String,
        ParameterKind::StringList => wire::ParameterType::StringList,
        ParameterKind::SecureString => wire::ParameterType::SecureString,
    }
}

fn policies(info: &VersionInfo) -> Vec<wire::ParameterInlinePolicy> {
    let shown = |policy: &Policy| wire::ParameterInlinePolicy {
        policy_text: Some(policy.text.clone()),
        policy_type: Some("Expiration".to_owned()),
        policy_status: Some("Pending".to_owned()),
    };
    info.policies.iter().map(shown).collect()
}
