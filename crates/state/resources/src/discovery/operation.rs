//! Operations: the records of changes, for callers that wait for them.

use crate::Stored;
use environment::{Environment, Timestamp};
use identifiers::AccountId;
use serde::{Deserialize, Serialize};

/// A change that was carried out. Written in the transaction that carried it out, so there is none that is pending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Owner.
    pub account: AccountId,
    /// 32 letters and digits, a dash and 8 more.
    pub id: String,
    /// What was done.
    pub kind: OperationKind,
    /// To what, by id.
    pub targets: Vec<(TargetKind, String)>,
    /// When.
    pub created_at: Timestamp,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationKind {
    /// Makes a namespace.
    CreateNamespace,
    /// Deletes a namespace.
    DeleteNamespace,
    /// Changes a namespace.
    UpdateNamespace,
    /// Changes a service.
    UpdateService,
    /// Registers an instance.
    RegisterInstance,
    /// Deregisters an instance.
    DeregisterInstance,
}

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TargetKind {
    /// A namespace.
    Namespace,
    /// A service.
    Service,
    /// An instance.
    Instance,
}

impl Operation {
    /// The record of a change, to be written in its transaction.
    pub fn new(
        random: &Environment,
        account: &AccountId,
        kind: OperationKind,
        targets: &[(TargetKind, &str)],
        now: Timestamp,
    ) -> Self {
        let text = |length| random.random_text(length, super::LETTERS);
        Self {
            account: account.clone(),
            id: format!("{}-{}", text(32), text(8)),
            kind,
            targets: targets.iter().map(|(kind, id)| (*kind, (*id).to_owned())).collect(),
            created_at: now,
        }
    }

    /// The key of an operation.
    pub fn key_of(account: &AccountId, id: &str) -> String {
        format!("{account}/{id}")
    }

    /// The id of its target of a kind.
    pub fn target(&self, kind: TargetKind) -> Option<&str> {
        self.targets.iter().find(|(own, _)| *own == kind).map(|(_, id)| id.as_str())
    }
}

impl OperationKind {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreateNamespace => "CREATE_NAMESPACE",
            Self::DeleteNamespace => "DELETE_NAMESPACE",
            Self::UpdateNamespace => "UPDATE_NAMESPACE",
            Self::UpdateService => "UPDATE_SERVICE",
            Self::RegisterInstance => "REGISTER_INSTANCE",
            Self::DeregisterInstance => "DEREGISTER_INSTANCE",
        }
    }
}

impl TargetKind {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "NAMESPACE",
            Self::Service => "SERVICE",
            Self::Instance => "INSTANCE",
        }
    }
}

impl Stored for Operation {
    const TABLE: &'static str = "discovery/operation";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.id)
    }
}
