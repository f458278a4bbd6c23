//! PutRule, DescribeRule, ListRules, ListRuleNamesByTarget, EnableRule, DisableRule, DeleteRule.

use super::tags;
use crate::EventsService;
use crate::errors::{invalid, limit, pattern, store};
use crate::names::{bus_name, rule_arn};
use crate::paging::page;
use crate::shapes::{
    self as wire, DeleteRuleRequest, DescribeRuleRequest, DescribeRuleResponse, DisableRuleRequest,
    EnableRuleRequest, ListRuleNamesByTargetRequest, ListRuleNamesByTargetResponse, ListRulesRequest,
    ListRulesResponse, PutRuleRequest, PutRuleResponse, RuleState,
};
use aws_wire::{RequestContext, ServiceError};
use event_patterns::EventPattern;
use resources::events::{DEFAULT_BUS, Rule};
use schedule_expressions::Expression;
use store::Versioned;

/// Most rules of a bus.
const MOST: usize = 300;

pub(crate) async fn put(
    service: &EventsService,
    context: &RequestContext,
    input: PutRuleRequest,
) -> Result<PutRuleResponse, ServiceError> {
    let bus = bus_name(context, input.event_bus_name.as_deref())?;
    service.bus(context, &bus).await?;
    let event_pattern = input.event_pattern.filter(|text| !text.is_empty());
    let schedule = input.schedule_expression.filter(|text| !text.is_empty());
    check(&bus, event_pattern.as_deref(), schedule.as_deref())?;
    let key = Rule::key_of(&context.account, &bus, &input.name);
    let old = service.tables().get::<Rule>(&key).await.map_err(store)?;
    let state = input.state.unwrap_or(RuleState::Enabled);
    let enabled = state != RuleState::Disabled;
    // A schedule counts from when it was put or switched on.
    let goes_on = old.as_ref().filter(|old| old.schedule == schedule && old.enabled && enabled);
    let given = input.tags.unwrap_or_default();
    let rule = Rule {
        account: context.account.clone(),
        bus: bus.clone(),
        name: input.name.clone(),
        pattern: event_pattern,
        schedule,
        scheduled_from: goes_on.map_or(context.time, |old| old.scheduled_from),
        enabled,
        all_management_events: state == RuleState::EnabledWithAllCloudtrailManagementEvents,
        description: input.description,
        role_arn: input.role_arn,
        // Tags of a rule that is there are not changed by putting it.
        tags: match &old {
            Some(old) => old.tags.clone(),
            None => tags::read(given, vec![])?,
        },
        targets: old.as_ref().map(|old| old.targets.clone()).unwrap_or_default(),
        created_by: old.as_ref().map_or_else(|| context.account.to_string(), |old| old.created_by.clone()),
    };
    if let Some(old) = old {
        service.tables().replace(&old, rule).await.map_err(store)?;
    } else {
        let prefix = format!("{}/{bus}/", context.account);
        if service.tables().list_all::<Rule>(&prefix).await.map_err(store)?.len() >= MOST {
            return Err(limit());
        }
        service.tables().create(rule).await.map_err(store)?;
    }
    Ok(PutRuleResponse { rule_arn: Some(rule_arn(context, &bus, &input.name)) })
}

fn check(bus: &str, event_pattern: Option<&str>, schedule: Option<&str>) -> Result<(), ServiceError> {
    if event_pattern.is_none() && schedule.is_none() {
        return Err(invalid("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    if let Some(text) = event_pattern {
        EventPattern::parse(text).map_err(pattern)?;
    }
    if let Some(schedule) = schedule {
        if bus != DEFAULT_BUS {
            return Err(invalid("ScheduleExpression is supported only on the default event bus."));
        }
        Expression::of_rule(schedule).map_err(|error| invalid(error.to_string()))?;
    }
    Ok(())
}

pub(crate) async fn describe(
    service: &EventsService,
    context: &RequestContext,
    input: DescribeRuleRequest,
) -> Result<DescribeRuleResponse, ServiceError> {
    let rule = service.rule(context, input.event_bus_name.as_deref(), &input.name).await?;
    Ok(DescribeRuleResponse {
        arn: Some(rule_arn(context, &rule.bus, &rule.name)),
        created_by: Some(rule.created_by.clone()),
        description: rule.description.clone(),
        event_bus_name: Some(rule.bus.clone()),
        event_pattern: rule.pattern.clone(),
        managed_by: None,
        name: Some(rule.name.clone()),
        role_arn: rule.role_arn.clone(),
        schedule_expression: rule.schedule.clone(),
        state: Some(state(&rule)),
    })
}

fn state(rule: &Rule) -> RuleState {
    match (rule.enabled, rule.all_management_events) {
        (false, _) => RuleState::Disabled,
        (true, false) => RuleState::Enabled,
        (true, true) => RuleState::EnabledWithAllCloudtrailManagementEvents,
    }
}

fn shown(context: &RequestContext, rule: &Rule) -> wire::Rule {
    wire::Rule {
        arn: Some(rule_arn(context, &rule.bus, &rule.name)),
        description: rule.description.clone(),
        event_bus_name: Some(rule.bus.clone()),
        event_pattern: rule.pattern.clone(),
        managed_by: None,
        name: Some(rule.name.clone()),
        role_arn: rule.role_arn.clone(),
        schedule_expression: rule.schedule.clone(),
        state: Some(state(rule)),
    }
}

impl EventsService {
    /// The rules of a bus, in the order of their names.
    async fn rules(
        &self,
        context: &RequestContext,
        bus: Option<&str>,
    ) -> Result<Vec<Versioned<Rule>>, ServiceError> {
        let bus = bus_name(context, bus)?;
        self.bus(context, &bus).await?;
        self.tables().list_all::<Rule>(&format!("{}/{bus}/", context.account)).await.map_err(store)
    }
}

pub(crate) async fn list(
    service: &EventsService,
    context: &RequestContext,
    input: ListRulesRequest,
) -> Result<ListRulesResponse, ServiceError> {
    let rules = service.rules(context, input.event_bus_name.as_deref()).await?;
    let prefix = input.name_prefix.unwrap_or_default();
    let rules = rules.iter().filter(|rule| rule.name.starts_with(&prefix));
    let rules = rules.map(|rule| (rule.name.clone(), shown(context, rule))).collect();
    let scope = format!("rules {} {prefix}", input.event_bus_name.unwrap_or_default());
    let (rules, next_token) = page(rules, input.next_token.as_deref(), input.limit, &scope)?;
    Ok(ListRulesResponse { rules: Some(rules), next_token })
}

pub(crate) async fn names_by_target(
    service: &EventsService,
    context: &RequestContext,
    input: ListRuleNamesByTargetRequest,
) -> Result<ListRuleNamesByTargetResponse, ServiceError> {
    let rules = service.rules(context, input.event_bus_name.as_deref()).await?;
    let rules = rules.iter().filter(|rule| rule.targets.iter().any(|target| target.arn == input.target_arn));
    let names = rules.map(|rule| (rule.name.clone(), rule.name.clone())).collect();
    let scope = format!("names {} {}", input.event_bus_name.unwrap_or_default(), input.target_arn);
    let (names, next_token) = page(names, input.next_token.as_deref(), input.limit, &scope)?;
    Ok(ListRuleNamesByTargetResponse { rule_names: Some(names), next_token })
}

pub(crate) async fn enable(
    service: &EventsService,
    context: &RequestContext,
    input: EnableRuleRequest,
) -> Result<(), ServiceError> {
    switch(service, context, (input.event_bus_name.as_deref(), &input.name), true).await
}

pub(crate) async fn disable(
    service: &EventsService,
    context: &RequestContext,
    input: DisableRuleRequest,
) -> Result<(), ServiceError> {
    switch(service, context, (input.event_bus_name.as_deref(), &input.name), false).await
}

async fn switch(
    service: &EventsService,
    context: &RequestContext,
    (bus, name): (Option<&str>, &str),
    enabled: bool,
) -> Result<(), ServiceError> {
    let old = service.rule(context, bus, name).await?;
    if old.enabled == enabled {
        return Ok(());
    }
    let new = Rule { enabled, scheduled_from: context.time, ..(*old.value).clone() };
    service.tables().replace(&old, new).await.map_err(store)?;
    Ok(())
}

pub(crate) async fn delete(
    service: &EventsService,
    context: &RequestContext,
    input: DeleteRuleRequest,
) -> Result<(), ServiceError> {
    let bus = bus_name(context, input.event_bus_name.as_deref())?;
    service.bus(context, &bus).await?;
    let key = Rule::key_of(&context.account, &bus, &input.name);
    // Deleting what is not there is no error, as on AWS.
    let Some(rule) = service.tables().get::<Rule>(&key).await.map_err(store)? else { return Ok(()) };
    if !rule.targets.is_empty() {
        return Err(invalid("Rule can't be deleted since it has targets."));
    }
    service.tables().delete(&rule).await.map_err(store)
}
