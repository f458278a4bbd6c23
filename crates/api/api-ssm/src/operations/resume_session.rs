//! ResumeSession: a client that lost its connection gets another token. Of a session that is over there is none, by which
//! the published plugin knows that it has timed out.

use crate::SsmService;
use crate::errors::{self, no_session};
use crate::shapes::{ResumeSessionRequest, ResumeSessionResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::{Session, SessionStatus};

/// Length of a token.
const TOKEN: usize = 128;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: ResumeSessionRequest,
) -> Result<ResumeSessionResponse, ServiceError> {
    let token = service.tables.environment().random_hex(TOKEN);
    let change = |old: &Session| {
        if old.account != context.account {
            return Err(no_session(&input.session_id).into());
        }
        let active = old.status == SessionStatus::Active;
        Ok(active.then(|| Session { token_hash: Session::hash_of(&token), ..old.clone() }))
    };
    let written = service.tables.update(&input.session_id, change).await.map_err(Refusal::into_error)?;
    let session = written.ok_or_else(|| no_session(&input.session_id))?;
    let mut answer =
        ResumeSessionResponse { session_id: Some(session.id.clone()), ..ResumeSessionResponse::default() };
    if session.status == SessionStatus::Active {
        answer.token_value = Some(token);
        answer.stream_url =
            Some(format!("ws://{}/v1/data-channel/{}?role=publish_subscribe", context.host, session.id));
    }
    Ok(answer)
}

/// Why a session was not changed.
pub(crate) enum Refusal {
    Answer(ServiceError),
    Store(store::StoreError),
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        Self::Answer(error)
    }
}

impl From<store::StoreError> for Refusal {
    fn from(error: store::StoreError) -> Self {
        Self::Store(error)
    }
}

impl Refusal {
    pub(crate) fn into_error(self) -> ServiceError {
        match self {
            Self::Answer(error) => error,
            Self::Store(error) => errors::store(error),
        }
    }
}
