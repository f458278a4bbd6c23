//! UploadSSHPublicKey, GetSSHPublicKey, ListSSHPublicKeys, UpdateSSHPublicKey and DeleteSSHPublicKey.

use crate::entities::now;
use crate::errors::{Failure, invalid_input, no_such_entity, other, over_quota};
use crate::paging::Paging;
use crate::retry::retrying;
use crate::shapes::{
    DeleteSSHPublicKeyRequest, EncodingType, GetSSHPublicKeyRequest, GetSSHPublicKeyResponse,
    ListSSHPublicKeysRequest, ListSSHPublicKeysResponse, SSHPublicKey as Shown, SSHPublicKeyMetadata,
    StatusType, UpdateSSHPublicKeyRequest, UploadSSHPublicKeyRequest, UploadSSHPublicKeyResponse, errors,
};
use crate::ssh_key::SshKey;
use crate::{IamService, ids, quotas};
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{SshPublicKey, User, key_of};
use store::Versioned;

/// Characters of a key's id.
const ID_LENGTH: usize = 20;

pub(crate) async fn upload_ssh_public_key(
    service: &IamService,
    context: &RequestContext,
    input: UploadSSHPublicKeyRequest,
) -> Result<UploadSSHPublicKeyResponse, Failure> {
    let key = SshKey::parse(&input.ssh_public_key_body).ok_or_else(|| {
        other(
            &errors::INVALID_PUBLIC_KEY_EXCEPTION,
            "The SSH public key is invalid: an RSA key of at least 2048 bits \
             is expected, in ssh-rsa or PEM format.",
        )
    })?;
    let row = retrying!(upload(service, context, &input, &key))?;
    Ok(UploadSSHPublicKeyResponse { ssh_public_key: Some(shown(&row, row.body.clone())) })
}

async fn upload(
    service: &IamService,
    context: &RequestContext,
    input: &UploadSSHPublicKeyRequest,
    key: &SshKey,
) -> Result<SshPublicKey, Failure> {
    let user = service.find::<User>(context, &input.user_name).await?;
    let batch = service.tables.batch().require_unchanged(&user);
    // Of two uploads at once only one counts the keys rightly.
    let batch = service.one_at_a_time(batch, &context.account, SshPublicKey::TABLE).await?;
    let there = keys_of(service, &user).await?;
    let fingerprint = key.fingerprint();
    if there.iter().any(|row| row.fingerprint == fingerprint) {
        return Err(other(
            &errors::DUPLICATE_SSH_PUBLIC_KEY_EXCEPTION,
            "The SSH public key is already associated with the specified IAM user.",
        ));
    }
    if there.len() >= quotas::SSH_KEYS_PER_USER {
        return Err(over_quota("SSHPublicKeysPerUser", quotas::SSH_KEYS_PER_USER));
    }
    let row = SshPublicKey {
        account: user.account.clone(),
        user: user.name.clone(),
        id: ids::of_length(service.environment(), "APKA", ID_LENGTH),
        body: input.ssh_public_key_body.clone(),
        fingerprint,
        active: true,
        uploaded_at: now(context),
    };
    batch.create(&row).commit().await?;
    Ok(row)
}

pub(crate) async fn get_ssh_public_key(
    service: &IamService,
    context: &RequestContext,
    input: GetSSHPublicKeyRequest,
) -> Result<GetSSHPublicKeyResponse, Failure> {
    let row = find(service, context, &input.user_name, &input.ssh_public_key_id).await?;
    let key = SshKey::parse(&row.body);
    let body = key.and_then(|key| match input.encoding {
        EncodingType::Ssh => Some(key.line()),
        EncodingType::Pem => key.pem(),
    });
    // What is stored was read before.
    let body = body.unwrap_or_else(|| row.body.clone());
    Ok(GetSSHPublicKeyResponse { ssh_public_key: Some(shown(&row, body)) })
}

pub(crate) async fn list_ssh_public_keys(
    service: &IamService,
    context: &RequestContext,
    input: ListSSHPublicKeysRequest,
) -> Result<ListSSHPublicKeysResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
    let part = paging.cut(keys_of(service, &user).await?, |row| row.key()).map(|row| SSHPublicKeyMetadata {
        ssh_public_key_id: row.id.clone(),
        status: status(&row),
        upload_date: row.uploaded_at,
        user_name: row.user.clone(),
    });
    Ok(ListSSHPublicKeysResponse {
        ssh_public_keys: Some(part.items),
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn update_ssh_public_key(
    service: &IamService,
    context: &RequestContext,
    input: UpdateSSHPublicKeyRequest,
) -> Result<(), Failure> {
    let active = match input.status {
        StatusType::Active => true,
        StatusType::Inactive => false,
        StatusType::Expired => return Err(invalid_input("A public key is made Active or Inactive.")),
    };
    let row = find(service, context, &input.user_name, &input.ssh_public_key_id).await?;
    let change = |row: &SshPublicKey| Ok::<_, Failure>(Some(SshPublicKey { active, ..row.clone() }));
    service.tables.update(&row.key(), change).await?;
    Ok(())
}

pub(crate) async fn delete_ssh_public_key(
    service: &IamService,
    context: &RequestContext,
    input: DeleteSSHPublicKeyRequest,
) -> Result<(), Failure> {
    let row = find(service, context, &input.user_name, &input.ssh_public_key_id).await?;
    service.tables.delete(&row).await?;
    Ok(())
}

async fn find(
    service: &IamService,
    context: &RequestContext,
    user: &str,
    id: &str,
) -> Result<Versioned<SshPublicKey>, Failure> {
    let user = service.find::<User>(context, user).await?;
    let key = format!("{}/{id}", key_of(&user.account, &user.name));
    let row = service.tables.get::<SshPublicKey>(&key).await?;
    row.ok_or_else(|| no_such_entity(format_args!("The Public Key with id {id} cannot be found")))
}

async fn keys_of(service: &IamService, user: &User) -> Result<Vec<Versioned<SshPublicKey>>, Failure> {
    Ok(service.tables.list_all::<SshPublicKey>(&SshPublicKey::rows_of(user)).await?)
}

fn status(row: &SshPublicKey) -> StatusType {
    if row.active { StatusType::Active } else { StatusType::Inactive }
}

fn shown(row: &SshPublicKey, body: String) -> Shown {
    Shown {
        fingerprint: row.fingerprint.clone(),
        ssh_public_key_body: body,
        ssh_public_key_id: row.id.clone(),
        status: status(row),
        upload_date: Some(row.uploaded_at),
        user_name: row.user.clone(),
    }
}
