//! Roles that are assumed without a caller of this region: by AWS services, and by those whom an identity provider knows.
//!
//! A caller who assumes a role is authorized as for any other action, with the trust policy as the policy of the
//! resource. Here there is no caller with policies of its own, so the trust policy alone decides.

use crate::{Access, AccessError, RequestFacts, Session, SessionCredentials, Subject};
use iam_policy::{Context, Effect, Policies, PolicyKind, Principal, Request, evaluate};
use identifiers::Arn;
use resources::iam::{Role, RoleUse};
use std::borrow::Cow;
use std::time::Duration;
use store::{StoreError, Versioned};

/// Why a role cannot be assumed.
#[derive(Debug, thiserror::Error)]
pub enum AssumeError {
    /// There is no such role.
    #[error("there is no role {0}")]
    NoRole(String),
    /// Its trust policy does not let the principal do this.
    #[error("the role {role_arn} does not trust {principal} for {action}")]
    NotTrusted {
        /// The role.
        role_arn: String,
        /// Who wants to assume it.
        principal: String,
        /// The action that is not allowed.
        action: String,
    },
    /// It cannot be known.
    #[error(transparent)]
    Failed(#[from] AccessError),
}

impl From<StoreError> for AssumeError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Access {
    /// The role with this ARN.
    pub async fn find_role(&self, role_arn: &str) -> Result<Option<Versioned<Role>>, StoreError> {
        let Ok(arn) = role_arn.parse::<Arn>() else { return Ok(None) };
        let (Ok(account), Some(name)) = (arn.account.parse(), arn.resource.rsplit('/').next()) else {
            return Ok(None);
        };
        Ok(self.role(&account, name).await?.filter(|role| role.arn() == role_arn))
    }

    /// Credentials of a role for an AWS service, such as `ecs-tasks.amazonaws.com`, if the role trusts it. `source_arn`
    /// is what the service acts for, for example `arn:aws:ecs:us-east-1:123456789012:task/default/...`.
    pub async fn assume_for_service(
        &self,
        role_arn: &str,
        service: &str,
        session_name: &str,
        duration: Duration,
        source_arn: &str,
    ) -> Result<SessionCredentials, AssumeError> {
        let role = self.find_role(role_arn).await?.ok_or_else(|| AssumeError::NoRole(role_arn.to_owned()))?;
        let principal = Principal::Service { name: service.to_owned() };
        let mut context = Context::new();
        principal.describe(&mut context);
        context.set("aws:SourceArn", source_arn);
        // A service acts for the account that owns what it acts for.
        let account = source_arn.split(':').nth(4).filter(|account| !account.is_empty());
        context.set("aws:SourceAccount", account.unwrap_or(role.account.as_str()));
        context.set("sts:RoleSessionName", session_name);
        self.require_trust(&role, &principal, service, "sts:AssumeRole", &context)?;
        self.note_role_use(&role, "").await;
        let session = Session::of(role.account.clone(), role_subject(&role, session_name));
        Ok(self.issue(session, duration))
    }

    /// Whether policies of a resource, as they are stored, let an AWS service do something: one of them allows it and
    /// none denies it. `source_arn` is what the service acts for.
    pub fn policies_allow_service(
        &self,
        policies: &[&str],
        (service, action, resource): (&str, &str, &str),
        source_arn: &str,
    ) -> Result<bool, AccessError> {
        let principal = Principal::Service { name: service.to_owned() };
        let mut context = Context::new();
        principal.describe(&mut context);
        context.set("aws:SourceArn", source_arn);
        let account = source_arn.split(':').nth(4).unwrap_or_default();
        context.set("aws:SourceAccount", account);
        let account = account.parse().ok();
        let request = Request { principal: &principal, action, resource, context: &context };
        let mut allowed = false;
        for text in policies {
            let source = self.resource_policy(resource, text, PolicyKind::Resource)?;
            let policies = Policies {
                resource: source.as_ref(),
                resource_account: account.as_ref(),
                ..Policies::default()
            };
            match evaluate(&request, &policies).effect {
                Effect::ExplicitDeny => return Ok(false),
                Effect::Allow => allowed = true,
                Effect::ImplicitDeny => {}
            }
        }
        Ok(allowed)
    }

    /// Checks that a role trusts whom an identity provider knows, for each of the actions.
    pub async fn trusts_federated(
        &self,
        role: &Versioned<Role>,
        provider_arn: &str,
        actions: &[&str],
        conditions: &[(Cow<'static, str>, Vec<String>)],
        facts: &RequestFacts<'_>,
    ) -> Result<(), AssumeError> {
        let principal = Principal::Federated { provider: provider_arn.to_owned() };
        let mut context = facts.context();
        principal.describe(&mut context);
        context.set("aws:FederatedProvider", provider_arn);
        for (key, values) in conditions {
            for value in values {
                context.add(key, value.as_str());
            }
        }
        for action in actions {
            self.require_trust(role, &principal, provider_arn, action, &context)?;
        }
        Ok(())
    }

    fn require_trust(
        &self,
        role: &Role,
        principal: &Principal,
        name: &str,
        action: &str,
        context: &Context,
    ) -> Result<(), AssumeError> {
        let role_arn = role.arn();
        let trust = self.resource_policy(&role_arn, &role.trust_policy, PolicyKind::Trust)?;
        let request = Request { principal, action, resource: &role_arn, context };
        let policies = Policies {
            resource: trust.as_ref(),
            resource_account: Some(&role.account),
            ..Policies::default()
        };
        if evaluate(&request, &policies).is_allowed() {
            return Ok(());
        }
        Err(AssumeError::NotTrusted { principal: name.to_owned(), action: action.to_owned(), role_arn })
    }

    /// Notes that a role was assumed. Written down at most once a minute for each role.
    pub async fn note_role_use(&self, role: &Role, region: &str) {
        if !self.is_news(&role.id, "sts") {
            return;
        }
        let used = RoleUse {
            account: role.account.clone(),
            role_id: role.id.clone(),
            used_at: self.environment().now(),
            region: region.to_owned(),
        };
        if let Err(error) = self.tables.batch().put_any(&used).commit().await {
            tracing::warn!(%error, "cannot note the use of a role");
        }
    }
}

/// A session of a role as a subject.
pub(crate) fn role_subject(role: &Role, session_name: &str) -> Subject {
    Subject::Role { name: role.name.clone(), id: role.id.clone(), session: session_name.to_owned() }
}
