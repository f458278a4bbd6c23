//! AWS Identity and Access Management: who there is in an account, what they may do, and how they show who they are.
//!
//! This crate keeps what it is told and answers for it; whether a request is allowed is decided by the gateway, which
//! reads the same rows. The simulator asks the same engine. Promises: what hangs on something is never left behind, for
//! every write requires what it was decided on to be unchanged; secrets and passwords are shown once or never.
//!
//! Left out, and refused as not implemented: SAML providers, service-specific credentials, organizations and
//! delegation.

mod documents;
mod entities;
mod errors;
mod ids;
mod linked_services;
mod operations;
mod paging;
mod passwords;
mod permissions;
mod positions;
mod principal_policies;
mod qr_code;
mod quotas;
mod render;
mod retry;
pub mod shapes;
mod ssh_key;
mod tags;
mod trust;
mod uses;

use encryption::KeyRing;
use environment::Environment;
#[allow(clippy::wildcard_imports, reason = "an input and an output is named for every operation")]
use shapes::*;
use store::Tables;

/// The service.
pub struct IamService {
    pub(crate) tables: Tables,
    pub(crate) keys: KeyRing,
}

impl IamService {
    /// The service over a region's tables; secrets are sealed with `keys`.
    pub fn new(tables: Tables, keys: KeyRing) -> Self {
        Self { tables, keys }
    }

    pub(crate) fn environment(&self) -> &Environment {
        self.tables.environment()
    }
}

aws_wire::operations! {
    Iam for IamService;
    add_client_id_to_open_id_connect_provider: AddClientIDToOpenIDConnectProviderRequest => (), oidc_providers::add_client_id_to_open_id_connect_provider;
    add_role_to_instance_profile: AddRoleToInstanceProfileRequest => (), instance_profile_roles::add_role_to_instance_profile;
    add_user_to_group: AddUserToGroupRequest => (), group_membership::add_user_to_group;
    attach_group_policy: AttachGroupPolicyRequest => (), attachments::attach_group_policy;
    attach_role_policy: AttachRolePolicyRequest => (), attachments::attach_role_policy;
    attach_user_policy: AttachUserPolicyRequest => (), attachments::attach_user_policy;
    change_password: ChangePasswordRequest => (), login_profiles::change_password;
    create_access_key: CreateAccessKeyRequest => CreateAccessKeyResponse, create_access_key::run;
    create_account_alias: CreateAccountAliasRequest => (), account_aliases::create_account_alias;
    create_group: CreateGroupRequest => CreateGroupResponse, create_group::run;
    create_instance_profile: CreateInstanceProfileRequest => CreateInstanceProfileResponse, create_instance_profile::run;
    create_login_profile: CreateLoginProfileRequest => CreateLoginProfileResponse, login_profiles::create_login_profile;
    create_open_id_connect_provider: CreateOpenIDConnectProviderRequest => CreateOpenIDConnectProviderResponse, oidc_providers::create_open_id_connect_provider;
    create_policy: CreatePolicyRequest => CreatePolicyResponse, create_policy::run;
    create_policy_version: CreatePolicyVersionRequest => CreatePolicyVersionResponse, policy_versions::create_policy_version;
    create_role: CreateRoleRequest => CreateRoleResponse, create_role::run;
    create_service_linked_role: CreateServiceLinkedRoleRequest => CreateServiceLinkedRoleResponse, service_linked_roles::create_service_linked_role;
    create_user: CreateUserRequest => CreateUserResponse, create_user::run;
    create_virtual_mfa_device: CreateVirtualMFADeviceRequest => CreateVirtualMFADeviceResponse, mfa_devices::create_virtual_mfa_device;
    deactivate_mfa_device: DeactivateMFADeviceRequest => (), mfa_devices::deactivate_mfa_device;
    delete_access_key: DeleteAccessKeyRequest => (), access_keys::delete_access_key;
    delete_account_alias: DeleteAccountAliasRequest => (), account_aliases::delete_account_alias;
    delete_account_password_policy: () => (), password_policy::delete_account_password_policy;
    delete_group: DeleteGroupRequest => (), delete_group::run;
    delete_group_policy: DeleteGroupPolicyRequest => (), inline_policies::delete_group_policy;
    delete_instance_profile: DeleteInstanceProfileRequest => (), delete_instance_profile::run;
    delete_login_profile: DeleteLoginProfileRequest => (), login_profiles::delete_login_profile;
    delete_open_id_connect_provider: DeleteOpenIDConnectProviderRequest => (), oidc_providers::delete_open_id_connect_provider;
    delete_policy: DeletePolicyRequest => (), delete_policy::run;
    delete_policy_version: DeletePolicyVersionRequest => (), policy_versions::delete_policy_version;
    delete_role: DeleteRoleRequest => (), delete_role::run;
    delete_role_permissions_boundary: DeleteRolePermissionsBoundaryRequest => (), boundaries::delete_role_permissions_boundary;
    delete_role_policy: DeleteRolePolicyRequest => (), inline_policies::delete_role_policy;
    delete_server_certificate: DeleteServerCertificateRequest => (), server_certificates::delete_server_certificate;
    delete_service_linked_role: DeleteServiceLinkedRoleRequest => DeleteServiceLinkedRoleResponse, service_linked_roles::delete_service_linked_role;
    delete_signing_certificate: DeleteSigningCertificateRequest => (), signing_certificates::delete_signing_certificate;
    delete_ssh_public_key: DeleteSSHPublicKeyRequest => (), ssh_public_keys::delete_ssh_public_key;
    delete_user: DeleteUserRequest => (), delete_user::run;
    delete_user_permissions_boundary: DeleteUserPermissionsBoundaryRequest => (), boundaries::delete_user_permissions_boundary;
    delete_user_policy: DeleteUserPolicyRequest => (), inline_policies::delete_user_policy;
    delete_virtual_mfa_device: DeleteVirtualMFADeviceRequest => (), mfa_devices::delete_virtual_mfa_device;
    detach_group_policy: DetachGroupPolicyRequest => (), attachments::detach_group_policy;
    detach_role_policy: DetachRolePolicyRequest => (), attachments::detach_role_policy;
    detach_user_policy: DetachUserPolicyRequest => (), attachments::detach_user_policy;
    enable_mfa_device: EnableMFADeviceRequest => (), mfa_devices::enable_mfa_device;
    generate_credential_report: () => GenerateCredentialReportResponse, credential_report::generate_credential_report;
    get_access_key_last_used: GetAccessKeyLastUsedRequest => GetAccessKeyLastUsedResponse, access_keys::get_access_key_last_used;
    get_account_authorization_details: GetAccountAuthorizationDetailsRequest => GetAccountAuthorizationDetailsResponse, get_account_authorization_details::run;
    get_account_password_policy: () => GetAccountPasswordPolicyResponse, password_policy::get_account_password_policy;
    get_account_summary: () => GetAccountSummaryResponse, get_account_summary::run;
    get_context_keys_for_custom_policy: GetContextKeysForCustomPolicyRequest => GetContextKeysForPolicyResponse, context_keys::get_context_keys_for_custom_policy;
    get_context_keys_for_principal_policy: GetContextKeysForPrincipalPolicyRequest => GetContextKeysForPolicyResponse, context_keys::get_context_keys_for_principal_policy;
    get_credential_report: () => GetCredentialReportResponse, credential_report::get_credential_report;
    get_group: GetGroupRequest => GetGroupResponse, get_group::run;
    get_group_policy: GetGroupPolicyRequest => GetGroupPolicyResponse, inline_policies::get_group_policy;
    get_instance_profile: GetInstanceProfileRequest => GetInstanceProfileResponse, get_instance_profile::run;
    get_login_profile: GetLoginProfileRequest => GetLoginProfileResponse, login_profiles::get_login_profile;
    get_mfa_device: GetMFADeviceRequest => GetMFADeviceResponse, mfa_devices::get_mfa_device;
    get_open_id_connect_provider: GetOpenIDConnectProviderRequest => GetOpenIDConnectProviderResponse, oidc_providers::get_open_id_connect_provider;
    get_policy: GetPolicyRequest => GetPolicyResponse, get_policy::run;
    get_policy_version: GetPolicyVersionRequest => GetPolicyVersionResponse, policy_versions::get_policy_version;
    get_role: GetRoleRequest => GetRoleResponse, get_role::run;
    get_role_policy: GetRolePolicyRequest => GetRolePolicyResponse, inline_policies::get_role_policy;
    get_server_certificate: GetServerCertificateRequest => GetServerCertificateResponse, server_certificates::get_server_certificate;
    get_service_linked_role_deletion_status: GetServiceLinkedRoleDeletionStatusRequest => GetServiceLinkedRoleDeletionStatusResponse, service_linked_roles::get_service_linked_role_deletion_status;
    get_ssh_public_key: GetSSHPublicKeyRequest => GetSSHPublicKeyResponse, ssh_public_keys::get_ssh_public_key;
    get_user: GetUserRequest => GetUserResponse, get_user::run;
    get_user_policy: GetUserPolicyRequest => GetUserPolicyResponse, inline_policies::get_user_policy;
    list_access_keys: ListAccessKeysRequest => ListAccessKeysResponse, access_keys::list_access_keys;
    list_account_aliases: ListAccountAliasesRequest => ListAccountAliasesResponse, account_aliases::list_account_aliases;
    list_attached_group_policies: ListAttachedGroupPoliciesRequest => ListAttachedGroupPoliciesResponse, attachments::list_attached_group_policies;
    list_attached_role_policies: ListAttachedRolePoliciesRequest => ListAttachedRolePoliciesResponse, attachments::list_attached_role_policies;
    list_attached_user_policies: ListAttachedUserPoliciesRequest => ListAttachedUserPoliciesResponse, attachments::list_attached_user_policies;
    list_entities_for_policy: ListEntitiesForPolicyRequest => ListEntitiesForPolicyResponse, list_entities_for_policy::run;
    list_group_policies: ListGroupPoliciesRequest => ListGroupPoliciesResponse, inline_policies::list_group_policies;
    list_groups: ListGroupsRequest => ListGroupsResponse, list_groups::list_groups;
    list_groups_for_user: ListGroupsForUserRequest => ListGroupsForUserResponse, list_groups::list_groups_for_user;
    list_instance_profile_tags: ListInstanceProfileTagsRequest => ListInstanceProfileTagsResponse, tags::list_instance_profile_tags;
    list_instance_profiles: ListInstanceProfilesRequest => ListInstanceProfilesResponse, list_instance_profiles::list_instance_profiles;
    list_instance_profiles_for_role: ListInstanceProfilesForRoleRequest => ListInstanceProfilesForRoleResponse, list_instance_profiles::list_instance_profiles_for_role;
    list_mfa_device_tags: ListMFADeviceTagsRequest => ListMFADeviceTagsResponse, tags::list_mfa_device_tags;
    list_mfa_devices: ListMFADevicesRequest => ListMFADevicesResponse, mfa_devices::list_mfa_devices;
    list_open_id_connect_provider_tags: ListOpenIDConnectProviderTagsRequest => ListOpenIDConnectProviderTagsResponse, tags::list_open_id_connect_provider_tags;
    list_open_id_connect_providers: ListOpenIDConnectProvidersRequest => ListOpenIDConnectProvidersResponse, oidc_providers::list_open_id_connect_providers;
    list_policies: ListPoliciesRequest => ListPoliciesResponse, list_policies::run;
    list_policy_tags: ListPolicyTagsRequest => ListPolicyTagsResponse, tags::list_policy_tags;
    list_policy_versions: ListPolicyVersionsRequest => ListPolicyVersionsResponse, policy_versions::list_policy_versions;
    list_role_policies: ListRolePoliciesRequest => ListRolePoliciesResponse, inline_policies::list_role_policies;
    list_role_tags: ListRoleTagsRequest => ListRoleTagsResponse, tags::list_role_tags;
    list_roles: ListRolesRequest => ListRolesResponse, list_roles::run;
    list_server_certificate_tags: ListServerCertificateTagsRequest => ListServerCertificateTagsResponse, tags::list_server_certificate_tags;
    list_server_certificates: ListServerCertificatesRequest => ListServerCertificatesResponse, server_certificates::list_server_certificates;
    list_signing_certificates: ListSigningCertificatesRequest => ListSigningCertificatesResponse, signing_certificates::list_signing_certificates;
    list_ssh_public_keys: ListSSHPublicKeysRequest => ListSSHPublicKeysResponse, ssh_public_keys::list_ssh_public_keys;
    list_user_policies: ListUserPoliciesRequest => ListUserPoliciesResponse, inline_policies::list_user_policies;
    list_user_tags: ListUserTagsRequest => ListUserTagsResponse, tags::list_user_tags;
    list_users: ListUsersRequest => ListUsersResponse, list_users::run;
    list_virtual_mfa_devices: ListVirtualMFADevicesRequest => ListVirtualMFADevicesResponse, mfa_devices::list_virtual_mfa_devices;
    put_group_policy: PutGroupPolicyRequest => (), inline_policies::put_group_policy;
    put_role_permissions_boundary: PutRolePermissionsBoundaryRequest => (), boundaries::put_role_permissions_boundary;
    put_role_policy: PutRolePolicyRequest => (), inline_policies::put_role_policy;
    put_user_permissions_boundary: PutUserPermissionsBoundaryRequest => (), boundaries::put_user_permissions_boundary;
    put_user_policy: PutUserPolicyRequest => (), inline_policies::put_user_policy;
    remove_client_id_from_open_id_connect_provider: RemoveClientIDFromOpenIDConnectProviderRequest => (), oidc_providers::remove_client_id_from_open_id_connect_provider;
    remove_role_from_instance_profile: RemoveRoleFromInstanceProfileRequest => (), instance_profile_roles::remove_role_from_instance_profile;
    remove_user_from_group: RemoveUserFromGroupRequest => (), group_membership::remove_user_from_group;
    resync_mfa_device: ResyncMFADeviceRequest => (), mfa_devices::resync_mfa_device;
    set_default_policy_version: SetDefaultPolicyVersionRequest => (), policy_versions::set_default_policy_version;
    simulate_custom_policy: SimulateCustomPolicyRequest => SimulatePolicyResponse, simulate::simulate_custom_policy;
    simulate_principal_policy: SimulatePrincipalPolicyRequest => SimulatePolicyResponse, simulate::simulate_principal_policy;
    tag_instance_profile: TagInstanceProfileRequest => (), tags::tag_instance_profile;
    tag_mfa_device: TagMFADeviceRequest => (), tags::tag_mfa_device;
    tag_open_id_connect_provider: TagOpenIDConnectProviderRequest => (), tags::tag_open_id_connect_provider;
    tag_policy: TagPolicyRequest => (), tags::tag_policy;
    tag_role: TagRoleRequest => (), tags::tag_role;
    tag_server_certificate: TagServerCertificateRequest => (), tags::tag_server_certificate;
    tag_user: TagUserRequest => (), tags::tag_user;
    untag_instance_profile: UntagInstanceProfileRequest => (), tags::untag_instance_profile;
    untag_mfa_device: UntagMFADeviceRequest => (), tags::untag_mfa_device;
    untag_open_id_connect_provider: UntagOpenIDConnectProviderRequest => (), tags::untag_open_id_connect_provider;
    untag_policy: UntagPolicyRequest => (), tags::untag_policy;
    untag_role: UntagRoleRequest => (), tags::untag_role;
    untag_server_certificate: UntagServerCertificateRequest => (), tags::untag_server_certificate;
    untag_user: UntagUserRequest => (), tags::untag_user;
    update_access_key: UpdateAccessKeyRequest => (), access_keys::update_access_key;
    update_account_password_policy: UpdateAccountPasswordPolicyRequest => (), password_policy::update_account_password_policy;
    update_assume_role_policy: UpdateAssumeRolePolicyRequest => (), update_assume_role_policy::run;
    update_group: UpdateGroupRequest => (), update_group::run;
    update_login_profile: UpdateLoginProfileRequest => (), login_profiles::update_login_profile;
    update_open_id_connect_provider_thumbprint: UpdateOpenIDConnectProviderThumbprintRequest => (), oidc_providers::update_open_id_connect_provider_thumbprint;
    update_role: UpdateRoleRequest => UpdateRoleResponse, update_role::update_role;
    update_role_description: UpdateRoleDescriptionRequest => UpdateRoleDescriptionResponse, update_role::update_role_description;
    update_server_certificate: UpdateServerCertificateRequest => (), server_certificates::update_server_certificate;
    update_signing_certificate: UpdateSigningCertificateRequest => (), signing_certificates::update_signing_certificate;
    update_ssh_public_key: UpdateSSHPublicKeyRequest => (), ssh_public_keys::update_ssh_public_key;
    update_user: UpdateUserRequest => (), update_user::run;
    upload_server_certificate: UploadServerCertificateRequest => UploadServerCertificateResponse, server_certificates::upload_server_certificate;
    upload_signing_certificate: UploadSigningCertificateRequest => UploadSigningCertificateResponse, signing_certificates::upload_signing_certificate;
    upload_ssh_public_key: UploadSSHPublicKeyRequest => UploadSSHPublicKeyResponse, ssh_public_keys::upload_ssh_public_key;
}

#[cfg(test)]
mod tests;
