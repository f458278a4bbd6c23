//! What a call must be allowed: the published facts of each IAM action, and the permissions of one request.
//!
//! The facts are generated into each service crate from the service authorization reference. Which resources a request
//! touches is not in any model; each service crate says so in its `permissions.rs`.

use crate::Operation;
use std::borrow::Cow;
use std::sync::Arc;

/// An IAM action as the service authorization reference has it.
#[derive(Debug)]
pub struct Action {
    /// Its name, for example `ecs:RunTask`.
    pub name: &'static str,
    /// What kind of access it gives.
    pub access: AccessLevel,
    /// The resource types it is checked on; empty when policies can only say `*`.
    pub resources: &'static [ActionResource],
    /// Condition keys of the action beside the global ones, for example `ecs:cluster`.
    pub condition_keys: &'static [&'static str],
    /// Actions that a call needs beside, for example `iam:PassRole`.
    pub dependent_actions: &'static [&'static str],
}

/// A resource type that an action is checked on.
#[derive(Debug)]
pub struct ActionResource {
    /// The type.
    pub kind: &'static ResourceType,
    /// Every call has one.
    pub required: bool,
}

/// A resource type of a service.
#[derive(Debug)]
pub struct ResourceType {
    /// Its name, for example `task-definition`.
    pub name: &'static str,
    /// Its ARN with variables, for example `arn:${Partition}:ecs:${Region}:${Account}:cluster/${ClusterName}`.
    pub arn: &'static str,
    /// Condition keys of the resource.
    pub condition_keys: &'static [&'static str],
}

/// The access level of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLevel {
    /// Names of resources.
    List,
    /// Content of resources.
    Read,
    /// Changes of resources.
    Write,
    /// Changes of tags only.
    Tagging,
    /// Changes of who may do what.
    PermissionsManagement,
}

/// One thing that the caller of a request must be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The IAM action, for example `ecs:RunTask`.
    pub action: Cow<'static, str>,
    /// ARN of the resource, or `*`.
    pub resource: String,
    /// Condition keys that come from the request and the resource, each with its values.
    pub conditions: Vec<(Cow<'static, str>, Vec<String>)>,
    /// The policy of the resource, where it has one of its own.
    pub resource_policy: Option<Arc<str>>,
}

impl Permission {
    /// The permission for an action on a resource.
    pub fn new(action: impl Into<Cow<'static, str>>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
            conditions: Vec::new(),
            resource_policy: None,
        }
    }

    /// The permission for an operation's own action on a resource.
    pub fn of(operation: &'static Operation, resource: impl Into<String>) -> Self {
        Self::new(operation.action().name, resource)
    }

    /// Adds a condition key with one value.
    pub fn with(self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.with_all(key, vec![value.into()])
    }

    /// Adds a condition key with any number of values.
    pub fn with_all(mut self, key: impl Into<Cow<'static, str>>, values: Vec<String>) -> Self {
        self.conditions.push((key.into(), values));
        self
    }

    /// Adds a condition key when there is a value.
    pub fn with_some(self, key: impl Into<Cow<'static, str>>, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Adds the tags that the request gives: `aws:RequestTag/KEY` and `aws:TagKeys`.
    pub fn with_request_tags<K: AsRef<str>, V: Into<String>>(
        mut self,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut keys = Vec::new();
        for (key, value) in tags {
            keys.push(key.as_ref().to_owned());
            self = self.with(format!("aws:RequestTag/{}", key.as_ref()), value);
        }
        self.with_tag_keys(keys)
    }

    /// Adds the keys of tags that the request takes away: `aws:TagKeys`.
    pub fn with_tag_keys(self, keys: Vec<String>) -> Self {
        if keys.is_empty() { self } else { self.with_all("aws:TagKeys", keys) }
    }

    /// Adds the tags that the resource has: `aws:ResourceTag/KEY` and the service's own `SERVICE:ResourceTag/KEY`.
    pub fn with_resource_tags<K: AsRef<str>, V: AsRef<str>>(
        mut self,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let service = self.action.split(':').next().unwrap_or_default().to_owned();
        for (key, value) in tags {
            let (key, value) = (key.as_ref(), value.as_ref());
            self = self.with(format!("aws:ResourceTag/{key}"), value);
            self = self.with(format!("{service}:ResourceTag/{key}"), value);
        }
        self
    }

    /// Adds the policy of the resource.
    pub fn with_resource_policy(mut self, policy: Option<impl Into<Arc<str>>>) -> Self {
        self.resource_policy = policy.map(Into::into);
        self
    }
}

/// What an operation needs where its service does not say more: its action on `*`.
pub fn default_permissions(operation: &'static Operation) -> Vec<Permission> {
    vec![Permission::of(operation, "*")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_condition_keys() {
        let permission = Permission::new("ecs:CreateCluster", "*")
            .with_request_tags([("team", "a")])
            .with_resource_tags([("stage", "test")]);
        let keys: Vec<&str> = permission.conditions.iter().map(|(key, _)| key.as_ref()).collect();
        assert_eq!(
            keys,
            ["aws:RequestTag/team", "aws:TagKeys", "aws:ResourceTag/stage", "ecs:ResourceTag/stage"]
        );
    }
}
