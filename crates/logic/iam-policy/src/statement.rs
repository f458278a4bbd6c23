//! One statement, compiled, and whether it is about a request.

use crate::action::{ActionName, ActionPattern};
use crate::arn::{ArnPattern, ArnText, Variables};
use crate::condition::Condition;
use crate::principal_clause::{Grant, PrincipalClause};
use crate::syntax::{RawStatement, Version};
use crate::{Context, Principal};
use std::sync::Arc;

/// What a statement does with the requests it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatementEffect {
    Allow,
    Deny,
}

/// A compiled statement.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) sid: Option<Arc<str>>,
    pub(crate) effect: StatementEffect,
    /// None in policies of users, groups and roles.
    pub(crate) principal: Option<PrincipalClause>,
    actions: Clause<ActionPattern>,
    /// None where the policy is attached to the resource it is about and names none.
    resources: Option<Clause<ArnPattern>>,
    conditions: Box<[Condition]>,
}

/// An element and its negation: `Action` and `NotAction`, `Resource` and `NotResource`.
#[derive(Debug)]
enum Clause<P> {
    AnyOf(Box<[P]>),
    NoneOf(Box<[P]>),
}

/// A request, prepared once for all statements.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) action: ActionName,
    pub(crate) resource: ArnText<'a>,
    pub(crate) context: &'a Context,
    /// Does the caller have a permissions boundary?
    pub(crate) has_boundary: bool,
}

impl<P> Clause<P> {
    fn holds(&self, mut matches: impl FnMut(&P) -> bool) -> bool {
        match self {
            Self::AnyOf(patterns) => patterns.iter().any(&mut matches),
            Self::NoneOf(patterns) => !patterns.iter().any(&mut matches),
        }
    }

    fn patterns(&self) -> &[P] {
        let (Self::AnyOf(patterns) | Self::NoneOf(patterns)) = self;
        patterns
    }
}

impl Statement {
    /// Compiles a statement that has been validated.
    pub(crate) fn compile(raw: &RawStatement, version: Version) -> Self {
        let variables = if version == Version::V2012 { Variables::ResourcePart } else { Variables::Nowhere };
        let effect = if raw.effect == "Allow" { StatementEffect::Allow } else { StatementEffect::Deny };
        let principal = match (&raw.principal, &raw.not_principal) {
            (Some(named), _) => Some(PrincipalClause::compile(named, false)),
            (None, Some(named)) => Some(PrincipalClause::compile(named, true)),
            (None, None) => None,
        };
        let actions = clause(raw.action.as_deref(), raw.not_action.as_deref(), ActionPattern::compile);
        let resources = clause(raw.resource.as_deref(), raw.not_resource.as_deref(), |text| {
            ArnPattern::compile(text, variables)
        });
        Self {
            sid: raw.sid.as_deref().filter(|sid| !sid.is_empty()).map(Arc::from),
            effect,
            principal,
            // Without any action it is about none; validation does not let it come to that.
            actions: actions.unwrap_or(Clause::AnyOf(Box::default())),
            resources,
            conditions: raw.conditions.iter().filter_map(|raw| Condition::compile(raw, version)).collect(),
        }
    }

    /// Is it about the request, and how directly does it name the caller? A policy of the caller itself names it as
    /// directly as can be. The cheapest questions come first.
    pub(crate) fn applies(&self, subject: &Subject<'_>) -> Option<Grant> {
        if !self.actions.holds(|pattern| pattern.matches(&subject.action, subject.context)) {
            return None;
        }
        let grant = match &self.principal {
            Some(clause) => clause.grants(subject.principal, self.effect, subject.has_boundary)?,
            None => Grant::Direct,
        };
        let holds = self.is_about_resource(subject)
            && self.conditions.iter().all(|condition| condition.holds(subject.context, self.effect));
        holds.then_some(grant)
    }

    fn is_about_resource(&self, subject: &Subject<'_>) -> bool {
        let Some(resources) = &self.resources else { return true };
        let matches = |pattern: &ArnPattern| pattern.matches(subject.resource, subject.context);
        match (resources, self.effect) {
            // An exception that cannot be known is not one that an allow may step over.
            (Clause::NoneOf(patterns), StatementEffect::Allow) => !patterns.iter().any(|pattern| {
                matches(pattern)
                    || pattern.variables().any(|variable| variable.resolve(subject.context).is_none())
            }),
            _ => resources.holds(matches),
        }
    }

    /// The condition keys that it asks for.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let resources = self.resources.iter().flat_map(Clause::patterns);
        let conditions = self.conditions.iter().flat_map(Condition::keys);
        resources.flat_map(ArnPattern::variables).map(|variable| variable.name.as_str()).chain(conditions)
    }
}

fn clause<P>(
    only: Option<&[String]>,
    except: Option<&[String]>,
    compile: impl Fn(&str) -> P,
) -> Option<Clause<P>> {
    let compile_all = |texts: &[String]| texts.iter().map(|text| compile(text)).collect();
    match (only, except) {
        (Some(texts), _) => Some(Clause::AnyOf(compile_all(texts))),
        (None, Some(texts)) => Some(Clause::NoneOf(compile_all(texts))),
        (None, None) => None,
    }
}
