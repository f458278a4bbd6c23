//! BatchGetRepositoryScanningConfiguration.

use crate::EcrService;
use crate::errors::store;
use crate::scanning::{show_filter, show_frequency};
use crate::shapes::{
    BatchGetRepositoryScanningConfigurationRequest, BatchGetRepositoryScanningConfigurationResponse,
    RepositoryScanningConfiguration, RepositoryScanningConfigurationFailure,
    ScanningConfigurationFailureCode,
};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::ecr::{Repository, scanning_of};

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: BatchGetRepositoryScanningConfigurationRequest,
) -> Result<BatchGetRepositoryScanningConfigurationResponse, ServiceError> {
    let registry = service.registry_row(context).await?;
    let registry = registry.as_ref().map(|row| row.value.as_ref());
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in input.repository_names {
        let key = format!("{}/{name}", context.account);
        let Some(repository) = service.tables.get::<Repository>(&key).await.map_err(store)? else {
            failures.push(RepositoryScanningConfigurationFailure {
                repository_name: Some(name),
                failure_code: Some(ScanningConfigurationFailureCode::RepositoryNotFound),
                failure_reason: Some("REPOSITORY_NOT_FOUND".to_owned()),
            });
            continue;
        };
        let (scanning, filters) = scanning_of(registry, &repository);
        let arn = format!("repository/{name}");
        found.push(RepositoryScanningConfiguration {
            repository_arn: Some(Arn::new("ecr", &context.region, &context.account, arn).to_string()),
            repository_name: Some(name),
            // The repository's own setting, whatever rules of the registry say.
            scan_on_push: Some(repository.scan_on_push),
            scan_frequency: Some(show_frequency(scanning.frequency)),
            applied_scan_filters: Some(filters.into_iter().map(show_filter).collect()),
        });
    }
    Ok(BatchGetRepositoryScanningConfigurationResponse {
        failures: Some(failures),
        scanning_configurations: Some(found),
    })
}
