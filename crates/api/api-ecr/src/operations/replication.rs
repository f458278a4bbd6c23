//! DescribeRegistry, PutReplicationConfiguration and DescribeImageReplicationStatus.

use crate::EcrService;
use crate::errors::{invalid_at, store, validation};
use crate::shapes::{
    DescribeImageReplicationStatusRequest, DescribeImageReplicationStatusResponse, DescribeRegistryRequest,
    DescribeRegistryResponse, ImageReplicationStatus, PutReplicationConfigurationRequest,
    PutReplicationConfigurationResponse, ReplicationConfiguration, ReplicationDestination as Destination,
    ReplicationRule as Rule, ReplicationStatus, RepositoryFilter, RepositoryFilterType,
};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::{ImageReplication, ReplicationDestination, ReplicationRule, ReplicationState, rows_of};

/// Most different destinations of all rules.
const MOST_DESTINATIONS: usize = 25;

pub(crate) async fn describe_registry(
    service: &EcrService,
    context: &RequestContext,
    _input: DescribeRegistryRequest,
) -> Result<DescribeRegistryResponse, ServiceError> {
    let registry = service.registry_of(&context.account).await?;
    Ok(DescribeRegistryResponse {
        registry_id: Some(context.account.to_string()),
        replication_configuration: Some(show(&registry.replication)),
    })
}

pub(crate) async fn put_replication_configuration(
    service: &EcrService,
    context: &RequestContext,
    input: PutReplicationConfigurationRequest,
) -> Result<PutReplicationConfigurationResponse, ServiceError> {
    let rules = read(service, context, input.replication_configuration)?;
    let changed = service.change_registry(&context.account, |registry| {
        registry.replication.clone_from(&rules);
        Ok(())
    });
    let registry = changed.await?;
    Ok(PutReplicationConfigurationResponse { replication_configuration: Some(show(&registry.replication)) })
}

fn read(
    service: &EcrService,
    context: &RequestContext,
    configuration: ReplicationConfiguration,
) -> Result<Vec<ReplicationRule>, ServiceError> {
    let mut rules = Vec::new();
    let mut all: Vec<ReplicationDestination> = Vec::new();
    for rule in configuration.rules {
        let mut destinations = Vec::new();
        for destination in rule.destinations {
            let account = destination
                .registry_id
                .parse()
                .map_err(|_| invalid_at("registryId", "must satisfy regular expression '[0-9]{12}'"))?;
            let to = ReplicationDestination { region: destination.region, account };
            let here = to.region == context.region.as_str();
            if here && to.account == context.account {
                return Err(invalid_at(
                    "replicationConfiguration",
                    "Replication destination cannot be the same as the source registry",
                ));
            }
            if !here && !service.other_regions.contains(&to.region) {
                return Err(validation(format!(
                    "The region '{}' is not one that this region can replicate to; name it with --replicate-to.",
                    to.region
                )));
            }
            if !all.contains(&to) {
                all.push(to.clone());
            }
            destinations.push(to);
        }
        let filters = rule.repository_filters.into_iter().flatten();
        rules.push(ReplicationRule { destinations, prefixes: filters.map(|filter| filter.filter).collect() });
    }
    if all.len() > MOST_DESTINATIONS {
        return Err(validation(format!(
            "A replication configuration has at most {MOST_DESTINATIONS} unique destinations."
        )));
    }
    Ok(rules)
}

fn show(rules: &[ReplicationRule]) -> ReplicationConfiguration {
    let destination = |destination: &ReplicationDestination| Destination {
        region: destination.region.clone(),
        registry_id: destination.account.to_string(),
    };
    let filter = |prefix: &String| RepositoryFilter {
        filter: prefix.clone(),
        filter_type: RepositoryFilterType::PrefixMatch,
    };
    let rule = |rule: &ReplicationRule| Rule {
        destinations: rule.destinations.iter().map(destination).collect(),
        repository_filters: (!rule.prefixes.is_empty()).then(|| rule.prefixes.iter().map(filter).collect()),
    };
    ReplicationConfiguration { rules: rules.iter().map(rule).collect() }
}

pub(crate) async fn describe_image_replication_status(
    service: &EcrService,
    context: &RequestContext,
    input: DescribeImageReplicationStatusRequest,
) -> Result<DescribeImageReplicationStatusResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let image = service.find_or_fail(&repository, &input.image_id).await?;
    let prefix = format!("{}{}/", rows_of(&repository.account, &repository.name), image.digest);
    let copies = service.tables.list_all::<ImageReplication>(&prefix).await.map_err(store)?;
    let status = |copy: &ImageReplication| ImageReplicationStatus {
        region: Some(copy.region.clone()),
        registry_id: Some(copy.destination.to_string()),
        status: Some(match copy.state {
            ReplicationState::InProgress => ReplicationStatus::InProgress,
            ReplicationState::Complete => ReplicationStatus::Complete,
            ReplicationState::Failed => ReplicationStatus::Failed,
        }),
        failure_code: copy.failure.clone().filter(|_| copy.state == ReplicationState::Failed),
    };
    Ok(DescribeImageReplicationStatusResponse {
        repository_name: Some(repository.name.clone()),
        image_id: Some(input.image_id),
        replication_statuses: Some(copies.iter().map(|copy| status(copy)).collect()),
    })
}
