//! The content of a document: reads JSON and YAML, checks it, and writes the one as the other.

use super::schema;
use crate::errors::{bad_content, document_too_large, internal, invalid};
use crate::shapes as wire;
use aws_wire::ServiceError;
use resources::ssm::{DocumentFormat, DocumentKind, Platform};
use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;
use sha2::{Digest, Sha256};

/// Most bytes of a content.
const MOST_BYTES: usize = 64 * 1024;
/// Most nodes of a YAML content, those that aliases repeat among them.
const MOST_NODES: usize = 50_000;

/// A content that was read and checked.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) format: DocumentFormat,
    pub(crate) hash: String,
    pub(crate) description: Option<String>,
    pub(crate) schema_version: String,
    pub(crate) platforms: Vec<Platform>,
}

/// The format of a request, JSON when it does not say.
pub(crate) fn format(given: Option<wire::DocumentFormat>) -> Result<DocumentFormat, ServiceError> {
    match given {
        None | Some(wire::DocumentFormat::Json) => Ok(DocumentFormat::Json),
        Some(wire::DocumentFormat::Yaml) => Ok(DocumentFormat::Yaml),
        Some(wire::DocumentFormat::Text) => {
            Err(invalid("The document format TEXT is for document types that this region does not keep."))
        }
    }
}

/// Reads a content and refuses what the schema of its type does not allow.
pub(crate) fn check(
    text: String,
    format: DocumentFormat,
    kind: DocumentKind,
) -> Result<Content, ServiceError> {
    if text.len() > MOST_BYTES {
        return Err(document_too_large());
    }
    let value = read(&text, format)?;
    let schema_version = schema::check(&value, kind)?;
    Ok(Content {
        hash: hex::encode(Sha256::digest(text.as_bytes())),
        format,
        description: value["description"].as_str().map(str::to_owned),
        schema_version,
        platforms: schema::platforms(&value, kind),
        text,
    })
}

/// A content as a value.
pub(crate) fn read(text: &str, format: DocumentFormat) -> Result<Value, ServiceError> {
    match format {
        DocumentFormat::Json => serde_json::from_str(text).map_err(|error| {
            bad_content(format!(
                "JSON not well-formed. at Line: {}, Column: {}",
                error.line(),
                error.column()
            ))
        }),
        DocumentFormat::Yaml => serde_saphyr::from_str_with_options(text, yaml_options()).map_err(|error| {
            let place =
                error.location().map(|at| format!(" at Line: {}, Column: {}", at.line(), at.column()));
            bad_content(format!("YAML not well-formed.{}", place.unwrap_or_default()))
        }),
    }
}

fn yaml_options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    options.alias_limits.max_total_replayed_events = MOST_NODES;
    if let Some(budget) = &mut options.budget {
        budget.max_events = 2 * MOST_NODES;
        budget.max_nodes = MOST_NODES;
        budget.max_documents = 1;
    }
    options
}

/// A content in the wanted format, as it was given when it is in that already.
pub(crate) fn shown(
    text: String,
    has: DocumentFormat,
    wanted: DocumentFormat,
) -> Result<String, ServiceError> {
    if has == wanted {
        return Ok(text);
    }
    let value = read(&text, has)?;
    match wanted {
        DocumentFormat::Json => serde_json::to_string_pretty(&value).map_err(|error| internal(&error)),
        DocumentFormat::Yaml => serde_saphyr::to_string(&value).map_err(|error| internal(&error)),
    }
}

/// The parameters that a content declares, by name.
pub(crate) fn parameters(value: &Value) -> Vec<wire::DocumentParameter> {
    let declared = value["parameters"].as_object();
    let shown = |(name, parameter): (&String, &Value)| wire::DocumentParameter {
        name: Some(name.clone()),
        r#type: parameter["type"].as_str().and_then(|kind| kind.parse().ok()),
        description: parameter["description"].as_str().map(str::to_owned),
        default_value: match parameter.get("default") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        },
    };
    declared.into_iter().flatten().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: &str = "schemaVersion: '2.2'\ndescription: Says hello\nparameters:\n  times:\n    type: Integer\n    \
                           default: 3\nmainSteps:\n- action: aws:runShellScript\n  name: hello\n  inputs:\n    \
                           runCommand: [echo hello]\n";

    fn message(text: &str, format: DocumentFormat) -> String {
        check(text.to_owned(), format, DocumentKind::Command).expect_err("refused").message.into_owned()
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let content =
            check(COMMAND.to_owned(), DocumentFormat::Yaml, DocumentKind::Command).expect("a document");
        assert_eq!(content.description.as_deref(), Some("Says hello"));
        assert_eq!((content.schema_version.as_str(), content.hash.len()), ("2.2", 64));
        assert_eq!(content.platforms, [Platform::Linux, Platform::MacOs]);
        let json = shown(content.text.clone(), DocumentFormat::Yaml, DocumentFormat::Json).expect("converts");
        let back = shown(json.clone(), DocumentFormat::Json, DocumentFormat::Yaml).expect("converts");
        let value = read(COMMAND, DocumentFormat::Yaml).expect("reads");
        assert_eq!(read(&json, DocumentFormat::Json).expect("reads"), value);
        assert_eq!(read(&back, DocumentFormat::Yaml).expect("reads"), value);
        let parameters = parameters(&value);
        assert_eq!(parameters[0].name.as_deref(), Some("times"));
        assert_eq!(parameters[0].default_value.as_deref(), Some("3"));
    }

    #[test]
    fn what_is_not_well_formed_says_where() {
        assert_eq!(
            message("schemaVersion: '2.2'", DocumentFormat::Json),
            "JSON not well-formed. at Line: 1, Column: 1"
        );
        assert!(message("a: [", DocumentFormat::Yaml).starts_with("YAML not well-formed. at Line: "));
        assert!(
            message("a: 1\na: 2\n", DocumentFormat::Yaml).starts_with("YAML not well-formed."),
            "repeated"
        );
        assert!(
            message("a: 1\n---\nb: 2\n", DocumentFormat::Yaml).starts_with("YAML not well-formed."),
            "two"
        );
    }

    #[test]
    fn what_unfolds_or_is_too_large_is_refused() {
        let level = |level: usize| match level {
            0 => "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(),
            _ => format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", ")),
        };
        let bomb: String = (0..9).map(level).collect();
        assert!(message(&bomb, DocumentFormat::Yaml).starts_with("YAML not well-formed."));
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(message(&deep, DocumentFormat::Yaml).starts_with("YAML not well-formed."));
        assert!(message(&deep, DocumentFormat::Json).starts_with("JSON not well-formed."));
        let large = check("x".repeat(MOST_BYTES + 1), DocumentFormat::Json, DocumentKind::Command);
        assert_eq!(large.expect_err("refused").shape.name, "MaxDocumentSizeExceeded");
    }
}
