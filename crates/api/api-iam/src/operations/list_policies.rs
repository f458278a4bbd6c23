//! ListPolicies: the account's own and those of AWS.

use crate::errors::Failure;
use crate::paging::Paging;
use crate::shapes::{ListPoliciesRequest, ListPoliciesResponse, Policy, PolicyScopeType, PolicyUsageType};
use crate::{IamService, render};
use aws_wire::RequestContext;
use resources::iam::{ManagedPolicy, PolicyUse, rows_of};
use std::collections::HashMap;
use store::Versioned;

/// A policy of either kind, before it is known whether it will be shown.
enum Either {
    Customer(Versioned<ManagedPolicy>),
    Aws(&'static aws_managed_policies::AwsManagedPolicy),
}

pub(crate) async fn run(
    service: &IamService,
    context: &RequestContext,
    input: ListPoliciesRequest,
) -> Result<ListPoliciesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let scope = input.scope.unwrap_or_default();
    let prefix = input.path_prefix.unwrap_or_default();
    let uses = service.policy_uses(&context.account).await?;
    let mut rows = Vec::new();
    if scope != PolicyScopeType::Aws {
        let own = service.tables.list_all::<ManagedPolicy>(&rows_of(&context.account)).await?;
        rows.extend(own.into_iter().map(Either::Customer));
    }
    if scope != PolicyScopeType::Local {
        rows.extend(aws_managed_policies::all().iter().map(Either::Aws));
    }
    let rows = rows.into_iter().filter(|policy| {
        policy.path().starts_with(&prefix)
            && is_used(uses.get(&policy.arn()), input.only_attached == Some(true), input.policy_usage_filter)
    });
    let part = paging.cut(rows, Either::order).map(|policy| policy.shown(&uses));
    Ok(ListPoliciesResponse {
        policies: Some(part.items),
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

impl IamService {
    /// How an account uses managed policies, by ARN.
    pub(crate) async fn policy_uses(
        &self,
        account: &identifiers::AccountId,
    ) -> Result<HashMap<String, Versioned<PolicyUse>>, Failure> {
        let rows = self.tables.list_all::<PolicyUse>(&rows_of(account)).await?;
        Ok(rows.into_iter().map(|row| (row.policy_arn.clone(), row)).collect())
    }
}

fn is_used(
    used: Option<&Versioned<PolicyUse>>,
    only_attached: bool,
    filter: Option<PolicyUsageType>,
) -> bool {
    let attached = used.is_some_and(|used| used.attachments > 0);
    let bounds = used.is_some_and(|used| used.boundaries > 0);
    let as_asked = match filter {
        None => true,
        Some(PolicyUsageType::PermissionsPolicy) => attached || !bounds,
        Some(PolicyUsageType::PermissionsBoundary) => bounds,
    };
    as_asked
        && (!only_attached || attached || (bounds && filter == Some(PolicyUsageType::PermissionsBoundary)))
}

impl Either {
    fn path(&self) -> &str {
        match self {
            Self::Customer(policy) => &policy.path,
            Self::Aws(policy) => &policy.path,
        }
    }

    fn arn(&self) -> String {
        match self {
            Self::Customer(policy) => policy.arn(),
            Self::Aws(policy) => policy.arn(),
        }
    }

    /// The account's own come first, each kind in the order of names.
    fn order(&self) -> String {
        match self {
            Self::Customer(policy) => format!("0{}", policy.name.to_lowercase()),
            Self::Aws(policy) => format!("1{}", policy.name.to_lowercase()),
        }
    }

    fn shown(&self, uses: &HashMap<String, Versioned<PolicyUse>>) -> Policy {
        let used = uses.get(&self.arn()).map(|used| &**used);
        match self {
            Self::Customer(policy) => render::policy_in_list(policy, used),
            Self::Aws(policy) => render::aws_policy(policy, used),
        }
    }
}
