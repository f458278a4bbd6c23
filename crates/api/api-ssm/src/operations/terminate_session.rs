//! TerminateSession: wants a session ended; the gateway of the agents does it.

use super::resume_session::Refusal;
use crate::SsmService;
use crate::errors::no_session;
use crate::shapes::{TerminateSessionRequest, TerminateSessionResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::{Session, SessionStatus};

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: TerminateSessionRequest,
) -> Result<TerminateSessionResponse, ServiceError> {
    let change = |old: &Session| {
        if old.account != context.account {
            return Err(no_session(&input.session_id).into());
        }
        let active = old.status == SessionStatus::Active;
        Ok(active.then(|| Session { status: SessionStatus::Terminating, ..old.clone() }))
    };
    let written = service.tables.update(&input.session_id, change).await.map_err(Refusal::into_error)?;
    let session = written.ok_or_else(|| no_session(&input.session_id))?;
    Ok(TerminateSessionResponse { session_id: Some(session.id.clone()) })
}
