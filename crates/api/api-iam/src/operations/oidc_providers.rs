//! The OpenID Connect providers: Create, Get, List, Delete, UpdateThumbprint, AddClientID and RemoveClientID.

use crate::entities::now;
use crate::errors::{Failure, already_exists, invalid_input, no_such_entity, over_quota, validation};
use crate::shapes::{
    AddClientIDToOpenIDConnectProviderRequest, CreateOpenIDConnectProviderRequest,
    CreateOpenIDConnectProviderResponse, DeleteOpenIDConnectProviderRequest, GetOpenIDConnectProviderRequest,
    GetOpenIDConnectProviderResponse, ListOpenIDConnectProvidersRequest, ListOpenIDConnectProvidersResponse,
    OpenIDConnectProviderListEntry, RemoveClientIDFromOpenIDConnectProviderRequest,
    UpdateOpenIDConnectProviderThumbprintRequest,
};
use crate::{IamService, quotas, tags};
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{OidcProvider, rows_of};
use store::Versioned;

pub(crate) async fn create_open_id_connect_provider(
    service: &IamService,
    context: &RequestContext,
    input: CreateOpenIDConnectProviderRequest,
) -> Result<CreateOpenIDConnectProviderResponse, Failure> {
    let thumbprints = input.thumbprint_list.unwrap_or_default();
    check_thumbprints(&thumbprints)?;
    let mut client_ids: Vec<String> = Vec::new();
    for id in input.client_id_list.unwrap_or_default() {
        if !client_ids.contains(&id) {
            client_ids.push(id);
        }
    }
    check_clients(&client_ids)?;
    let url = issuer(&input.url)?;
    let provider = OidcProvider {
        account: context.account.clone(),
        url,
        client_ids,
        thumbprints: thumbprints.iter().map(|print| print.to_lowercase()).collect(),
        tags: tags::new(input.tags)?,
        created_at: now(context),
    };
    let quota = ("OpenIdConnectProvidersPerAccount", quotas::OIDC_PROVIDERS);
    if !service.create_counted(&context.account, &provider, quota).await? {
        return Err(already_exists(format_args!("Provider with url {} already exists.", input.url)));
    }
    Ok(CreateOpenIDConnectProviderResponse {
        open_id_connect_provider_arn: Some(provider.arn()),
        tags: tags::shown_if_any(&provider.tags),
    })
}

pub(crate) async fn get_open_id_connect_provider(
    service: &IamService,
    context: &RequestContext,
    input: GetOpenIDConnectProviderRequest,
) -> Result<GetOpenIDConnectProviderResponse, Failure> {
    let row = find_oidc(service, context, &input.open_id_connect_provider_arn).await?;
    Ok(GetOpenIDConnectProviderResponse {
        client_id_list: Some(row.client_ids.clone()),
        create_date: Some(row.created_at),
        tags: Some(tags::shown(&row.tags)),
        thumbprint_list: Some(row.thumbprints.clone()),
        url: Some(row.url.clone()),
    })
}

pub(crate) async fn list_open_id_connect_providers(
    service: &IamService,
    context: &RequestContext,
    _input: ListOpenIDConnectProvidersRequest,
) -> Result<ListOpenIDConnectProvidersResponse, Failure> {
    let rows = service.tables.list_all::<OidcProvider>(&rows_of(&context.account)).await?;
    let entries = rows.iter().map(|row| OpenIDConnectProviderListEntry { arn: Some(row.arn()) });
    Ok(ListOpenIDConnectProvidersResponse { open_id_connect_provider_list: Some(entries.collect()) })
}

/// Deleting what is not there is no error.
pub(crate) async fn delete_open_id_connect_provider(
    service: &IamService,
    context: &RequestContext,
    input: DeleteOpenIDConnectProviderRequest,
) -> Result<(), Failure> {
    let Some(url) = url_of(context, &input.open_id_connect_provider_arn) else {
        return Ok(());
    };
    let key = OidcProvider::key_of(&context.account, url);
    service.tables.batch().delete_any::<OidcProvider>(&key).commit().await?;
    Ok(())
}

pub(crate) async fn update_open_id_connect_provider_thumbprint(
    service: &IamService,
    context: &RequestContext,
    input: UpdateOpenIDConnectProviderThumbprintRequest,
) -> Result<(), Failure> {
    check_thumbprints(&input.thumbprint_list)?;
    let prints: Vec<String> = input.thumbprint_list.iter().map(|print| print.to_lowercase()).collect();
    update(service, context, &input.open_id_connect_provider_arn, |provider| {
        provider.thumbprints.clone_from(&prints);
        Ok(())
    })
    .await
}

pub(crate) async fn add_client_id_to_open_id_connect_provider(
    service: &IamService,
    context: &RequestContext,
    input: AddClientIDToOpenIDConnectProviderRequest,
) -> Result<(), Failure> {
    update(service, context, &input.open_id_connect_provider_arn, |provider| {
        if !provider.client_ids.contains(&input.client_id) {
            provider.client_ids.push(input.client_id.clone());
        }
        check_clients(&provider.client_ids)
    })
    .await
}

pub(crate) async fn remove_client_id_from_open_id_connect_provider(
    service: &IamService,
    context: &RequestContext,
    input: RemoveClientIDFromOpenIDConnectProviderRequest,
) -> Result<(), Failure> {
    update(service, context, &input.open_id_connect_provider_arn, |provider| {
        provider.client_ids.retain(|id| *id != input.client_id);
        Ok(())
    })
    .await
}

/// A provider of the caller's account by its ARN.
pub(super) async fn find_oidc(
    service: &IamService,
    context: &RequestContext,
    arn: &str,
) -> Result<Versioned<OidcProvider>, Failure> {
    let url = url_of(context, arn).ok_or_else(|| not_found(arn))?;
    let row = service.tables.get::<OidcProvider>(&OidcProvider::key_of(&context.account, url)).await?;
    row.ok_or_else(|| not_found(arn))
}

async fn update(
    service: &IamService,
    context: &RequestContext,
    arn: &str,
    change: impl Fn(&mut OidcProvider) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let row = find_oidc(service, context, arn).await?;
    let write = |old: &OidcProvider| {
        let mut new = old.clone();
        change(&mut new)?;
        Ok::<_, Failure>(Some(new))
    };
    service.tables.update(&row.key(), write).await?.map(|_| ()).ok_or_else(|| not_found(arn))
}

fn not_found(arn: &str) -> Failure {
    no_such_entity(format_args!("OpenIDConnect Provider not found for arn {arn}"))
}

fn url_of<'a>(context: &RequestContext, arn: &'a str) -> Option<&'a str> {
    arn.strip_prefix(&format!("arn:aws:iam::{}:oidc-provider/", context.account))
}

fn check_thumbprints(thumbprints: &[String]) -> Result<(), Failure> {
    if thumbprints.len() > quotas::THUMBPRINTS_PER_OIDC_PROVIDER {
        return Err(invalid_input("Thumbprint list must contain fewer than 5 entries."));
    }
    if thumbprints.iter().any(|print| !print.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(invalid_input("A thumbprint has 40 hexadecimal digits."));
    }
    Ok(())
}

fn check_clients(ids: &[String]) -> Result<(), Failure> {
    let most = quotas::CLIENT_IDS_PER_OIDC_PROVIDER;
    if ids.len() > most { Err(over_quota("ClientIdsPerOpenIdConnectProvider", most)) } else { Ok(()) }
}

/// An issuer without its scheme. It is an `https` URL with a host, maybe a path, and nothing else.
fn issuer(url: &str) -> Result<String, Failure> {
    let refused = || validation("Invalid Open ID Connect Provider URL");
    let rest = url.strip_prefix("https://").ok_or_else(refused)?;
    let host = rest.split('/').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_graphic() && !"?#@\\\"<>^`{|}".contains(c);
    if host.is_empty() || !host.contains(|c: char| c.is_ascii_alphanumeric()) || !rest.chars().all(plain) {
        return Err(refused());
    }
    Ok(rest.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::issuer;

    #[test]
    fn issuers_are_https_urls() {
        assert_eq!(issuer("https://example.com").expect("is one"), "example.com");
        assert_eq!(issuer("https://example.com:8443/id/A/").expect("is one"), "example.com:8443/id/A");
        for bad in [
            "example.com",
            "http://example.com",
            "https://",
            "https:///x",
            "https://e.com/?a=b",
            "https://a b",
        ] {
            assert!(issuer(bad).is_err(), "{bad}");
        }
    }
}
