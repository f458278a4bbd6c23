//! The policies that apply to a caller, compiled.
//!
//! A compiled policy is remembered with the revision of the row it came from, and used only while the row still has that
//! revision: rows are read at every call, so a change counts from the next call on.

use crate::{Access, Caller, CallerKind, SessionPolicies};
use iam_policy::{MalformedPolicy, Policy, PolicyKind, Source};
use identifiers::AccountId;
use resources::Stored;
use resources::iam::{Group, ManagedPolicy, PrincipalPolicies, User, key_of, name_of};
use std::sync::{Arc, LazyLock};
use store::{Revision, StoreError, Versioned};

/// Stands for a policy that cannot be found, so that a lost boundary bounds everything.
static NOTHING: LazyLock<Arc<Policy>> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
    Arc::new(Policy::parse(text, PolicyKind::Identity).expect("a policy that is written here"))
});
/// What the root may: everything, bounded only by the policies of a session it gives away.
static EVERYTHING: LazyLock<Arc<Policy>> = LazyLock::new(|| {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    Arc::new(Policy::parse(text, PolicyKind::Identity).expect("a policy that is written here"))
});

/// Why policies cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The store.
    #[error("read policies")]
    Store(#[from] StoreError),
    /// A stored policy is no policy, which its writer should have refused.
    #[error("read the policy {id}")]
    Policy {
        /// Its name or ARN.
        id: String,
        /// What is wrong with it.
        source: MalformedPolicy,
    },
}

/// Why policies cannot bound a session.
#[derive(Debug, thiserror::Error)]
pub enum NotAPolicy {
    /// The document is malformed.
    #[error(transparent)]
    Malformed(#[from] MalformedPolicy),
    /// There is no such managed policy.
    #[error("Policy {0} does not exist or is not attachable.")]
    Missing(String),
    /// It cannot be known.
    #[error(transparent)]
    Failed(#[from] AccessError),
}

/// Policies of one row.
pub(crate) struct Compiled {
    revision: Revision,
    sources: Vec<Source>,
}

/// All policies that apply to a caller, and the tags of its principal.
#[derive(Default)]
pub(crate) struct Rights {
    pub(crate) identity: Vec<Source>,
    pub(crate) boundary: Option<Source>,
    pub(crate) session: Option<Vec<Source>>,
    pub(crate) tags: Vec<(String, String)>,
}

impl Access {
    /// Loads what applies to a caller.
    pub(crate) async fn rights(&self, caller: &Caller) -> Result<Rights, AccessError> {
        let mut rights = match &caller.kind {
            CallerKind::Root | CallerKind::Host | CallerKind::Anonymous => Rights::default(),
            CallerKind::User { name } => self.rights_of_user(&caller.account, name).await?,
            CallerKind::FederatedUser { user: Some(name), .. } => {
                self.rights_of_user(&caller.account, name).await?
            }
            CallerKind::FederatedUser { user: None, .. } => Rights {
                identity: vec![Source { id: "root".into(), policy: EVERYTHING.clone() }],
                ..Rights::default()
            },
            CallerKind::AssumedRole { role, .. } => self.rights_of_role(&caller.account, role).await?,
        };
        if let Some(session) = &caller.session {
            for (key, value) in &session.tags {
                rights.tags.retain(|(known, _)| !known.eq_ignore_ascii_case(key));
                rights.tags.push((key.clone(), value.clone()));
            }
            if let Some(policies) = &session.policies {
                rights.session = Some(self.session_policies(&caller.account, policies).await?);
            }
        }
        Ok(rights)
    }

    async fn rights_of_user(&self, account: &AccountId, name: &str) -> Result<Rights, AccessError> {
        let Some(user) = self.tables.get::<User>(&key_of(account, name)).await? else {
            return Ok(Rights::default());
        };
        let mut rights = Rights { tags: user.tags.clone(), ..Rights::default() };
        self.add(&mut rights.identity, account, &user, &user.policies).await?;
        for group in &user.groups {
            if let Some(group) = self.tables.get::<Group>(&key_of(account, group)).await? {
                self.add(&mut rights.identity, account, &group, &group.policies).await?;
            }
        }
        rights.boundary = self.boundary(account, user.boundary.as_deref()).await?;
        Ok(rights)
    }

    async fn rights_of_role(&self, account: &AccountId, name: &str) -> Result<Rights, AccessError> {
        let Some(role) = self.role(account, name).await? else { return Ok(Rights::default()) };
        let mut rights = Rights { tags: role.tags.clone(), ..Rights::default() };
        self.add(&mut rights.identity, account, &role, &role.policies).await?;
        rights.boundary = self.boundary(account, role.boundary.as_deref()).await?;
        Ok(rights)
    }

    /// Adds the policies of a principal: those in its row and those attached to it.
    async fn add<T: Stored>(
        &self,
        sources: &mut Vec<Source>,
        account: &AccountId,
        row: &Versioned<T>,
        policies: &PrincipalPolicies,
    ) -> Result<(), AccessError> {
        if !policies.inline.is_empty() {
            let key = format!("{}/{}", T::TABLE, row.key());
            let texts = policies.inline.iter().map(|(name, text)| (name.as_str(), text.as_str()));
            let compiled = self.compiled(&key, row.revision, texts, PolicyKind::Identity)?;
            sources.extend_from_slice(&compiled.sources);
        }
        for arn in &policies.attached {
            // An attached policy cannot be deleted; one that is gone all the same gives nothing.
            sources.extend(self.managed(account, arn).await?);
        }
        Ok(())
    }

    async fn boundary(&self, account: &AccountId, arn: Option<&str>) -> Result<Option<Source>, AccessError> {
        let Some(arn) = arn else { return Ok(None) };
        let found = self.managed(account, arn).await?;
        Ok(Some(found.unwrap_or_else(|| Source { id: arn.into(), policy: NOTHING.clone() })))
    }

    async fn session_policies(
        &self,
        account: &AccountId,
        policies: &SessionPolicies,
    ) -> Result<Vec<Source>, AccessError> {
        let mut sources = Vec::new();
        if let Some(document) = &policies.document {
            // Kept under its text, which never changes.
            let key = format!("session/{document}");
            let texts = [("session policy", document.as_str())];
            let compiled = self.compiled(&key, 0, texts.into_iter(), PolicyKind::Identity)?;
            sources.extend_from_slice(&compiled.sources);
        }
        for arn in &policies.arns {
            sources.extend(self.managed(account, arn).await?);
        }
        Ok(sources)
    }

    /// Checks policies that are to bound a session in an account.
    pub async fn check_session_policies(
        &self,
        account: &AccountId,
        policies: &SessionPolicies,
    ) -> Result<(), NotAPolicy> {
        if let Some(document) = &policies.document {
            Policy::parse(document, PolicyKind::Identity)?;
        }
        for arn in &policies.arns {
            if self.managed(account, arn).await?.is_none() {
                return Err(NotAPolicy::Missing(arn.clone()));
            }
        }
        Ok(())
    }

    /// A managed policy of AWS or of the account, in the version in force.
    async fn managed(&self, account: &AccountId, arn: &str) -> Result<Option<Source>, AccessError> {
        let compiled = if let Some(policy) = aws_managed_policies::find(arn) {
            let text = policy.document();
            self.compiled(arn, 0, [(arn, &*text)].into_iter(), PolicyKind::Identity)?
        } else {
            let Some(name) = name_of(arn, account, "policy") else { return Ok(None) };
            let row = self.tables.get::<ManagedPolicy>(&key_of(account, name)).await?;
            let Some(row) = row.filter(|row| row.arn() == arn) else { return Ok(None) };
            let Some(version) = row.in_force() else { return Ok(None) };
            let texts = [(arn, version.document.as_str())];
            self.compiled(arn, row.revision, texts.into_iter(), PolicyKind::Identity)?
        };
        Ok(compiled.sources.first().cloned())
    }

    /// The policy of a resource, or the trust policy of a role.
    pub(crate) fn resource_policy(
        &self,
        resource: &str,
        text: &str,
        kind: PolicyKind,
    ) -> Result<Option<Source>, AccessError> {
        // The text itself is the key, so that a changed policy is another one.
        let key = format!("{kind:?}/{resource}/{text}");
        let compiled = self.compiled(&key, 0, [(resource, text)].into_iter(), kind)?;
        Ok(compiled.sources.first().cloned())
    }

    fn compiled<'t>(
        &self,
        key: &str,
        revision: Revision,
        texts: impl Iterator<Item = (&'t str, &'t str)>,
        kind: PolicyKind,
    ) -> Result<Arc<Compiled>, AccessError> {
        if let Some(known) = self.compiled.get(key).filter(|known| known.revision == revision) {
            return Ok(known);
        }
        let mut sources = Vec::new();
        for (id, text) in texts {
            let policy = Policy::parse(text, kind)
                .map_err(|source| AccessError::Policy { id: id.to_owned(), source })?;
            sources.push(Source { id: id.into(), policy: Arc::new(policy) });
        }
        let compiled = Arc::new(Compiled { revision, sources });
        self.compiled.insert(key.into(), compiled.clone());
        Ok(compiled)
    }
}
