//! CreateCluster: makes a cluster, or returns the one that is there.

use crate::arns::cluster_name;
use crate::capacity::{providers, strategy_of};
use crate::connect;
use crate::definition::store_tags;
use crate::errors::{Failure, invalid};
use crate::exec;
use crate::render::{self, Counts};
use crate::shapes::{CreateClusterRequest, CreateClusterResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{Cluster, ClusterStatus};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: CreateClusterRequest,
) -> Result<CreateClusterResponse, ServiceError> {
    let CreateClusterRequest {
        capacity_providers,
        cluster_name: name,
        configuration,
        default_capacity_provider_strategy,
        service_connect_defaults,
        settings,
        tags,
    } = input;
    let execute_command = configuration.map(exec::read_configuration).transpose()?.flatten();
    let name = cluster_name(context, name.as_deref())?;
    check_name(&name)?;
    let capacity_providers = providers(capacity_providers.unwrap_or_default())?;
    let default_strategy =
        strategy_of(default_capacity_provider_strategy.unwrap_or_default(), &capacity_providers)?;
    let connect_namespace = match service_connect_defaults {
        Some(given) => connect::cluster_default(tables, context, &given.namespace).await?,
        None => None,
    };
    let wanted = Cluster {
        account: context.account.clone(),
        name,
        status: ClusterStatus::Active,
        settings: super::update_cluster::store_settings(settings)?,
        capacity_providers,
        default_strategy,
        execute_command,
        connect_namespace,
        tags: store_tags(tags)?,
        created_at: context.time,
    };
    let cluster = ensure(tables, wanted).await?;
    let mut shown = render::cluster(context, &cluster, Counts::default());
    shown.tags = Some(render::tags(&cluster.tags));
    Ok(CreateClusterResponse { cluster: Some(shown) })
}

/// The active cluster of that name; a deleted one comes back as the wanted one.
pub(crate) async fn ensure(tables: &Tables, wanted: Cluster) -> Result<Cluster, Failure> {
    let key = resources::Stored::key(&wanted);
    loop {
        let written = match tables.get::<Cluster>(&key).await? {
            Some(found) if found.status == ClusterStatus::Active => return Ok((*found.value).clone()),
            Some(deleted) => tables.replace(&deleted, wanted.clone()).await,
            None => tables.create(wanted.clone()).await,
        };
        match written {
            Ok(cluster) => return Ok((*cluster.value).clone()),
            // Somebody else was faster; look again.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn check_name(name: &str) -> Result<(), ServiceError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > 255 || !name.bytes().all(plain) {
        return Err(invalid(
            "Invalid parameter at 'clusterName': it has up to 255 letters (uppercase and lowercase), numbers, \
             underscores, and hyphens.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{code, fixture};

    #[tokio::test]
    async fn creates_once_and_refuses_bad_names() {
        let f = fixture();
        let request =
            |name: &str| CreateClusterRequest { cluster_name: Some(name.into()), ..Default::default() };
        let first = run(&f.tables, &f.context, request("a")).await.expect("creates");
        assert_eq!(run(&f.tables, &f.context, request("a")).await.expect("creates"), first);
        assert_eq!(code(run(&f.tables, &f.context, request("a b")).await).0, "InvalidParameterException");
        let own = CreateClusterRequest { capacity_providers: Some(vec!["own".into()]), ..request("b") };
        assert_eq!(code(run(&f.tables, &f.context, own).await).0, "InvalidParameterException");
    }
}
