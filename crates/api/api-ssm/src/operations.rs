//! The operations, one file each.

pub(crate) mod add_tags_to_resource;
pub(crate) mod create_document;
pub(crate) mod delete_document;
pub(crate) mod delete_parameter;
pub(crate) mod delete_parameters;
pub(crate) mod describe_document;
pub(crate) mod describe_document_permission;
pub(crate) mod describe_parameters;
pub(crate) mod get_document;
pub(crate) mod get_parameter;
pub(crate) mod get_parameter_history;
pub(crate) mod get_parameters;
pub(crate) mod get_parameters_by_path;
pub(crate) mod label_parameter_version;
pub(crate) mod list_document_versions;
pub(crate) mod list_documents;
pub(crate) mod list_tags_for_resource;
pub(crate) mod modify_document_permission;
pub(crate) mod put_parameter;
pub(crate) mod remove_tags_from_resource;
pub(crate) mod resume_session;
pub(crate) mod terminate_session;
pub(crate) mod unlabel_parameter_version;
pub(crate) mod update_document;
pub(crate) mod update_document_default_version;
