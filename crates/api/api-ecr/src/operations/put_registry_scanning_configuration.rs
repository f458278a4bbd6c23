//! PutRegistryScanningConfiguration.

use crate::errors::{invalid, store};
use crate::shapes::{
    PutRegistryScanningConfigurationRequest, PutRegistryScanningConfigurationResponse, ScanFrequency,
    ScanType,
};
use crate::{EcrService, scanning};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::{self, Registry, RegistryScanning, ScanningRule};
use store::StoreError;

/// Most filters of all rules.
const MOST_FILTERS: usize = 100;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: PutRegistryScanningConfigurationRequest,
) -> Result<PutRegistryScanningConfigurationResponse, ServiceError> {
    let scanning = read(input)?;
    let with = |old: &Registry| Registry { scanning: Some(scanning.clone()), ..old.clone() };
    let update =
        || service.tables.update::<Registry, StoreError>(context.account.as_str(), |old| Ok(Some(with(old))));
    let changed = match update().await.map_err(store)? {
        Some(changed) => Some(changed),
        None => match service.tables.create(with(&Registry::new(context.account.clone()))).await {
            // Another setting was made at the same time.
            Err(StoreError::AlreadyExists(_)) => update().await.map_err(store)?,
            created => Some(created.map_err(store)?),
        },
    };
    Ok(PutRegistryScanningConfigurationResponse {
        registry_scanning_configuration: Some(scanning::show(changed.as_ref().map(|row| row.value.as_ref()))),
    })
}

fn read(input: PutRegistryScanningConfigurationRequest) -> Result<RegistryScanning, ServiceError> {
    let scan_type = match input.scan_type.unwrap_or_default() {
        ScanType::Basic => ecr::ScanType::Basic,
        ScanType::Enhanced => ecr::ScanType::Enhanced,
    };
    let mut rules: Vec<ScanningRule> = Vec::new();
    for rule in input.rules.unwrap_or_default() {
        let frequency = match (scan_type, rule.scan_frequency) {
            (_, ScanFrequency::ScanOnPush) => ecr::ScanFrequency::ScanOnPush,
            (ecr::ScanType::Enhanced, ScanFrequency::ContinuousScan) => ecr::ScanFrequency::ContinuousScan,
            (ecr::ScanType::Basic, ScanFrequency::Manual) => ecr::ScanFrequency::Manual,
            (_, other) => {
                let kind = input.scan_type.unwrap_or_default().as_str();
                let text =
                    format!("The scan frequency {} is not supported with scan type {kind}.", other.as_str());
                return Err(invalid(text));
            }
        };
        if rules.iter().any(|rule| rule.frequency == frequency) {
            let text =
                format!("There is more than one rule with scan frequency {}.", rule.scan_frequency.as_str());
            return Err(invalid(text));
        }
        let filters = rule.repository_filters.into_iter().map(|filter| filter.filter).collect();
        rules.push(ScanningRule { frequency, filters });
    }
    if rules.iter().map(|rule| rule.filters.len()).sum::<usize>() > MOST_FILTERS {
        return Err(invalid(format!("There are more than {MOST_FILTERS} repository filters.")));
    }
    Ok(RegistryScanning { scan_type, rules })
}
