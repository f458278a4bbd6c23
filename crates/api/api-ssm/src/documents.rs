//! Documents: finds them, their versions and contents. What a content may say is in [`content`].

pub(crate) mod content;
pub(crate) mod filters;
pub(crate) mod render;
mod schema;

use crate::SsmService;
use crate::errors::{invalid_document_version, no_document, store, too_many_updates};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::ssm::{Document, DocumentContent, DocumentVersion};
use store::{StoreError, Versioned};

/// Most documents of an account in a region.
pub(crate) const MOST_DOCUMENTS: usize = 500;
/// Most versions of a document.
pub(crate) const MOST_VERSIONS: usize = 1000;

/// Which version a request names.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) number: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
}

/// The account and the name behind a name or an ARN of a document.
pub(crate) fn owner_and_name<'a>(context: &RequestContext, text: &'a str) -> Option<(String, &'a str)> {
    if !text.starts_with("arn:") {
        return Some((context.account.to_string(), text));
    }
    let arn: Arn = text.parse().ok()?;
    let here = arn.service == "ssm" && arn.region == context.region.as_str();
    let (_, name) = text.split_once(":document/")?;
    here.then(|| (arn.account.clone(), name))
}

impl SsmService {
    /// The document with a name of the caller's account, or with an ARN of any account.
    pub(crate) async fn find_document(
        &self,
        context: &RequestContext,
        text: &str,
    ) -> Result<Option<Versioned<Document>>, ServiceError> {
        let Some((account, name)) = owner_and_name(context, text) else { return Ok(None) };
        self.tables.get(&Document::key_of(&account, context.region.as_str(), name)).await.map_err(store)
    }

    /// The caller's own document with a name.
    pub(crate) async fn require_document(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Versioned<Document>, ServiceError> {
        let found = self.find_document(context, name).await?;
        let own = found.filter(|document| document.account == context.account.as_str());
        own.ok_or_else(|| no_document(name))
    }

    /// The version of a document that a request names, if the caller may use it.
    pub(crate) async fn document_version(
        &self,
        context: &RequestContext,
        text: &str,
        wanted: Wanted<'_>,
    ) -> Result<(Versioned<Document>, i64), ServiceError> {
        let found = self.find_document(context, text).await?;
        let document = found.ok_or_else(|| no_document(text))?;
        let number = version_of(&document, wanted)?;
        // Nothing is told of what is not shared.
        if !document.is_usable(context.account.as_str(), number) {
            return Err(no_document(text));
        }
        Ok((document, number))
    }

    /// The text of a version.
    pub(crate) async fn document_text(
        &self,
        document: &Document,
        number: i64,
    ) -> Result<String, ServiceError> {
        let key = DocumentContent::key_of(&document.account, &document.id, number);
        let found = self.tables.get::<DocumentContent>(&key).await.map_err(store)?;
        // Deleted since its document was read.
        found.map(|content| content.text.clone()).ok_or_else(|| no_document(&document.name))
    }

    /// Every document of the caller's account and those that are shared with it, by account and name.
    pub(crate) async fn documents(
        &self,
        context: &RequestContext,
    ) -> Result<Vec<Versioned<Document>>, ServiceError> {
        let mut found = self.tables.list_all::<Document>("").await.map_err(store)?;
        let account = context.account.as_str();
        found.retain(|document| {
            document.region == context.region.as_str() && document.is_usable(account, document.default)
        });
        Ok(found)
    }

    /// Writes a changed document.
    pub(crate) async fn replace_document(
        &self,
        old: &Versioned<Document>,
        new: Document,
    ) -> Result<(), ServiceError> {
        match self.tables.replace(old, new).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict(_)) => Err(too_many_updates()),
            Err(error) => Err(store(error)),
        }
    }
}

/// The number of the version that is wanted; the default when nothing is named.
pub(crate) fn version_of(document: &Document, wanted: Wanted<'_>) -> Result<i64, ServiceError> {
    let numbered = match wanted.number {
        None => None,
        Some("$LATEST") => Some(document.latest()),
        Some("$DEFAULT") => Some(document.default),
        Some(text) => {
            let number = text.parse().ok().filter(|number| document.versions.contains_key(number));
            Some(number.ok_or_else(invalid_document_version)?)
        }
    };
    let named = match wanted.name {
        None => None,
        Some(name) => Some(document.named(name).ok_or_else(invalid_document_version)?),
    };
    match (numbered, named) {
        (Some(number), Some(named)) if number != named => Err(invalid_document_version()),
        (Some(number), _) | (None, Some(number)) => Ok(number),
        (None, None) => Ok(document.default),
    }
}

/// What is known of a version that is there.
pub(crate) fn info(document: &Document, number: i64) -> Result<&DocumentVersion, ServiceError> {
    document.versions.get(&number).ok_or_else(|| no_document(&document.name))
}
