//! Documents as the API shows them.

use super::{content, info};
use crate::SsmService;
use crate::shapes as wire;
use aws_wire::ServiceError;
use resources::ssm::{Document, DocumentFormat, DocumentKind, DocumentVersion, Platform};

/// All that is known of a version, its parameters included.
pub(crate) async fn description(
    service: &SsmService,
    document: &Document,
    number: i64,
) -> Result<wire::DocumentDescription, ServiceError> {
    let version = info(document, number)?;
    let text = service.document_text(document, number).await?;
    let value = content::read(&text, version.format)?;
    Ok(described(document, number, version, content::parameters(&value)))
}

fn described(
    document: &Document,
    number: i64,
    version: &DocumentVersion,
    parameters: Vec<wire::DocumentParameter>,
) -> wire::DocumentDescription {
    wire::DocumentDescription {
        created_date: Some(version.created_at),
        default_version: Some(document.default.to_string()),
        description: version.description.clone(),
        display_name: version.display_name.clone(),
        document_format: Some(format(version.format)),
        document_type: Some(kind(document.kind)),
        document_version: Some(number.to_string()),
        hash: Some(version.hash.clone()),
        hash_type: Some(wire::DocumentHashType::Sha256),
        latest_version: Some(document.latest().to_string()),
        name: Some(document.name.clone()),
        owner: Some(document.account.clone()),
        parameters: Some(parameters),
        platform_types: Some(platforms(version)),
        schema_version: Some(version.schema_version.clone()),
        status: Some(wire::DocumentStatus::Active),
        tags: Some(tags(document)),
        target_type: version.target_type.clone(),
        version_name: version.name.clone(),
        ..wire::DocumentDescription::default()
    }
}

/// An item of ListDocuments: the default version.
pub(crate) fn identifier(document: &Document) -> wire::DocumentIdentifier {
    let version = document.versions.get(&document.default);
    wire::DocumentIdentifier {
        created_date: Some(document.created_at),
        display_name: version.and_then(|version| version.display_name.clone()),
        document_format: version.map(|version| format(version.format)),
        document_type: Some(kind(document.kind)),
        document_version: Some(document.default.to_string()),
        name: Some(document.name.clone()),
        owner: Some(document.account.clone()),
        platform_types: version.map(platforms),
        schema_version: version.map(|version| version.schema_version.clone()),
        tags: Some(tags(document)),
        target_type: version.and_then(|version| version.target_type.clone()),
        version_name: version.and_then(|version| version.name.clone()),
        ..wire::DocumentIdentifier::default()
    }
}

/// An item of ListDocumentVersions.
pub(crate) fn version(
    document: &Document,
    number: i64,
    version: &DocumentVersion,
) -> wire::DocumentVersionInfo {
    wire::DocumentVersionInfo {
        created_date: Some(version.created_at),
        display_name: version.display_name.clone(),
        document_format: Some(format(version.format)),
        document_version: Some(number.to_string()),
        is_default_version: Some(number == document.default),
        name: Some(document.name.clone()),
        status: Some(wire::DocumentStatus::Active),
        version_name: version.name.clone(),
        ..wire::DocumentVersionInfo::default()
    }
}

/// The format as the API writes it.
pub(crate) fn format(format: DocumentFormat) -> wire::DocumentFormat {
    match format {
        DocumentFormat::Json => wire::DocumentFormat::Json,
        DocumentFormat::Yaml => wire::DocumentFormat::Yaml,
    }
}

/// The type as the API writes it.
pub(crate) fn kind(kind: DocumentKind) -> wire::DocumentType {
    match kind {
        DocumentKind::Command => wire::DocumentType::Command,
        DocumentKind::Policy => wire::DocumentType::Policy,
        DocumentKind::Automation => wire::DocumentType::Automation,
        DocumentKind::Session => wire::DocumentType::Session,
    }
}

/// Platforms as the API writes them.
pub(crate) fn platforms(version: &DocumentVersion) -> Vec<wire::PlatformType> {
    let shown = |platform: &Platform| match platform {
        Platform::Windows => wire::PlatformType::Windows,
        Platform::Linux => wire::PlatformType::Linux,
        Platform::MacOs => wire::PlatformType::MacOS,
    };
    version.platforms.iter().map(shown).collect()
}

fn tags(document: &Document) -> Vec<wire::Tag> {
    let shown = |(key, value): &(String, String)| wire::Tag { key: key.clone(), value: value.clone() };
    document.tags.iter().map(shown).collect()
}
