//! Somebody who has shown who they are.

use environment::Timestamp;
use iam_policy::Principal;
use identifiers::AccountId;
use resources::iam::User;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The account of nobody.
const NO_ACCOUNT: &str = "000000000000";

/// Somebody who has shown who they are, or nobody in particular.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// ARN of the principal: of a session that of the session.
    pub principal_arn: Arc<str>,
    /// Unique id of the principal, as GetCallerIdentity shows it.
    pub principal_id: Arc<str>,
    /// What the principal is.
    pub kind: CallerKind,
    /// The key that signed; `None` where none did.
    pub access_key_id: Option<Arc<str>>,
    /// The session, when the credentials are temporary.
    pub session: Option<Arc<Session>>,
}

/// What a caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// The root user of the account.
    Root,
    /// An IAM user.
    User {
        /// Its name.
        name: Arc<str>,
    },
    /// A session of a role.
    AssumedRole {
        /// Name of the role.
        role: Arc<str>,
        /// ARN of the role.
        role_arn: Arc<str>,
        /// Unique id of the role.
        role_id: Arc<str>,
    },
    /// A session of GetFederationToken.
    FederatedUser {
        /// The user that asked for it; `None` for the root.
        user: Option<Arc<str>>,
        /// ARN of that user.
        user_arn: Arc<str>,
    },
    /// A host of this region, which runs tasks.
    Host,
    /// A request that needs no signature and has none.
    Anonymous,
}

/// The facts of temporary credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The account of the subject.
    pub account: AccountId,
    /// Whom they speak for.
    pub subject: Subject,
    /// When they were given out.
    pub issued_at: Timestamp,
    /// When they end.
    pub expires_at: Timestamp,
    /// Session tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
    /// Keys of the session tags that go on to sessions made with this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitive_tags: Vec<String>,
    /// Policies that bound the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policies: Option<SessionPolicies>,
    /// Who is behind a chain of roles, as the first of them was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// Whether a second factor was shown.
    #[serde(default)]
    pub mfa: bool,
    /// When it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_at: Option<Timestamp>,
    /// The identity provider, when one vouched for the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

/// Whom a session speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// A role.
    Role {
        /// Name of the role.
        name: String,
        /// Unique id of the role: one made anew under the same name is another.
        id: String,
        /// Name of the session.
        session: String,
    },
    /// A user, through GetSessionToken.
    User {
        /// Its name.
        name: String,
        /// Its unique id.
        id: String,
        /// The key that asked.
        key: String,
    },
    /// The root, through GetSessionToken.
    Root {
        /// The key that asked; `None` in a region that is open to everybody.
        key: Option<String>,
    },
    /// Somebody a user lets in with GetFederationToken.
    Federated {
        /// Name of the federated user.
        name: String,
        /// Name and unique id of the user that asked; `None` for the root.
        user: Option<(String, String)>,
        /// The key that asked; `None` in a region that is open to everybody.
        key: Option<String>,
    },
}

impl Session {
    /// A session of a subject, without more. Its times are set when it is given out.
    pub fn of(account: AccountId, subject: Subject) -> Self {
        Self {
            account,
            subject,
            issued_at: Timestamp::default(),
            expires_at: Timestamp::default(),
            tags: Vec::new(),
            transitive_tags: Vec::new(),
            policies: None,
            source_identity: None,
            mfa: false,
            mfa_at: None,
            provider: None,
        }
    }
}

/// The policies passed in when a session was made. The session may do what one of them and the principal's own allow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPolicies {
    /// A document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// ARNs of managed policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arns: Vec<String>,
}

impl Caller {
    /// The root of an account.
    pub fn root(account: &AccountId) -> Self {
        Self {
            account: account.clone(),
            principal_arn: format!("arn:aws:iam::{account}:root").into(),
            principal_id: account.as_str().into(),
            kind: CallerKind::Root,
            access_key_id: None,
            session: None,
        }
    }

    /// An IAM user.
    pub fn user(user: &User) -> Self {
        Self {
            account: user.account.clone(),
            principal_arn: user.arn().into(),
            principal_id: user.id.as_str().into(),
            kind: CallerKind::User { name: user.name.as_str().into() },
            access_key_id: None,
            session: None,
        }
    }

    /// Who calls an operation that needs no signature.
    pub fn anonymous() -> Self {
        Self {
            account: NO_ACCOUNT.parse().expect("twelve digits"),
            principal_arn: "".into(),
            principal_id: "ANONYMOUS_PRINCIPAL".into(),
            kind: CallerKind::Anonymous,
            access_key_id: None,
            session: None,
        }
    }

    /// ARN of the identity behind the caller: of a session of a role the role.
    pub fn identity_arn(&self) -> &Arc<str> {
        match &self.kind {
            CallerKind::AssumedRole { role_arn, .. } => role_arn,
            _ => &self.principal_arn,
        }
    }

    /// The caller as policies see it.
    pub fn principal(&self) -> Principal {
        let (account, arn) = (self.account.clone(), self.principal_arn.to_string());
        match &self.kind {
            CallerKind::Root => Principal::Root { account, arn },
            CallerKind::User { .. } => {
                Principal::User { account, arn, unique_id: self.principal_id.to_string() }
            }
            CallerKind::AssumedRole { role_arn, role_id, .. } => Principal::AssumedRole {
                account,
                arn,
                role_arn: role_arn.to_string(),
                role_id: role_id.to_string(),
            },
            CallerKind::FederatedUser { user_arn, .. } => {
                let user_id = self.session.as_ref().and_then(|session| match &session.subject {
                    Subject::Federated { user: Some((_, id)), .. } => Some(id.clone()),
                    _ => None,
                });
                Principal::FederatedUser { account, arn, user_arn: user_arn.to_string(), user_id }
            }
            // No policy is about hosts: what they may do is fixed.
            CallerKind::Host | CallerKind::Anonymous => Principal::Anonymous,
        }
    }
}
