//! The operations, one file each.

pub(crate) mod batch_get_secret_value;
pub(crate) mod cancel_rotate_secret;
pub(crate) mod create_secret;
pub(crate) mod delete_resource_policy;
pub(crate) mod delete_secret;
pub(crate) mod describe_secret;
pub(crate) mod get_random_password;
pub(crate) mod get_resource_policy;
pub(crate) mod get_secret_value;
pub(crate) mod list_secret_version_ids;
pub(crate) mod list_secrets;
pub(crate) mod put_resource_policy;
pub(crate) mod put_secret_value;
pub(crate) mod restore_secret;
pub(crate) mod rotate_secret;
pub(crate) mod tag_resource;
pub(crate) mod untag_resource;
pub(crate) mod update_secret;
pub(crate) mod update_secret_version_stage;
pub(crate) mod validate_resource_policy;
