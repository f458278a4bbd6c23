//! The operations: one file each, or one for a few that belong together.

pub(crate) mod batch_check_layer_availability;
pub(crate) mod batch_delete_image;
pub(crate) mod catalog_data;
pub(crate) mod create_repository;
pub(crate) mod delete_repository;
pub(crate) mod describe_image_tags;
pub(crate) mod describe_images;
pub(crate) mod describe_registries;
pub(crate) mod describe_repositories;
pub(crate) mod get_authorization_token;
pub(crate) mod layer_uploads;
pub(crate) mod list_tags_for_resource;
pub(crate) mod put_image;
pub(crate) mod repository_policy;
pub(crate) mod tag_resource;
pub(crate) mod untag_resource;
