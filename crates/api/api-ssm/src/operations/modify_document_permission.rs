//! ModifyDocumentPermission: which accounts may use a document.

use crate::SsmService;
use crate::shapes::{
    ModifyDocumentPermissionRequest, ModifyDocumentPermissionResponse, errors::DOCUMENT_PERMISSION_LIMIT,
};
use aws_wire::{RequestContext, ServiceError};

/// Most accounts that a document is shared with.
const MOST_ACCOUNTS: usize = 1000;

pub(crate) async fn run(
    service: &SsmService,
    context: &RequestContext,
    input: ModifyDocumentPermissionRequest,
) -> Result<ModifyDocumentPermissionResponse, ServiceError> {
    let old = service.require_document(context, &input.name).await?;
    let add = input.account_ids_to_add.unwrap_or_default();
    let remove = input.account_ids_to_remove.unwrap_or_default();
    refuse_mixed(&add)?;
    refuse_mixed(&remove)?;
    let versions = input.shared_document_version.unwrap_or_else(|| "$DEFAULT".to_owned());
    let mut new = (*old.value).clone();
    new.shared.extend(add.into_iter().map(|account| (account, versions.clone())));
    // What is in both is taken away.
    new.shared.retain(|account, _| !remove.contains(account));
    if new.shared.len() > MOST_ACCOUNTS {
        return Err(limit("The document can't be shared with more AWS accounts."));
    }
    service.replace_document(&old, new).await?;
    Ok(ModifyDocumentPermissionResponse::default())
}

fn refuse_mixed(accounts: &[String]) -> Result<(), ServiceError> {
    let everybody = accounts.iter().any(|account| account.eq_ignore_ascii_case("all"));
    if everybody && accounts.len() > 1 {
        return Err(limit("Accounts can either be all or a group of AWS accounts"));
    }
    Ok(())
}

fn limit(message: &'static str) -> ServiceError {
    ServiceError::new(&DOCUMENT_PERMISSION_LIMIT, message)
}
