//! CreateSecret.

use crate::SecretsManagerService;
use crate::errors::{invalid_parameter, invalid_request, store, token_in_use};
use crate::lookup::{SUFFIX, is_over};
use crate::shapes::{CreateSecretRequest, CreateSecretResponse, errors};
use crate::tags;
use crate::values::{Value, stage_version};
use aws_wire::{RequestContext, ServiceError};
use resources::secrets::{CURRENT, Secret};
use store::{StoreError, Versioned};

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// The key that AWS shows for none.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

pub(crate) async fn run(
    service: &SecretsManagerService,
    context: &RequestContext,
    input: CreateSecretRequest,
) -> Result<CreateSecretResponse, ServiceError> {
    let value = Value::of(input.secret_string, input.secret_binary)?;
    check_name(&input.name)?;
    if input.r#type.is_some_and(|kind| !kind.is_empty()) {
        return Err(invalid_parameter("This region manages no external secrets; leave Type out."));
    }
    if let Some(replicas) = input.add_replica_regions {
        let own = replicas.iter().any(|replica| replica.region.as_deref() == Some(context.region.as_str()));
        return Err(invalid_parameter(if own {
            "Invalid replica region."
        } else {
            "This region replicates secrets to no other region."
        }));
    }
    let environment = service.tables.environment();
    let token = input.client_request_token.unwrap_or_else(|| environment.uuid());
    let mut secret = Secret {
        account: context.account.to_string(),
        region: context.region.to_string(),
        name: input.name,
        suffix: environment.random_text(SUFFIX, LETTERS),
        id: environment.random_hex(16),
        description: input.description.filter(|text| !text.is_empty()),
        kms_key_id: key_id(input.kms_key_id),
        tags: input.tags.map(|given| tags::merged(given, vec![])).transpose()?,
        policy: None,
        created_at: context.time,
        changed_at: context.time,
        deletion: None,
        rotation: None,
        versions: vec![],
    };
    if value.is_some() {
        stage_version(&mut secret, &token, vec![CURRENT.to_owned()], context.time)?;
    }
    loop {
        let mut batch = service.tables.batch();
        match service.tables.get::<Secret>(&resources::Stored::key(&secret)).await.map_err(store)? {
            // The sweep has not come by yet.
            Some(old) if is_over(&old, context) => batch = service.replacement(&old, &secret),
            Some(old) => return repeated(service, &old, &token, value.as_ref()).await,
            None => batch = batch.create(&secret),
        }
        if let Some(value) = &value {
            batch = batch.create(&service.sealed(&secret, &token, value));
        }
        match batch.commit().await {
            Ok(_) => return Ok(answer(&secret, value.map(|_| token))),
            // Somebody was faster: look what there is now.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(store(error)),
        }
    }
}

/// The key to keep; none for the one that is used anyway.
pub(crate) fn key_id(given: Option<String>) -> Option<String> {
    given.filter(|key| !key.is_empty() && key != DEFAULT_KEY)
}

/// The answer to a request for a secret that exists: the same as before if this is the same request again.
async fn repeated(
    service: &SecretsManagerService,
    old: &Versioned<Secret>,
    token: &str,
    value: Option<&Value>,
) -> Result<CreateSecretResponse, ServiceError> {
    if old.deletion.is_some() {
        return Err(invalid_request(
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        ));
    }
    if let (Some(value), Some(_)) = (value, old.version(token)) {
        let known = service.value(old, token).await?;
        if known.is_some_and(|known| known.is(value)) {
            return Ok(answer(old, Some(token.to_owned())));
        }
        return Err(token_in_use(token, &old.arn()));
    }
    let text = format!("The operation failed because the secret {} already exists.", old.name);
    Err(ServiceError::new(&errors::RESOURCE_EXISTS_EXCEPTION, text))
}

fn answer(secret: &Secret, version_id: Option<String>) -> CreateSecretResponse {
    CreateSecretResponse {
        arn: Some(secret.arn()),
        name: Some(secret.name.clone()),
        version_id,
        ..CreateSecretResponse::default()
    }
}

fn check_name(name: &str) -> Result<(), ServiceError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-/_+=.@!".contains(&byte);
    if name.bytes().all(allowed) {
        return Ok(());
    }
    Err(invalid_parameter(
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
    ))
}
