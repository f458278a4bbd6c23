//! GetAccountSummary: how much of everything there is, and the quotas.

use crate::errors::Failure;
use crate::shapes::GetAccountSummaryResponse;
use crate::{IamService, quotas};
use aws_wire::RequestContext;
use resources::iam::{
    Group, InstanceProfile, ManagedPolicy, MfaDevice, OidcProvider, Role, ServerCertificate, User, rows_of,
};
use std::collections::BTreeMap;

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    _input: (),
) -> Result<GetAccountSummaryResponse, Failure> {
    let rows = rows_of(&context.account);
    let tables = &service.tables;
    let policies = tables.list_all::<ManagedPolicy>(&rows).await?;
    let versions: usize = policies.iter().map(|policy| policy.versions.len()).sum();
    let devices = tables.list_all::<MfaDevice>(&rows).await?;
    let root_has_keys = !service.root_keys(context).await?.is_empty();
    let entries = [
        ("Users", tables.list_all::<User>(&rows).await?.len()),
        ("UsersQuota", quotas::USERS),
        ("Groups", tables.list_all::<Group>(&rows).await?.len()),
        ("GroupsQuota", quotas::GROUPS),
        ("Roles", tables.list_all::<Role>(&rows).await?.len()),
        ("RolesQuota", quotas::ROLES),
        ("InstanceProfiles", tables.list_all::<InstanceProfile>(&rows).await?.len()),
        ("InstanceProfilesQuota", quotas::INSTANCE_PROFILES),
        ("Policies", policies.len()),
        ("PoliciesQuota", quotas::POLICIES),
        ("PolicyVersionsInUse", versions),
        ("PolicyVersionsInUseQuota", quotas::POLICY_VERSIONS_IN_USE),
        ("VersionsPerPolicyQuota", quotas::VERSIONS_PER_POLICY),
        ("PolicySizeQuota", quotas::POLICY_SIZE),
        ("UserPolicySizeQuota", quotas::USER_POLICY_SIZE),
        ("GroupPolicySizeQuota", quotas::GROUP_POLICY_SIZE),
        ("RolePolicySizeQuota", quotas::ROLE_POLICY_SIZE),
        ("AssumeRolePolicySizeQuota", quotas::TRUST_POLICY_SIZE),
        ("AttachedPoliciesPerUserQuota", quotas::ATTACHED_POLICIES),
        ("AttachedPoliciesPerGroupQuota", quotas::ATTACHED_POLICIES),
        ("AttachedPoliciesPerRoleQuota", quotas::ATTACHED_POLICIES),
        ("GroupsPerUserQuota", quotas::GROUPS_PER_USER),
        ("AccessKeysPerUserQuota", quotas::ACCESS_KEYS_PER_USER),
        ("SigningCertificatesPerUserQuota", quotas::SIGNING_CERTIFICATES_PER_USER),
        ("Providers", tables.list_all::<OidcProvider>(&rows).await?.len()),
        ("AccountAccessKeysPresent", usize::from(root_has_keys)),
        ("AccountSigningCertificatesPresent", 0),
        ("AccountPasswordPresent", 0),
        ("AccountMFAEnabled", 0),
        ("MFADevices", devices.len()),
        ("MFADevicesInUse", devices.iter().filter(|device| device.user.is_some()).count()),
        ("ServerCertificates", tables.list_all::<ServerCertificate>(&rows).await?.len()),
        ("ServerCertificatesQuota", quotas::SERVER_CERTIFICATES),
        ("GlobalEndpointTokenVersion", 1),
    ];
    let map: BTreeMap<String, i32> = entries
        .into_iter()
        .map(|(name, number)| (name.to_owned(), i32::try_from(number).unwrap_or(i32::MAX)))
        .collect();
    Ok(GetAccountSummaryResponse { summary_map: Some(map) })
}
