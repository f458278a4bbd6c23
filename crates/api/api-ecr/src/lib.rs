//! The Amazon Elastic Container Registry: repositories, images, authorization tokens.
//!
//! Images are pushed and pulled through the `oci-registry` crate; the two meet only in the store.

mod errors;
mod images;
mod operations;
mod paging;
mod permissions;
mod repositories;
mod scanning;
pub mod shapes;
mod tag_mutability;

use access::Access;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use image_registry::ImageRegistry;
use operations as op;
#[allow(
    clippy::wildcard_imports,
    reason = "the macro below names an input and an output for every operation"
)]
use shapes::*;
use store::Tables;

/// The service.
pub struct EcrService {
    pub(crate) tables: Tables,
    pub(crate) registry: ImageRegistry,
    pub(crate) access: Access,
    /// Port of the registry, which repository URIs name.
    pub(crate) port: u16,
}

impl EcrService {
    /// The service over a region's images; `port` is where its registry listens.
    pub fn new(registry: ImageRegistry, access: Access, port: u16) -> Self {
        Self { tables: registry.tables().clone(), registry, access, port }
    }
}

/// One method per operation, all alike: hand over to the operation's own file.
macro_rules! operations {
    ($($name:ident, $input:ident => $output:ident;)*) => {
        #[async_trait::async_trait]
        impl Ecr for EcrService {
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
    batch_delete_image, BatchDeleteImageRequest => BatchDeleteImageResponse;
    batch_get_image, BatchGetImageRequest => BatchGetImageResponse;
    batch_get_repository_scanning_configuration, BatchGetRepositoryScanningConfigurationRequest => BatchGetRepositoryScanningConfigurationResponse;
    create_repository, CreateRepositoryRequest => CreateRepositoryResponse;
    delete_repository, DeleteRepositoryRequest => DeleteRepositoryResponse;
    describe_image_scan_findings, DescribeImageScanFindingsRequest => DescribeImageScanFindingsResponse;
    describe_images, DescribeImagesRequest => DescribeImagesResponse;
    describe_repositories, DescribeRepositoriesRequest => DescribeRepositoriesResponse;
    get_authorization_token, GetAuthorizationTokenRequest => GetAuthorizationTokenResponse;
    get_registry_scanning_configuration, GetRegistryScanningConfigurationRequest => GetRegistryScanningConfigurationResponse;
    list_images, ListImagesRequest => ListImagesResponse;
    list_tags_for_resource, ListTagsForResourceRequest => ListTagsForResourceResponse;
    put_image_scanning_configuration, PutImageScanningConfigurationRequest => PutImageScanningConfigurationResponse;
    put_image_tag_mutability, PutImageTagMutabilityRequest => PutImageTagMutabilityResponse;
    put_registry_scanning_configuration, PutRegistryScanningConfigurationRequest => PutRegistryScanningConfigurationResponse;
    start_image_scan, StartImageScanRequest => StartImageScanResponse;
    tag_resource, TagResourceRequest => TagResourceResponse;
    untag_resource, UntagResourceRequest => UntagResourceResponse;
}

#[cfg(test)]
mod tests;
