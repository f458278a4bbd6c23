//! The operations, one file each.

pub(crate) mod create_cluster;
pub(crate) mod delete_cluster;
pub(crate) mod delete_task_definitions;
pub(crate) mod deregister_container_instance;
pub(crate) mod deregister_task_definition;
pub(crate) mod describe_clusters;
pub(crate) mod describe_task_definition;
pub(crate) mod describe_tasks;
pub(crate) mod discover_poll_endpoint;
pub(crate) mod list_clusters;
pub(crate) mod list_task_definition_families;
pub(crate) mod list_task_definitions;
pub(crate) mod list_tasks;
pub(crate) mod register_container_instance;
pub(crate) mod register_task_definition;
pub(crate) mod run_task;
pub(crate) mod stop_task;
pub(crate) mod submit_attachment_state_changes;
pub(crate) mod submit_container_state_change;
pub(crate) mod submit_task_state_change;
pub(crate) mod tag_resource;
pub(crate) mod tags;
pub(crate) mod tags_list;
pub(crate) mod untag_resource;
pub(crate) mod update_cluster;
