//! AWS Secrets Manager: secrets, their versions and stages.
//!
//! What a secret holds is sealed under a key of the region before it is stored, bound to its account, secret and
//! version, and opened only to be handed to a caller of GetSecretValue or BatchGetSecretValue. No other operation, no
//! error and no log line carries it. The region has no KMS: a `KmsKeyId` is kept and shown, and the region's key ring
//! stands in for it. It has no Lambda either: RotateSecret keeps the books of a rotation (rules, dates, the pending
//! version), and whoever rotates the secret puts the pending value and moves the stages. Secrets are not replicated.

mod errors;
mod filters;
mod lookup;
mod operations;
mod paging;
mod permissions;
mod policy;
mod render;
mod rotation;
pub mod shapes;
mod tags;
mod values;

use encryption::KeyRing;
#[allow(clippy::wildcard_imports, reason = "an input and an output is named for every operation")]
use shapes::*;
use store::Tables;

/// The service.
pub struct SecretsManagerService {
    pub(crate) tables: Tables,
    pub(crate) keys: KeyRing,
}

impl SecretsManagerService {
    /// The service over a region's tables and keys.
    pub fn new(tables: Tables, keys: KeyRing) -> Self {
        Self { tables, keys }
    }
}

aws_wire::operations! {
    SecretsManager for SecretsManagerService;
    batch_get_secret_value: BatchGetSecretValueRequest => BatchGetSecretValueResponse, batch_get_secret_value::run;
    cancel_rotate_secret: CancelRotateSecretRequest => CancelRotateSecretResponse, cancel_rotate_secret::run;
    create_secret: CreateSecretRequest => CreateSecretResponse, create_secret::run;
    delete_resource_policy: DeleteResourcePolicyRequest => DeleteResourcePolicyResponse, delete_resource_policy::run;
    delete_secret: DeleteSecretRequest => DeleteSecretResponse, delete_secret::run;
    describe_secret: DescribeSecretRequest => DescribeSecretResponse, describe_secret::run;
    get_random_password: GetRandomPasswordRequest => GetRandomPasswordResponse, get_random_password::run;
    get_resource_policy: GetResourcePolicyRequest => GetResourcePolicyResponse, get_resource_policy::run;
    get_secret_value: GetSecretValueRequest => GetSecretValueResponse, get_secret_value::run;
    list_secret_version_ids: ListSecretVersionIdsRequest => ListSecretVersionIdsResponse, list_secret_version_ids::run;
    list_secrets: ListSecretsRequest => ListSecretsResponse, list_secrets::run;
    put_resource_policy: PutResourcePolicyRequest => PutResourcePolicyResponse, put_resource_policy::run;
    put_secret_value: PutSecretValueRequest => PutSecretValueResponse, put_secret_value::run;
    restore_secret: RestoreSecretRequest => RestoreSecretResponse, restore_secret::run;
    rotate_secret: RotateSecretRequest => RotateSecretResponse, rotate_secret::run;
    tag_resource: TagResourceRequest => (), tag_resource::run;
    untag_resource: UntagResourceRequest => (), untag_resource::run;
    update_secret: UpdateSecretRequest => UpdateSecretResponse, update_secret::run;
    update_secret_version_stage: UpdateSecretVersionStageRequest => UpdateSecretVersionStageResponse, update_secret_version_stage::run;
    validate_resource_policy: ValidateResourcePolicyRequest => ValidateResourcePolicyResponse, validate_resource_policy::run;
}

#[cfg(test)]
mod tests;
