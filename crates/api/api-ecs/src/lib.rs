//! The Amazon Elastic Container Service: clusters, task definitions, tasks, services, and the calls of its agents.
//!
//! Operations read and write the store and never wait for a container. RunTask writes a task that is
//! `PROVISIONING`; the task controller places it, the agent runs it, and what the agent submits moves it on. What is
//! not honoured is refused by name: every request is taken apart without a rest, so no parameter is dropped.

mod account_setting;
mod arns;
mod capacity;
mod connect;
mod containers;
mod definition;
mod errors;
mod exec;
mod execution_role;
mod express;
mod image_digests;
mod load_balancers;
mod logging;
mod operations;
mod paging;
mod permissions;
mod placement;
mod refuse;
mod registries;
mod render;
mod restart;
mod secrets;
mod service;
pub mod shapes;
mod task_set;
#[cfg(test)]
mod testing;
mod volumes;

use access::Access;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use operations as op;
use resources::ecr::RegistryHosts;
#[allow(
    clippy::wildcard_imports,
    reason = "the macro below names an input and an output for every operation"
)]
use shapes::*;
use store::Tables;
use task_placements::Placements;
use virtual_networks::VirtualNetworks;

/// The service.
pub struct EcsService {
    tables: Tables,
    registry: RegistryHosts,
    access: Access,
    networks: VirtualNetworks,
    placements: Placements,
}

impl EcsService {
    /// The service over a region's tables. `registry` names the region's own registry; `access` assumes the roles and
    /// `networks` has the default subnets of express services.
    pub fn new(tables: Tables, registry: RegistryHosts, access: Access, networks: VirtualNetworks) -> Self {
        Self { tables, registry, access, networks, placements: Placements::default() }
    }

    /// Tells RunTask what room there is; otherwise every task is taken and waits for its host.
    #[must_use]
    pub fn placing(self, placements: Placements) -> Self {
        Self { placements, ..self }
    }
}

/// One method per operation, all alike: hand over to the operation's own file; some are told the names of the region's
/// registry, too, and the last ones get the whole service.
macro_rules! operations {
    (
        $($name:ident: $module:ident, $input:ident => $output:ident;)*
        [with registry] $($with:ident: $with_input:ident => $with_output:ident;)*
        [with service] $($whole:ident: $whole_input:ident => $whole_output:ident;)*
    ) => {
        #[async_trait::async_trait]
        impl Ecs for EcsService {
            async fn permissions(
                &self,
                operation: &'static Operation,
                context: &RequestContext,
                input: &Node,
            ) -> Result<Vec<Permission>, ServiceError> {
                permissions::of(&self.tables, context, operation, input).await
            }

            $(async fn $name(&self, context: &RequestContext, input: $input) -> Result<$output, ServiceError> {
                op::$module::run(&self.tables, context, input).await
            })*

            $(async fn $with(&self, context: &RequestContext, input: $with_input) -> Result<$with_output, ServiceError> {
                op::$with::run(&self.tables, &self.registry, context, input).await
            })*

            $(async fn $whole(&self, context: &RequestContext, input: $whole_input) -> Result<$whole_output, ServiceError> {
                op::$whole::run(self, context, input).await
            })*
        }
    };
}

operations! {
    continue_service_deployment: continue_service_deployment, ContinueServiceDeploymentRequest => ContinueServiceDeploymentResponse;
    create_cluster: create_cluster, CreateClusterRequest => CreateClusterResponse;
    delete_account_setting: delete_account_setting, DeleteAccountSettingRequest => DeleteAccountSettingResponse;
    delete_cluster: delete_cluster, DeleteClusterRequest => DeleteClusterResponse;
    delete_express_gateway_service: delete_express_gateway_service, DeleteExpressGatewayServiceRequest => DeleteExpressGatewayServiceResponse;
    delete_service: delete_service, DeleteServiceRequest => DeleteServiceResponse;
    delete_task_definitions: delete_task_definitions, DeleteTaskDefinitionsRequest => DeleteTaskDefinitionsResponse;
    delete_task_set: delete_task_set, DeleteTaskSetRequest => DeleteTaskSetResponse;
    deregister_container_instance: deregister_container_instance, DeregisterContainerInstanceRequest => DeregisterContainerInstanceResponse;
    deregister_task_definition: deregister_task_definition, DeregisterTaskDefinitionRequest => DeregisterTaskDefinitionResponse;
    describe_capacity_providers: describe_capacity_providers, DescribeCapacityProvidersRequest => DescribeCapacityProvidersResponse;
    describe_clusters: describe_clusters, DescribeClustersRequest => DescribeClustersResponse;
    describe_express_gateway_service: describe_express_gateway_service, DescribeExpressGatewayServiceRequest => DescribeExpressGatewayServiceResponse;
    describe_service_deployments: describe_service_deployments, DescribeServiceDeploymentsRequest => DescribeServiceDeploymentsResponse;
    describe_service_revisions: describe_service_revisions, DescribeServiceRevisionsRequest => DescribeServiceRevisionsResponse;
    describe_services: describe_services, DescribeServicesRequest => DescribeServicesResponse;
    describe_task_definition: describe_task_definition, DescribeTaskDefinitionRequest => DescribeTaskDefinitionResponse;
    describe_task_sets: describe_task_sets, DescribeTaskSetsRequest => DescribeTaskSetsResponse;
    describe_tasks: describe_tasks, DescribeTasksRequest => DescribeTasksResponse;
    discover_poll_endpoint: discover_poll_endpoint, DiscoverPollEndpointRequest => DiscoverPollEndpointResponse;
    execute_command: execute_command, ExecuteCommandRequest => ExecuteCommandResponse;
    get_task_protection: get_task_protection, GetTaskProtectionRequest => GetTaskProtectionResponse;
    list_account_settings: list_account_settings, ListAccountSettingsRequest => ListAccountSettingsResponse;
    list_clusters: list_clusters, ListClustersRequest => ListClustersResponse;
    list_service_deployments: list_service_deployments, ListServiceDeploymentsRequest => ListServiceDeploymentsResponse;
    list_services: list_services, ListServicesRequest => ListServicesResponse;
    list_services_by_namespace: list_services_by_namespace, ListServicesByNamespaceRequest => ListServicesByNamespaceResponse;
    list_tags_for_resource: tags_list, ListTagsForResourceRequest => ListTagsForResourceResponse;
    list_task_definition_families: list_task_definition_families, ListTaskDefinitionFamiliesRequest => ListTaskDefinitionFamiliesResponse;
    list_task_definitions: list_task_definitions, ListTaskDefinitionsRequest => ListTaskDefinitionsResponse;
    list_tasks: list_tasks, ListTasksRequest => ListTasksResponse;
    put_account_setting: put_account_setting, PutAccountSettingRequest => PutAccountSettingResponse;
    put_account_setting_default: put_account_setting_default, PutAccountSettingDefaultRequest => PutAccountSettingDefaultResponse;
    put_cluster_capacity_providers: put_cluster_capacity_providers, PutClusterCapacityProvidersRequest => PutClusterCapacityProvidersResponse;
    register_container_instance: register_container_instance, RegisterContainerInstanceRequest => RegisterContainerInstanceResponse;
    stop_service_deployment: stop_service_deployment, StopServiceDeploymentRequest => StopServiceDeploymentResponse;
    stop_task: stop_task, StopTaskRequest => StopTaskResponse;
    submit_attachment_state_changes: submit_attachment_state_changes, SubmitAttachmentStateChangesRequest => SubmitAttachmentStateChangesResponse;
    submit_container_state_change: submit_container_state_change, SubmitContainerStateChangeRequest => SubmitContainerStateChangeResponse;
    submit_task_state_change: submit_task_state_change, SubmitTaskStateChangeRequest => SubmitTaskStateChangeResponse;
    tag_resource: tag_resource, TagResourceRequest => TagResourceResponse;
    untag_resource: untag_resource, UntagResourceRequest => UntagResourceResponse;
    update_cluster: update_cluster, UpdateClusterRequest => UpdateClusterResponse;
    update_cluster_settings: update_cluster_settings, UpdateClusterSettingsRequest => UpdateClusterSettingsResponse;
    update_service_primary_task_set: update_service_primary_task_set, UpdateServicePrimaryTaskSetRequest => UpdateServicePrimaryTaskSetResponse;
    update_task_protection: update_task_protection, UpdateTaskProtectionRequest => UpdateTaskProtectionResponse;
    update_task_set: update_task_set, UpdateTaskSetRequest => UpdateTaskSetResponse;

    [with registry]
    create_service: CreateServiceRequest => CreateServiceResponse;
    create_task_set: CreateTaskSetRequest => CreateTaskSetResponse;
    register_task_definition: RegisterTaskDefinitionRequest => RegisterTaskDefinitionResponse;
    update_service: UpdateServiceRequest => UpdateServiceResponse;

    [with service]
    create_express_gateway_service: CreateExpressGatewayServiceRequest => CreateExpressGatewayServiceResponse;
    run_task: RunTaskRequest => RunTaskResponse;
    update_express_gateway_service: UpdateExpressGatewayServiceRequest => UpdateExpressGatewayServiceResponse;
}
