//! How often managed policies are in use: as attachments and as permissions boundaries.
//!
//! The count is written in the same transaction as the principal, and requires the policy to be as it was read. So a
//! policy in use is never deleted, and one that is being deleted is never attached.

use crate::IamService;
use crate::entities::Bounded;
use crate::errors::{Failure, invalid_input, no_such_entity};
use crate::quotas::Quota;
use crate::retry::retrying;
use aws_wire::RequestContext;
use identifiers::AccountId;
use resources::iam::PolicyUse;
use store::Batch;

/// What a managed policy is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// It gives permissions.
    Attachment,
    /// It bounds permissions.
    Boundary,
}

/// Counts one use more; refuses a policy that does not exist.
pub(crate) async fn acquire(
    service: &IamService,
    batch: Batch,
    account: &AccountId,
    arn: &str,
    usage: Usage,
) -> Result<Batch, Failure> {
    check_form(arn, usage)?;
    let mut batch = batch;
    if let Some(policy) = service.customer_policy(account, arn).await? {
        batch = batch.require_unchanged(&policy);
    } else if aws_managed_policies::find(arn).is_none() {
        return Err(match usage {
            Usage::Attachment => {
                no_such_entity(format_args!("Policy {arn} does not exist or is not attachable."))
            }
            Usage::Boundary => {
                no_such_entity(format_args!("Scope ARN: {arn} does not exist or is not attachable."))
            }
        });
    }
    if let Some(old) = service.tables.get::<PolicyUse>(&PolicyUse::key_of(account, arn)).await? {
        let mut new = PolicyUse::clone(&old);
        *usage.count(&mut new) += 1;
        return Ok(batch.replace(&old, &new));
    }
    let mut first =
        PolicyUse { account: account.clone(), policy_arn: arn.to_owned(), attachments: 0, boundaries: 0 };
    *usage.count(&mut first) += 1;
    Ok(batch.create(&first))
}

/// Counts one use less.
pub(crate) async fn release(
    service: &IamService,
    batch: Batch,
    account: &AccountId,
    arn: &str,
    usage: Usage,
) -> Result<Batch, Failure> {
    let Some(old) = service.tables.get::<PolicyUse>(&PolicyUse::key_of(account, arn)).await? else {
        return Ok(batch);
    };
    let mut new = PolicyUse::clone(&old);
    let count = usage.count(&mut new);
    *count = count.saturating_sub(1);
    Ok(if new.attachments == 0 && new.boundaries == 0 {
        batch.delete(&old)
    } else {
        batch.replace(&old, &new)
    })
}

impl Usage {
    fn count(self, used: &mut PolicyUse) -> &mut u32 {
        match self {
            Self::Attachment => &mut used.attachments,
            Self::Boundary => &mut used.boundaries,
        }
    }
}

fn check_form(arn: &str, usage: Usage) -> Result<(), Failure> {
    let is_policy = arn.parse::<identifiers::Arn>().is_ok_and(|arn| {
        arn.service == "iam" && arn.region.is_empty() && arn.resource.starts_with("policy/")
    });
    match usage {
        _ if is_policy => Ok(()),
        Usage::Attachment => Err(invalid_input(format_args!("ARN {arn} is not valid."))),
        Usage::Boundary => {
            Err(invalid_input(format_args!("Value ({arn}) for parameter PermissionsBoundary is invalid.")))
        }
    }
}

impl IamService {
    /// Creates a user or role together with the use of its boundary; `None` when its name is taken.
    pub(crate) async fn create_bounded<T: Bounded>(
        &self,
        context: &RequestContext,
        mut entity: T,
        boundary: Option<String>,
        quota: Quota,
    ) -> Result<Option<T>, Failure> {
        entity.set_boundary(boundary);
        let made = retrying!(self.try_create_bounded(context, &entity, quota))?;
        Ok(made.then_some(entity))
    }

    async fn try_create_bounded<T: Bounded>(
        &self,
        context: &RequestContext,
        entity: &T,
        quota: Quota,
    ) -> Result<bool, Failure> {
        let batch = self.tables.batch().create(entity).put_any(&entity.unique_id());
        let mut batch = self.room_for::<T>(batch, &context.account, quota).await?;
        if self.tables.get::<T>(&entity.key()).await?.is_some() {
            return Ok(false);
        }
        if let Some(boundary) = entity.boundary() {
            batch = acquire(self, batch, &context.account, boundary, Usage::Boundary).await?;
        }
        batch.commit().await?;
        Ok(true)
    }
}
