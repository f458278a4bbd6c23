//! CreateAccessKey: for the user named, else for the caller.

use crate::IamService;
use crate::entities::{is_root, now};
use crate::errors::{Failure, over_quota};
use crate::quotas::ACCESS_KEYS_PER_USER;
use crate::retry::retrying;
use crate::shapes::{self as wire, CreateAccessKeyRequest, CreateAccessKeyResponse, StatusType};
use access::{Caller, NewKey, new_key};
use aws_wire::RequestContext;
use resources::access::AccessKey;
use resources::iam::User;

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: CreateAccessKeyRequest,
) -> Result<CreateAccessKeyResponse, Failure> {
    let made = if input.user_name.is_none() && is_root(context) {
        retrying!(for_root(service, context))?
    } else {
        retrying!(for_user(service, context, input.user_name.as_deref()))?
    };
    let key = made.key;
    let access_key = wire::AccessKey {
        access_key_id: key.access_key_id,
        create_date: Some(key.created_at),
        // The one time that the secret is shown.
        secret_access_key: made.secret.expose().to_owned(),
        status: StatusType::Active,
        user_name: key.user.unwrap_or_default(),
    };
    Ok(CreateAccessKeyResponse { access_key })
}

async fn for_user(
    service: &IamService,
    context: &RequestContext,
    name: Option<&str>,
) -> Result<NewKey, Failure> {
    let user = service.user_or_caller(context, name).await?;
    if user.access_keys.len() >= ACCESS_KEYS_PER_USER {
        return Err(over_quota("AccessKeysPerUser", ACCESS_KEYS_PER_USER));
    }
    let new = new_key(service.environment(), &service.keys, &Caller::user(&user));
    let key = AccessKey { created_at: now(context), user: Some(user.name.clone()), ..new.key };
    let mut owner = User::clone(&user);
    owner.access_keys.push(key.access_key_id.clone());
    service.tables.batch().create(&key).replace(&user, &owner).commit().await?;
    Ok(NewKey { key, secret: new.secret })
}

async fn for_root(service: &IamService, context: &RequestContext) -> Result<NewKey, Failure> {
    let batch = service.one_at_a_time(service.tables.batch(), &context.account, "root-access-key").await?;
    if service.root_keys(context).await?.len() >= ACCESS_KEYS_PER_USER {
        return Err(over_quota("AccessKeysPerUser", ACCESS_KEYS_PER_USER));
    }
    let new = new_key(service.environment(), &service.keys, &Caller::root(&context.account));
    let key = AccessKey { created_at: now(context), ..new.key };
    batch.create(&key).commit().await?;
    Ok(NewKey { key, secret: new.secret })
}
