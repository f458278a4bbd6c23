//! Who sends a request: its signature against the access key in the store.

use access::{Access, Caller, Credential, NoCredential};
use aws_wire::sigv4::{AuthError, Authorization, Verifier, parse};
use environment::Environment;
use http::request::Parts;
use identifiers::Region;

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

    /// The keys and policies that decide.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// The region that a request is for. Where everybody is let in it is the one that the request was signed for: mocks
    /// answer for every region, and so do their test suites ask.
    pub(crate) fn region(&self, parts: &Parts) -> Region {
        if self.anybody.is_none() {
            return self.region.clone();
        }
        let query = Authorization::query_of(parts);
        let signed = || parse(parts, &query).ok()?.region.parse().ok();
        signed().unwrap_or_else(|| self.region.clone())
    }

    /// Whether a request names an access key that exists, which is all that can be known before its body is read.
    pub(crate) async fn known(&self, parts: &Parts) -> Result<(), NotAuthenticated> {
        if self.anybody.is_some() {
            return Ok(());
        }
        let query = Authorization::query_of(parts);
        let authorization = parse(parts, &query)?;
        self.credential(&authorization).await.map(|_| ())
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

    /// The caller of a request for the service signed as `service`, for handlers of protocols whose requests have a
    /// body; `None` when the request shows nobody.
    pub async fn signed_by(&self, parts: &Parts, body: &[u8], service: &str) -> Option<Caller> {
        match self.caller(parts, body, service).await {
            Ok(caller) => Some(caller),
            Err(error) => {
                tracing::info!(%error, service, "a request is not let in");
                None
            }
        }
    }

    async fn verified(&self, parts: &Parts, body: &[u8], service: &str) -> Result<Caller, NotAuthenticated> {
        let query = Authorization::query_of(parts);
        let authorization = parse(parts, &query)?;
        let credential = self.credential(&authorization).await?;
        Verifier::check_scope(&authorization, self.region.as_str(), service, self.environment.now())?;
        // Read to verify the signature.
        self.verifier.verify(&authorization, parts, body, credential.secret())?;
        self.access.note_use(&credential.caller, service, self.region.as_str()).await;
        Ok(credential.caller)
    }

    async fn credential(&self, authorization: &Authorization<'_>) -> Result<Credential, NotAuthenticated> {
        let token = authorization.session_token.as_deref();
        let found = self.access.credential(authorization.access_key_id, token).await;
        found.map_err(|error| match error {
            NoCredential::Unknown => AuthError::UnknownKey.into(),
            NoCredential::Expired => AuthError::ExpiredToken.into(),
            NoCredential::Store(error) => NotAuthenticated::Store(error.into()),
        })
    }
}
