//! What a well-formed document may not say, in the order in which AWS finds it.
//!
//! The order is observable: of several faults AWS reports the first of this list, so the tests of other projects that
//! record AWS's answers are the specification.

mod actions;
mod principals;
mod resources;

use crate::condition::{Comparison, Operator, parse_date};
use crate::syntax::{Document, RawStatement, Version};
use crate::{MalformedPolicy, PolicyKind};
use std::collections::HashSet;

type Checked = Result<(), MalformedPolicy>;

/// Refuses what AWS refuses for this kind of policy.
pub(crate) fn check(document: &Document, kind: PolicyKind) -> Checked {
    let statements = &document.statements;
    if kind == PolicyKind::Managed && document.version != Some(Version::V2012) {
        return Err(MalformedPolicy::Version);
    }
    if matches!(kind, PolicyKind::Identity | PolicyKind::Managed) {
        principals::absent(statements)?;
    }
    statements.iter().try_for_each(legacy_effect_and_dates)?;
    // A resource that is no ARN at all is found here but reported only when nothing else is wrong with the document.
    let resource_fault = resources::first_fault(statements)?;
    // Policies of repositories and secrets may repeat them.
    if kind != PolicyKind::Resource {
        unique_sids(statements)?;
    }
    statements.iter().try_for_each(|statement| has_actions(statement, kind))?;
    resource_fault.map_or(Ok(()), Err)?;
    actions::check_prefixes(statements)?;
    match kind {
        PolicyKind::Identity | PolicyKind::Managed => statements.iter().try_for_each(has_resources),
        PolicyKind::Resource => principals::check(statements),
        PolicyKind::Trust => {
            actions::assume_role_only(statements)?;
            statements.iter().try_for_each(without_resources)?;
            principals::not_negated(statements)?;
            principals::check(statements)
        }
    }
}

fn legacy_effect_and_dates(statement: &RawStatement) -> Checked {
    let known_effect = matches!(statement.effect.as_str(), "Allow" | "Deny");
    let is_date = |name: &str| {
        Operator::parse(name).is_some_and(|operator| matches!(operator.comparison, Comparison::Date(_)))
    };
    let mut dates = statement.conditions.iter().filter(|condition| is_date(&condition.operator));
    let known_dates = dates.all(|condition| condition.values.iter().all(|value| parse_date(value).is_some()));
    if known_effect && known_dates { Ok(()) } else { Err(MalformedPolicy::LegacyParsing) }
}

fn unique_sids(statements: &[RawStatement]) -> Checked {
    let mut seen = HashSet::new();
    let mut sids = statements.iter().filter_map(|statement| statement.sid.as_deref());
    // An empty id is no id.
    let unique = sids.all(|sid| sid.is_empty() || seen.insert(sid));
    if unique { Ok(()) } else { Err(MalformedPolicy::RepeatedSid) }
}

fn has_actions(statement: &RawStatement, kind: PolicyKind) -> Checked {
    let actions = statement.action.as_ref().or(statement.not_action.as_ref());
    match (actions, kind) {
        (Some(actions), _) if !actions.is_empty() => Ok(()),
        (_, PolicyKind::Identity | PolicyKind::Managed) => Err(MalformedPolicy::NoActions),
        (_, PolicyKind::Resource | PolicyKind::Trust) => Err(MalformedPolicy::MissingField("Action")),
    }
}

fn has_resources(statement: &RawStatement) -> Checked {
    match statement.resource.as_ref().or(statement.not_resource.as_ref()) {
        Some(resources) if !resources.is_empty() => Ok(()),
        _ => Err(MalformedPolicy::NoResources),
    }
}

fn without_resources(statement: &RawStatement) -> Checked {
    if statement.resource.is_some() {
        Err(MalformedPolicy::ProhibitedField("Resource"))
    } else if statement.not_resource.is_some() {
        Err(MalformedPolicy::ProhibitedField("NotResource"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
