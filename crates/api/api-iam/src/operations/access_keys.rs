//! ListAccessKeys, UpdateAccessKey, DeleteAccessKey and GetAccessKeyLastUsed.

use crate::IamService;
use crate::entities::is_root;
use crate::errors::{Failure, no_such_entity, validation};
use crate::paging::Paging;
use crate::retry::retrying;
use crate::shapes::{
    AccessKeyLastUsed, AccessKeyMetadata, DeleteAccessKeyRequest, GetAccessKeyLastUsedRequest,
    GetAccessKeyLastUsedResponse, ListAccessKeysRequest, ListAccessKeysResponse, StatusType,
    UpdateAccessKeyRequest,
};
use aws_wire::RequestContext;
use resources::access::{AccessKey, KeyUse};
use resources::iam::{User, key_of};
use store::Versioned;

pub(crate) async fn list_access_keys(
    service: &IamService,
    context: &RequestContext,
    input: ListAccessKeysRequest,
) -> Result<ListAccessKeysResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let keys = if input.user_name.is_none() && is_root(context) {
        service.root_keys(context).await?
    } else {
        let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
        service.tables.get_many::<AccessKey>(&user.access_keys).await?.into_iter().flatten().collect()
    };
    let part = paging.cut_in_order(keys).map(|key| AccessKeyMetadata {
        access_key_id: Some(key.access_key_id.clone()),
        create_date: Some(key.created_at),
        status: Some(if key.active { StatusType::Active } else { StatusType::Inactive }),
        user_name: key.user.clone(),
    });
    Ok(ListAccessKeysResponse {
        access_key_metadata: part.items,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn update_access_key(
    service: &IamService,
    context: &RequestContext,
    input: UpdateAccessKeyRequest,
) -> Result<(), Failure> {
    let active = match input.status {
        StatusType::Active => true,
        StatusType::Inactive => false,
        StatusType::Expired => return Err(validation("An access key is made Active or Inactive.")),
    };
    let key = own_key(service, context, &input.access_key_id, input.user_name.as_deref()).await?;
    let change = |key: &AccessKey| Ok::<_, Failure>(Some(AccessKey { active, ..key.clone() }));
    let updated = service.tables.update(&key.access_key_id, change).await?;
    updated.map(|_| ()).ok_or_else(|| no_key(&input.access_key_id))
}

pub(crate) async fn delete_access_key(
    service: &IamService,
    context: &RequestContext,
    input: DeleteAccessKeyRequest,
) -> Result<(), Failure> {
    retrying!(delete(service, context, &input))
}

async fn delete(
    service: &IamService,
    context: &RequestContext,
    input: &DeleteAccessKeyRequest,
) -> Result<(), Failure> {
    let key = own_key(service, context, &input.access_key_id, input.user_name.as_deref()).await?;
    let mut batch = service.tables.batch().delete(&key).delete_any::<KeyUse>(&key.access_key_id);
    if let Some(name) = &key.user
        && let Some(user) = service.tables.get::<User>(&key_of(&context.account, name)).await?
    {
        let mut owner = User::clone(&user);
        owner.access_keys.retain(|id| *id != key.access_key_id);
        batch = batch.replace(&user, &owner);
    }
    batch.commit().await?;
    Ok(())
}

pub(crate) async fn get_access_key_last_used(
    service: &IamService,
    context: &RequestContext,
    input: GetAccessKeyLastUsedRequest,
) -> Result<GetAccessKeyLastUsedResponse, Failure> {
    let id = &input.access_key_id;
    let key = service.tables.get::<AccessKey>(id).await?.filter(|key| key.account == context.account);
    let key = key.ok_or_else(|| no_key(id))?;
    let used = service.tables.get::<KeyUse>(id).await?;
    let (region, service_name) = match &used {
        Some(used) => (used.region.clone(), used.service.clone()),
        None => ("N/A".to_owned(), "N/A".to_owned()),
    };
    let access_key_last_used = Some(AccessKeyLastUsed {
        last_used_date: used.map(|used| environment::Timestamp::from_seconds(used.used_at.as_seconds())),
        region,
        service_name,
    });
    Ok(GetAccessKeyLastUsedResponse { access_key_last_used, user_name: key.user.clone() })
}

impl IamService {
    /// The access keys of the root of the caller's account.
    pub(crate) async fn root_keys(
        &self,
        context: &RequestContext,
    ) -> Result<Vec<Versioned<AccessKey>>, Failure> {
        let root = format!("arn:aws:iam::{}:root", context.account);
        let keys = self.tables.list_all::<AccessKey>("").await?;
        Ok(keys.into_iter().filter(|key| key.principal_arn == root).collect())
    }
}

/// A key of the user named; without a name, any key of the account, which is how AWS reads the id alone.
async fn own_key(
    service: &IamService,
    context: &RequestContext,
    id: &str,
    user: Option<&str>,
) -> Result<Versioned<AccessKey>, Failure> {
    let user = match user {
        Some(name) => Some(service.find::<User>(context, name).await?),
        None => None,
    };
    let key = service.tables.get::<AccessKey>(id).await?.filter(|key| key.account == context.account);
    let key = key.filter(|key| match &user {
        Some(user) => user.access_keys.contains(&key.access_key_id),
        None => true,
    });
    key.ok_or_else(|| no_key(id))
}

fn no_key(id: &str) -> Failure {
    no_such_entity(format_args!("The Access Key with id {id} cannot be found."))
}
