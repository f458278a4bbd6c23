//! GetSessionToken: temporary credentials of the caller itself.

use crate::errors::denied;
use crate::session::{duration, second_factor, show};
use crate::shapes::{GetSessionTokenRequest, GetSessionTokenResponse};
use crate::{StsService, caller};
use access::{Caller, CallerKind, Session, Subject};
use aws_wire::{RequestContext, ServiceError};

/// Without a duration: 12 hours, and as long as it may be for the root.
const DEFAULT_SECONDS: i32 = 43_200;
/// Longest session of a user.
const LONGEST: u32 = 129_600;
/// Longest session of the root, to which longer ones are shortened.
pub(crate) const LONGEST_OF_ROOT: i32 = 3600;

pub(crate) async fn run(
    service: &StsService,
    context: &RequestContext,
    input: GetSessionTokenRequest,
) -> Result<GetSessionTokenResponse, ServiceError> {
    let GetSessionTokenRequest { duration_seconds, serial_number, token_code } = input;
    let caller = caller(context)?;
    let subject = subject(caller)?;
    let mut seconds = duration_seconds.unwrap_or(DEFAULT_SECONDS);
    if caller.kind == CallerKind::Root {
        seconds = seconds.min(LONGEST_OF_ROOT);
    }
    let duration = duration(seconds, LONGEST, "The requested DurationSeconds exceeds the maximum.")?;
    let (serial, code) = (serial_number.as_deref(), token_code.as_deref());
    let mfa_at = second_factor(service, caller, context.time, serial, code).await?;
    let session = Session::of(caller.account.clone(), subject);
    let session = Session { mfa: mfa_at.is_some(), mfa_at, ..session };
    let credentials = service.access.issue(session, duration);
    Ok(GetSessionTokenResponse { credentials: Some(show(&credentials)) })
}

fn subject(caller: &Caller) -> Result<Subject, ServiceError> {
    let key = caller.access_key_id.as_deref().map(str::to_owned);
    match (&caller.kind, &caller.session, key) {
        (CallerKind::Root, None, key) => Ok(Subject::Root { key }),
        (CallerKind::User { name }, None, Some(key)) => {
            Ok(Subject::User { name: name.to_string(), id: caller.principal_id.to_string(), key })
        }
        _ => Err(denied("Cannot call GetSessionToken with session credentials")),
    }
}
