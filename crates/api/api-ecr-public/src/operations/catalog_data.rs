//! GetRepositoryCatalogData, PutRepositoryCatalogData, GetRegistryCatalogData and PutRegistryCatalogData: what a gallery
//! would show.

use crate::EcrPublicService;
use crate::errors::nothing_of;
use crate::shapes::{
    GetRegistryCatalogDataRequest, GetRegistryCatalogDataResponse, GetRepositoryCatalogDataRequest,
    GetRepositoryCatalogDataResponse, PutRegistryCatalogDataRequest, PutRegistryCatalogDataResponse,
    PutRepositoryCatalogDataRequest, PutRepositoryCatalogDataResponse, RegistryCatalogData,
    RepositoryCatalogData, RepositoryCatalogDataInput, errors,
};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::CatalogData;

/// Reads what is told of a repository. Logos are refused: nobody would show them.
pub(crate) fn read(input: RepositoryCatalogDataInput) -> Result<CatalogData, ServiceError> {
    if input.logo_image_blob.is_some_and(|logo| !logo.is_empty()) {
        let text = "This region has no gallery, and keeps no logos.";
        return Err(ServiceError::new(&errors::UNSUPPORTED_COMMAND_EXCEPTION, text));
    }
    Ok(CatalogData {
        description: input.description,
        architectures: input.architectures.unwrap_or_default(),
        operating_systems: input.operating_systems.unwrap_or_default(),
        about: input.about_text,
        usage: input.usage_text,
    })
}

pub(crate) fn show(data: &CatalogData) -> RepositoryCatalogData {
    let list = |items: &[String]| (!items.is_empty()).then(|| items.to_vec());
    RepositoryCatalogData {
        description: data.description.clone(),
        architectures: list(&data.architectures),
        operating_systems: list(&data.operating_systems),
        about_text: data.about.clone(),
        usage_text: data.usage.clone(),
        marketplace_certified: Some(false),
        logo_url: None,
    }
}

pub(crate) async fn get_repository_catalog_data(
    service: &EcrPublicService,
    context: &RequestContext,
    input: GetRepositoryCatalogDataRequest,
) -> Result<GetRepositoryCatalogDataResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let data = found.catalog.as_ref().ok_or_else(|| {
        nothing_of(&errors::REPOSITORY_CATALOG_DATA_NOT_FOUND_EXCEPTION, "Repository catalog data", &found)
    })?;
    Ok(GetRepositoryCatalogDataResponse { catalog_data: Some(show(data)) })
}

pub(crate) async fn put_repository_catalog_data(
    service: &EcrPublicService,
    context: &RequestContext,
    input: PutRepositoryCatalogDataRequest,
) -> Result<PutRepositoryCatalogDataResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let data = read(input.catalog_data)?;
    service.change(&found, |repository| repository.catalog = Some(data.clone())).await?;
    Ok(PutRepositoryCatalogDataResponse { catalog_data: Some(show(&data)) })
}

pub(crate) async fn get_registry_catalog_data(
    service: &EcrPublicService,
    context: &RequestContext,
    _input: GetRegistryCatalogDataRequest,
) -> Result<GetRegistryCatalogDataResponse, ServiceError> {
    let display_name = service.registry_of(&context.account).await?.display_name;
    Ok(GetRegistryCatalogDataResponse { registry_catalog_data: RegistryCatalogData { display_name } })
}

pub(crate) async fn put_registry_catalog_data(
    service: &EcrPublicService,
    context: &RequestContext,
    input: PutRegistryCatalogDataRequest,
) -> Result<PutRegistryCatalogDataResponse, ServiceError> {
    let name = input.display_name.filter(|name| !name.is_empty());
    let changed = service.change_registry(&context.account, |registry| {
        registry.display_name.clone_from(&name);
        Ok(())
    });
    let display_name = changed.await?.display_name;
    Ok(PutRegistryCatalogDataResponse { registry_catalog_data: RegistryCatalogData { display_name } })
}
