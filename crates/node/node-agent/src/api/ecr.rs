//! ECR: credentials for the region's registry.

use super::{ApiError, TaskApi};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use container_image::BasicAuth;
use environment::Timestamp;
use serde::Deserialize;
use std::time::Duration;

/// A token is asked for anew this long before its end.
const MARGIN: Duration = Duration::from_secs(10 * 60);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    authorization_data: Vec<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    authorization_token: String,
    expires_at: f64,
}

impl TaskApi {
    /// User and password for the registry. The machine's own are remembered while they are good.
    pub(crate) async fn registry_auth(&self) -> Result<BasicAuth, ApiError> {
        let unusable = |reason: &str| ApiError::Unusable {
            operation: "GetAuthorizationToken".to_owned(),
            reason: reason.to_owned(),
        };
        let host = self.host();
        let known = host.registry_token.lock().clone().filter(|_| !self.has_role());
        let good = known.filter(|(_, expires)| host.environment.now() + MARGIN < *expires);
        let token = if let Some((token, _)) = good {
            token
        } else {
            let answer: Answer = self
                .call(
                    "ecr",
                    "AmazonEC2ContainerRegistry_V20150921",
                    "GetAuthorizationToken",
                    &serde_json::json!({}),
                )
                .await?;
            let data = answer.authorization_data.into_iter().next().ok_or_else(|| unusable("no token"))?;
            let expires = Timestamp::from_millis((data.expires_at * 1000.0) as i64);
            if !self.has_role() {
                *host.registry_token.lock() = Some((data.authorization_token.clone(), expires));
            }
            data.authorization_token
        };
        let bytes = STANDARD.decode(token).map_err(|_| unusable("the token is no base64"))?;
        let text = String::from_utf8(bytes).map_err(|_| unusable("the token is no text"))?;
        let (username, password) = text.split_once(':').ok_or_else(|| unusable("the token has no colon"))?;
        Ok(BasicAuth { username: username.to_owned(), password: password.to_owned() })
    }
}
