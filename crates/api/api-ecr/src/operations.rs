//! The operations, one file each.

pub(crate) mod batch_delete_image;
pub(crate) mod batch_get_image;
pub(crate) mod batch_get_repository_scanning_configuration;
pub(crate) mod create_repository;
pub(crate) mod delete_repository;
pub(crate) mod describe_image_scan_findings;
pub(crate) mod describe_images;
pub(crate) mod describe_repositories;
pub(crate) mod get_authorization_token;
pub(crate) mod get_registry_scanning_configuration;
pub(crate) mod list_images;
pub(crate) mod list_tags_for_resource;
pub(crate) mod put_image_scanning_configuration;
pub(crate) mod put_image_tag_mutability;
pub(crate) mod put_registry_scanning_configuration;
pub(crate) mod start_image_scan;
pub(crate) mod tag_resource;
pub(crate) mod untag_resource;
