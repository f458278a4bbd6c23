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
        /// That user's unique id; `None` for the root.
        user_id: Option<String>,
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
    /// `aws:PrincipalType`, `aws:userid`, `aws:username`, `aws:PrincipalIsAWSService`, `aws:PrincipalServiceName`,
    /// `aws:PrincipalServiceNamesList` and `aws:FederatedProvider`, each where AWS has it.
    pub fn describe(&self, context: &mut Context) {
        let is_service = matches!(self, Self::Service { .. });
        context.set("aws:PrincipalIsAWSService", if is_service { "true" } else { "false" });
        if let Some(account) = self.account() {
            context.set("aws:PrincipalAccount", account.as_str());
        }
        match self {
            Self::Root { account, arn } => {
                context.set("aws:PrincipalArn", arn.as_str());
                context.set("aws:PrincipalType", "Account");
                context.set("aws:userid", account.as_str());
            }
            Self::User { arn, unique_id, .. } => {
                context.set("aws:PrincipalArn", arn.as_str());
                context.set("aws:PrincipalType", "User");
                context.set("aws:userid", unique_id.as_str());
                context.set("aws:username", last_segment(arn));
            }
            Self::AssumedRole { arn, role_arn, role_id, .. } => {
                context.set("aws:PrincipalArn", role_arn.as_str());
                context.set("aws:PrincipalType", "AssumedRole");
                context.set("aws:userid", format!("{role_id}:{}", last_segment(arn)));
            }
            Self::FederatedUser { account, arn, .. } => {
                context.set("aws:PrincipalArn", arn.as_str());
                context.set("aws:PrincipalType", "FederatedUser");
                context.set("aws:userid", format!("{account}:{}", last_segment(arn)));
            }
            Self::Federated { provider } => context.set("aws:FederatedProvider", provider.as_str()),
            Self::Service { name } => {
                context.set("aws:PrincipalServiceName", name.as_str());
                context.set("aws:PrincipalServiceNamesList", name.as_str());
            }
            Self::Anonymous => {
                context.set("aws:PrincipalType", "Anonymous");
                context.set("aws:userid", "anonymous");
            }
        }
    }
}

/// The name at the end of an ARN, behind any path.
fn last_segment(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_from_the_principal() {
        let account: AccountId = "123456789012".parse().expect("an account");
        let mut context = Context::new();
        Principal::AssumedRole {
            account: account.clone(),
            arn: "arn:aws:sts::123456789012:assumed-role/r/s".to_owned(),
            role_arn: "arn:aws:iam::123456789012:role/path/r".to_owned(),
            role_id: "AROA1".to_owned(),
        }
        .describe(&mut context);
        assert_eq!(&*context.get("aws:principalarn")[0], "arn:aws:iam::123456789012:role/path/r");
        assert_eq!(&*context.get("aws:userid")[0], "AROA1:s");
        assert!(context.get("aws:username").is_empty());
        let mut context = Context::new();
        Principal::User {
            account,
            arn: "arn:aws:iam::123456789012:user/a/b/ann".to_owned(),
            unique_id: "AIDA1".to_owned(),
        }
        .describe(&mut context);
        assert_eq!(&*context.get("aws:username")[0], "ann");
        assert_eq!(&*context.get("aws:PrincipalType")[0], "User");
    }
}
