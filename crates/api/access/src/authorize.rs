//! May a caller do what it asks for?

use crate::policies::Rights;
use crate::{Access, Caller, CallerKind, Denied, NotAllowed, host};
use environment::Timestamp;
use iam_policy::{Context, Policies, PolicyKind, Principal, Request, Source, evaluate};
use identifiers::AccountId;
use std::borrow::Cow;
use std::net::IpAddr;

/// One thing to be allowed.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The action, for example `ecs:RunTask`.
    pub action: &'a str,
    /// ARN of the resource, or `*`.
    pub resource: &'a str,
    /// Condition keys of the request and the resource, with their values.
    pub conditions: &'a [(Cow<'static, str>, Vec<String>)],
    /// The policy of the resource, if it has one of its own; of a role, its trust policy.
    pub resource_policy: Option<&'a str>,
}

/// What conditions may ask of the request itself.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// When it arrived.
    pub time: Timestamp,
    /// Where it came from.
    pub source_ip: IpAddr,
    /// The region it is for.
    pub region: &'a str,
    /// What the client says of itself.
    pub user_agent: Option<&'a str>,
    /// Whether it came over TLS.
    pub secure_transport: bool,
}

impl<'a> Asked<'a> {
    /// An action on a resource, and nothing more.
    pub fn new(action: &'a str, resource: &'a str) -> Self {
        Self { action, resource, conditions: &[], resource_policy: None }
    }

    /// The account that owns the resource, where its ARN names one.
    fn resource_account(&self) -> Option<AccountId> {
        self.resource.strip_prefix("arn:")?.split(':').nth(3)?.parse().ok()
    }
}

impl Access {
    /// Allows all that is asked for, or says what is not allowed.
    pub async fn authorize(
        &self,
        caller: &Caller,
        asked: &[Asked<'_>],
        facts: &RequestFacts<'_>,
    ) -> Result<(), NotAllowed> {
        if asked.is_empty() || self.open {
            return Ok(());
        }
        // Loaded when the first policy is needed: the root and the hosts mostly need none.
        let mut weighed = None;
        for one in asked {
            if let Some(decided) = fixed(caller, one) {
                decided.map_err(NotAllowed::Denied)?;
                continue;
            }
            if weighed.is_none() {
                let principal = caller.principal();
                let rights = self.rights(caller).await?;
                let context = base_context(caller, &principal, &rights, facts);
                weighed = Some((principal, rights, context));
            }
            if let Some((principal, rights, context)) = &weighed {
                self.allow(caller, principal, rights, context, one)?;
            }
        }
        Ok(())
    }

    fn allow(
        &self,
        caller: &Caller,
        principal: &Principal,
        rights: &Rights,
        base: &Context,
        asked: &Asked<'_>,
    ) -> Result<(), NotAllowed> {
        let resource = match asked.resource_policy {
            Some(text) => self.resource_policy(asked.resource, text, policy_kind(asked.action))?,
            None => None,
        };
        let account = asked.resource_account();
        let decision = decide(principal, rights, resource.as_ref(), account.as_ref(), base, asked);
        if decision.is_allowed() {
            return Ok(());
        }
        let reason = decision.denial_reason(asked.action);
        let denied = denied(caller, asked, &reason);
        Err(NotAllowed::Denied(Box::new(Denied { decision: Some(decision), ..denied })))
    }
}

/// What is decided without any policy.
fn fixed(caller: &Caller, asked: &Asked<'_>) -> Option<Result<(), Box<Denied>>> {
    let no = |reason: &str| Some(Err(Box::new(denied(caller, asked, reason))));
    match &caller.kind {
        CallerKind::Host if host::may(asked.action, asked.resource) => Some(Ok(())),
        CallerKind::Host | CallerKind::Anonymous => no(""),
        _ if host::is_reserved(asked.resource) => no("because it belongs to the hosts of the region"),
        CallerKind::Root if asked.action == "sts:AssumeRole" => {
            let message = "Roles may not be assumed by root accounts.".to_owned();
            Some(Err(Box::new(Denied { message, ..denied(caller, asked, "") })))
        }
        // Sessions of users are for the services; they give out no further ones and change no identities.
        CallerKind::User { .. } | CallerKind::Root => {
            let Some(session) = caller.session.as_ref() else {
                let own = asked.resource_account().is_none_or(|account| account == caller.account);
                // The root of an account needs no policy there; a resource's own may still deny it.
                let free = caller.kind == CallerKind::Root && own && asked.resource_policy.is_none();
                return free.then_some(Ok(()));
            };
            let of_iam = asked.action.starts_with("iam:") && asked.action != "iam:PassRole";
            (of_iam && !session.mfa).then(|| Err(Box::new(denied(caller, asked, ""))))
        }
        CallerKind::FederatedUser { .. } => {
            let barred = (asked.action.starts_with("iam:") && asked.action != "iam:PassRole")
                || asked.action.starts_with("sts:");
            barred.then(|| Err(Box::new(denied(caller, asked, ""))))
        }
        CallerKind::AssumedRole { .. } => None,
    }
}

/// Roles are the only resources of STS that have a policy, which is their trust policy.
fn policy_kind(action: &str) -> PolicyKind {
    if action.starts_with("sts:") { PolicyKind::Trust } else { PolicyKind::Resource }
}

fn decide(
    principal: &Principal,
    rights: &Rights,
    resource: Option<&Source>,
    resource_account: Option<&AccountId>,
    base: &Context,
    asked: &Asked<'_>,
) -> iam_policy::Decision {
    let mut context = base.clone();
    for (key, values) in asked.conditions {
        context.remove(key);
        for value in values {
            context.add(key, value.as_str());
        }
    }
    if let Some(account) = resource_account {
        context.set("aws:ResourceAccount", account.as_str());
    }
    let request = Request { principal, action: asked.action, resource: asked.resource, context: &context };
    let policies = Policies {
        identity: &rights.identity,
        boundary: rights.boundary.as_ref(),
        session: rights.session.as_deref(),
        resource,
        resource_account: resource_account.filter(|account| principal.account() != Some(*account)),
    };
    evaluate(&request, &policies)
}

fn denied(caller: &Caller, asked: &Asked<'_>, reason: &str) -> Denied {
    let Asked { action, resource, .. } = asked;
    let message = format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} {reason}",
        caller.principal_arn
    );
    Denied {
        message: message.trim_end().to_owned(),
        principal_arn: caller.principal_arn.to_string(),
        principal_id: caller.principal_id.to_string(),
        action: (*action).to_owned(),
        resource: (*resource).to_owned(),
        decision: None,
    }
}

impl RequestFacts<'_> {
    /// The keys that every request has.
    pub(crate) fn context(&self) -> Context {
        let mut context = Context::new();
        context.set("aws:CurrentTime", self.time.to_rfc3339_seconds());
        context.set("aws:EpochTime", self.time.as_seconds().to_string());
        context.set("aws:SourceIp", self.source_ip.to_canonical().to_string());
        context.set("aws:RequestedRegion", self.region);
        context.set("aws:SecureTransport", truth(self.secure_transport));
        context.set("aws:ViaAWSService", "false");
        if let Some(agent) = self.user_agent {
            context.set("aws:UserAgent", agent);
        }
        context
    }
}

/// The keys of a request and of who makes it.
fn base_context(
    caller: &Caller,
    principal: &Principal,
    rights: &Rights,
    facts: &RequestFacts<'_>,
) -> Context {
    let mut context = facts.context();
    principal.describe(&mut context);
    for (key, value) in &rights.tags {
        context.set(&format!("aws:PrincipalTag/{key}"), value.as_str());
    }
    if let Some(session) = &caller.session {
        context.set("aws:TokenIssueTime", session.issued_at.to_rfc3339_seconds());
        context.set("aws:MultiFactorAuthPresent", truth(session.mfa));
        if let Some(at) = session.mfa_at {
            let age = facts.time.as_seconds() - at.as_seconds();
            context.set("aws:MultiFactorAuthAge", age.max(0).to_string());
        }
        if let Some(identity) = &session.source_identity {
            context.set("aws:SourceIdentity", identity.as_str());
        }
        if let Some(provider) = &session.provider {
            context.set("aws:FederatedProvider", provider.as_str());
        }
    }
    context
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
