//! DescribeLogGroups.

use crate::LogsService;
use crate::errors::{from_store, invalid};
use crate::lookup::{group_arn, group_name};
use crate::shapes::{self, DescribeLogGroupsRequest, DescribeLogGroupsResponse, LogGroupClass};
use crate::token;
use aws_wire::{RequestContext, ServiceError};
use resources::logs::LogGroup;
use store::Page;

/// Groups of an answer when the request does not say.
const USUAL_LIMIT: usize = 50;
/// Rows read at a time.
const PAGE: usize = 200;

/// Lists groups by name, page by page.
pub async fn run(
    service: &LogsService,
    context: &RequestContext,
    input: DescribeLogGroupsRequest,
) -> Result<DescribeLogGroupsResponse, ServiceError> {
    check(context, &input)?;
    if input.log_group_class.is_some_and(|class| class != LogGroupClass::Standard) {
        return answer(service, context, &[], None).await;
    }
    if let Some(identifiers) = &input.log_group_identifiers {
        return by_identifier(service, context, identifiers).await;
    }
    let limit = input.limit.map_or(USUAL_LIMIT, |limit| limit.clamp(1, 50) as usize);
    let account = context.account.as_str();
    let prefix = LogGroup::key_of(account, input.log_group_name_prefix.as_deref().unwrap_or_default());
    let after = input.next_token.as_deref().map(token::decode).transpose()?;
    let mut after = after.map(|name| LogGroup::key_of(account, &name));
    let mut found = Vec::new();
    loop {
        let page = Page { after, limit: PAGE };
        let listing = service.tables.list::<LogGroup>(&prefix, page).await.map_err(from_store)?;
        let wanted = |group: &LogGroup| {
            input.log_group_name_pattern.as_ref().is_none_or(|pattern| group.name.contains(pattern))
        };
        found.extend(listing.items.iter().filter(|group| wanted(group)).map(|group| group.value.clone()));
        after = listing.next;
        if found.len() > limit || after.is_none() {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|group| token::encode(&group.name));
    answer(service, context, &found, next).await
}

fn check(context: &RequestContext, input: &DescribeLogGroupsRequest) -> Result<(), ServiceError> {
    let (prefix, pattern) = (&input.log_group_name_prefix, &input.log_group_name_pattern);
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    if input.log_group_identifiers.is_some() && (prefix.is_some() || pattern.is_some()) {
        return Err(invalid(
            "LogGroup identifiers are mutually exclusive with LogGroup name prefix and LogGroup name pattern.",
        ));
    }
    let mut accounts = input.account_identifiers.iter().flatten();
    if accounts.any(|account| account != context.account.as_str()) {
        return Err(invalid("The specified accounts are not linked to this account."));
    }
    Ok(())
}

async fn by_identifier(
    service: &LogsService,
    context: &RequestContext,
    identifiers: &[String],
) -> Result<DescribeLogGroupsResponse, ServiceError> {
    let mut found = Vec::new();
    for identifier in identifiers {
        let key = LogGroup::key_of(context.account.as_str(), group_name(context, identifier)?);
        if let Some(group) = service.tables.get::<LogGroup>(&key).await.map_err(from_store)? {
            found.push(group.value);
        }
    }
    answer(service, context, &found, None).await
}

async fn answer(
    service: &LogsService,
    context: &RequestContext,
    groups: &[std::sync::Arc<LogGroup>],
    next_token: Option<String>,
) -> Result<DescribeLogGroupsResponse, ServiceError> {
    let mut rendered = Vec::with_capacity(groups.len());
    for group in groups {
        let filters = service.filters.of_group(group).await.map_err(from_store)?.len();
        rendered.push(render(context, group, filters));
    }
    Ok(DescribeLogGroupsResponse { log_groups: Some(rendered), next_token })
}

fn render(context: &RequestContext, group: &LogGroup, filters: usize) -> shapes::LogGroup {
    let arn = group_arn(context, &group.name);
    shapes::LogGroup {
        arn: Some(format!("{arn}:*")),
        log_group_arn: Some(arn),
        log_group_name: Some(group.name.clone()),
        creation_time: Some(group.created_at.as_millis()),
        retention_in_days: group.retention_in_days,
        metric_filter_count: i32::try_from(filters).ok(),
        stored_bytes: Some(group.stored_bytes),
        log_group_class: Some(LogGroupClass::Standard),
        deletion_protection_enabled: Some(false),
        ..shapes::LogGroup::default()
    }
}
