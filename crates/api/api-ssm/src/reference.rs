//! Secrets under the name of a parameter: `/aws/reference/secretsmanager/NAME`, with a version or stage after a colon.
//!
//! AWS hands them out to callers who may read the secret; here, too, the caller needs the permission for the secret
//! (`permissions.rs`), not only for the parameter.

use crate::SsmService;
use crate::errors::{invalid, store, unopened};
use crate::shapes::{self as wire, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::secrets::{CURRENT, Secret, SecretVersion, ValueKind};
use serde_json::json;

/// What the names of such parameters begin with.
const PREFIX: &str = "/aws/reference/secretsmanager/";

/// The secret that a name refers to, with its selector; `None` when it is the name of a parameter.
pub(crate) fn of(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)
}

impl SsmService {
    /// A secret as a parameter.
    pub(crate) async fn referenced(
        &self,
        context: &RequestContext,
        reference: &str,
        decrypt: bool,
    ) -> Result<wire::Parameter, ServiceError> {
        if !decrypt {
            return Err(invalid("WithDecryption flag must be True for retrieving a Secret Manager secret."));
        }
        let missing = || {
            ServiceError::new(
                &errors::PARAMETER_NOT_FOUND,
                format!(
                    "An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret {PREFIX}{reference} \
                     not found."
                ),
            )
        };
        let (name, selector) = reference.split_once(':').unwrap_or((reference, CURRENT));
        let key = Secret::key_of(context.account.as_str(), context.region.as_str(), name);
        let secret = self.tables.get::<Secret>(&key).await.map_err(store)?.ok_or_else(missing)?;
        if secret.deletion.is_some() {
            return Err(missing());
        }
        let version = secret.version(selector).or_else(|| secret.staged(selector)).ok_or_else(missing)?;
        let key = SecretVersion::key_of(&secret.account, &secret.id, &version.id);
        let row = self.tables.get::<SecretVersion>(&key).await.map_err(store)?.ok_or_else(missing)?;
        if row.kind == ValueKind::Binary {
            return Err(missing());
        }
        let purpose = SecretVersion::purpose_of(&row.account, &row.secret_id, &row.id);
        let opened = self.keys.open(&purpose, row.sealed.as_str());
        let value = opened.map_err(|error| unopened(error, &secret.arn()))?;
        let value = String::from_utf8_lossy(&value).into_owned();
        let source = json!({
            "ARN": secret.arn(),
            "Name": secret.name,
            "VersionId": version.id,
            "SecretString": value,
            "VersionStages": version.stages,
            "CreatedDate": version.created_at.as_millis() as f64 / 1000.0,
        });
        Ok(wire::Parameter {
            name: Some(format!("{PREFIX}{name}")),
            r#type: Some(wire::ParameterType::SecureString),
            value: Some(value),
            version: Some(0),
            selector: (reference != name).then(|| format!(":{selector}")),
            source_result: Some(source.to_string()),
            last_modified_date: Some(version.created_at),
            arn: Some(secret.arn()),
            data_type: Some("text".to_owned()),
        })
    }
}
