//! UpdateCluster: changes the settings of a cluster.

use crate::arns::require_cluster;
use crate::connect;
use crate::errors::{Failure, cluster_not_found, invalid};
use crate::exec;
use crate::render;
use crate::shapes::{ClusterSetting, UpdateClusterRequest, UpdateClusterResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::Cluster;
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: UpdateClusterRequest,
) -> Result<UpdateClusterResponse, ServiceError> {
    let UpdateClusterRequest { cluster, configuration, service_connect_defaults, settings } = input;
    let execute_command = configuration.map(exec::read_configuration).transpose()?;
    let settings = store_settings(settings)?;
    let found = require_cluster(tables, context, Some(&cluster)).await?;
    let namespace = match service_connect_defaults {
        Some(given) => Some(connect::cluster_default(tables, context, &given.namespace).await?),
        None => None,
    };
    let change = |old: &Cluster| {
        let execute_command = execute_command.clone().unwrap_or_else(|| old.execute_command.clone());
        let connect_namespace = namespace.clone().unwrap_or_else(|| old.connect_namespace.clone());
        let settings = settings.clone();
        Ok::<_, Failure>(Some(Cluster { settings, execute_command, connect_namespace, ..old.clone() }))
    };
    let updated = tables.update(&found.key(), change).await?.ok_or_else(cluster_not_found)?;
    let counts = super::describe_clusters::counts(tables, &updated).await?;
    Ok(UpdateClusterResponse { cluster: Some(render::cluster(context, &updated, counts)) })
}

/// Settings that exist. Container Insights is refused until there is something to look into.
pub(crate) fn store_settings(
    settings: Option<Vec<ClusterSetting>>,
) -> Result<Vec<(String, String)>, ServiceError> {
    let mut stored = Vec::new();
    for setting in settings.unwrap_or_default() {
        let value = setting.value.unwrap_or_default();
        if value != "disabled" {
            return Err(invalid(
                "The setting containerInsights can only be 'disabled': this region does not collect Container Insights.",
            ));
        }
        stored.push((setting.name.unwrap_or_default().as_str().to_owned(), value));
    }
    if stored.is_empty() {
        stored.push(("containerInsights".to_owned(), "disabled".to_owned()));
    }
    Ok(stored)
}
