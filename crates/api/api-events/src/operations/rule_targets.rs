//! PutTargets, RemoveTargets, ListTargetsByRule.

use crate::EventsService;
use crate::errors::{limit, store};
use crate::paging::page;
use crate::shapes::{
    ListTargetsByRuleRequest, ListTargetsByRuleResponse, PutTargetsRequest, PutTargetsResponse,
    RemoveTargetsRequest, RemoveTargetsResponse, RemoveTargetsResultEntry,
};
use crate::targets;
use aws_wire::{RequestContext, ServiceError};
use resources::events::Rule;

/// Most targets of a rule.
const MOST: usize = 5;

pub(crate) async fn put(
    service: &EventsService,
    context: &RequestContext,
    input: PutTargetsRequest,
) -> Result<PutTargetsResponse, ServiceError> {
    let old = service.rule(context, input.event_bus_name.as_deref(), &input.rule).await?;
    let mut rule = (*old.value).clone();
    // As AWS: what all of them look like comes before what one of them is.
    for target in &input.targets {
        targets::parse(&target.arn)?;
    }
    for target in input.targets {
        let target = targets::read(context, target)?;
        match rule.targets.iter_mut().find(|own| own.id == target.id) {
            Some(own) => *own = target,
            None => rule.targets.push(target),
        }
    }
    if rule.targets.len() > MOST {
        return Err(limit());
    }
    service.tables().replace(&old, rule).await.map_err(store)?;
    Ok(PutTargetsResponse { failed_entry_count: Some(0), failed_entries: Some(vec![]) })
}

pub(crate) async fn remove(
    service: &EventsService,
    context: &RequestContext,
    input: RemoveTargetsRequest,
) -> Result<RemoveTargetsResponse, ServiceError> {
    let old = service.rule(context, input.event_bus_name.as_deref(), &input.rule).await?;
    let known = |id: &String| old.targets.iter().any(|target| target.id == *id);
    let failed: Vec<RemoveTargetsResultEntry> = input
        .ids
        .iter()
        .filter(|id| !known(id))
        .map(|id| RemoveTargetsResultEntry {
            target_id: Some(id.clone()),
            error_code: Some("ResourceNotFoundException".to_owned()),
            error_message: Some(format!("Rule {} does not have target {id} associated with it.", old.name)),
        })
        .collect();
    let targets = old.targets.iter().filter(|target| !input.ids.contains(&target.id)).cloned().collect();
    let rule = Rule { targets, ..(*old.value).clone() };
    service.tables().replace(&old, rule).await.map_err(store)?;
    Ok(RemoveTargetsResponse {
        failed_entry_count: i32::try_from(failed.len()).ok(),
        failed_entries: Some(failed),
    })
}

pub(crate) async fn list(
    service: &EventsService,
    context: &RequestContext,
    input: ListTargetsByRuleRequest,
) -> Result<ListTargetsByRuleResponse, ServiceError> {
    let rule = service.rule(context, input.event_bus_name.as_deref(), &input.rule).await?;
    let mut shown: Vec<_> =
        rule.targets.iter().map(|target| (target.id.clone(), targets::shown(target))).collect();
    shown.sort_by(|(a, _), (b, _)| a.cmp(b));
    let scope = format!("targets {} {}", rule.bus, rule.name);
    let (targets, next_token) = page(shown, input.next_token.as_deref(), input.limit, &scope)?;
    Ok(ListTargetsByRuleResponse { targets: Some(targets), next_token })
}
