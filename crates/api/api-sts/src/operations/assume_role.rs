//! AssumeRole: temporary credentials of a role that trusts the caller.

use crate::errors::{denied, invalid, store};
use crate::session::{duration, packed_size, second_factor, session_policies, session_tags, show};
use crate::shapes::{AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser};
use crate::{StsService, caller};
use access::{Caller, CallerKind, Session, Subject};
use aws_wire::{RequestContext, ServiceError};
use resources::iam::Role;

/// Without a duration: an hour.
pub(crate) const DEFAULT_SECONDS: i32 = 3600;
/// Longest session of a role that a session of a role assumes.
const LONGEST_OF_CHAIN: i32 = 3600;
/// What is said of longer ones.
pub(crate) const TOO_LONG: &str =
    "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";

pub(crate) async fn run(
    service: &StsService,
    context: &RequestContext,
    input: AssumeRoleRequest,
) -> Result<AssumeRoleResponse, ServiceError> {
    let AssumeRoleRequest {
        duration_seconds,
        // Read by the trust policy, before the operation runs.
        external_id: _,
        policy,
        policy_arns,
        provided_contexts,
        role_arn,
        role_session_name,
        serial_number,
        source_identity,
        tags,
        token_code,
        transitive_tag_keys,
    } = input;
    if provided_contexts.is_some_and(|contexts| !contexts.is_empty()) {
        return Err(invalid("This region has no providers of trusted context assertions."));
    }
    let caller = caller(context)?;
    // A role that is not there is answered like one that does not trust the caller.
    let role = service.access.find_role(&role_arn).await.map_err(store)?.ok_or_else(|| {
        denied(format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
            context.principal_arn
        ))
    })?;
    let seconds = duration_seconds.unwrap_or(DEFAULT_SECONDS);
    if matches!(caller.kind, CallerKind::AssumedRole { .. }) && seconds > LONGEST_OF_CHAIN {
        return Err(invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    let duration = duration(seconds, role.max_session_seconds, TOO_LONG)?;
    let source_identity = chained_identity(caller, source_identity)?;
    let tags = session_tags(Some(caller), tags.unwrap_or_default(), transitive_tag_keys.unwrap_or_default())?;
    let policies = session_policies(service, &role.account, policy, policy_arns).await?;
    let packed_policy_size = packed_size(policies.as_ref(), &tags.tags)?;
    // Taken last, so that a request that is wrong in another way costs no code.
    let (serial, code) = (serial_number.as_deref(), token_code.as_deref());
    let shown = second_factor(service, caller, context.time, serial, code).await?;
    let before = caller.session.as_ref();
    let session = Session {
        tags: tags.tags,
        transitive_tags: tags.transitive,
        policies,
        source_identity: source_identity.clone(),
        mfa: shown.is_some() || before.is_some_and(|session| session.mfa),
        mfa_at: shown.or_else(|| before.and_then(|session| session.mfa_at)),
        ..Session::of(role.account.clone(), subject(&role, &role_session_name))
    };
    let credentials = service.access.issue(session, duration);
    service.access.note_role_use(&role, context.region.as_str()).await;
    Ok(AssumeRoleResponse {
        assumed_role_user: Some(assumed_role_user(&role, &role_session_name)),
        credentials: Some(show(&credentials)),
        packed_policy_size,
        source_identity,
    })
}

/// The source identity of a session: once set it stays for the whole chain.
fn chained_identity(caller: &Caller, wanted: Option<String>) -> Result<Option<String>, ServiceError> {
    let known = caller.session.as_ref().and_then(|session| session.source_identity.clone());
    match (known, wanted) {
        (Some(known), Some(wanted)) if known != wanted => {
            Err(denied("The source identity of a session cannot be changed by role chaining."))
        }
        (known, wanted) => Ok(wanted.or(known)),
    }
}

pub(crate) fn subject(role: &Role, session: &str) -> Subject {
    Subject::Role { name: role.name.clone(), id: role.id.clone(), session: session.to_owned() }
}

pub(crate) fn assumed_role_user(role: &Role, session: &str) -> AssumedRoleUser {
    AssumedRoleUser {
        arn: format!("arn:aws:sts::{}:assumed-role/{}/{session}", role.account, role.name),
        assumed_role_id: format!("{}:{session}", role.id),
    }
}
