//! The evaluation of a request against all policies that apply to it.

use crate::{Context, Decision, Effect, Policy, PolicyType, Principal, StatementRef};
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
    let _ = (request, policies);
    Decision { effect: Effect::ImplicitDeny, decided_by: None, policy_type: Some(PolicyType::Identity) }
}

/// All statements that match the request, those that deny first; what the simulator lists.
pub fn matching_statements(request: &Request<'_>, policies: &Policies<'_>) -> Vec<StatementRef> {
    let _ = (request, policies);
    Vec::new()
}
