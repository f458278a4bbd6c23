//! PutParameter.

use crate::SsmService;
use crate::errors::{invalid, store, too_many_updates};
use crate::names::check_new;
use crate::render;
use crate::shapes::{ParameterTier, ParameterType, PutParameterRequest, PutParameterResult, errors};
use crate::validate::{STANDARD_BYTES, check_data_type, check_pattern, check_size};
use crate::{policies, tags};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::{Parameter, ParameterKind, ParameterVersion, Policy, Tier, VersionInfo};
use std::collections::BTreeMap;
use store::{StoreError, Versioned};
use zeroize::Zeroizing;

/// Most versions of a parameter.
const MOST_VERSIONS: i64 = 100;
/// Attempts to write a parameter that others write at the same time.
const MOST_ATTEMPTS: usize = 50;
/// The key that AWS names when the caller names none.
const DEFAULT_KEY: &str = "alias/aws/ssm";

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    mut input: PutParameterRequest,
) -> Result<PutParameterResult, ServiceError> {
    let value = Zeroizing::new(std::mem::take(&mut input.value));
    check_new(&input.name)?;
    let overwrite = input.overwrite == Some(true);
    if overwrite && input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        return Err(invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove \
             overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or \
             RemoveTagsFromResource.",
        ));
    }
    if let Some(data_type) = &input.data_type {
        check_data_type(data_type)?;
    }
    for _ in 0..MOST_ATTEMPTS {
        let old = service.find(context, &input.name).await?;
        if old.is_some() && !overwrite {
            return Err(ServiceError::new(
                &errors::PARAMETER_ALREADY_EXISTS,
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
            ));
        }
        let info = version(context, &input, &value, old.as_ref().map(|old| &old.newest))?;
        let written = match &old {
            Some(old) => add(service, old, info, &value).await?,
            None => create(service, context, &input, info, &value).await?,
        };
        if let Some(info) = written {
            return Ok(PutParameterResult {
                version: Some(info.version),
                tier: Some(render::tier(info.tier)),
            });
        }
    }
    Err(too_many_updates())
}

/// The new version: what the request says over what the version before says.
fn version(
    context: &RequestContext,
    input: &PutParameterRequest,
    value: &str,
    old: Option<&VersionInfo>,
) -> Result<VersionInfo, ServiceError> {
    let kind = match input.r#type {
        None => old.map(|old| old.kind),
        Some(ParameterType::String) => Some(ParameterKind::String),
        Some(ParameterType::StringList) => Some(ParameterKind::StringList),
        Some(ParameterType::SecureString) => Some(ParameterKind::SecureString),
    };
    let kind = kind.ok_or_else(|| invalid("A parameter type is required when you create a parameter."))?;
    if old.is_some_and(|old| old.kind != kind) {
        return Err(ServiceError::new(
            &errors::HIERARCHY_TYPE_MISMATCH_EXCEPTION,
            "Parameter Store doesn't support changing a parameter type in a hierarchy. For example, you can't change a \
             parameter from a String type to a SecureString type. You must create a new, unique parameter.",
        ));
    }
    let policies = match &input.policies {
        Some(text) => policies::read(text, context.time)?,
        None => old.map(|old| old.policies.clone()).unwrap_or_default(),
    };
    let tier = tier(input.tier, old.map(|old| old.tier), value, &policies)?;
    check_size(value, tier)?;
    let given = |new: &Option<String>, old: Option<&String>| new.as_ref().or(old).cloned();
    let allowed_pattern = given(&input.allowed_pattern, old.and_then(|old| old.allowed_pattern.as_ref()));
    check_pattern(value, allowed_pattern.as_deref())?;
    let key_id = given(&input.key_id, old.and_then(|old| old.key_id.as_ref()));
    let secure = kind == ParameterKind::SecureString;
    if !secure && input.key_id.is_some() {
        return Err(invalid("KeyId can be specified for parameters of the type SecureString only."));
    }
    let data_type = given(&input.data_type, old.map(|old| &old.data_type));
    Ok(VersionInfo {
        version: old.map_or(1, |old| old.version + 1),
        kind,
        key_id: secure.then(|| key_id.unwrap_or_else(|| DEFAULT_KEY.to_owned())),
        description: given(&input.description, old.and_then(|old| old.description.as_ref())),
        allowed_pattern: allowed_pattern.filter(|pattern| !pattern.is_empty()),
        tier,
        data_type: data_type.unwrap_or_else(|| "text".to_owned()),
        policies,
        modified_at: context.time,
        modified_by: context.principal_arn.to_string(),
    })
}

fn tier(
    wanted: Option<ParameterTier>,
    old: Option<Tier>,
    value: &str,
    policies: &[Policy],
) -> Result<Tier, ServiceError> {
    let needs_more = value.len() > STANDARD_BYTES || !policies.is_empty();
    let tier = match wanted {
        Some(ParameterTier::Advanced) => Tier::Advanced,
        Some(ParameterTier::IntelligentTiering) if needs_more => Tier::Advanced,
        None | Some(ParameterTier::IntelligentTiering) => old.unwrap_or(Tier::Standard),
        Some(ParameterTier::Standard) if old == Some(Tier::Advanced) => {
            return Err(invalid(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the \
                 advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced \
                 parameter and recreate it as a standard parameter.",
            ));
        }
        Some(ParameterTier::Standard) => Tier::Standard,
    };
    if tier == Tier::Standard && !policies.is_empty() {
        return Err(invalid("Parameter policies are supported for the advanced-parameter tier only."));
    }
    Ok(tier)
}

/// `None` when somebody else was faster.
async fn create(
    service: &SsmService,
    context: &RequestContext,
    input: &PutParameterRequest,
    info: VersionInfo,
    value: &str,
) -> Result<Option<VersionInfo>, ServiceError> {
    let parameter = Parameter {
        account: context.account.to_string(),
        region: context.region.to_string(),
        name: input.name.clone(),
        id: service.tables.environment().random_hex(16),
        tags: tags::merged(input.tags.clone().unwrap_or_default(), vec![])?,
        labels: BTreeMap::new(),
        oldest: 1,
        newest: info,
    };
    let key = resources::Stored::key(&parameter);
    let expired = service.tables.get::<Parameter>(&key).await.map_err(store)?;
    let row = version_row(service, &parameter, value);
    let batch = service.tables.batch().create(&row);
    let batch = match &expired {
        // The sweep has not come by yet; it finds the values of the old one.
        Some(expired) if expired.is_expired(context.time) => batch.replace(expired, &parameter),
        Some(_) => return Ok(None),
        None => batch.create(&parameter),
    };
    committed(batch.commit().await, parameter.newest)
}

/// `None` when somebody else was faster.
async fn add(
    service: &SsmService,
    old: &Versioned<Parameter>,
    info: VersionInfo,
    value: &str,
) -> Result<Option<VersionInfo>, ServiceError> {
    let mut new = Parameter { newest: info, ..(*old.value).clone() };
    let mut batch = service.tables.batch();
    if new.newest.version - new.oldest >= MOST_VERSIONS {
        if !new.labels_of(new.oldest).is_empty() {
            return Err(ServiceError::new(
                &errors::PARAMETER_MAX_VERSION_LIMIT_EXCEEDED,
                format!(
                    "You attempted to create a new version of {} by calling the PutParameter API with the overwrite flag. \
                     Version {}, the oldest version, can't be deleted because it has a label associated with it. Move the \
                     label to another version of the parameter, and try again.",
                    new.name, new.oldest
                ),
            ));
        }
        let key = ParameterVersion::key_of(&new.account, &new.id, new.oldest);
        batch = batch.delete_any::<ParameterVersion>(&key);
        new.oldest += 1;
    }
    let row = version_row(service, &new, value);
    committed(batch.create(&row).replace(old, &new).commit().await, new.newest)
}

fn version_row(service: &SsmService, parameter: &Parameter, value: &str) -> ParameterVersion {
    ParameterVersion {
        account: parameter.account.clone(),
        parameter_id: parameter.id.clone(),
        sealed: service.sealed(parameter, parameter.newest.version, value),
        info: parameter.newest.clone(),
    }
}

fn committed<T>(
    result: Result<T, StoreError>,
    info: VersionInfo,
) -> Result<Option<VersionInfo>, ServiceError> {
    match result {
        Ok(_) => Ok(Some(info)),
        Err(StoreError::Conflict(_)) => Ok(None),
        Err(error) => Err(store(error)),
    }
}
