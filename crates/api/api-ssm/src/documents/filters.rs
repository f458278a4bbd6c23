//! The filters of ListDocuments.

use super::render;
use crate::errors::{invalid, invalid_filter_key};
use crate::shapes::{DocumentFilter, DocumentKeyValuesFilter, ListDocumentsRequest};
use aws_wire::ServiceError;
use resources::ssm::Document;

/// Filters that were read; a document must pass all of them.
#[derive(Debug)]
pub(crate) struct Filters(Vec<(Key, Vec<String>)>);

#[derive(Debug)]
enum Key {
    Name,
    Owner,
    PlatformTypes,
    DocumentType,
    TargetType,
    SearchKeyword,
    Tag(String),
}

impl Filters {
    /// Reads those of a request, which may use the older or the newer kind.
    pub(crate) fn read(input: &ListDocumentsRequest) -> Result<Self, ServiceError> {
        let older = input.document_filter_list.as_deref().unwrap_or_default();
        let newer = input.filters.as_deref().unwrap_or_default();
        if !older.is_empty() && !newer.is_empty() {
            return Err(invalid("You can use either Filters or DocumentFilterList in a single request."));
        }
        let older = older.iter().map(|DocumentFilter { key, value }| (key.as_str(), vec![value.clone()]));
        let newer = newer.iter().map(|DocumentKeyValuesFilter { key, values }| {
            (key.as_deref().unwrap_or_default(), values.clone().unwrap_or_default())
        });
        older
            .chain(newer)
            .map(|(key, values)| Ok((self::key(key)?, values)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether the caller's account sees the document in its list.
    pub(crate) fn let_through(&self, document: &Document, account: &str) -> bool {
        self.0.iter().all(|(key, values)| values.iter().any(|value| fits(document, account, key, value)))
    }
}

fn key(text: &str) -> Result<Key, ServiceError> {
    match text {
        "Name" => Ok(Key::Name),
        "Owner" => Ok(Key::Owner),
        "PlatformTypes" => Ok(Key::PlatformTypes),
        "DocumentType" => Ok(Key::DocumentType),
        "TargetType" => Ok(Key::TargetType),
        "SearchKeyword" => Ok(Key::SearchKeyword),
        other => other
            .strip_prefix("tag:")
            .map(|tag| Key::Tag(tag.to_owned()))
            .ok_or_else(|| invalid_filter_key(other)),
    }
}

fn fits(document: &Document, account: &str, key: &Key, value: &str) -> bool {
    let default = document.versions.get(&document.default);
    match key {
        // The beginning of a name is enough.
        Key::Name => document.name.starts_with(value),
        Key::Owner => is_of(document, account, value),
        Key::PlatformTypes => default.is_some_and(|version| {
            render::platforms(version).iter().any(|platform| platform.as_str() == value)
        }),
        Key::DocumentType => render::kind(document.kind).as_str() == value,
        Key::TargetType => default.is_some_and(|version| version.target_type.as_deref() == Some(value)),
        Key::SearchKeyword => {
            let described = default.and_then(|version| version.description.as_deref()).unwrap_or_default();
            let value = value.to_lowercase();
            document.name.to_lowercase().contains(&value) || described.to_lowercase().contains(&value)
        }
        Key::Tag(tag) => document.tags.iter().any(|(own, of)| own == tag && of == value),
    }
}

/// There are no documents of Amazon or of third parties here.
fn is_of(document: &Document, account: &str, owner: &str) -> bool {
    let public = document.shared.keys().any(|name| name.eq_ignore_ascii_case("all"));
    let own = document.account == account;
    match owner {
        "All" => true,
        "Self" => own,
        "Private" => !public && !own,
        "Public" => public,
        _ => false,
    }
}
