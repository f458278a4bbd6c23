//! What was decided, by which statement, and how AWS words it.

use std::sync::Arc;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It may be done.
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// No statement of some kind of policy allows it.
    ImplicitDeny,
}

/// The part that a policy plays in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyType {
    /// Attached to the user, its groups or the role.
    Identity,
    /// The permissions boundary of the user or role.
    Boundary,
    /// Passed in when the session was made.
    Session,
    /// Attached to the resource.
    Resource,
    /// The trust policy of the role to assume.
    Trust,
}

/// A statement, by the policy it is in and its place there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementRef {
    /// The [`Source::id`](crate::Source::id) of the policy.
    pub source: Arc<str>,
    /// The part the policy plays.
    pub policy_type: PolicyType,
    /// Which statement of the policy, counted from 0.
    pub index: usize,
    /// The statement's id, if it has one.
    pub sid: Option<Arc<str>>,
}

/// A decision with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the request.
    pub effect: Effect,
    /// The statement that allowed or denied. None for implicit denials, and for the root user, who needs no statement.
    pub decided_by: Option<StatementRef>,
    /// The kind of policy that allowed, denied, or lacked an allow; none where the root user is allowed.
    pub policy_type: Option<PolicyType>,
}

impl Decision {
    pub(crate) fn by_statement(effect: Effect, statement: StatementRef) -> Self {
        Self { effect, policy_type: Some(statement.policy_type), decided_by: Some(statement) }
    }

    pub(crate) fn lacking(policy_type: PolicyType) -> Self {
        Self { effect: Effect::ImplicitDeny, decided_by: None, policy_type: Some(policy_type) }
    }

    pub(crate) fn root() -> Self {
        Self { effect: Effect::Allow, decided_by: None, policy_type: None }
    }

    /// May it be done?
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allow
    }

    /// The end of AWS's denial sentence, after `... is not authorized to perform: ACTION on resource: ARN `:
    /// `because no identity-based policy allows the ecs:RunTask action`, or
    /// `with an explicit deny in a resource-based policy`. Empty for what is allowed.
    pub fn denial_reason(&self, action: &str) -> String {
        match (self.effect, self.policy_type) {
            (Effect::Allow, _) | (_, None) => String::new(),
            (Effect::ExplicitDeny, Some(policy_type)) => {
                format!("with an explicit deny in {}", policy_type.with_article())
            }
            (Effect::ImplicitDeny, Some(policy_type)) => {
                format!("because no {} allows the {action} action", policy_type.name())
            }
        }
    }
}

impl PolicyType {
    /// As AWS's messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Resource => "resource-based policy",
            Self::Trust => "role trust policy",
        }
    }

    fn with_article(self) -> &'static str {
        match self {
            Self::Identity => "an identity-based policy",
            Self::Boundary => "a permissions boundary",
            Self::Session => "a session policy",
            Self::Resource => "a resource-based policy",
            Self::Trust => "the role trust policy",
        }
    }
}
