//! The policies that apply to a user, group or role, with their documents, as the simulator needs them.

use crate::IamService;
use crate::errors::{Failure, invalid_input, no_such_entity};
use crate::shapes::PolicySourceType;
use aws_wire::RequestContext;
use iam_policy::{Policy, PolicyKind, Source};
use resources::iam::{Group, PrincipalPolicies, Role, User, key_of, name_of};
use std::sync::Arc;
use store::Versioned;

/// A policy, its document, and what kind of place it comes from.
pub(crate) struct Loaded {
    pub(crate) source: Source,
    pub(crate) document: Arc<str>,
    pub(crate) kind: PolicySourceType,
}

/// Somebody whose permissions are simulated.
pub(crate) enum Subject {
    User(Versioned<User>),
    Group(Versioned<Group>),
    Role(Versioned<Role>),
}

impl Loaded {
    /// A policy from its document.
    pub(crate) fn parse(
        id: &str,
        document: &str,
        kind: PolicySourceType,
        policy_kind: PolicyKind,
    ) -> Result<Self, Failure> {
        let policy = Policy::parse(document, policy_kind)
            .map_err(|error| invalid_input(format_args!("{id} is not valid: {error}")))?;
        let source = Source { id: id.into(), policy: Arc::new(policy) };
        Ok(Self { source, document: document.into(), kind })
    }
}

impl Subject {
    /// Finds the user, group or role with an ARN of the caller's account.
    pub(crate) async fn find(
        service: &IamService,
        context: &RequestContext,
        arn: &str,
    ) -> Result<Self, Failure> {
        let account = &context.account;
        let named = |kind| name_of(arn, account, kind);
        if let Some(name) = named("user") {
            let user = service.find::<User>(context, name).await?;
            return (user.arn() == arn).then_some(Self::User(user)).ok_or_else(|| not_found(arn));
        }
        if let Some(name) = named("group") {
            let group = service.find::<Group>(context, name).await?;
            return (group.arn() == arn).then_some(Self::Group(group)).ok_or_else(|| not_found(arn));
        }
        if let Some(name) = named("role") {
            let role = service.find::<Role>(context, name).await?;
            return (role.arn() == arn).then_some(Self::Role(role)).ok_or_else(|| not_found(arn));
        }
        Err(invalid_input(format_args!(
            "Invalid Entity Arn: {arn} does not clearly define entity type and name."
        )))
    }

    /// ARN of the managed policy that bounds it.
    pub(crate) fn boundary(&self) -> Option<&str> {
        match self {
            Self::User(user) => user.boundary.as_deref(),
            Self::Role(role) => role.boundary.as_deref(),
            Self::Group(_) => None,
        }
    }

    /// All identity policies: its own, and a user's groups'.
    pub(crate) async fn policies(&self, service: &IamService) -> Result<Vec<Loaded>, Failure> {
        let mut all = Vec::new();
        match self {
            Self::User(user) => {
                let owner = Owner { kind: PolicySourceType::User, name: &user.name, account: &user.account };
                owner.load(service, &user.policies, &mut all).await?;
                let keys: Vec<_> = user.groups.iter().map(|name| key_of(&user.account, name)).collect();
                for group in service.tables.get_many::<Group>(&keys).await?.into_iter().flatten() {
                    Owner::of_group(&group).load(service, &group.policies, &mut all).await?;
                }
            }
            Self::Group(group) => Owner::of_group(group).load(service, &group.policies, &mut all).await?,
            Self::Role(role) => {
                let owner = Owner { kind: PolicySourceType::Role, name: &role.name, account: &role.account };
                owner.load(service, &role.policies, &mut all).await?;
            }
        }
        Ok(all)
    }
}

/// Whose policies are loaded.
struct Owner<'a> {
    kind: PolicySourceType,
    name: &'a str,
    account: &'a identifiers::AccountId,
}

impl<'a> Owner<'a> {
    fn of_group(group: &'a Group) -> Self {
        Self { kind: PolicySourceType::Group, name: &group.name, account: &group.account }
    }

    async fn load(
        &self,
        service: &IamService,
        policies: &PrincipalPolicies,
        all: &mut Vec<Loaded>,
    ) -> Result<(), Failure> {
        for (policy, document) in &policies.inline {
            let id = format!("{}_{}_{policy}", self.kind.as_str(), self.name);
            all.push(Loaded::parse(&id, document, self.kind, PolicyKind::Identity)?);
        }
        for arn in &policies.attached {
            if let Some(policy) = managed(service, self.account, arn).await? {
                all.push(policy);
            }
        }
        Ok(())
    }
}

/// A managed policy in force, of the account or of AWS.
pub(crate) async fn managed(
    service: &IamService,
    account: &identifiers::AccountId,
    arn: &str,
) -> Result<Option<Loaded>, Failure> {
    let name = arn.rsplit('/').next().unwrap_or(arn);
    if let Some(policy) = service.customer_policy(account, arn).await? {
        let Some(version) = policy.in_force() else { return Ok(None) };
        let kind = PolicySourceType::UserManaged;
        return Loaded::parse(name, &version.document, kind, PolicyKind::Identity).map(Some);
    }
    let Some(policy) = aws_managed_policies::find(arn) else { return Ok(None) };
    Loaded::parse(name, &policy.document(), PolicySourceType::AwsManaged, PolicyKind::Identity).map(Some)
}

fn not_found(arn: &str) -> Failure {
    no_such_entity(format_args!("The entity with ARN {arn} cannot be found."))
}
