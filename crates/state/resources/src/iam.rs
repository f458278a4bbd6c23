//! IAM: principals, their policies, providers of identities and settings of an account.
//!
//! Rows are keyed by account and name in lower case, because names of one kind differ by more than case; a table listed
//! below `account/` is in the order of names. An ARN carries the name, so a look-up by ARN is one read: see [`name_of`].
//!
//! Everything that decides what a principal may do lies in few rows: its own row holds its inline documents, the ARNs of
//! attached policies and of the boundary, and a user's row the names of its groups. A customer's managed policy is one
//! row with all its versions. Policies of AWS (`arn:aws:iam::aws:policy/...`) are no rows; the crate
//! `aws-managed-policies` holds them.

mod account;
mod creations;
mod credential;
mod group;
mod instance_profile;
mod mfa;
mod policy;
mod provider;
mod role;
mod server_certificate;
mod unique_id;
mod user;

pub use account::{AccountAlias, AccountSettings, CredentialReport, PasswordPolicy};
pub use creations::Creations;
pub use credential::{LoginProfile, SigningCertificate, SshPublicKey};
pub use group::Group;
pub use instance_profile::InstanceProfile;
pub use mfa::{MfaDevice, MfaUser};
pub use policy::{ManagedPolicy, PolicyUse, PolicyVersion, PrincipalPolicies};
pub use provider::OidcProvider;
pub use role::{Role, RoleDeletion, RoleUse};
pub use server_certificate::ServerCertificate;
pub use unique_id::UniqueId;
pub use user::User;

use identifiers::AccountId;

/// Account of the policies that AWS itself owns, as their ARNs name it.
pub const AWS_ACCOUNT: &str = "aws";

/// Prefix of the keys of an account's rows.
pub fn rows_of(account: &AccountId) -> String {
    format!("{account}/")
}

/// Key of what is called `name` in an account, whatever the case of its letters.
pub fn key_of(account: &AccountId, name: &str) -> String {
    format!("{account}/{}", name.to_lowercase())
}

/// ARN of something in an account, for example `arn:aws:iam::123456789012:user/path/name`. Paths begin and end with `/`.
pub fn arn_of(account: &AccountId, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:{kind}{path}{name}")
}

/// The name at the end of an ARN of this account and kind (`user`, `role`, `policy` ...). Compare the ARN of the row found
/// with it before relying on it: the path in between is not looked at here.
pub fn name_of<'a>(arn: &'a str, account: &AccountId, kind: &str) -> Option<&'a str> {
    let rest = arn.strip_prefix("arn:aws:iam::")?.strip_prefix(account.as_str())?.strip_prefix(':')?;
    let path = rest.strip_prefix(kind)?;
    path.strip_prefix('/')?.rsplit('/').next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_carry_names() {
        let account: AccountId = "123456789012".parse().expect("an account");
        let arn = arn_of(&account, "role", "/a/b/", "Deployer");
        assert_eq!(arn, "arn:aws:iam::123456789012:role/a/b/Deployer");
        assert_eq!(name_of(&arn, &account, "role"), Some("Deployer"));
        assert_eq!(key_of(&account, "Deployer"), "123456789012/deployer");
        for (arn, kind) in [
            (arn.as_str(), "user"),
            ("arn:aws:iam::210987654321:role/Deployer", "role"),
            ("arn:aws:iam::123456789012:role/", "role"),
            ("arn:aws:iam::123456789012:roleDeployer", "role"),
            ("Deployer", "role"),
        ] {
            assert_eq!(name_of(arn, &account, kind), None, "{arn}");
        }
    }
}
