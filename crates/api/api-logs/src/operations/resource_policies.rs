//! PutResourcePolicy, DescribeResourcePolicies and DeleteResourcePolicy.
//!
//! They let services of AWS write into the account's groups: of this region's services, EventBridge does. The operations
//! of this API name their groups inside the caller's account, so no caller of them is given anything.

use crate::LogsService;
use crate::errors::{from_store, invalid, invalid_token};
use crate::shapes::errors::{LIMIT_EXCEEDED_EXCEPTION, RESOURCE_NOT_FOUND_EXCEPTION};
use crate::shapes::{
    self, DeleteResourcePolicyRequest, DescribeResourcePoliciesRequest, DescribeResourcePoliciesResponse,
    PolicyScope, PutResourcePolicyRequest, PutResourcePolicyResponse,
};
use crate::token;
use access::BindError;
use aws_wire::{RequestContext, ServiceError};
use resources::logs::ResourcePolicy;
use store::Page;

/// Policies of an account.
const MOST_POLICIES: usize = 10;
/// Policies of an answer when the request does not say.
const USUAL_LIMIT: usize = 50;

/// Keeps a policy under its name; one that has the name already is replaced.
pub async fn put(
    service: &LogsService,
    context: &RequestContext,
    input: PutResourcePolicyRequest,
) -> Result<PutResourcePolicyResponse, ServiceError> {
    refuse_resource(input.resource_arn.as_deref())?;
    let name = required(input.policy_name.as_deref(), "policyName")?;
    let text = required(input.policy_document.as_deref(), "policyDocument")?;
    let document = access::bind_resource_policy(&service.tables, &context.account, text).await;
    let document = document.map_err(|error| match error {
        BindError::Store(error) => from_store(error),
        error => invalid(error.to_string()),
    })?;
    // Several puts at once must not get past the limit together.
    let _one_at_a_time = service.limits.lock().await;
    let prefix = ResourcePolicy::key_of(context.account.as_str(), "");
    let others = service.tables.list_all::<ResourcePolicy>(&prefix).await.map_err(from_store)?;
    let is_new = others.iter().all(|other| other.name != name);
    if is_new && others.len() >= MOST_POLICIES {
        return Err(ServiceError::new(&LIMIT_EXCEEDED_EXCEPTION, "Resource limit exceeded."));
    }
    let row = ResourcePolicy {
        account: context.account.to_string(),
        name: name.to_owned(),
        document,
        updated_at: service.tables.environment().now(),
    };
    service.tables.batch().put_any(&row).commit().await.map_err(from_store)?;
    let resource_policy = Some(render(service, &row).await?);
    Ok(PutResourcePolicyResponse { resource_policy, revision_id: None })
}

/// Lists policies by name.
pub async fn describe(
    service: &LogsService,
    context: &RequestContext,
    input: DescribeResourcePoliciesRequest,
) -> Result<DescribeResourcePoliciesResponse, ServiceError> {
    let none = input.resource_arn.is_some() || input.policy_scope == Some(PolicyScope::Resource);
    if none {
        return Ok(DescribeResourcePoliciesResponse { resource_policies: Some(vec![]), next_token: None });
    }
    let prefix = ResourcePolicy::key_of(context.account.as_str(), "");
    let after = input.next_token.as_deref().map(token::decode).transpose()?;
    let page = Page {
        after: after.map(|name| ResourcePolicy::key_of(context.account.as_str(), &name)),
        limit: input.limit.map_or(USUAL_LIMIT, |limit| usize::try_from(limit).unwrap_or(USUAL_LIMIT)),
    };
    let listing = service.tables.list::<ResourcePolicy>(&prefix, page).await.map_err(from_store)?;
    let mut policies = Vec::with_capacity(listing.items.len());
    for row in &listing.items {
        policies.push(render(service, row).await?);
    }
    let next_token = match listing.next {
        Some(key) => Some(token::encode(key.strip_prefix(&prefix).ok_or_else(invalid_token)?)),
        None => None,
    };
    Ok(DescribeResourcePoliciesResponse { resource_policies: Some(policies), next_token })
}

/// Removes a policy.
pub async fn delete(
    service: &LogsService,
    context: &RequestContext,
    input: DeleteResourcePolicyRequest,
) -> Result<(), ServiceError> {
    refuse_resource(input.resource_arn.as_deref())?;
    let name = required(input.policy_name.as_deref(), "policyName")?;
    let key = ResourcePolicy::key_of(context.account.as_str(), name);
    let Some(row) = service.tables.get::<ResourcePolicy>(&key).await.map_err(from_store)? else {
        let text = format!("Policy with name [{name}] does not exist");
        return Err(ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, text));
    };
    service.tables.delete(&row).await.map_err(from_store)
}

fn refuse_resource(arn: Option<&str>) -> Result<(), ServiceError> {
    match arn {
        Some(_) => Err(invalid("Policies of a single log group are not supported by this region.")),
        None => Ok(()),
    }
}

fn required<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, ServiceError> {
    value.filter(|text| !text.is_empty()).ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

async fn render(service: &LogsService, row: &ResourcePolicy) -> Result<shapes::ResourcePolicy, ServiceError> {
    let document = access::show_principals(&service.tables, &row.document).await.map_err(from_store)?;
    Ok(shapes::ResourcePolicy {
        policy_name: Some(row.name.clone()),
        policy_document: Some(document),
        last_updated_time: Some(row.updated_at.as_millis()),
        policy_scope: Some(PolicyScope::Account),
        ..shapes::ResourcePolicy::default()
    })
}
