//! CreateAccountAlias, DeleteAccountAlias and ListAccountAliases. An account has one alias, unique in the region.

use crate::IamService;
use crate::errors::{Failure, already_exists, no_such_entity};
use crate::retry::retrying;
use crate::shapes::{
    CreateAccountAliasRequest, DeleteAccountAliasRequest, ListAccountAliasesRequest,
    ListAccountAliasesResponse,
};
use aws_wire::RequestContext;
use identifiers::AccountId;
use resources::iam::{AccountAlias, AccountSettings};
use store::Versioned;

pub(crate) async fn create_account_alias(
    service: &IamService,
    context: &RequestContext,
    input: CreateAccountAliasRequest,
) -> Result<(), Failure> {
    retrying!(create(service, context, &input.account_alias))
}

/// A new alias takes the place of the old one.
async fn create(service: &IamService, context: &RequestContext, alias: &str) -> Result<(), Failure> {
    let (old, mut settings) = service.settings(&context.account).await?;
    if settings.alias.as_deref() == Some(alias) {
        return Ok(());
    }
    if service.tables.get::<AccountAlias>(alias).await?.is_some() {
        return Err(already_exists(format_args!("The account alias {alias} already exists.")));
    }
    let row = AccountAlias { alias: alias.to_owned(), account: context.account.clone() };
    let mut batch = service.tables.batch().create(&row);
    if let Some(former) = settings.alias.replace(alias.to_owned()) {
        batch = batch.delete_any::<AccountAlias>(&former);
    }
    let batch = match &old {
        Some(old) => batch.replace(old, &settings),
        None => batch.create(&settings),
    };
    batch.commit().await?;
    Ok(())
}

pub(crate) async fn delete_account_alias(
    service: &IamService,
    context: &RequestContext,
    input: DeleteAccountAliasRequest,
) -> Result<(), Failure> {
    retrying!(delete(service, context, &input.account_alias))
}

async fn delete(service: &IamService, context: &RequestContext, alias: &str) -> Result<(), Failure> {
    let (old, settings) = service.settings(&context.account).await?;
    let Some(old) = old.filter(|old| old.alias.as_deref() == Some(alias)) else {
        return Err(no_such_entity(format_args!("The account alias {alias} cannot be found.")));
    };
    let cleared = AccountSettings { alias: None, ..settings };
    service.tables.batch().replace(&old, &cleared).delete_any::<AccountAlias>(alias).commit().await?;
    Ok(())
}

pub(crate) async fn list_account_aliases(
    service: &IamService,
    context: &RequestContext,
    _input: ListAccountAliasesRequest,
) -> Result<ListAccountAliasesResponse, Failure> {
    let (_, settings) = service.settings(&context.account).await?;
    Ok(ListAccountAliasesResponse {
        account_aliases: settings.alias.into_iter().collect(),
        is_truncated: Some(false),
        marker: None,
    })
}

impl IamService {
    /// The settings of an account as they are stored, and what they amount to.
    pub(crate) async fn settings(
        &self,
        account: &AccountId,
    ) -> Result<(Option<Versioned<AccountSettings>>, AccountSettings), Failure> {
        let row = self.tables.get::<AccountSettings>(account.as_str()).await?;
        let settings = match &row {
            Some(row) => AccountSettings::clone(row),
            None => AccountSettings { account: account.clone(), alias: None, password_policy: None },
        };
        Ok((row, settings))
    }
}
