//! What users, groups, roles and instance profiles have in common: they are found by name, hold policies, carry tags.

use crate::IamService;
use crate::errors::{Failure, no_such_entity, unmodifiable};
use crate::quotas;
use aws_wire::RequestContext;
use environment::Timestamp;
use identifiers::AccountId;
use resources::Stored;
use resources::iam::{
    Group, InstanceProfile, ManagedPolicy, PrincipalPolicies, Role, UniqueId, User, key_of, name_of,
};
use store::Versioned;

/// Something that is found by its name.
pub(crate) trait Named: Stored {
    /// The answer when there is none of this name.
    fn not_found(name: &str) -> Failure;
}

/// A user, group or role: somebody whom identity policies are about.
pub(crate) trait Principal: Named {
    /// `user`, `group` or `role`, as messages say it.
    const KIND: &'static str;
    /// The same in the names of quotas.
    const QUOTA_KIND: &'static str;
    /// Characters that its inline policies may have together.
    const INLINE_SIZE: usize;

    /// Its name.
    fn name(&self) -> &str;
    /// Its policies.
    fn policies(&self) -> &PrincipalPolicies;
    /// Its policies, to change them.
    fn policies_mut(&mut self) -> &mut PrincipalPolicies;
    /// Refuses changes of what belongs to a service.
    fn modifiable(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// A principal with a permissions boundary.
pub(crate) trait Bounded: Principal {
    /// ARN of its boundary.
    fn boundary(&self) -> Option<&str>;
    /// Sets or removes its boundary.
    fn set_boundary(&mut self, boundary: Option<String>);
    /// Its unique id, by which policies keep it.
    fn unique_id(&self) -> UniqueId;
}

/// Something that carries tags.
pub(crate) trait Tagged: Stored {
    /// Its tags.
    fn tags(&self) -> &[(String, String)];
    /// Sets its tags.
    fn set_tags(&mut self, tags: Vec<(String, String)>);
}

impl IamService {
    /// Something of the caller's account by its name.
    pub(crate) async fn find<T: Named>(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Versioned<T>, Failure> {
        let found = self.tables.get::<T>(&key_of(&context.account, name)).await?;
        found.ok_or_else(|| T::not_found(name))
    }

    /// A customer's managed policy by its ARN, if it is one of the caller's account.
    pub(crate) async fn customer_policy(
        &self,
        account: &AccountId,
        arn: &str,
    ) -> Result<Option<Versioned<ManagedPolicy>>, Failure> {
        let Some(name) = name_of(arn, account, "policy") else { return Ok(None) };
        let found = self.tables.get::<ManagedPolicy>(&key_of(account, name)).await?;
        Ok(found.filter(|policy| policy.arn() == arn))
    }

    /// The user that an operation is about: the one named, else the caller.
    pub(crate) async fn user_or_caller(
        &self,
        context: &RequestContext,
        name: Option<&str>,
    ) -> Result<Versioned<User>, Failure> {
        match name.or_else(|| name_of(&context.principal_arn, &context.account, "user")) {
            Some(name) => self.find(context, name).await,
            None => {
                Err(crate::errors::validation("Must specify userName when calling with non-User credentials"))
            }
        }
    }
}

/// Whether the caller is the root of its account.
pub(crate) fn is_root(context: &RequestContext) -> bool {
    *context.principal_arn == *format!("arn:aws:iam::{}:root", context.account)
}

/// The time of a request in whole seconds, as IAM keeps times.
pub(crate) fn now(context: &RequestContext) -> Timestamp {
    Timestamp::from_seconds(context.time.as_seconds())
}

impl Named for User {
    fn not_found(name: &str) -> Failure {
        no_such_entity(format_args!("The user with name {name} cannot be found."))
    }
}

impl Named for Group {
    fn not_found(name: &str) -> Failure {
        no_such_entity(format_args!("The group with name {name} cannot be found."))
    }
}

impl Named for Role {
    fn not_found(name: &str) -> Failure {
        no_such_entity(format_args!("The role with name {name} cannot be found."))
    }
}

impl Named for InstanceProfile {
    fn not_found(name: &str) -> Failure {
        no_such_entity(format_args!("Instance Profile {name} cannot be found."))
    }
}

impl Named for resources::iam::ServerCertificate {
    fn not_found(name: &str) -> Failure {
        no_such_entity(format_args!("The Server Certificate with name {name} cannot be found."))
    }
}

/// The parts that are alike in all three kinds of principals.
macro_rules! principal {
    ($type:ident, $kind:literal, $quota_kind:literal, $size:expr $(, $modifiable:item)?) => {
        impl Principal for $type {
            const KIND: &'static str = $kind;
            const QUOTA_KIND: &'static str = $quota_kind;
            const INLINE_SIZE: usize = $size;

            fn name(&self) -> &str {
                &self.name
            }
            fn policies(&self) -> &PrincipalPolicies {
                &self.policies
            }
            fn policies_mut(&mut self) -> &mut PrincipalPolicies {
                &mut self.policies
            }
            $($modifiable)?
        }
    };
}

principal!(User, "user", "User", quotas::USER_POLICY_SIZE);
principal!(Group, "group", "Group", quotas::GROUP_POLICY_SIZE);
principal!(
    Role,
    "role",
    "Role",
    quotas::ROLE_POLICY_SIZE,
    fn modifiable(&self) -> Result<(), Failure> {
        match &self.linked_service {
            None => Ok(()),
            Some(_) => Err(unmodifiable(format_args!(
                "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
                self.name
            ))),
        }
    }
);

macro_rules! bounded {
    ($($type:ident)*) => {$(
        impl Bounded for $type {
            fn boundary(&self) -> Option<&str> {
                self.boundary.as_deref()
            }
            fn set_boundary(&mut self, boundary: Option<String>) {
                self.boundary = boundary;
            }
            fn unique_id(&self) -> UniqueId {
                self.into()
            }
        }
    )*};
}

bounded! { User Role }

macro_rules! tagged {
    ($($type:path),*) => {$(
        impl Tagged for $type {
            fn tags(&self) -> &[(String, String)] {
                &self.tags
            }
            fn set_tags(&mut self, tags: Vec<(String, String)>) {
                self.tags = tags;
            }
        }
    )*};
}

tagged!(
    User,
    Role,
    InstanceProfile,
    ManagedPolicy,
    resources::iam::MfaDevice,
    resources::iam::ServerCertificate,
    resources::iam::OidcProvider
);
