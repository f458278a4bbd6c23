//! Values: sealed when they come, opened when they are asked for, and added to secrets as versions.

use crate::SecretsManagerService;
use crate::errors::{invalid_parameter, invalid_request, not_found, store, token_in_use, unopened};
use crate::shapes::errors::LIMIT_EXCEEDED_EXCEPTION;
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use resources::sealed::SealedText;
use resources::secrets::{CURRENT, Secret, SecretVersion, ValueKind, VersionInfo};
use std::time::Duration;
use store::{StoreError, Versioned};
use zeroize::Zeroizing;

/// Most versions of a secret.
const MOST_VERSIONS: usize = 100;
/// Deprecated versions are kept at least this long.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Most stages of a version.
const MOST_STAGES: usize = 20;
/// Most bytes of a value.
const MOST_BYTES: usize = 65_536;
/// Attempts to add a value to a secret that others change at the same time.
const MOST_ATTEMPTS: usize = 50;

/// A value in the clear; it has no `Debug` form and is overwritten when it is dropped.
pub(crate) struct Value {
    pub(crate) kind: ValueKind,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// A new version that a request asks for.
pub(crate) struct NewVersion<'a> {
    /// The caller's token, which becomes the version's id.
    pub(crate) token: Option<String>,
    /// What it holds.
    pub(crate) value: &'a Value,
    /// Its stages.
    pub(crate) stages: Vec<String>,
}

impl Value {
    /// The value of a request, which may have one of the two.
    pub(crate) fn of(text: Option<String>, binary: Option<Vec<u8>>) -> Result<Option<Self>, ServiceError> {
        let value = match (text, binary) {
            (Some(_), Some(_)) => {
                return Err(invalid_parameter(
                    "You can't specify both a binary secret value and a string secret value in the same secret.",
                ));
            }
            (Some(text), None) => Self { kind: ValueKind::Text, bytes: Zeroizing::new(text.into_bytes()) },
            (None, Some(bytes)) => Self { kind: ValueKind::Binary, bytes: Zeroizing::new(bytes) },
            (None, None) => return Ok(None),
        };
        if value.bytes.len() > MOST_BYTES {
            return Err(invalid_parameter("The secret value is larger than 65536 bytes."));
        }
        Ok(Some(value))
    }

    /// Whether it is the same as another.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.kind == other.kind && self.bytes == other.bytes
    }

    /// Back to what an answer holds: a text or bytes.
    pub(crate) fn into_parts(self) -> (Option<String>, Option<Vec<u8>>) {
        match self.kind {
            // It was a text when it was sealed, and what opens was not altered.
            ValueKind::Text => (Some(String::from_utf8_lossy(&self.bytes).into_owned()), None),
            ValueKind::Binary => (None, Some(self.bytes.to_vec())),
        }
    }
}

impl SecretsManagerService {
    /// A value, sealed for one version.
    pub(crate) fn sealed(&self, secret: &Secret, id: &str, value: &Value) -> SecretVersion {
        let purpose = SecretVersion::purpose_of(&secret.account, &secret.id, id);
        SecretVersion {
            account: secret.account.clone(),
            secret_id: secret.id.clone(),
            id: id.to_owned(),
            kind: value.kind,
            sealed: SealedText::new(self.keys.seal(&purpose, &value.bytes)),
        }
    }

    /// The value of a version; `None` when a rotation has not put it yet.
    pub(crate) async fn value(&self, secret: &Secret, id: &str) -> Result<Option<Value>, ServiceError> {
        let key = SecretVersion::key_of(&secret.account, &secret.id, id);
        let Some(row) = self.tables.get::<SecretVersion>(&key).await.map_err(store)? else { return Ok(None) };
        let purpose = SecretVersion::purpose_of(&secret.account, &secret.id, id);
        let opened = self.keys.open(&purpose, row.sealed.as_str());
        let bytes = opened.map_err(|error| unopened(error, &secret.arn()))?;
        Ok(Some(Value { kind: row.kind, bytes }))
    }

    /// The version that a request names, with its value. Without a name it is the current one.
    pub(crate) async fn pick(
        &self,
        secret: &Secret,
        id: Option<&str>,
        stage: Option<&str>,
    ) -> Result<(VersionInfo, Value), ServiceError> {
        let stage_name = stage.unwrap_or(CURRENT);
        let missing = || match id {
            Some(id) => not_found(format!(
                "Secrets Manager can't find the specified secret value for VersionId: {id}"
            )),
            None => not_found(format!(
                "Secrets Manager can't find the specified secret value for staging label: {stage_name}"
            )),
        };
        let version = match id {
            Some(id) => secret.version(id),
            None => secret.staged(stage_name),
        };
        let version = version.ok_or_else(missing)?;
        if id.is_some() && stage.is_some_and(|stage| !version.stages.iter().any(|own| own == stage)) {
            return Err(invalid_request(
                "You provided a VersionStage that is not associated to the provided VersionId.",
            ));
        }
        let value = self.value(secret, &version.id).await?.ok_or_else(missing)?;
        Ok((version.clone(), value))
    }

    /// Adds a version to a secret and changes the secret with it. A token that was used with the same value adds
    /// nothing.
    pub(crate) async fn add_version(
        &self,
        context: &RequestContext,
        secret_id: &str,
        wanted: NewVersion<'_>,
        edit: impl Fn(&mut Secret),
    ) -> Result<(Versioned<Secret>, String), ServiceError> {
        let version = wanted.token.clone().unwrap_or_else(|| self.tables.environment().uuid());
        let mut attempts = 0;
        loop {
            let old = self.require_usable(context, secret_id).await?;
            let known = old.version(&version).is_some();
            if known && let Some(value) = self.value(&old, &version).await? {
                return if value.is(wanted.value) {
                    Ok((old, version))
                } else {
                    Err(token_in_use(&version, &old.arn()))
                };
            }
            let mut new = (*old.value).clone();
            edit(&mut new);
            new.changed_at = context.time;
            stage_version(&mut new, &version, wanted.stages.clone(), context.time)?;
            let row = self.sealed(&new, &version, wanted.value);
            let batch = self.replacement(&old, &new).create(&row);
            attempts += 1;
            match batch.commit().await {
                Err(StoreError::Conflict(_)) if attempts < MOST_ATTEMPTS => {}
                Err(error) => return Err(store(error)),
                Ok(revision) => {
                    let create_revision = old.create_revision;
                    return Ok((Versioned { value: new.into(), revision, create_revision }, version));
                }
            }
        }
    }
}

/// Enters a version into a secret; the first one is always current. Old versions may have to go for it.
pub(crate) fn stage_version(
    secret: &mut Secret,
    id: &str,
    mut stages: Vec<String>,
    now: Timestamp,
) -> Result<(), ServiceError> {
    if secret.staged(CURRENT).is_none() && !stages.iter().any(|stage| stage == CURRENT) {
        stages.push(CURRENT.to_owned());
    }
    if stages.len() > MOST_STAGES {
        return Err(invalid_parameter("A version can have at most 20 staging labels."));
    }
    if secret.version(id).is_none() {
        secret.versions.push(VersionInfo { id: id.to_owned(), stages: vec![], created_at: now });
    }
    for stage in &stages {
        secret.move_stage(stage, Some(id));
    }
    make_room(secret, now)
}

/// Drops the oldest deprecated versions of a secret that has too many.
fn make_room(secret: &mut Secret, now: Timestamp) -> Result<(), ServiceError> {
    while secret.versions.len() > MOST_VERSIONS {
        let old = |version: &VersionInfo| version.stages.is_empty() && version.created_at + KEPT <= now;
        let Some(index) = secret.versions.iter().position(old) else {
            return Err(ServiceError::new(
                &LIMIT_EXCEEDED_EXCEPTION,
                "The request failed because it would exceed one of the Secrets Manager quotas.",
            ));
        };
        secret.versions.remove(index);
    }
    Ok(())
}
