//! Secrets Manager and Systems Manager: values for containers and registries.

use super::ApiError;
use super::task::TaskApi;
use serde::Deserialize;
use zeroize::Zeroizing;

/// A secret's version, named by stage or id or neither.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Version<'a> {
    pub(crate) stage: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue {
    secret_string: Option<Zeroizing<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameters {
    #[serde(default)]
    parameters: Vec<Parameter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    value: Zeroizing<String>,
}

impl TaskApi {
    /// GetSecretValue; `None` when the secret is binary.
    pub(crate) async fn secret_value(
        &self,
        id: &str,
        version: Version<'_>,
    ) -> Result<Option<Zeroizing<String>>, ApiError> {
        let mut input = serde_json::json!({"SecretId": id});
        for (name, value) in [("VersionStage", version.stage), ("VersionId", version.id)] {
            if let Some(value) = value {
                input[name] = value.into();
            }
        }
        let answer: SecretValue =
            self.call("secretsmanager", "secretsmanager", "GetSecretValue", &input).await?;
        Ok(answer.secret_string)
    }

    /// GetParameters of one, decrypted; `None` when there is no such parameter.
    pub(crate) async fn parameter(&self, name: &str) -> Result<Option<Zeroizing<String>>, ApiError> {
        let input = serde_json::json!({"Names": [name], "WithDecryption": true});
        let answer: Parameters = self.call("ssm", "AmazonSSM", "GetParameters", &input).await?;
        Ok(answer.parameters.into_iter().next().map(|parameter| parameter.value))
    }
}
