//! AWS Systems Manager: the Parameter Store, documents, and of sessions what the clients of ECS Exec need. Documents are kept, versioned, checked
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

use encryption::KeyRing;
#[allow(clippy::wildcard_imports, reason = "an input and an output is named for every operation")]
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

aws_wire::operations! {
    Ssm for SsmService;
    add_tags_to_resource: AddTagsToResourceRequest => AddTagsToResourceResult, add_tags_to_resource::run;
    create_document: CreateDocumentRequest => CreateDocumentResult, create_document::run;
    delete_document: DeleteDocumentRequest => DeleteDocumentResult, delete_document::run;
    delete_parameter: DeleteParameterRequest => DeleteParameterResult, delete_parameter::run;
    delete_parameters: DeleteParametersRequest => DeleteParametersResult, delete_parameters::run;
    describe_document: DescribeDocumentRequest => DescribeDocumentResult, describe_document::run;
    describe_document_permission: DescribeDocumentPermissionRequest => DescribeDocumentPermissionResponse, describe_document_permission::run;
    describe_parameters: DescribeParametersRequest => DescribeParametersResult, describe_parameters::run;
    get_document: GetDocumentRequest => GetDocumentResult, get_document::run;
    get_parameter: GetParameterRequest => GetParameterResult, get_parameter::run;
    get_parameter_history: GetParameterHistoryRequest => GetParameterHistoryResult, get_parameter_history::run;
    get_parameters: GetParametersRequest => GetParametersResult, get_parameters::run;
    get_parameters_by_path: GetParametersByPathRequest => GetParametersByPathResult, get_parameters_by_path::run;
    label_parameter_version: LabelParameterVersionRequest => LabelParameterVersionResult, label_parameter_version::run;
    list_document_versions: ListDocumentVersionsRequest => ListDocumentVersionsResult, list_document_versions::run;
    list_documents: ListDocumentsRequest => ListDocumentsResult, list_documents::run;
    list_tags_for_resource: ListTagsForResourceRequest => ListTagsForResourceResult, list_tags_for_resource::run;
    modify_document_permission: ModifyDocumentPermissionRequest => ModifyDocumentPermissionResponse, modify_document_permission::run;
    put_parameter: PutParameterRequest => PutParameterResult, put_parameter::run;
    remove_tags_from_resource: RemoveTagsFromResourceRequest => RemoveTagsFromResourceResult, remove_tags_from_resource::run;
    resume_session: ResumeSessionRequest => ResumeSessionResponse, resume_session::run;
    terminate_session: TerminateSessionRequest => TerminateSessionResponse, terminate_session::run;
    unlabel_parameter_version: UnlabelParameterVersionRequest => UnlabelParameterVersionResult, unlabel_parameter_version::run;
    update_document: UpdateDocumentRequest => UpdateDocumentResult, update_document::run;
    update_document_default_version: UpdateDocumentDefaultVersionRequest => UpdateDocumentDefaultVersionResult, update_document_default_version::run;
}

#[cfg(test)]
mod tests;
