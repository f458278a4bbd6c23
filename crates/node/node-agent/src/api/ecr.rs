//! ECR: credentials for the region's registry.

use super::{ApiError, TaskApi};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use container_image::BasicAuth;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    authorization_data: Vec<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    authorization_token: String,
}

impl TaskApi {
    /// User and password for the registry.
    pub(crate) async fn registry_auth(&self) -> Result<BasicAuth, ApiError> {
        let unusable = |reason: &str| ApiError::Unusable {
            operation: "GetAuthorizationToken".to_owned(),
            reason: reason.to_owned(),
        };
        let target = "AmazonEC2ContainerRegistry_V20150921";
        let answer: Answer =
            self.call("ecr", target, "GetAuthorizationToken", &serde_json::json!({})).await?;
        let data = answer.authorization_data.into_iter().next().ok_or_else(|| unusable("no token"))?;
        let bytes = STANDARD.decode(data.authorization_token);
        let bytes = bytes.map_err(|_| unusable("the token is no base64"))?;
        let text = String::from_utf8(bytes).map_err(|_| unusable("the token is no text"))?;
        let (username, password) = text.split_once(':').ok_or_else(|| unusable("the token has no colon"))?;
        Ok(BasicAuth { username: username.to_owned(), password: password.to_owned() })
    }
}
