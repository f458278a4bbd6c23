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

use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use encryption::KeyRing;
use operations as op;
#[allow(
    clippy::wildcard_imports,
    reason = "the macro below names an input and an output for every operation"
)]
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

/// One method per operation, all alike: hand over to the operation's own file.
macro_rules! operations {
    ($($name:ident, $input:ident => $output:ty;)*) => {
        #[async_trait::async_trait]
        impl SecretsManager for SecretsManagerService {
            async fn permissions(
                &self,
                operation: &'static Operation,
                context: &RequestContext,
                input: &Node,
            ) -> Result<Vec<Permission>, ServiceError> {
                permissions::of(self, context, operation, input).await
            }

            $(async fn $name(&self, context: &RequestContext, input: $input) -> Result<$output, ServiceError> {
                op::$name::run(self, context, input).await
            })*
        }
    };
}

operations! {
    batch_get_secret_value, BatchGetSecretValueRequest => BatchGetSecretValueResponse;
    cancel_rotate_secret, CancelRotateSecretRequest => CancelRotateSecretResponse;
    create_secret, CreateSecretRequest => CreateSecretResponse;
    delete_resource_policy, DeleteResourcePolicyRequest => DeleteResourcePolicyResponse;
    delete_secret, DeleteSecretRequest => DeleteSecretResponse;
    describe_secret, DescribeSecretRequest => DescribeSecretResponse;
    get_random_password, GetRandomPasswordRequest => GetRandomPasswordResponse;
    get_resource_policy, GetResourcePolicyRequest => GetResourcePolicyResponse;
    get_secret_value, GetSecretValueRequest => GetSecretValueResponse;
    list_secret_version_ids, ListSecretVersionIdsRequest => ListSecretVersionIdsResponse;
    list_secrets, ListSecretsRequest => ListSecretsResponse;
    put_resource_policy, PutResourcePolicyRequest => PutResourcePolicyResponse;
    put_secret_value, PutSecretValueRequest => PutSecretValueResponse;
    restore_secret, RestoreSecretRequest => RestoreSecretResponse;
    rotate_secret, RotateSecretRequest => RotateSecretResponse;
    tag_resource, TagResourceRequest => ();
    untag_resource, UntagResourceRequest => ();
    update_secret, UpdateSecretRequest => UpdateSecretResponse;
    update_secret_version_stage, UpdateSecretVersionStageRequest => UpdateSecretVersionStageResponse;
    validate_resource_policy, ValidateResourcePolicyRequest => ValidateResourcePolicyResponse;
}

#[cfg(test)]
mod tests;
