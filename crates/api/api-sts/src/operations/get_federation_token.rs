//! GetFederationToken: temporary credentials for somebody whom a user vouches for, bounded by policies.

use crate::errors::denied;
use crate::operations::get_session_token::LONGEST_OF_ROOT;
use crate::session::{duration, packed_size, session_policies, session_tags, show};
use crate::shapes::{FederatedUser, GetFederationTokenRequest, GetFederationTokenResponse};
use crate::{StsService, caller};
use access::{CallerKind, Session, Subject};
use aws_wire::{RequestContext, ServiceError};

/// Without a duration: 12 hours.
const DEFAULT_SECONDS: i32 = 43_200;
/// Longest session of a federated user.
const LONGEST: u32 = 129_600;

pub(crate) async fn run(
    service: &StsService,
    context: &RequestContext,
    input: GetFederationTokenRequest,
) -> Result<GetFederationTokenResponse, ServiceError> {
    let GetFederationTokenRequest { duration_seconds, name, policy, policy_arns, tags } = input;
    let caller = caller(context)?;
    let key = caller.access_key_id.as_deref().map(str::to_owned);
    let user = match (&caller.kind, &caller.session) {
        (CallerKind::Root, None) => None,
        (CallerKind::User { name }, None) => Some((name.to_string(), caller.principal_id.to_string())),
        _ => return Err(denied("Cannot call GetFederationToken with session credentials")),
    };
    let mut seconds = duration_seconds.unwrap_or(DEFAULT_SECONDS);
    if user.is_none() {
        seconds = seconds.min(LONGEST_OF_ROOT);
    }
    let duration = duration(seconds, LONGEST, "The requested DurationSeconds exceeds the maximum.")?;
    let policies = session_policies(service, &caller.account, policy, policy_arns).await?;
    let tags = session_tags(None, tags.unwrap_or_default(), vec![])?.tags;
    let packed_policy_size = packed_size(policies.as_ref(), &tags)?;
    let federated_user = FederatedUser {
        arn: format!("arn:aws:sts::{}:federated-user/{name}", caller.account),
        federated_user_id: format!("{}:{name}", caller.account),
    };
    let session = Session {
        tags,
        // Without policies the federated user has no permissions but those of resources' own policies.
        policies: Some(policies.unwrap_or_default()),
        ..Session::of(caller.account.clone(), Subject::Federated { name, user, key })
    };
    let credentials = service.access.issue(session, duration);
    Ok(GetFederationTokenResponse {
        credentials: Some(show(&credentials)),
        federated_user: Some(federated_user),
        packed_policy_size,
    })
}
