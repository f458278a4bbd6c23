//! AWS Systems Manager: the Parameter Store and documents, and nothing else of it. Documents are kept, versioned, checked
//! and shared; nothing here runs one.
//!
//! Every value is sealed under a key of the region before it is stored, bound to its account, parameter and version. A
//! `SecureString` is opened only for a caller who asks for decryption; others get its sealed form. The region has no
//! KMS: a `KeyId` is kept and shown, and the region's key ring stands in for it. Policies may say when a parameter
//! expires; those that would send notifications are refused, for there is nobody to send them.

mod documents;
mod errors;
mod filters;
mod lookup;
mod names;
mod operations;
mod paging;
mod permissions;
mod policies;
mod reference;
mod render;
pub mod shapes;
mod tags;
mod validate;

use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use encryption::KeyRing;
use operations as op;
#[allow(
    clippy::wildcard_imports,
    reason = "the macro below names an input and an output for every operation"
)]
use shapes::*;
use store::Tables;

/// The service.
pub struct SsmService {
    pub(crate) tables: Tables,
    pub(crate) keys: KeyRing,
}

impl SsmService {
    /// The service over a region's tables and keys.
    pub fn new(tables: Tables, keys: KeyRing) -> Self {
        Self { tables, keys }
    }
}

/// One method per operation, all alike: hand over to the operation's own file.
macro_rules! operations {
    ($($name:ident, $input:ident => $output:ident;)*) => {
        #[async_trait::async_trait]
        impl Ssm for SsmService {
            async fn permissions(
                &self,
                operation: &'static Operation,
                context: &RequestContext,
                input: &Node,
            ) -> Result<Vec<Permission>, ServiceError> {
                permissions::of(self, context, operation, input).await
            }

            $(async fn $name(&self, context: &RequestContext, input: $input) -> Result<$output, ServiceError> {
                op::$name::run(self, context, input).await
            })*
        }
    };
}

operations! {
    add_tags_to_resource, AddTagsToResourceRequest => AddTagsToResourceResult;
    create_document, CreateDocumentRequest => CreateDocumentResult;
    delete_document, DeleteDocumentRequest => DeleteDocumentResult;
    delete_parameter, DeleteParameterRequest => DeleteParameterResult;
    delete_parameters, DeleteParametersRequest => DeleteParametersResult;
    describe_document, DescribeDocumentRequest => DescribeDocumentResult;
    describe_document_permission, DescribeDocumentPermissionRequest => DescribeDocumentPermissionResponse;
    describe_parameters, DescribeParametersRequest => DescribeParametersResult;
    get_document, GetDocumentRequest => GetDocumentResult;
    get_parameter, GetParameterRequest => GetParameterResult;
    get_parameter_history, GetParameterHistoryRequest => GetParameterHistoryResult;
    get_parameters, GetParametersRequest => GetParametersResult;
    get_parameters_by_path, GetParametersByPathRequest => GetParametersByPathResult;
    label_parameter_version, LabelParameterVersionRequest => LabelParameterVersionResult;
    list_document_versions, ListDocumentVersionsRequest => ListDocumentVersionsResult;
    list_documents, ListDocumentsRequest => ListDocumentsResult;
    list_tags_for_resource, ListTagsForResourceRequest => ListTagsForResourceResult;
    modify_document_permission, ModifyDocumentPermissionRequest => ModifyDocumentPermissionResponse;
    put_parameter, PutParameterRequest => PutParameterResult;
    remove_tags_from_resource, RemoveTagsFromResourceRequest => RemoveTagsFromResourceResult;
    unlabel_parameter_version, UnlabelParameterVersionRequest => UnlabelParameterVersionResult;
    update_document, UpdateDocumentRequest => UpdateDocumentResult;
    update_document_default_version, UpdateDocumentDefaultVersionRequest => UpdateDocumentDefaultVersionResult;
}

#[cfg(test)]
mod tests;
