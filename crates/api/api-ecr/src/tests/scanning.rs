//! Scans as the API shows them; who carries them out is elsewhere.

use super::*;
use crate::shapes as wire;
use environment::Timestamp;
use image_scans::ScanFiles;
use resources::Stored;
use resources::ecr::{
    self, FindingScore, ImageFinding, ImageScan, ScanResult, VulnerabilityData, VulnerablePackage,
};
use std::collections::BTreeMap;
use std::time::Duration;

const DIGEST: &str = "sha256:aa";

async fn scannable() -> (EcrService, RequestContext, tempfile::TempDir, Image) {
    let (service, context, dir) = fixture_with_blobs().await;
    service.create_repository(&context, create("app")).await.expect("creates");
    add_image(&service, &context, DIGEST, &["v1"], &[]).await;
    let key = ecr::rows_of(&context.account, "app") + DIGEST;
    let row = service.tables.get::<Image>(&key).await.expect("reads").expect("is there");
    let artifact_type = Some("application/vnd.oci.image.config.v1+json".to_owned());
    let image = Image { artifact_type, ..Image::clone(&row) };
    service.tables.replace(&row, image.clone()).await.expect("writes");
    (service, context, dir, image)
}

fn start() -> StartImageScanRequest {
    StartImageScanRequest { repository_name: "app".into(), image_id: id(None, Some("v1")), registry_id: None }
}

fn describe(max_results: Option<i32>, next_token: Option<String>) -> DescribeImageScanFindingsRequest {
    let image_id = id(None, Some("v1"));
    DescribeImageScanFindingsRequest {
        repository_name: "app".into(),
        image_id,
        max_results,
        next_token,
        registry_id: None,
    }
}

fn finding(number: usize) -> ImageFinding {
    ImageFinding {
        name: format!("CVE-{number}"),
        related: vec!["GHSA-1".into()],
        severity: "HIGH".into(),
        vendor_severity: None,
        title: String::new(),
        description: "D".into(),
        source: "OSV".into(),
        references: vec!["https://example.com/".into()],
        scores: vec![FindingScore { value: 7.5, version: "3.1".into(), vector: "CVSS:3.1/X".into() }],
        published: Some(1),
        modified: None,
        package: "openssl".into(),
        packages: vec![VulnerablePackage {
            name: "openssl-libs".into(),
            version: "1:3.0-2".into(),
            ecosystem: "rpm".into(),
            architecture: Some("x86_64".into()),
            path: "var/lib/rpm/rpmdb.sqlite".into(),
            layer: "sha256:cc".into(),
            source_version: "1:3.0-2".into(),
            fixed: Some("1:3.0-3".into()),
        }],
        first_observed_at: Timestamp::from_seconds(1),
    }
}

/// Ends the scan with findings.
async fn end(service: &EcrService, image: &Image, scan_type: ecr::ScanType, findings: usize) {
    let files = ScanFiles::of(service.registry.blobs(), &image.key());
    let all: Vec<ImageFinding> = (0..findings).map(finding).collect();
    let file = files.write_findings("1", &all).await.expect("writes");
    let row = service.tables.get::<ImageScan>(&image.key()).await.expect("reads");
    let scan =
        row.map_or_else(|| ImageScan::new(image, Timestamp::from_seconds(1)), |row| ImageScan::clone(&row));
    let result = ScanResult {
        scan_type,
        completed_at: Timestamp::from_seconds(2),
        data_generation: 1,
        data_imported_at: Timestamp::from_seconds(1),
        counts: BTreeMap::from([("HIGH".to_owned(), findings as u32), ("UNDEFINED".to_owned(), 1)]),
        findings: findings as u32,
        file,
        platform: None,
        architecture: None,
        author: None,
    };
    let status = ecr::ScanStatus::Complete;
    let scan = ImageScan { status, tried_with: 1, result: Some(result), ..scan };
    service.tables.batch().put_any(&scan).commit().await.expect("writes");
}

#[tokio::test]
async fn an_image_is_scanned_once_a_day_unless_more_is_known() {
    let (service, mut context, _dir, image) = scannable().await;
    let mut know = VulnerabilityData { generation: 1, imported_at: Timestamp::from_seconds(1) };
    service.tables.batch().put_any(&know).commit().await.expect("writes");
    assert_eq!(
        code(service.describe_image_scan_findings(&context, describe(None, None)).await),
        "ScanNotFoundException"
    );
    let started = service.start_image_scan(&context, start()).await.expect("starts");
    assert_eq!(started.image_id.and_then(|id| id.image_digest).as_deref(), Some(DIGEST));
    assert_eq!(code(service.start_image_scan(&context, start()).await), "LimitExceededException");
    end(&service, &image, ecr::ScanType::Basic, 1).await;
    assert_eq!(code(service.start_image_scan(&context, start()).await), "LimitExceededException");
    know.generation = 2;
    service.tables.batch().put_any(&know).commit().await.expect("writes");
    service.start_image_scan(&context, start()).await.expect("starts, since there is other data");
    know.generation = 1;
    service.tables.batch().put_any(&know).commit().await.expect("writes");
    end(&service, &image, ecr::ScanType::Basic, 1).await;
    assert_eq!(code(service.start_image_scan(&context, start()).await), "LimitExceededException");
    context.time = context.time + Duration::from_secs(25 * 3600);
    service.start_image_scan(&context, start()).await.expect("starts on the next day");
}

#[tokio::test]
async fn findings_come_in_pages_and_in_two_forms() {
    let (service, context, _dir, image) = scannable().await;
    end(&service, &image, ecr::ScanType::Basic, 250).await;
    let (mut token, mut names) = (None, Vec::new());
    loop {
        let page = service.describe_image_scan_findings(&context, describe(Some(120), token)).await;
        let page = page.expect("describes");
        let findings = page.image_scan_findings.and_then(|found| found.findings).expect("findings");
        names.extend(findings.into_iter().filter_map(|finding| finding.name));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(names, (0..250).map(|number| format!("CVE-{number}")).collect::<Vec<_>>());
    for token in ["x", "ZmluZGluZ3MgMSAxMDA"] {
        let described =
            service.describe_image_scan_findings(&context, describe(None, Some(token.into()))).await;
        assert_eq!(code(described), "InvalidParameterException");
    }
    end(&service, &image, ecr::ScanType::Enhanced, 1).await;
    let found =
        service.describe_image_scan_findings(&context, describe(None, None)).await.expect("describes");
    let found = found.image_scan_findings.expect("findings");
    assert_eq!(found.finding_severity_counts.expect("counts").get("UNTRIAGED"), Some(&1));
    let enhanced = found.enhanced_findings.expect("findings").remove(0);
    assert_eq!((enhanced.score, enhanced.fix_available.as_deref()), (Some(7.5), Some("YES")));
    let package = enhanced.package_vulnerability_details.and_then(|details| details.vulnerable_packages);
    let package = package.expect("packages").remove(0);
    assert_eq!(
        (package.epoch, package.version.as_deref(), package.release.as_deref()),
        (Some(1), Some("3.0"), Some("2"))
    );
    let images = DescribeImagesRequest { repository_name: "app".into(), ..DescribeImagesRequest::default() };
    let images = service.describe_images(&context, images).await.expect("describes");
    let detail = images.image_details.expect("images").remove(0);
    assert_eq!(detail.image_scan_status.and_then(|status| status.status), Some(wire::ScanStatus::Complete));
    assert!(detail.image_scan_findings_summary.is_some());
}
