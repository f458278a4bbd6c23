//! TagUser, UntagUser, ListUserTags, and the same of roles, policies, instance profiles and providers.

use super::mfa_devices;
use super::oidc_providers::find_oidc;
use super::policy_versions;
use crate::entities::{Named, Principal, Tagged};
use crate::errors::Failure;
use crate::paging::{Paging, Part};
use crate::shapes::{
    ListInstanceProfileTagsRequest, ListInstanceProfileTagsResponse, ListMFADeviceTagsRequest,
    ListMFADeviceTagsResponse, ListOpenIDConnectProviderTagsRequest, ListOpenIDConnectProviderTagsResponse,
    ListPolicyTagsRequest, ListPolicyTagsResponse, ListRoleTagsRequest, ListRoleTagsResponse,
    ListServerCertificateTagsRequest, ListServerCertificateTagsResponse, ListUserTagsRequest,
    ListUserTagsResponse, Tag, TagInstanceProfileRequest, TagMFADeviceRequest,
    TagOpenIDConnectProviderRequest, TagPolicyRequest, TagRoleRequest, TagServerCertificateRequest,
    TagUserRequest, UntagInstanceProfileRequest, UntagMFADeviceRequest, UntagOpenIDConnectProviderRequest,
    UntagPolicyRequest, UntagRoleRequest, UntagServerCertificateRequest, UntagUserRequest,
};
use crate::{IamService, tags};
use aws_wire::RequestContext;
use resources::Stored;
use resources::iam::{InstanceProfile, ManagedPolicy, MfaDevice, Role, ServerCertificate, User, key_of};

/// What becomes of the tags of a resource.
enum Change {
    Put(Vec<Tag>),
    Remove(Vec<String>),
}

impl Change {
    fn of(&self, old: &[(String, String)]) -> Result<Vec<(String, String)>, Failure> {
        match self {
            Self::Put(given) => tags::put(old, given.clone()),
            Self::Remove(keys) => Ok(tags::remove(old, keys)),
        }
    }
}

async fn change<T: Tagged>(service: &IamService, key: &str, change: &Change) -> Result<bool, Failure> {
    let write = |old: &T| {
        let mut new = old.clone();
        new.set_tags(change.of(old.tags())?);
        Ok::<_, Failure>(Some(new))
    };
    Ok(service.tables.update(key, write).await?.is_some())
}

async fn change_named<T: Tagged + Named>(
    service: &IamService,
    context: &RequestContext,
    name: &str,
    what: Change,
) -> Result<(), Failure> {
    let found = change::<T>(service, &key_of(&context.account, name), &what).await?;
    found.then_some(()).ok_or_else(|| T::not_found(name))
}

fn listed<T: Tagged>(row: &T, marker: Option<&str>, max_items: Option<i32>) -> Result<Part<Tag>, Failure> {
    Ok(Paging::new(marker, max_items)?.cut_in_order(tags::shown(row.tags())))
}

pub(crate) async fn tag_user(
    service: &IamService,
    context: &RequestContext,
    input: TagUserRequest,
) -> Result<(), Failure> {
    change_named::<User>(service, context, &input.user_name, Change::Put(input.tags)).await
}

pub(crate) async fn untag_user(
    service: &IamService,
    context: &RequestContext,
    input: UntagUserRequest,
) -> Result<(), Failure> {
    change_named::<User>(service, context, &input.user_name, Change::Remove(input.tag_keys)).await
}

pub(crate) async fn list_user_tags(
    service: &IamService,
    context: &RequestContext,
    input: ListUserTagsRequest,
) -> Result<ListUserTagsResponse, Failure> {
    let user = service.find::<User>(context, &input.user_name).await?;
    let part = listed(&*user, input.marker.as_deref(), input.max_items)?;
    Ok(ListUserTagsResponse { tags: part.items, is_truncated: part.is_truncated, marker: part.marker })
}

pub(crate) async fn tag_role(
    service: &IamService,
    context: &RequestContext,
    input: TagRoleRequest,
) -> Result<(), Failure> {
    service.find::<Role>(context, &input.role_name).await?.modifiable()?;
    change_named::<Role>(service, context, &input.role_name, Change::Put(input.tags)).await
}

pub(crate) async fn untag_role(
    service: &IamService,
    context: &RequestContext,
    input: UntagRoleRequest,
) -> Result<(), Failure> {
    service.find::<Role>(context, &input.role_name).await?.modifiable()?;
    change_named::<Role>(service, context, &input.role_name, Change::Remove(input.tag_keys)).await
}

pub(crate) async fn list_role_tags(
    service: &IamService,
    context: &RequestContext,
    input: ListRoleTagsRequest,
) -> Result<ListRoleTagsResponse, Failure> {
    let role = service.find::<Role>(context, &input.role_name).await?;
    let part = listed(&*role, input.marker.as_deref(), input.max_items)?;
    Ok(ListRoleTagsResponse { tags: part.items, is_truncated: part.is_truncated, marker: part.marker })
}

pub(crate) async fn tag_instance_profile(
    service: &IamService,
    context: &RequestContext,
    input: TagInstanceProfileRequest,
) -> Result<(), Failure> {
    let name = &input.instance_profile_name;
    change_named::<InstanceProfile>(service, context, name, Change::Put(input.tags)).await
}

pub(crate) async fn untag_instance_profile(
    service: &IamService,
    context: &RequestContext,
    input: UntagInstanceProfileRequest,
) -> Result<(), Failure> {
    let name = &input.instance_profile_name;
    change_named::<InstanceProfile>(service, context, name, Change::Remove(input.tag_keys)).await
}

pub(crate) async fn list_instance_profile_tags(
    service: &IamService,
    context: &RequestContext,
    input: ListInstanceProfileTagsRequest,
) -> Result<ListInstanceProfileTagsResponse, Failure> {
    let profile = service.find::<InstanceProfile>(context, &input.instance_profile_name).await?;
    let part = listed(&*profile, input.marker.as_deref(), input.max_items)?;
    Ok(ListInstanceProfileTagsResponse {
        tags: part.items,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn tag_policy(
    service: &IamService,
    context: &RequestContext,
    input: TagPolicyRequest,
) -> Result<(), Failure> {
    change_policy(service, context, &input.policy_arn, Change::Put(input.tags)).await
}

pub(crate) async fn untag_policy(
    service: &IamService,
    context: &RequestContext,
    input: UntagPolicyRequest,
) -> Result<(), Failure> {
    change_policy(service, context, &input.policy_arn, Change::Remove(input.tag_keys)).await
}

async fn change_policy(
    service: &IamService,
    context: &RequestContext,
    arn: &str,
    what: Change,
) -> Result<(), Failure> {
    let change = |policy: &mut ManagedPolicy| {
        policy.tags = what.of(&policy.tags)?;
        Ok(())
    };
    policy_versions::update(service, context, arn, change).await.map(|_| ())
}

pub(crate) async fn list_policy_tags(
    service: &IamService,
    context: &RequestContext,
    input: ListPolicyTagsRequest,
) -> Result<ListPolicyTagsResponse, Failure> {
    let policy = service.customer_policy(&context.account, &input.policy_arn).await?;
    let policy = policy.ok_or_else(|| super::get_policy::not_found(&input.policy_arn))?;
    let part = listed(&*policy, input.marker.as_deref(), input.max_items)?;
    Ok(ListPolicyTagsResponse { tags: part.items, is_truncated: part.is_truncated, marker: part.marker })
}

pub(crate) async fn tag_open_id_connect_provider(
    service: &IamService,
    context: &RequestContext,
    input: TagOpenIDConnectProviderRequest,
) -> Result<(), Failure> {
    let row = find_oidc(service, context, &input.open_id_connect_provider_arn).await?;
    change::<resources::iam::OidcProvider>(service, &row.key(), &Change::Put(input.tags)).await.map(|_| ())
}

pub(crate) async fn untag_open_id_connect_provider(
    service: &IamService,
    context: &RequestContext,
    input: UntagOpenIDConnectProviderRequest,
) -> Result<(), Failure> {
    let row = find_oidc(service, context, &input.open_id_connect_provider_arn).await?;
    let what = Change::Remove(input.tag_keys);
    change::<resources::iam::OidcProvider>(service, &row.key(), &what).await.map(|_| ())
}

pub(crate) async fn list_open_id_connect_provider_tags(
    service: &IamService,
    context: &RequestContext,
    input: ListOpenIDConnectProviderTagsRequest,
) -> Result<ListOpenIDConnectProviderTagsResponse, Failure> {
    let row = find_oidc(service, context, &input.open_id_connect_provider_arn).await?;
    let part = listed(&*row, input.marker.as_deref(), input.max_items)?;
    Ok(ListOpenIDConnectProviderTagsResponse {
        tags: part.items,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn tag_mfa_device(
    service: &IamService,
    context: &RequestContext,
    input: TagMFADeviceRequest,
) -> Result<(), Failure> {
    let row = mfa_devices::find(service, context, &input.serial_number).await?;
    change::<MfaDevice>(service, &row.key(), &Change::Put(input.tags)).await.map(|_| ())
}

pub(crate) async fn untag_mfa_device(
    service: &IamService,
    context: &RequestContext,
    input: UntagMFADeviceRequest,
) -> Result<(), Failure> {
    let row = mfa_devices::find(service, context, &input.serial_number).await?;
    change::<MfaDevice>(service, &row.key(), &Change::Remove(input.tag_keys)).await.map(|_| ())
}

pub(crate) async fn list_mfa_device_tags(
    service: &IamService,
    context: &RequestContext,
    input: ListMFADeviceTagsRequest,
) -> Result<ListMFADeviceTagsResponse, Failure> {
    let row = mfa_devices::find(service, context, &input.serial_number).await?;
    let part = listed(&*row, input.marker.as_deref(), input.max_items)?;
    Ok(ListMFADeviceTagsResponse { tags: part.items, is_truncated: part.is_truncated, marker: part.marker })
}

pub(crate) async fn tag_server_certificate(
    service: &IamService,
    context: &RequestContext,
    input: TagServerCertificateRequest,
) -> Result<(), Failure> {
    let name = &input.server_certificate_name;
    change_named::<ServerCertificate>(service, context, name, Change::Put(input.tags)).await
}

pub(crate) async fn untag_server_certificate(
    service: &IamService,
    context: &RequestContext,
    input: UntagServerCertificateRequest,
) -> Result<(), Failure> {
    let name = &input.server_certificate_name;
    change_named::<ServerCertificate>(service, context, name, Change::Remove(input.tag_keys)).await
}

pub(crate) async fn list_server_certificate_tags(
    service: &IamService,
    context: &RequestContext,
    input: ListServerCertificateTagsRequest,
) -> Result<ListServerCertificateTagsResponse, Failure> {
    let row = service.find::<ServerCertificate>(context, &input.server_certificate_name).await?;
    let part = listed(&*row, input.marker.as_deref(), input.max_items)?;
    Ok(ListServerCertificateTagsResponse {
        tags: part.items,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}
