//! The public registry of the Amazon Elastic Container Registry: repositories that everybody pulls from.
//!
//! Its images are kept like those of private repositories, under names that no private repository can have; pulls without
//! credentials are the `oci-registry` crate's. AWS answers in `us-east-1` only, this region answers in whichever it is.

mod errors;
mod images;
mod operations;
mod paging;
mod permissions;
mod policies;
mod registry;
mod repositories;
pub mod shapes;

use access::Access;
use image_registry::ImageRegistry;
#[allow(clippy::wildcard_imports, reason = "an input and an output is named for every operation")]
use shapes::*;
use store::Tables;

/// The service.
pub struct EcrPublicService {
    pub(crate) tables: Tables,
    pub(crate) registry: ImageRegistry,
    pub(crate) access: Access,
    /// Port of the registry, which repository URIs name.
    pub(crate) port: u16,
    /// Names below `localhost` lead to this machine, so that the registry can have a host of its own.
    pub(crate) resolves_localhost: bool,
}

impl EcrPublicService {
    /// The service over a region's images. `port` is where its registry listens; `resolves_localhost` says whether this
    /// machine's resolver knows names below `localhost`.
    pub fn new(registry: ImageRegistry, access: Access, port: u16, resolves_localhost: bool) -> Self {
        Self { tables: registry.tables().clone(), registry, access, port, resolves_localhost }
    }
}

aws_wire::operations! {
    EcrPublic for EcrPublicService;
    batch_check_layer_availability: BatchCheckLayerAvailabilityRequest => BatchCheckLayerAvailabilityResponse, batch_check_layer_availability::run;
    batch_delete_image: BatchDeleteImageRequest => BatchDeleteImageResponse, batch_delete_image::run;
    complete_layer_upload: CompleteLayerUploadRequest => CompleteLayerUploadResponse, layer_uploads::complete_layer_upload;
    create_repository: CreateRepositoryRequest => CreateRepositoryResponse, create_repository::run;
    delete_repository: DeleteRepositoryRequest => DeleteRepositoryResponse, delete_repository::run;
    delete_repository_policy: DeleteRepositoryPolicyRequest => DeleteRepositoryPolicyResponse, repository_policy::delete_repository_policy;
    describe_image_tags: DescribeImageTagsRequest => DescribeImageTagsResponse, describe_image_tags::run;
    describe_images: DescribeImagesRequest => DescribeImagesResponse, describe_images::run;
    describe_registries: DescribeRegistriesRequest => DescribeRegistriesResponse, describe_registries::run;
    describe_repositories: DescribeRepositoriesRequest => DescribeRepositoriesResponse, describe_repositories::run;
    get_authorization_token: GetAuthorizationTokenRequest => GetAuthorizationTokenResponse, get_authorization_token::run;
    get_registry_catalog_data: GetRegistryCatalogDataRequest => GetRegistryCatalogDataResponse, catalog_data::get_registry_catalog_data;
    get_repository_catalog_data: GetRepositoryCatalogDataRequest => GetRepositoryCatalogDataResponse, catalog_data::get_repository_catalog_data;
    get_repository_policy: GetRepositoryPolicyRequest => GetRepositoryPolicyResponse, repository_policy::get_repository_policy;
    initiate_layer_upload: InitiateLayerUploadRequest => InitiateLayerUploadResponse, layer_uploads::initiate_layer_upload;
    list_tags_for_resource: ListTagsForResourceRequest => ListTagsForResourceResponse, list_tags_for_resource::run;
    put_image: PutImageRequest => PutImageResponse, put_image::run;
    put_registry_catalog_data: PutRegistryCatalogDataRequest => PutRegistryCatalogDataResponse, catalog_data::put_registry_catalog_data;
    put_repository_catalog_data: PutRepositoryCatalogDataRequest => PutRepositoryCatalogDataResponse, catalog_data::put_repository_catalog_data;
    set_repository_policy: SetRepositoryPolicyRequest => SetRepositoryPolicyResponse, repository_policy::set_repository_policy;
    tag_resource: TagResourceRequest => TagResourceResponse, tag_resource::run;
    untag_resource: UntagResourceRequest => UntagResourceResponse, untag_resource::run;
    upload_layer_part: UploadLayerPartRequest => UploadLayerPartResponse, layer_uploads::upload_layer_part;
}

#[cfg(test)]
mod tests;
