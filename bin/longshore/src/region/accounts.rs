//! `POST /_longshore/accounts`: makes an account, for the root of the region's own one; `longshore account create` asks it.

use access::{Access, Caller, CallerKind, CreateAccountError};
use api_server::{HttpHandler, Response, full};
use http::{Method, StatusCode};
use hyper::body::Incoming;
use identifiers::AccountId;

/// Where accounts are made.
pub(crate) const PATH: &str = "/_longshore/accounts";
/// The service that its requests are signed for.
pub(crate) const SIGNING_NAME: &str = "longshore";

/// Serves it.
pub(super) struct AccountsHandler {
    access: Access,
    owner: AccountId,
}

impl AccountsHandler {
    pub(super) fn new(access: Access, owner: AccountId) -> Self {
        Self { access, owner }
    }

    async fn create(
        &self,
        request: &http::Request<Incoming>,
        caller: Option<&Caller>,
    ) -> (StatusCode, String) {
        let is_owner =
            caller.is_some_and(|caller| caller.kind == CallerKind::Root && caller.account == self.owner);
        if !is_owner {
            return (
                StatusCode::FORBIDDEN,
                "only the root of the region's own account makes accounts".into(),
            );
        }
        if request.method() != Method::POST {
            return (StatusCode::METHOD_NOT_ALLOWED, "use POST".into());
        }
        let id = request.uri().query().and_then(|query| query.strip_prefix("id="));
        let id = match id.map(str::parse).transpose() {
            Ok(id) => id,
            Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}")),
        };
        match self.access.create_account(id).await {
            // Exposed to be written to its owner's file.
            Ok(made) => (
                StatusCode::OK,
                serde_json::json!({"account": made.key.account, "access_key_id": made.key.access_key_id,
                    "secret_access_key": made.secret.expose()})
                .to_string(),
            ),
            Err(error @ CreateAccountError::Exists(_)) => (StatusCode::CONFLICT, error.to_string()),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot make an account");
                (StatusCode::INTERNAL_SERVER_ERROR, "the account cannot be written".into())
            }
        }
    }
}

#[async_trait::async_trait]
impl HttpHandler for AccountsHandler {
    fn serves(&self, path: &str) -> bool {
        path == PATH
    }

    fn signing_name(&self) -> Option<&'static str> {
        Some(SIGNING_NAME)
    }

    async fn handle(&self, request: http::Request<Incoming>, caller: Option<Caller>) -> Response {
        let (status, text) = self.create(&request, caller.as_ref()).await;
        let mut answer = http::Response::new(full(text));
        *answer.status_mut() = status;
        answer
    }
}
