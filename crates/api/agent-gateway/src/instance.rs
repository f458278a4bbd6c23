//! The container instance that a session is for.

use crate::upgrade::Refused;
use access::Caller;
use identifiers::{Arn, Region};
use resources::ecs::{ContainerInstance, InstanceStatus};
use store::Tables;

/// A container instance with an agent.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    /// Key in the table of container instances.
    pub(crate) key: String,
    /// Its ARN.
    pub(crate) arn: String,
    /// The cluster as messages name it.
    pub(crate) cluster: String,
}

impl Instance {
    /// The active instance of that ARN, if it is the caller's.
    pub(crate) async fn find(
        tables: &Tables,
        region: &Region,
        caller: &Caller,
        given: &str,
    ) -> Result<Self, Refused> {
        let invalid = || Refused::new("InvalidInstanceException", "The container instance is not valid.");
        let arn: Arn = given.parse().map_err(|_| invalid())?;
        let own =
            arn.service == "ecs" && arn.region == region.as_str() && arn.account == caller.account.as_str();
        let name = arn.resource.strip_prefix("container-instance/").filter(|_| own).ok_or_else(invalid)?;
        let key = format!("{}/{name}", caller.account);
        let found = tables.get::<ContainerInstance>(&key).await.map_err(|error| {
            tracing::error!(%error, "cannot look up a container instance");
            Refused::new("ServerException", "Service unavailable. Please try again later.")
        })?;
        match found {
            Some(instance) if instance.status == InstanceStatus::Active => {
                Ok(Self { key, arn: given.to_owned(), cluster: instance.cluster.clone() })
            }
            _ => Err(Refused::new("InactiveInstanceException", "The container instance is not active.")),
        }
    }
}
