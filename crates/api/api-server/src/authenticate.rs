//! Who sends a request: its signature against the access key in the store.

use access::{Access, Caller};
use aws_wire::sigv4::{AuthError, Authorization, Verifier, parse};
use environment::Environment;
use http::request::Parts;
use identifiers::Region;
use resources::access::AccessKey;
use std::sync::Arc;

/// Verifies signatures of requests.
pub struct Authenticator {
    access: Access,
    region: Region,
    environment: Environment,
    verifier: Verifier,
    /// Who calls when a request shows nobody; `None` refuses such requests.
    anybody: Option<Caller>,
}

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAuthenticated {
    #[error(transparent)]
    Refused(#[from] AuthError),
    #[error("look up the access key")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Authenticator {
    /// An authenticator over the keys of `access`.
    pub fn new(access: Access, region: Region, environment: Environment) -> Self {
        Self { access, region, environment, verifier: Verifier::default(), anybody: None }
    }

    /// Takes every request whose signature does not show somebody else for one of `caller`, for test suites that were
    /// written against mocks.
    pub fn open_to(self, caller: Caller) -> Self {
        Self { anybody: Some(caller), ..self }
    }

    /// Whether a request names an access key that exists, which is all that can be known before its body is read.
    pub(crate) async fn known(&self, parts: &Parts) -> Result<(), NotAuthenticated> {
        if self.anybody.is_some() {
            return Ok(());
        }
        let query = Authorization::query_of(parts);
        let authorization = parse(parts, &query)?;
        self.key(&authorization).await.map(|_| ())
    }

    /// The caller of a request for the service signed as `service`.
    pub(crate) async fn caller(
        &self,
        parts: &Parts,
        body: &[u8],
        service: &str,
    ) -> Result<Caller, NotAuthenticated> {
        match (self.verified(parts, body, service).await, &self.anybody) {
            (Err(NotAuthenticated::Refused(_)), Some(anybody)) => Ok(anybody.clone()),
            (verified, _) => verified,
        }
    }

    async fn verified(&self, parts: &Parts, body: &[u8], service: &str) -> Result<Caller, NotAuthenticated> {
        let query = Authorization::query_of(parts);
        let authorization = parse(parts, &query)?;
        let key = self.key(&authorization).await?;
        Verifier::check_scope(&authorization, self.region.as_str(), service, self.environment.now())?;
        // Read to verify the signature.
        self.verifier.verify(&authorization, parts, body, key.secret.expose())?;
        Ok(Caller::from(&*key))
    }

    async fn key(&self, authorization: &Authorization<'_>) -> Result<Arc<AccessKey>, NotAuthenticated> {
        let found = self.access.access_key(authorization.access_key_id).await;
        let key = found.map_err(|error| NotAuthenticated::Store(error.into()))?;
        // Temporary credentials are not given out yet, so no session token can be one of ours.
        let key = key.filter(|_| authorization.session_token.is_none()).ok_or(AuthError::UnknownKey)?;
        Ok(key.value)
    }
}
