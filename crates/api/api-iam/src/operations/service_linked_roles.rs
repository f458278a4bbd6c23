//! CreateServiceLinkedRole, DeleteServiceLinkedRole and GetServiceLinkedRoleDeletionStatus.

use super::create_role::{ROLES, USUAL_SESSION};
use crate::entities::now;
use crate::errors::{Failure, invalid_input, no_such_entity};
use crate::linked_services::{self, LinkedService};
use crate::retry::retrying;
use crate::shapes::{
    CreateServiceLinkedRoleRequest, CreateServiceLinkedRoleResponse, DeleteServiceLinkedRoleRequest,
    DeleteServiceLinkedRoleResponse, DeletionTaskStatusType, GetServiceLinkedRoleDeletionStatusRequest,
    GetServiceLinkedRoleDeletionStatusResponse,
};
use crate::uses::{Usage, acquire, release};
use crate::{IamService, ids, render};
use aws_wire::RequestContext;
use resources::iam::{PrincipalPolicies, Role, RoleDeletion, RoleUse, UniqueId, key_of};

pub(crate) async fn create_service_linked_role(
    service: &IamService,
    context: &RequestContext,
    input: CreateServiceLinkedRoleRequest,
) -> Result<CreateServiceLinkedRoleResponse, Failure> {
    let linked = linked_services::find(&input.aws_service_name).ok_or_else(|| {
        invalid_input(format_args!("Service {} has no service-linked role here.", input.aws_service_name))
    })?;
    let suffix = input.custom_suffix.filter(|suffix| !suffix.is_empty());
    if suffix.is_some() && !linked.takes_suffix {
        return Err(invalid_input(format_args!(
            "Custom suffix is not allowed for {}",
            input.aws_service_name
        )));
    }
    let role = Role {
        account: context.account.clone(),
        name: linked.role_name(suffix.as_deref()),
        path: format!("/aws-service-role/{}/", linked.principal),
        id: ids::unique(service.environment(), "AROA"),
        description: input.description,
        trust_policy: trust_policy(linked),
        max_session_seconds: USUAL_SESSION,
        policies: PrincipalPolicies {
            attached: linked.policy_arn().into_iter().collect(),
            ..PrincipalPolicies::default()
        },
        boundary: None,
        instance_profiles: Vec::new(),
        linked_service: Some(linked.principal.to_owned()),
        tags: Vec::new(),
        created_at: now(context),
    };
    retrying!(create(service, context, &role))?;
    Ok(CreateServiceLinkedRoleResponse { role: Some(render::new_role(&role)) })
}

async fn create(service: &IamService, context: &RequestContext, role: &Role) -> Result<(), Failure> {
    if service.tables.get::<Role>(&key_of(&context.account, &role.name)).await?.is_some() {
        return Err(invalid_input(format_args!(
            "Service role name {} has been taken in this account, please try a different suffix.",
            role.name
        )));
    }
    let batch = service.tables.batch().create(role).put_any(&UniqueId::from(role));
    let mut batch = service.room_for::<Role>(batch, &context.account, ROLES).await?;
    for arn in &role.policies.attached {
        batch = acquire(service, batch, &context.account, arn, Usage::Attachment).await?;
    }
    batch.commit().await?;
    Ok(())
}

/// The role goes at once; the task that the answer names is done already.
pub(crate) async fn delete_service_linked_role(
    service: &IamService,
    context: &RequestContext,
    input: DeleteServiceLinkedRoleRequest,
) -> Result<DeleteServiceLinkedRoleResponse, Failure> {
    let deletion_task_id = retrying!(delete(service, context, &input.role_name))?;
    Ok(DeleteServiceLinkedRoleResponse { deletion_task_id })
}

async fn delete(service: &IamService, context: &RequestContext, name: &str) -> Result<String, Failure> {
    let role = service.find::<Role>(context, name).await?;
    let Some(principal) = &role.linked_service else {
        return Err(invalid_input(format_args!("The role {} is not a service-linked role.", role.name)));
    };
    let task_id = format!("task/aws-service-role/{principal}/{}/{}", role.name, service.environment().uuid());
    let task =
        RoleDeletion { account: context.account.clone(), task_id: task_id.clone(), deleted_at: now(context) };
    let used = RoleUse::key_of(&context.account, &role.id);
    let mut batch = service.tables.batch().delete(&role).delete_any::<UniqueId>(&role.id);
    batch = batch.delete_any::<RoleUse>(&used).create(&task);
    for arn in &role.policies.attached {
        batch = release(service, batch, &context.account, arn, Usage::Attachment).await?;
    }
    batch.commit().await?;
    Ok(task_id)
}

pub(crate) async fn get_service_linked_role_deletion_status(
    service: &IamService,
    context: &RequestContext,
    input: GetServiceLinkedRoleDeletionStatusRequest,
) -> Result<GetServiceLinkedRoleDeletionStatusResponse, Failure> {
    let key = format!("{}/{}", context.account, input.deletion_task_id);
    let found = service.tables.get::<RoleDeletion>(&key).await?;
    found.ok_or_else(|| {
        no_such_entity(format_args!("The deletion task {} cannot be found.", input.deletion_task_id))
    })?;
    Ok(GetServiceLinkedRoleDeletionStatusResponse { reason: None, status: DeletionTaskStatusType::Succeeded })
}

fn trust_policy(linked: &LinkedService) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Action":["sts:AssumeRole"],"Effect":"Allow","Principal":{{"Service":["{}"]}}}}]}}"#,
        linked.principal
    )
}
