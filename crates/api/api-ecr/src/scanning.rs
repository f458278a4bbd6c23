//! Scans of images and settings of scanning, as the API shows them.

use crate::EcrService;
use crate::errors::store;
use crate::shapes::{self as wire, ImageIdentifier};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::{
    Image, ImageScan, Registry, Repository, ScanFrequency, ScanResult, ScanStatus, ScanType,
    VulnerabilityData,
};
use std::collections::{BTreeMap, HashSet};
use store::Versioned;

impl EcrService {
    /// The image that a request about a scan names, its tag if it has one, and all its tags.
    pub(crate) async fn image_to_scan(
        &self,
        repository: &Repository,
        id: &ImageIdentifier,
    ) -> Result<(Versioned<Image>, ImageIdentifier, Vec<String>), ServiceError> {
        let image = self.find_or_fail(repository, id).await?;
        let tags = self.tags_of(repository, HashSet::from([image.digest.as_str()])).await?;
        let tags = tags.names(&image.digest);
        let tag = id.image_tag.clone().or_else(|| tags.first().cloned());
        let id = ImageIdentifier { image_digest: Some(image.digest.clone()), image_tag: tag };
        Ok((image, id, tags))
    }

    /// The settings of the caller's registry.
    pub(crate) async fn registry_row(
        &self,
        context: &RequestContext,
    ) -> Result<Option<Versioned<Registry>>, ServiceError> {
        self.tables.get(context.account.as_str()).await.map_err(store)
    }

    /// Generation of the vulnerability data there is; 0 without any.
    pub(crate) async fn data_generation(&self) -> Result<u64, ServiceError> {
        let rows = self.tables.list_all::<VulnerabilityData>("").await.map_err(store)?;
        Ok(rows.first().map_or(0, |row| row.generation))
    }
}

/// The status of a scan.
pub(crate) fn status(scan: &ImageScan) -> wire::ImageScanStatus {
    let status = match scan.status {
        ScanStatus::Pending => wire::ScanStatus::Pending,
        ScanStatus::InProgress => wire::ScanStatus::InProgress,
        ScanStatus::Complete => wire::ScanStatus::Complete,
        ScanStatus::Active => wire::ScanStatus::Active,
        ScanStatus::Failed => wire::ScanStatus::Failed,
        ScanStatus::UnsupportedImage => wire::ScanStatus::UnsupportedImage,
        ScanStatus::LimitExceeded => wire::ScanStatus::LimitExceeded,
        ScanStatus::ImageArchived => wire::ScanStatus::ImageArchived,
    };
    let description = (!scan.description.is_empty() && !scan.is_due()).then(|| scan.description.clone());
    wire::ImageScanStatus { description, status: Some(status) }
}

/// Adds what a scan found to the description of an image.
pub(crate) fn with_scan(detail: wire::ImageDetail, scan: Option<&Versioned<ImageScan>>) -> wire::ImageDetail {
    let Some(scan) = scan else { return detail };
    let summary = scan.result.as_ref().map(|result| wire::ImageScanFindingsSummary {
        finding_severity_counts: Some(counts(result)),
        image_scan_completed_at: Some(result.completed_at),
        vulnerability_source_updated_at: Some(result.data_imported_at),
    });
    wire::ImageDetail {
        image_scan_status: Some(status(scan)),
        image_scan_findings_summary: summary,
        ..detail
    }
}

/// Number of findings by severity. Enhanced scanning has Inspector's word for what nobody rated.
pub(crate) fn counts(result: &ScanResult) -> BTreeMap<String, i32> {
    let word = |severity: &String| match result.scan_type {
        ScanType::Basic => severity.clone(),
        ScanType::Enhanced => severity.replace("UNDEFINED", "UNTRIAGED"),
    };
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    result.counts.iter().map(|(severity, count)| (word(severity), number(*count))).collect()
}

/// The registry's settings.
pub(crate) fn show(registry: Option<&Registry>) -> wire::RegistryScanningConfiguration {
    let settings = registry.and_then(|registry| registry.scanning.as_ref());
    let rules = settings.iter().flat_map(|settings| &settings.rules).map(|rule| wire::RegistryScanningRule {
        scan_frequency: show_frequency(rule.frequency),
        repository_filters: rule.filters.iter().map(|filter| show_filter(filter)).collect(),
    });
    wire::RegistryScanningConfiguration {
        rules: Some(rules.collect()),
        scan_type: Some(match settings.map(|settings| settings.scan_type).unwrap_or_default() {
            ScanType::Basic => wire::ScanType::Basic,
            ScanType::Enhanced => wire::ScanType::Enhanced,
        }),
    }
}

pub(crate) fn show_frequency(frequency: ScanFrequency) -> wire::ScanFrequency {
    match frequency {
        ScanFrequency::ScanOnPush => wire::ScanFrequency::ScanOnPush,
        ScanFrequency::ContinuousScan => wire::ScanFrequency::ContinuousScan,
        ScanFrequency::Manual => wire::ScanFrequency::Manual,
    }
}

pub(crate) fn show_filter(filter: &str) -> wire::ScanningRepositoryFilter {
    let filter_type = wire::ScanningRepositoryFilterType::Wildcard;
    wire::ScanningRepositoryFilter { filter: filter.to_owned(), filter_type }
}
