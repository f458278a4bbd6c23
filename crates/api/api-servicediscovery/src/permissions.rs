//! What a caller must be allowed to do for each operation: its action on the namespace or service that the input names.

use crate::ServiceDiscoveryService;
use crate::lookup::{namespace_arn, namespace_id, own_resource, service_arn, service_id};
use aws_wire::authorization::default_permissions;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};

/// The permissions of a request.
pub(crate) async fn of(
    service: &ServiceDiscoveryService,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let request = Request { service, context, operation, input };
    let permission = match operation.name {
        "CreateService" => request.create_service().await?,
        "DeleteNamespace"
        | "GetNamespace"
        | "UpdateHttpNamespace"
        | "UpdatePrivateDnsNamespace"
        | "UpdatePublicDnsNamespace" => request.on_namespace(input.text("Id").unwrap_or_default()).await?,
        "DeleteService" | "GetService" | "UpdateService" => {
            request.on_service(input.text("Id").unwrap_or_default()).await?
        }
        "DeleteServiceAttributes"
        | "DeregisterInstance"
        | "GetInstance"
        | "GetInstancesHealthStatus"
        | "GetServiceAttributes"
        | "ListInstances"
        | "RegisterInstance"
        | "UpdateInstanceCustomHealthStatus"
        | "UpdateServiceAttributes" => {
            request.on_service(input.text("ServiceId").unwrap_or_default()).await?
        }
        "DiscoverInstances" | "DiscoverInstancesRevision" => request.discover().await?,
        "ListTagsForResource" | "TagResource" | "UntagResource" => request.on_resource().await?,
        "CreateHttpNamespace" | "CreatePrivateDnsNamespace" | "CreatePublicDnsNamespace" => {
            request.with_request_tags(Permission::of(operation, "*"))
        }
        _ => return Ok(default_permissions(operation)),
    };
    Ok(vec![permission])
}

struct Request<'a> {
    service: &'a ServiceDiscoveryService,
    context: &'a RequestContext,
    operation: &'static Operation,
    input: &'a Node,
}

impl Request<'_> {
    fn with_request_tags(&self, permission: Permission) -> Permission {
        permission
            .with_request_tags(self.input.tags("Tags", "Key", "Value"))
            .with_tag_keys(self.input.texts("TagKeys").map(str::to_owned).collect())
    }

    async fn on_namespace(&self, given: &str) -> Result<Permission, ServiceError> {
        let id = namespace_id(self.context, given);
        let resource = if id.is_empty() { given.to_owned() } else { namespace_arn(self.context, &id) };
        let found = self.service.find_namespace(self.context, given).await?;
        let tags = found.iter().flat_map(|found| &found.value.tags);
        Ok(Permission::of(self.operation, resource).with_resource_tags(tags))
    }

    async fn on_service(&self, given: &str) -> Result<Permission, ServiceError> {
        let id = service_id(self.context, given);
        let resource = if id.is_empty() { given.to_owned() } else { service_arn(self.context, &id) };
        let found = self.service.find_service(self.context, given).await?;
        let permission = Permission::of(self.operation, resource.clone())
            .with("servicediscovery:ServiceArn", resource)
            .with_some("servicediscovery:ServiceName", found.as_ref().map(|found| found.name.clone()))
            .with_some(
                "servicediscovery:ServiceCreatedByAccount",
                found.as_ref().map(|found| found.account.to_string()),
            );
        let tags = found.iter().flat_map(|found| &found.value.tags);
        Ok(permission.with_resource_tags(tags))
    }

    async fn create_service(&self) -> Result<Permission, ServiceError> {
        let dns = self.input.member("DnsConfig");
        let given = self.input.text("NamespaceId").or_else(|| dns.and_then(|dns| dns.text("NamespaceId")));
        let permission = match given {
            Some(given) => {
                let permission = self.on_namespace(given).await?;
                let resource = permission.resource.clone();
                permission.with("servicediscovery:NamespaceArn", resource)
            }
            None => Permission::of(self.operation, "*"),
        };
        Ok(self.with_request_tags(permission))
    }

    async fn discover(&self) -> Result<Permission, ServiceError> {
        let namespace = self.input.text("NamespaceName").unwrap_or_default();
        let name = self.input.text("ServiceName").unwrap_or_default();
        let mut permission = Permission::of(self.operation, "*")
            .with("servicediscovery:NamespaceName", namespace)
            .with("servicediscovery:ServiceName", name);
        if let Some(namespace) = self.service.namespace_named(self.context, namespace).await? {
            let arn = namespace_arn(self.context, &namespace.id);
            permission = permission.with("servicediscovery:NamespaceArn", arn);
            if let Some(found) = self.service.service_named(self.context, &namespace, name).await? {
                let arn = service_arn(self.context, &found.id);
                permission = permission.with("servicediscovery:ServiceArn", arn);
            }
        }
        Ok(permission)
    }

    async fn on_resource(&self) -> Result<Permission, ServiceError> {
        let given = self.input.text("ResourceARN").unwrap_or_default();
        let permission = match own_resource(self.context, given) {
            Some((kind, id)) if kind == "namespace" => self.on_namespace(&id).await?,
            Some((kind, id)) if kind == "service" => self.on_service(&id).await?,
            Some(_) | None => Permission::of(self.operation, given),
        };
        Ok(self.with_request_tags(permission))
    }
}
