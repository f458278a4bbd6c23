//! The evaluation of a request against all policies that apply to it.
//!
//! An explicit deny of any policy ends it. Otherwise the caller's side and the resource's side are looked at:
//!
//! - The caller's side allows what the policies of the user or role allow, as far as the permissions boundary and the
//!   session policies allow it too.
//! - The resource's side allows what its policy allows the caller.
//!
//! Between accounts both sides must allow. Within an account one is enough, and how directly the resource's policy
//! names the caller decides what still limits it: nothing where it names the user or session itself (or everyone),
//! boundary and session policies where it names the role behind the session, all of the caller's side where it names
//! the account, which only passes the decision on to the account's own policies. The trust policy of a role must
//! always allow. The root user of an account needs no policy within it. Services, federated identities and anonymous
//! callers have no side of their own: the resource's policy alone decides.
//!
//! Read: IAM User Guide, "Policy evaluation logic" and "Cross-account policy evaluation logic".

use crate::action::ActionName;
use crate::arn::ArnText;
use crate::principal_clause::Grant;
use crate::statement::{Statement, StatementEffect, Subject};
use crate::{Context, Decision, Effect, Policy, PolicyKind, PolicyType, Principal, StatementRef};
use identifiers::AccountId;
use std::sync::Arc;

/// What is to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// The action, `ecs:RunTask`; not case-sensitive.
    pub action: &'a str,
    /// The ARN of the resource, or `*` for actions that have none.
    pub resource: &'a str,
    /// Everything that conditions may ask for.
    pub context: &'a Context,
}

/// A policy and where it comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name or ARN of the policy, as decisions cite it.
    pub id: Arc<str>,
    /// The policy.
    pub policy: Arc<Policy>,
}

/// All policies that apply to a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policies<'a> {
    /// Attached to the user, its groups or the role, inline and managed.
    pub identity: &'a [Source],
    /// The permissions boundary of the user or role.
    pub boundary: Option<&'a Source>,
    /// The session policies, if the session was made with any; allowed is what any of them allows.
    pub session: Option<&'a [Source]>,
    /// The policy of the resource. One of kind [`Trust`](crate::PolicyKind::Trust) must allow; others may.
    pub resource: Option<&'a Source>,
    /// The account that owns the resource; none where it is the caller's own.
    pub resource_account: Option<&'a AccountId>,
}

/// Decides a request.
pub fn evaluate(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let subject = subject(request, policies);
    match allows(&subject, policies) {
        Err(denied_by) => Decision::by_statement(Effect::ExplicitDeny, denied_by.cite()),
        Ok(allows) => weigh(request, policies, &allows),
    }
}

/// All statements that are about the request, whatever their effect: what the policy simulator lists.
pub fn matching_statements(request: &Request<'_>, policies: &Policies<'_>) -> Vec<StatementRef> {
    let subject = subject(request, policies);
    let mut found = Vec::new();
    for place in places(policies) {
        if place.statement.applies(&subject).is_some() {
            found.push(place.cite());
        }
    }
    found
}

fn subject<'a>(request: &Request<'a>, policies: &Policies<'_>) -> Subject<'a> {
    Subject {
        principal: request.principal,
        action: ActionName::new(request.action),
        resource: ArnText::new(request.resource),
        context: request.context,
        has_boundary: policies.boundary.is_some(),
    }
}

/// A statement and where it is; cheaper than a [`StatementRef`], of which only the last is needed.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    policy_type: PolicyType,
    source: &'a Source,
    index: usize,
    statement: &'a Statement,
}

impl Place<'_> {
    fn cite(&self) -> StatementRef {
        StatementRef {
            source: self.source.id.clone(),
            policy_type: self.policy_type,
            index: self.index,
            sid: self.statement.sid.clone(),
        }
    }
}

/// All statements, by kind of policy in the order in which a deny is reported.
fn places<'a>(policies: &Policies<'a>) -> impl Iterator<Item = Place<'a>> {
    let groups = [
        (PolicyType::Identity, policies.identity),
        (policies.resource_type(), policies.resource.map_or(&[][..], std::slice::from_ref)),
        (PolicyType::Boundary, policies.boundary.map_or(&[][..], std::slice::from_ref)),
        (PolicyType::Session, policies.session.unwrap_or(&[])),
    ];
    groups.into_iter().flat_map(|(policy_type, sources)| {
        sources.iter().flat_map(move |source| {
            let statements = source.policy.statements.iter().enumerate();
            statements.map(move |(index, statement)| Place { policy_type, source, index, statement })
        })
    })
}

impl Policies<'_> {
    /// What the policy of the resource is.
    fn resource_type(&self) -> PolicyType {
        match self.resource {
            Some(source) if source.policy.kind() == PolicyKind::Trust => PolicyType::Trust,
            _ => PolicyType::Resource,
        }
    }
}

/// The first allow of each kind of policy.
#[derive(Debug, Default)]
struct Allows<'a> {
    identity: Option<Place<'a>>,
    boundary: Option<Place<'a>>,
    session: Option<Place<'a>>,
    resource: Option<(Grant, Place<'a>)>,
}

/// Looks through all statements; the first that denies ends it.
fn allows<'a>(subject: &Subject<'_>, policies: &Policies<'a>) -> Result<Allows<'a>, Place<'a>> {
    let mut allows = Allows::default();
    for place in places(policies) {
        let is_allow = place.statement.effect == StatementEffect::Allow;
        if is_allow && allows.settled(place.policy_type) {
            continue;
        }
        let Some(grant) = place.statement.applies(subject) else { continue };
        if !is_allow {
            return Err(place);
        }
        allows.add(grant, place);
    }
    Ok(allows)
}

impl<'a> Allows<'a> {
    /// Can a further allow of this kind change nothing?
    fn settled(&self, policy_type: PolicyType) -> bool {
        match policy_type {
            PolicyType::Identity => self.identity.is_some(),
            PolicyType::Boundary => self.boundary.is_some(),
            PolicyType::Session => self.session.is_some(),
            PolicyType::Resource | PolicyType::Trust => {
                self.resource.is_some_and(|(grant, _)| grant == Grant::Direct)
            }
        }
    }

    fn add(&mut self, grant: Grant, place: Place<'a>) {
        match place.policy_type {
            PolicyType::Identity => self.identity = Some(place),
            PolicyType::Boundary => self.boundary = Some(place),
            PolicyType::Session => self.session = Some(place),
            PolicyType::Resource | PolicyType::Trust => {
                if self.resource.is_none_or(|(known, _)| known < grant) {
                    self.resource = Some((grant, place));
                }
            }
        }
    }
}

/// Decides where nothing denies.
fn weigh(request: &Request<'_>, policies: &Policies<'_>, allows: &Allows<'_>) -> Decision {
    let allowed = |place: Place<'_>| Decision::by_statement(Effect::Allow, place.cite());
    let resource_type = policies.resource_type();
    let Some(account) = request.principal.account() else {
        return match allows.resource {
            Some((_, place)) => allowed(place),
            None => Decision::lacking(resource_type),
        };
    };
    if resource_type == PolicyType::Trust && allows.resource.is_none() {
        return Decision::lacking(PolicyType::Trust);
    }
    let same_account = policies.resource_account.is_none_or(|owner| owner == account);
    match allows.resource {
        Some((Grant::Direct, place)) if same_account => return allowed(place),
        Some((Grant::Limited, place)) if same_account => {
            return limits(policies, allows).map_or_else(|| allowed(place), Decision::lacking);
        }
        _ => {}
    }
    match (own_side(request.principal, policies, allows), allows.resource) {
        (Err(lacking), _) => Decision::lacking(lacking),
        (Ok(own), _) if same_account => own.map_or_else(Decision::root, allowed),
        (Ok(_), None) => Decision::lacking(resource_type),
        (Ok(own), Some((_, place))) => allowed(own.unwrap_or(place)),
    }
}

/// Does the caller's side allow, and by which statement? The root user needs none.
fn own_side<'a>(
    principal: &Principal,
    policies: &Policies<'_>,
    allows: &Allows<'a>,
) -> Result<Option<Place<'a>>, PolicyType> {
    if matches!(principal, Principal::Root { .. }) {
        return Ok(None);
    }
    let Some(place) = allows.identity else { return Err(PolicyType::Identity) };
    limits(policies, allows).map_or(Ok(Some(place)), Err)
}

/// The limit that does not allow, if one does not.
fn limits(policies: &Policies<'_>, allows: &Allows<'_>) -> Option<PolicyType> {
    if policies.boundary.is_some() && allows.boundary.is_none() {
        return Some(PolicyType::Boundary);
    }
    (policies.session.is_some() && allows.session.is_none()).then_some(PolicyType::Session)
}

#[cfg(test)]
mod tests;
