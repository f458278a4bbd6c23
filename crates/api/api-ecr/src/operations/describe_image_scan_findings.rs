//! DescribeImageScanFindings.

mod basic;
mod enhanced;

use crate::EcrService;
use crate::errors::{invalid, store};
use crate::scanning::{counts, status};
use crate::shapes::{
    DescribeImageScanFindingsRequest, DescribeImageScanFindingsResponse, ImageScanFindings, errors,
};
use aws_wire::{RequestContext, ServiceError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use image_scans::ScanFiles;
use resources::Stored;
use resources::ecr::{ImageScan, Repository, ScanResult, ScanType};

/// Findings of a page when the request does not say.
const USUAL: usize = 100;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: DescribeImageScanFindingsRequest,
) -> Result<DescribeImageScanFindingsResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let (image, id, tags) = service.image_to_scan(&repository, &input.image_id).await?;
    let scan = service.tables.get::<ImageScan>(&image.key()).await.map_err(store)?;
    let scan = scan.ok_or_else(|| no_scan(&repository, &input))?;
    let (mut findings, mut next_token) = (None, None);
    if let Some(result) = &scan.result {
        let first = first_of(input.next_token.as_deref(), result)?;
        let count = input.max_results.and_then(|count| usize::try_from(count).ok()).unwrap_or(USUAL).max(1);
        let files = ScanFiles::of(service.registry.blobs(), &image.key());
        let page = files.findings(&result.file, first, count).await.map_err(|error| {
            tracing::error!(%error, "findings cannot be read");
            ServiceError::new(&errors::SERVER_EXCEPTION, "The service failed. Please try again later.")
        })?;
        let last = first + page.len();
        next_token = (last < result.findings as usize).then(|| token(last, result));
        let seen = enhanced::Seen { context, image: &image, tags: &tags, result };
        let shown = match result.scan_type {
            ScanType::Basic => {
                let page = page.iter().map(basic::show).collect();
                ImageScanFindings { findings: Some(page), ..ImageScanFindings::default() }
            }
            ScanType::Enhanced => {
                let page = page.iter().map(|finding| seen.show(finding)).collect();
                ImageScanFindings { enhanced_findings: Some(page), ..ImageScanFindings::default() }
            }
        };
        findings = Some(ImageScanFindings {
            finding_severity_counts: Some(counts(result)),
            image_scan_completed_at: Some(result.completed_at),
            vulnerability_source_updated_at: Some(result.data_imported_at),
            ..shown
        });
    }
    Ok(DescribeImageScanFindingsResponse {
        registry_id: Some(repository.account.to_string()),
        repository_name: Some(repository.name.clone()),
        image_id: Some(id),
        image_scan_status: Some(status(&scan)),
        image_scan_findings: findings,
        next_token,
    })
}

/// A token names the scan whose findings it goes on with.
fn token(first: usize, result: &ScanResult) -> String {
    URL_SAFE_NO_PAD.encode(format!("findings {} {first}", result.completed_at.as_millis()))
}

fn first_of(given: Option<&str>, result: &ScanResult) -> Result<usize, ServiceError> {
    let Some(given) = given else { return Ok(0) };
    let text = URL_SAFE_NO_PAD.decode(given).ok().and_then(|text| String::from_utf8(text).ok());
    let number = text.as_deref().and_then(|text| text.rsplit(' ').next()?.parse::<usize>().ok());
    match number {
        Some(number) if token(number, result) == given => Ok(number),
        // Another scan ended meanwhile, or the token is of another list.
        _ => Err(invalid("Invalid token")),
    }
}

fn no_scan(repository: &Repository, input: &DescribeImageScanFindingsRequest) -> ServiceError {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
    let message = format!(
        "Image scan does not exist for the image with '{{imageDigest:'{}', imageTag:'{}'}}' in the repository with name \
         '{}' in the registry with id '{}'",
        text(&input.image_id.image_digest),
        text(&input.image_id.image_tag),
        repository.name,
        repository.account
    );
    ServiceError::new(&errors::SCAN_NOT_FOUND_EXCEPTION, message)
}
