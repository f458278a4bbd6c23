//! DescribeRegistries: the caller's own, with its alias.

use crate::EcrPublicService;
use crate::errors::invalid;
use crate::shapes::{
    DescribeRegistriesRequest, DescribeRegistriesResponse, Registry, RegistryAlias, RegistryAliasStatus,
};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::ecr::public_alias;

pub(crate) async fn run(
    service: &EcrPublicService,
    context: &RequestContext,
    input: DescribeRegistriesRequest,
) -> Result<DescribeRegistriesResponse, ServiceError> {
    if input.next_token.is_some() {
        // There is one registry, so no page has a next one.
        return Err(invalid("Invalid token"));
    }
    let account = &context.account;
    let alias = RegistryAlias {
        name: public_alias(account),
        status: RegistryAliasStatus::Active,
        primary_registry_alias: true,
        default_registry_alias: true,
    };
    let registry = Registry {
        registry_id: account.to_string(),
        registry_arn: Arn::new("ecr-public", "", account, format!("registry/{account}")).to_string(),
        registry_uri: service.registry_uri(context, account),
        verified: false,
        aliases: vec![alias],
    };
    Ok(DescribeRegistriesResponse { next_token: None, registries: vec![registry] })
}
