//! The Amazon Elastic Container Registry: repositories, images, authorization tokens.
//!
//! Images are pushed and pulled through the `oci-registry` crate; the two meet only in the store.

mod errors;
mod events;
mod images;
mod operations;
mod paging;
mod permissions;
mod policies;
mod registry;
mod repositories;
mod scanning;
pub mod shapes;
mod tag_mutability;

pub use events::{EventPage, events};

use access::Access;
use image_registry::ImageRegistry;
use resources::ecr::PullThroughCacheRule;
#[allow(clippy::wildcard_imports, reason = "an input and an output is named for every operation")]
use shapes::*;
use std::sync::Arc;
use store::Tables;

/// Asks whether the other registry of a pull-through cache rule can be used.
#[async_trait::async_trait]
pub trait UpstreamCheck: Send + Sync {
    /// Contacts it with the rule's credentials, and says what is wrong.
    async fn check(&self, rule: &PullThroughCacheRule) -> Result<(), String>;
}

/// The service.
pub struct EcrService {
    pub(crate) tables: Tables,
    pub(crate) registry: ImageRegistry,
    pub(crate) access: Access,
    /// Port of the registry, which repository URIs name.
    pub(crate) port: u16,
    /// Asks the other registries of pull-through cache rules; without it only their secrets are looked at.
    pub(crate) upstreams: Option<Arc<dyn UpstreamCheck>>,
    /// Other regions that images can be copied to.
    pub(crate) other_regions: Vec<String>,
    /// Images are taken whose layers are not there.
    pub(crate) takes_incomplete_images: bool,
}

impl EcrService {
    /// The service over a region's images; `port` is where its registry listens.
    pub fn new(registry: ImageRegistry, access: Access, port: u16) -> Self {
        Self {
            tables: registry.tables().clone(),
            registry,
            access,
            port,
            upstreams: None,
            other_regions: vec![],
            takes_incomplete_images: false,
        }
    }

    /// The same, but ValidatePullThroughCacheRule asks the other registry.
    pub fn asking(self, upstreams: Arc<dyn UpstreamCheck>) -> Self {
        Self { upstreams: Some(upstreams), ..self }
    }

    /// The same, but replication rules may name these other regions.
    pub fn replicating_to(self, other_regions: Vec<String>) -> Self {
        Self { other_regions, ..self }
    }

    /// The same, but PutImage takes manifests of which nothing was ever pushed: for test suites that were written against
    /// mocks. Such an image cannot be pulled.
    pub fn taking_incomplete_images(self) -> Self {
        Self { takes_incomplete_images: true, ..self }
    }
}

aws_wire::operations! {
    Ecr for EcrService;
    batch_check_layer_availability: BatchCheckLayerAvailabilityRequest => BatchCheckLayerAvailabilityResponse, layers::batch_check_layer_availability;
    batch_delete_image: BatchDeleteImageRequest => BatchDeleteImageResponse, batch_delete_image::run;
    batch_get_image: BatchGetImageRequest => BatchGetImageResponse, batch_get_image::run;
    batch_get_repository_scanning_configuration: BatchGetRepositoryScanningConfigurationRequest => BatchGetRepositoryScanningConfigurationResponse, batch_get_repository_scanning_configuration::run;
    complete_layer_upload: CompleteLayerUploadRequest => CompleteLayerUploadResponse, layer_uploads::complete_layer_upload;
    create_pull_through_cache_rule: CreatePullThroughCacheRuleRequest => CreatePullThroughCacheRuleResponse, pull_through_cache::create_pull_through_cache_rule;
    create_repository: CreateRepositoryRequest => CreateRepositoryResponse, create_repository::run;
    create_repository_creation_template: CreateRepositoryCreationTemplateRequest => CreateRepositoryCreationTemplateResponse, creation_templates::create_repository_creation_template;
    delete_lifecycle_policy: DeleteLifecyclePolicyRequest => DeleteLifecyclePolicyResponse, lifecycle_policies::delete_lifecycle_policy;
    delete_pull_through_cache_rule: DeletePullThroughCacheRuleRequest => DeletePullThroughCacheRuleResponse, pull_through_cache::delete_pull_through_cache_rule;
    delete_registry_policy: DeleteRegistryPolicyRequest => DeleteRegistryPolicyResponse, registry_policy::delete_registry_policy;
    delete_repository: DeleteRepositoryRequest => DeleteRepositoryResponse, delete_repository::run;
    delete_repository_creation_template: DeleteRepositoryCreationTemplateRequest => DeleteRepositoryCreationTemplateResponse, creation_templates::delete_repository_creation_template;
    delete_repository_policy: DeleteRepositoryPolicyRequest => DeleteRepositoryPolicyResponse, repository_policy::delete_repository_policy;
    delete_signing_configuration: DeleteSigningConfigurationRequest => DeleteSigningConfigurationResponse, signing::delete_signing_configuration;
    deregister_pull_time_update_exclusion: DeregisterPullTimeUpdateExclusionRequest => DeregisterPullTimeUpdateExclusionResponse, pull_time_exclusions::deregister_pull_time_update_exclusion;
    describe_image_replication_status: DescribeImageReplicationStatusRequest => DescribeImageReplicationStatusResponse, replication::describe_image_replication_status;
    describe_image_scan_findings: DescribeImageScanFindingsRequest => DescribeImageScanFindingsResponse, describe_image_scan_findings::run;
    describe_image_signing_status: DescribeImageSigningStatusRequest => DescribeImageSigningStatusResponse, signing::describe_image_signing_status;
    describe_images: DescribeImagesRequest => DescribeImagesResponse, describe_images::run;
    describe_pull_through_cache_rules: DescribePullThroughCacheRulesRequest => DescribePullThroughCacheRulesResponse, pull_through_cache::describe_pull_through_cache_rules;
    describe_registry: DescribeRegistryRequest => DescribeRegistryResponse, replication::describe_registry;
    describe_repositories: DescribeRepositoriesRequest => DescribeRepositoriesResponse, describe_repositories::run;
    describe_repository_creation_templates: DescribeRepositoryCreationTemplatesRequest => DescribeRepositoryCreationTemplatesResponse, creation_templates::describe_repository_creation_templates;
    get_account_setting: GetAccountSettingRequest => GetAccountSettingResponse, account_settings::get_account_setting;
    get_authorization_token: GetAuthorizationTokenRequest => GetAuthorizationTokenResponse, get_authorization_token::run;
    get_download_url_for_layer: GetDownloadUrlForLayerRequest => GetDownloadUrlForLayerResponse, layers::get_download_url_for_layer;
    get_lifecycle_policy: GetLifecyclePolicyRequest => GetLifecyclePolicyResponse, lifecycle_policies::get_lifecycle_policy;
    get_lifecycle_policy_preview: GetLifecyclePolicyPreviewRequest => GetLifecyclePolicyPreviewResponse, lifecycle_previews::get_lifecycle_policy_preview;
    get_registry_policy: GetRegistryPolicyRequest => GetRegistryPolicyResponse, registry_policy::get_registry_policy;
    get_registry_scanning_configuration: GetRegistryScanningConfigurationRequest => GetRegistryScanningConfigurationResponse, get_registry_scanning_configuration::run;
    get_repository_policy: GetRepositoryPolicyRequest => GetRepositoryPolicyResponse, repository_policy::get_repository_policy;
    get_signing_configuration: GetSigningConfigurationRequest => GetSigningConfigurationResponse, signing::get_signing_configuration;
    initiate_layer_upload: InitiateLayerUploadRequest => InitiateLayerUploadResponse, layer_uploads::initiate_layer_upload;
    list_image_referrers: ListImageReferrersRequest => ListImageReferrersResponse, list_image_referrers::run;
    list_images: ListImagesRequest => ListImagesResponse, list_images::run;
    list_pull_time_update_exclusions: ListPullTimeUpdateExclusionsRequest => ListPullTimeUpdateExclusionsResponse, pull_time_exclusions::list_pull_time_update_exclusions;
    list_tags_for_resource: ListTagsForResourceRequest => ListTagsForResourceResponse, list_tags_for_resource::run;
    put_account_setting: PutAccountSettingRequest => PutAccountSettingResponse, account_settings::put_account_setting;
    put_image: PutImageRequest => PutImageResponse, put_image::run;
    put_image_scanning_configuration: PutImageScanningConfigurationRequest => PutImageScanningConfigurationResponse, put_image_scanning_configuration::run;
    put_image_tag_mutability: PutImageTagMutabilityRequest => PutImageTagMutabilityResponse, put_image_tag_mutability::run;
    put_lifecycle_policy: PutLifecyclePolicyRequest => PutLifecyclePolicyResponse, lifecycle_policies::put_lifecycle_policy;
    put_registry_policy: PutRegistryPolicyRequest => PutRegistryPolicyResponse, registry_policy::put_registry_policy;
    put_registry_scanning_configuration: PutRegistryScanningConfigurationRequest => PutRegistryScanningConfigurationResponse, put_registry_scanning_configuration::run;
    put_replication_configuration: PutReplicationConfigurationRequest => PutReplicationConfigurationResponse, replication::put_replication_configuration;
    put_signing_configuration: PutSigningConfigurationRequest => PutSigningConfigurationResponse, signing::put_signing_configuration;
    register_pull_time_update_exclusion: RegisterPullTimeUpdateExclusionRequest => RegisterPullTimeUpdateExclusionResponse, pull_time_exclusions::register_pull_time_update_exclusion;
    set_repository_policy: SetRepositoryPolicyRequest => SetRepositoryPolicyResponse, repository_policy::set_repository_policy;
    start_image_scan: StartImageScanRequest => StartImageScanResponse, start_image_scan::run;
    start_lifecycle_policy_preview: StartLifecyclePolicyPreviewRequest => StartLifecyclePolicyPreviewResponse, lifecycle_previews::start_lifecycle_policy_preview;
    tag_resource: TagResourceRequest => TagResourceResponse, tag_resource::run;
    untag_resource: UntagResourceRequest => UntagResourceResponse, untag_resource::run;
    update_image_storage_class: UpdateImageStorageClassRequest => UpdateImageStorageClassResponse, update_image_storage_class::run;
    update_pull_through_cache_rule: UpdatePullThroughCacheRuleRequest => UpdatePullThroughCacheRuleResponse, pull_through_cache::update_pull_through_cache_rule;
    update_repository_creation_template: UpdateRepositoryCreationTemplateRequest => UpdateRepositoryCreationTemplateResponse, creation_templates::update_repository_creation_template;
    upload_layer_part: UploadLayerPartRequest => UploadLayerPartResponse, layer_uploads::upload_layer_part;
    validate_pull_through_cache_rule: ValidatePullThroughCacheRuleRequest => ValidatePullThroughCacheRuleResponse, pull_through_cache::validate_pull_through_cache_rule;
}

#[cfg(test)]
mod tests;
