//! Findings as enhanced scanning shows them.

use crate::shapes::{
    AwsEcrContainerImageDetails, CvssScore, CvssScoreDetails, EnhancedImageScanFinding,
    PackageVulnerabilityDetails, Recommendation, Remediation, Resource, ResourceDetails, ScoreDetails,
    VulnerablePackage,
};
use aws_wire::RequestContext;
use environment::Timestamp;
use identifiers::Arn;
use resources::ecr::{self, Image, ImageFinding, ScanResult};

/// The image that findings are about.
pub(super) struct Seen<'a> {
    pub(super) context: &'a RequestContext,
    pub(super) image: &'a Image,
    pub(super) tags: &'a [String],
    pub(super) result: &'a ScanResult,
}

impl Seen<'_> {
    pub(super) fn show(&self, finding: &ImageFinding) -> EnhancedImageScanFinding {
        let fixed = finding.packages.iter().filter(|package| package.fixed.is_some()).count();
        let title = match finding.title.as_str() {
            "" => format!("{} - {}", finding.name, finding.package),
            title => title.to_owned(),
        };
        let score = finding.scores.first();
        EnhancedImageScanFinding {
            aws_account_id: Some(self.image.account.to_string()),
            description: text(&finding.description).or_else(|| text(&finding.title)),
            finding_arn: Some(self.finding_arn(finding)),
            first_observed_at: Some(finding.first_observed_at),
            last_observed_at: Some(self.result.completed_at),
            updated_at: Some(self.result.completed_at),
            fix_available: Some(
                match fixed {
                    0 => "NO",
                    fixed if fixed == finding.packages.len() => "YES",
                    _ => "PARTIAL",
                }
                .to_owned(),
            ),
            package_vulnerability_details: Some(details(finding)),
            remediation: Some(Remediation {
                recommendation: Some(Recommendation {
                    text: Some(recommendation(finding)),
                    url: finding.references.first().cloned(),
                }),
            }),
            resources: Some(vec![self.resource()]),
            score: score.map(|score| score.value),
            score_details: score.map(|score| ScoreDetails {
                cvss: Some(CvssScoreDetails {
                    adjustments: None,
                    score: Some(score.value),
                    score_source: Some(finding.source.clone()),
                    scoring_vector: Some(score.vector.clone()),
                    version: Some(score.version.clone()),
                }),
            }),
            // Inspector's word for what nobody has rated.
            severity: Some(finding.severity.replace("UNDEFINED", "UNTRIAGED")),
            status: Some("ACTIVE".to_owned()),
            title: Some(title),
            r#type: Some("PACKAGE_VULNERABILITY".to_owned()),
            exploit_available: None,
        }
    }

    fn finding_arn(&self, finding: &ImageFinding) -> String {
        let digest = self.image.digest.rsplit(':').next().unwrap_or_default();
        let name = format!("finding/{digest}/{}/{}", finding.package, finding.name);
        Arn::new("inspector2", &self.context.region, &self.image.account, name).to_string()
    }

    fn resource(&self) -> Resource {
        let (image, result) = (self.image, self.result);
        let name = format!("repository/{}/{}", image.repository, image.digest);
        Resource {
            id: Some(Arn::new("ecr", &self.context.region, &image.account, name).to_string()),
            r#type: Some("AWS_ECR_CONTAINER_IMAGE".to_owned()),
            tags: None,
            details: Some(ResourceDetails {
                aws_ecr_container_image: Some(AwsEcrContainerImageDetails {
                    architecture: result.architecture.clone(),
                    author: result.author.clone(),
                    image_hash: Some(image.digest.clone()),
                    image_tags: Some(self.tags.to_vec()),
                    platform: result.platform.clone(),
                    pushed_at: Some(image.pushed_at),
                    registry: Some(image.account.to_string()),
                    repository_name: Some(image.repository.clone()),
                    in_use_count: None,
                    last_in_use_at: None,
                }),
            }),
        }
    }
}

fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn recommendation(finding: &ImageFinding) -> String {
    match finding.packages.iter().find_map(|package| package.fixed.as_ref()) {
        Some(fixed) => format!("Update {} to version {fixed} or later.", finding.package),
        None => "None Provided".to_owned(),
    }
}

fn details(finding: &ImageFinding) -> PackageVulnerabilityDetails {
    let cvss = finding.scores.iter().map(|score| CvssScore {
        base_score: Some(score.value),
        scoring_vector: Some(score.vector.clone()),
        source: Some(finding.source.clone()),
        version: Some(score.version.clone()),
    });
    PackageVulnerabilityDetails {
        cvss: Some(cvss.collect()),
        reference_urls: Some(finding.references.clone()),
        related_vulnerabilities: Some(finding.related.clone()),
        source: Some(finding.source.clone()),
        source_url: finding.references.first().cloned(),
        vendor_created_at: finding.published.map(Timestamp::from_seconds),
        vendor_severity: finding.vendor_severity.clone(),
        vendor_updated_at: finding.modified.map(Timestamp::from_seconds),
        vulnerability_id: Some(finding.name.clone()),
        vulnerable_packages: Some(finding.packages.iter().map(package).collect()),
    }
}

fn package(package: &ecr::VulnerablePackage) -> VulnerablePackage {
    let (epoch, version, release) = parts(package);
    let manager = match package.ecosystem.as_str() {
        "deb" | "apk" => "OS",
        "rpm" => "RPM",
        "python" => "PYTHONPKG",
        "npm" => "NODEPKG",
        "go" => "GOBINARY",
        "cargo" => "RUSTBINARY",
        "maven" => "JAR",
        _ => "NOT_AVAILABLE",
    };
    let is_system = matches!(package.ecosystem.as_str(), "deb" | "apk" | "rpm");
    VulnerablePackage {
        arch: package.architecture.clone(),
        epoch: Some(epoch),
        file_path: (!is_system).then(|| package.path.clone()),
        fixed_in_version: Some(package.fixed.clone().unwrap_or_else(|| "NotAvailable".to_owned())),
        name: Some(package.name.clone()),
        package_manager: Some(manager.to_owned()),
        release,
        source_layer_hash: Some(package.layer.clone()),
        version: Some(version),
    }
}

/// Epoch, version and release, which those of distributions have.
fn parts(package: &ecr::VulnerablePackage) -> (i32, String, Option<String>) {
    let whole = package.version.as_str();
    if !matches!(package.ecosystem.as_str(), "deb" | "rpm") {
        return (0, whole.to_owned(), None);
    }
    let (epoch, rest) = match whole.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, whole),
    };
    match rest.rsplit_once('-') {
        Some((version, release)) => (epoch, version.to_owned(), Some(release.to_owned())),
        None => (epoch, rest.to_owned(), None),
    }
}
