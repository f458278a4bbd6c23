//! AWS Cloud Map: namespaces, their services, and the instances that clients find.
//!
//! A change is carried out in the transaction that also writes its operation, so an operation is `SUCCESS` as soon as its
//! id is known. Names in private namespaces are answered by the name server of the hosts, which follows the same rows.
//! There is no public DNS, and nothing checks the health of instances from outside: `HealthCheckConfig`, public
//! namespaces, CNAME records, aliases of load balancers and EC2 instances are refused.

mod errors;
mod filters;
mod lookup;
mod operations;
mod paging;
mod permissions;
mod records;
mod render;
pub mod shapes;
mod tags;
mod validate;

#[allow(clippy::wildcard_imports, reason = "an input and an output is named for every operation")]
use shapes::*;
use store::Tables;

/// The service.
pub struct ServiceDiscoveryService {
    pub(crate) tables: Tables,
}

impl ServiceDiscoveryService {
    /// The service over a region's tables.
    pub fn new(tables: Tables) -> Self {
        Self { tables }
    }
}

aws_wire::operations! {
    ServiceDiscovery for ServiceDiscoveryService;
    create_http_namespace: CreateHttpNamespaceRequest => CreateHttpNamespaceResponse, create_http_namespace::run;
    create_private_dns_namespace: CreatePrivateDnsNamespaceRequest => CreatePrivateDnsNamespaceResponse, create_private_dns_namespace::run;
    create_public_dns_namespace: CreatePublicDnsNamespaceRequest => CreatePublicDnsNamespaceResponse, create_public_dns_namespace::run;
    create_service: CreateServiceRequest => CreateServiceResponse, create_service::run;
    delete_namespace: DeleteNamespaceRequest => DeleteNamespaceResponse, delete_namespace::run;
    delete_service: DeleteServiceRequest => DeleteServiceResponse, delete_service::run;
    delete_service_attributes: DeleteServiceAttributesRequest => DeleteServiceAttributesResponse, delete_service_attributes::run;
    deregister_instance: DeregisterInstanceRequest => DeregisterInstanceResponse, deregister_instance::run;
    discover_instances: DiscoverInstancesRequest => DiscoverInstancesResponse, discover_instances::run;
    discover_instances_revision: DiscoverInstancesRevisionRequest => DiscoverInstancesRevisionResponse, discover_instances_revision::run;
    get_instance: GetInstanceRequest => GetInstanceResponse, get_instance::run;
    get_instances_health_status: GetInstancesHealthStatusRequest => GetInstancesHealthStatusResponse, get_instances_health_status::run;
    get_namespace: GetNamespaceRequest => GetNamespaceResponse, get_namespace::run;
    get_operation: GetOperationRequest => GetOperationResponse, get_operation::run;
    get_service: GetServiceRequest => GetServiceResponse, get_service::run;
    get_service_attributes: GetServiceAttributesRequest => GetServiceAttributesResponse, get_service_attributes::run;
    list_instances: ListInstancesRequest => ListInstancesResponse, list_instances::run;
    list_namespaces: ListNamespacesRequest => ListNamespacesResponse, list_namespaces::run;
    list_operations: ListOperationsRequest => ListOperationsResponse, list_operations::run;
    list_services: ListServicesRequest => ListServicesResponse, list_services::run;
    list_tags_for_resource: ListTagsForResourceRequest => ListTagsForResourceResponse, list_tags_for_resource::run;
    register_instance: RegisterInstanceRequest => RegisterInstanceResponse, register_instance::run;
    tag_resource: TagResourceRequest => TagResourceResponse, tag_resource::run;
    untag_resource: UntagResourceRequest => UntagResourceResponse, untag_resource::run;
    update_http_namespace: UpdateHttpNamespaceRequest => UpdateHttpNamespaceResponse, update_http_namespace::run;
    update_instance_custom_health_status: UpdateInstanceCustomHealthStatusRequest => (), update_instance_custom_health_status::run;
    update_private_dns_namespace: UpdatePrivateDnsNamespaceRequest => UpdatePrivateDnsNamespaceResponse, update_private_dns_namespace::run;
    update_public_dns_namespace: UpdatePublicDnsNamespaceRequest => UpdatePublicDnsNamespaceResponse, update_public_dns_namespace::run;
    update_service: UpdateServiceRequest => UpdateServiceResponse, update_service::run;
    update_service_attributes: UpdateServiceAttributesRequest => UpdateServiceAttributesResponse, update_service_attributes::run;
}

#[cfg(test)]
mod tests;
