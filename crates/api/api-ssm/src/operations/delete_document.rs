//! DeleteDocument: one version, or all of them.

use crate::SsmService;
use crate::documents::{Wanted, version_of};
use crate::errors::{store, too_many_updates};
use crate::shapes::{DeleteDocumentRequest, DeleteDocumentResult, errors::INVALID_DOCUMENT_OPERATION};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::DocumentContent;
use store::StoreError;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: DeleteDocumentRequest,
) -> Result<DeleteDocumentResult, ServiceError> {
    let old = service.require_document(context, &input.name).await?;
    let key = |number| DocumentContent::key_of(&old.account, &old.id, number);
    let wanted = Wanted { number: input.document_version.as_deref(), name: input.version_name.as_deref() };
    let one = wanted.number.or(wanted.name).map(|_| version_of(&old, wanted)).transpose()?;
    let batch = match one.filter(|_| old.versions.len() > 1) {
        Some(number) if number == old.default => {
            return Err(refused("Default version of the document can't be deleted."));
        }
        Some(number) => {
            let mut new = (*old.value).clone();
            new.versions.remove(&number);
            service.tables.batch().replace(&old, &new).delete_any::<DocumentContent>(&key(number))
        }
        None if !old.shared.is_empty() => {
            return Err(refused(
                "You attempted to delete a document while it is still shared. You must stop sharing the document before \
                 you can delete it.",
            ));
        }
        None => {
            let batch = service.tables.batch().delete(&old);
            old.versions
                .keys()
                .fold(batch, |batch, number| batch.delete_any::<DocumentContent>(&key(*number)))
        }
    };
    match batch.commit().await {
        Ok(_) => Ok(DeleteDocumentResult::default()),
        Err(StoreError::Conflict(_)) => Err(too_many_updates()),
        Err(error) => Err(store(error)),
    }
}

fn refused(message: &'static str) -> ServiceError {
    ServiceError::new(&INVALID_DOCUMENT_OPERATION, message)
}
