//! PutUserPermissionsBoundary, PutRolePermissionsBoundary and their Delete counterparts.

use crate::IamService;
use crate::entities::Bounded;
use crate::errors::{Failure, no_such_entity};
use crate::retry::retrying;
use crate::shapes::{
    DeleteRolePermissionsBoundaryRequest, DeleteUserPermissionsBoundaryRequest,
    PutRolePermissionsBoundaryRequest, PutUserPermissionsBoundaryRequest,
};
use crate::uses::{Usage, acquire, release};
use aws_wire::RequestContext;
use resources::iam::{Role, User};

pub(crate) async fn put_user_permissions_boundary(
    service: &IamService,
    context: &RequestContext,
    input: PutUserPermissionsBoundaryRequest,
) -> Result<(), Failure> {
    retrying!(set::<User>(service, context, &input.user_name, Some(&input.permissions_boundary)))
}

pub(crate) async fn put_role_permissions_boundary(
    service: &IamService,
    context: &RequestContext,
    input: PutRolePermissionsBoundaryRequest,
) -> Result<(), Failure> {
    retrying!(set::<Role>(service, context, &input.role_name, Some(&input.permissions_boundary)))
}

pub(crate) async fn delete_user_permissions_boundary(
    service: &IamService,
    context: &RequestContext,
    input: DeleteUserPermissionsBoundaryRequest,
) -> Result<(), Failure> {
    retrying!(set::<User>(service, context, &input.user_name, None))
}

pub(crate) async fn delete_role_permissions_boundary(
    service: &IamService,
    context: &RequestContext,
    input: DeleteRolePermissionsBoundaryRequest,
) -> Result<(), Failure> {
    retrying!(set::<Role>(service, context, &input.role_name, None))
}

async fn set<T: Bounded>(
    service: &IamService,
    context: &RequestContext,
    name: &str,
    boundary: Option<&str>,
) -> Result<(), Failure> {
    let old = service.find::<T>(context, name).await?;
    old.modifiable()?;
    if boundary == old.boundary() {
        return match boundary {
            Some(_) => Ok(()),
            None => Err(no_such_entity(format_args!(
                "The {} with name {} has no permissions boundary.",
                T::KIND,
                old.name()
            ))),
        };
    }
    let mut new = T::clone(&old);
    new.set_boundary(boundary.map(str::to_owned));
    let mut batch = service.tables.batch().replace(&old, &new);
    if let Some(arn) = boundary {
        batch = acquire(service, batch, &context.account, arn, Usage::Boundary).await?;
    }
    if let Some(arn) = old.boundary() {
        batch = release(service, batch, &context.account, arn, Usage::Boundary).await?;
    }
    batch.commit().await?;
    Ok(())
}
