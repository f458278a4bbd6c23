//! Finds what a request names: by id, by ARN, or by name.

use crate::ServiceDiscoveryService;
use crate::errors::{contended, no_namespace, no_service, store};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::discovery::{DiscoveryService, Instance, Namespace, NamespaceName, ServiceName};
use store::{Page, StoreError, Versioned};

/// Attempts to change what others change at the same time.
pub(crate) const MOST_ATTEMPTS: usize = 32;
/// Rows counted at a time.
const COUNTED: usize = 1_000;

/// The ARN of a namespace.
pub(crate) fn namespace_arn(context: &RequestContext, id: &str) -> String {
    arn(context, format!("namespace/{id}"))
}

/// The ARN of a service.
pub(crate) fn service_arn(context: &RequestContext, id: &str) -> String {
    arn(context, format!("service/{id}"))
}

fn arn(context: &RequestContext, resource: String) -> String {
    Arn::new("servicediscovery", &context.region, &context.account, resource).to_string()
}

/// The kind and the id in an ARN of this service, account and region.
pub(crate) fn own_resource(context: &RequestContext, given: &str) -> Option<(String, String)> {
    let arn: Arn = given.parse().ok()?;
    let own = arn.service == "servicediscovery"
        && arn.region == context.region.as_str()
        && arn.account == context.account.as_str();
    let (kind, id) = arn.resource.split_once('/').filter(|_| own)?;
    Some((kind.to_owned(), id.to_owned()))
}

/// The id that an id or an ARN says; an ARN of something else says an id that nothing has.
fn id_of(context: &RequestContext, given: &str, kind: &str) -> String {
    if !given.starts_with("arn:") {
        return given.to_owned();
    }
    own_resource(context, given).filter(|(found, _)| found == kind).map(|(_, id)| id).unwrap_or_default()
}

/// The id of a namespace in its id or ARN.
pub(crate) fn namespace_id(context: &RequestContext, given: &str) -> String {
    id_of(context, given, "namespace")
}

/// The id of a service in its id or ARN.
pub(crate) fn service_id(context: &RequestContext, given: &str) -> String {
    id_of(context, given, "service")
}

impl ServiceDiscoveryService {
    /// The namespace with an id or ARN, if there is one.
    pub(crate) async fn find_namespace(
        &self,
        context: &RequestContext,
        given: &str,
    ) -> Result<Option<Versioned<Namespace>>, ServiceError> {
        let key = Namespace::key_of(&context.account, &namespace_id(context, given));
        self.tables.get(&key).await.map_err(store)
    }

    /// The namespace with an id or ARN.
    pub(crate) async fn require_namespace(
        &self,
        context: &RequestContext,
        given: &str,
    ) -> Result<Versioned<Namespace>, ServiceError> {
        self.find_namespace(context, given).await?.ok_or_else(|| no_namespace(given))
    }

    /// The namespace with a name, if there is one.
    pub(crate) async fn namespace_named(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Option<Versioned<Namespace>>, ServiceError> {
        let key = NamespaceName::key_of(&context.account, name);
        let Some(row) = self.tables.get::<NamespaceName>(&key).await.map_err(store)? else { return Ok(None) };
        self.find_namespace(context, &row.id).await
    }

    /// The service with an id or ARN, if there is one.
    pub(crate) async fn find_service(
        &self,
        context: &RequestContext,
        given: &str,
    ) -> Result<Option<Versioned<DiscoveryService>>, ServiceError> {
        let key = DiscoveryService::key_of(&context.account, &service_id(context, given));
        self.tables.get(&key).await.map_err(store)
    }

    /// The service with an id or ARN.
    pub(crate) async fn require_service(
        &self,
        context: &RequestContext,
        given: &str,
    ) -> Result<Versioned<DiscoveryService>, ServiceError> {
        self.find_service(context, given).await?.ok_or_else(|| no_service(given))
    }

    /// The service of a namespace with a name, if there is one.
    pub(crate) async fn service_named(
        &self,
        context: &RequestContext,
        namespace: &Namespace,
        name: &str,
    ) -> Result<Option<Versioned<DiscoveryService>>, ServiceError> {
        let name = ServiceName::in_namespace(namespace, name);
        let key = ServiceName::key_of(&context.account, &namespace.id, &name);
        let Some(row) = self.tables.get::<ServiceName>(&key).await.map_err(store)? else { return Ok(None) };
        self.find_service(context, &row.id).await
    }

    /// Changes a service, again if somebody else was faster.
    pub(crate) async fn change_service(
        &self,
        context: &RequestContext,
        given: &str,
        mut edit: impl FnMut(&mut DiscoveryService) -> Result<(), ServiceError>,
    ) -> Result<(), ServiceError> {
        for _ in 0..MOST_ATTEMPTS {
            let old = self.require_service(context, given).await?;
            let mut new = DiscoveryService::clone(&old);
            edit(&mut new)?;
            match self.tables.replace(&old, new).await {
                Err(StoreError::Conflict(_)) => {}
                done => return done.map(|_| ()).map_err(store),
            }
        }
        Err(contended())
    }

    /// How many services a namespace has.
    pub(crate) async fn count_services(&self, namespace: &Namespace) -> Result<i32, ServiceError> {
        self.count::<ServiceName>(&ServiceName::keys_of(&namespace.account, &namespace.id)).await
    }

    /// How many instances a service has.
    pub(crate) async fn count_instances(&self, service: &DiscoveryService) -> Result<i32, ServiceError> {
        self.count::<Instance>(&Instance::keys_of(&service.account, &service.id)).await
    }

    async fn count<T: resources::Stored>(&self, prefix: &str) -> Result<i32, ServiceError> {
        let (mut count, mut after) = (0, None);
        loop {
            let (keys, next) =
                self.tables.keys::<T>(prefix, Page { after, limit: COUNTED }).await.map_err(store)?;
            count += keys.len();
            after = next;
            if after.is_none() {
                return Ok(i32::try_from(count).unwrap_or(i32::MAX));
            }
        }
    }
}
