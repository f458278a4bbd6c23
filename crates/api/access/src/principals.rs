//! The users and roles that policies of resources name, which are kept by their unique ids.
//!
//! When a policy is saved, the ARN of a user or role gives way to its unique id ([`bind_trust_policy`],
//! [`bind_resource_policy`]); decisions compare ids. So a user or role that is deleted and made anew under its old name is not meant any more. When a policy is shown,
//! ids become ARNs again as long as there is somebody who has them ([`show_principals`]).

use iam_policy::{MalformedPolicy, Policy, PolicyKind, rename_principals};
use identifiers::{AccountId, Arn};
use resources::access::Account;
use resources::iam::{Role, UniqueId, User, key_of, name_of};
use std::collections::HashMap;
use store::{StoreError, Tables};

/// Prefixes of the unique ids of users and roles.
const USER: &str = "AIDA";
const ROLE: &str = "AROA";

/// Why a policy cannot be put on a resource.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// It is malformed.
    #[error(transparent)]
    Malformed(#[from] MalformedPolicy),
    /// It names a user or role that does not exist.
    #[error("Invalid principal in policy: \"AWS\":\"{0}\"")]
    NoPrincipal(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks a policy that is to be put on a resource, and names its users and roles by their unique ids. `own` is the
/// account of who puts it there; users and roles of accounts that are not in this region cannot be looked up and stay as
/// they are.
pub async fn bind_resource_policy(tables: &Tables, own: &AccountId, text: &str) -> Result<String, BindError> {
    bind(tables, own, text, PolicyKind::Resource).await
}

/// The same with the trust policy of a role.
pub async fn bind_trust_policy(tables: &Tables, own: &AccountId, text: &str) -> Result<String, BindError> {
    bind(tables, own, text, PolicyKind::Trust).await
}

async fn bind(tables: &Tables, own: &AccountId, text: &str, kind: PolicyKind) -> Result<String, BindError> {
    let policy = Policy::parse(text, kind)?;
    let mut ids = HashMap::new();
    for name in policy.named_principals() {
        if let Some(id) = unique_id(tables, own, name).await? {
            ids.insert(name.to_owned(), id);
        }
    }
    Ok(rename_principals(text, |name| ids.get(name).cloned())?)
}

/// A policy as its readers see it: by ARN whoever is there, by unique id whoever is gone.
pub async fn show_principals(tables: &Tables, text: &str) -> Result<String, StoreError> {
    if !text.contains(USER) && !text.contains(ROLE) {
        return Ok(text.to_owned());
    }
    let mut named = Vec::new();
    let unreadable = |error: MalformedPolicy| StoreError::Unreadable {
        key: "a policy".to_owned(),
        reason: error.to_string(),
    };
    rename_principals(text, |name| {
        named.push(name.to_owned());
        None
    })
    .map_err(unreadable)?;
    let mut arns = HashMap::new();
    for name in named {
        if let Some(arn) = arn_of_id(tables, &name).await? {
            arns.insert(name, arn);
        }
    }
    rename_principals(text, |name| arns.get(name).cloned()).map_err(unreadable)
}

/// The unique id of what a policy names; `None` where the name is to stay.
async fn unique_id(tables: &Tables, own: &AccountId, name: &str) -> Result<Option<String>, BindError> {
    let missing = || BindError::NoPrincipal(name.to_owned());
    let Ok(arn) = name.parse::<Arn>() else {
        // An id stands for somebody who is there.
        arn_of_id(tables, name).await?.ok_or_else(missing)?;
        return Ok(None);
    };
    let Ok(account) = arn.account.parse::<AccountId>() else { return Ok(None) };
    let id = if let Some(user) = name_of(name, &account, "user") {
        let found = tables.get::<User>(&key_of(&account, user)).await?;
        found.filter(|user| user.arn() == name).map(|user| UniqueId::from(&*user.value))
    } else if let Some(role) = name_of(name, &account, "role") {
        let found = tables.get::<Role>(&key_of(&account, role)).await?;
        found.filter(|role| role.arn() == name).map(|role| UniqueId::from(&*role.value))
    } else {
        return Ok(None);
    };
    match id {
        Some(id) => {
            // Users and roles of stores from before policies named them by id have no such row yet.
            if tables.get::<UniqueId>(&id.id).await?.is_none() {
                tables.batch().put_any(&id).commit().await?;
            }
            Ok(Some(id.id))
        }
        None if account == *own => Err(missing()),
        None if tables.get::<Account>(account.as_str()).await?.is_some() => Err(missing()),
        None => Ok(None),
    }
}

/// The ARN of who has a unique id, if somebody has it.
async fn arn_of_id(tables: &Tables, id: &str) -> Result<Option<String>, StoreError> {
    if !id.starts_with(USER) && !id.starts_with(ROLE) {
        return Ok(None);
    }
    let Some(row) = tables.get::<UniqueId>(id).await? else { return Ok(None) };
    let key = key_of(&row.account, &row.name);
    if id.starts_with(USER) {
        let user = tables.get::<User>(&key).await?.filter(|user| user.id == id);
        Ok(user.map(|user| user.arn()))
    } else {
        let role = tables.get::<Role>(&key).await?.filter(|role| role.id == id);
        Ok(role.map(|role| role.arn()))
    }
}
