//! From an access key and a session token to the secret and whom they speak for.

use crate::host::HOST_RESOURCE;
use crate::session::Sealed;
use crate::{Access, Caller, CallerKind, Session, Subject};
use identifiers::AccountId;
use resources::access::{AccessKey, Secret};
use resources::iam::{Role, User, key_of};
use std::sync::Arc;
use store::{StoreError, Versioned};

/// A credential that is good now, if the signature shows its secret.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Whom it speaks for.
    pub caller: Caller,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Key(Arc<Secret>),
    Session(Arc<Sealed>),
}

/// Why credentials are not good.
#[derive(Debug, thiserror::Error)]
pub enum NoCredential {
    /// No such key, or it is inactive, or the session token is none or not the key's own, or who it speaks for is gone.
    #[error("no such credentials")]
    Unknown,
    /// The session is over.
    #[error("the session has expired")]
    Expired,
    /// The store.
    #[error("look up the credentials")]
    Store(#[from] StoreError),
}

impl Credential {
    /// The secret, to verify a signature with.
    pub fn secret(&self) -> &str {
        // Read to verify a signature.
        match &self.source {
            Source::Key(secret) => secret.expose(),
            Source::Session(sealed) => sealed.secret.expose(),
        }
    }
}

impl Access {
    /// The credential that a request names.
    pub async fn credential(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Credential, NoCredential> {
        match session_token {
            None => {
                let key = self.access_key(access_key_id).await?.ok_or(NoCredential::Unknown)?;
                let caller = self.caller_of_key(&key.value).await?.ok_or(NoCredential::Unknown)?;
                Ok(Credential { caller, source: Source::Key(self.secret_of(&key)?) })
            }
            Some(token) => {
                let sealed = self.open_session(token).filter(|sealed| sealed.access_key_id == access_key_id);
                let sealed = sealed.ok_or(NoCredential::Unknown)?;
                let caller = self.caller_of_session(access_key_id, &sealed.facts).await?;
                Ok(Credential { caller, source: Source::Session(sealed) })
            }
        }
    }

    /// Whom an active key speaks for, if that is still there.
    pub(crate) async fn caller_of_key(&self, key: &AccessKey) -> Result<Option<Caller>, StoreError> {
        let access_key_id = Some(key.access_key_id.as_str().into());
        if let Some(name) = &key.user {
            let user = self.user(&key.account, name, &key.principal_id).await?;
            return Ok(user.map(|user| Caller { access_key_id, ..Caller::user(&user) }));
        }
        let kind = match key.principal_arn.rsplit_once(':') {
            Some((_, "root")) => CallerKind::Root,
            Some((_, HOST_RESOURCE)) => CallerKind::Host,
            _ => return Ok(None),
        };
        Ok(Some(Caller {
            account: key.account.clone(),
            principal_arn: key.principal_arn.as_str().into(),
            principal_id: key.principal_id.as_str().into(),
            kind,
            access_key_id,
            session: None,
        }))
    }

    /// Whom a session speaks for, if it is not over and they are still there.
    pub(crate) async fn caller_of_session(
        &self,
        access_key_id: &str,
        session: &Arc<Session>,
    ) -> Result<Caller, NoCredential> {
        if session.expires_at <= self.environment().now() {
            return Err(NoCredential::Expired);
        }
        let caller = self.subject(&session.account, &session.subject).await?.ok_or(NoCredential::Unknown)?;
        Ok(Caller { access_key_id: Some(access_key_id.into()), session: Some(session.clone()), ..caller })
    }

    async fn subject(&self, account: &AccountId, subject: &Subject) -> Result<Option<Caller>, StoreError> {
        match subject {
            Subject::Role { name, id, session } => {
                let role = self.role(account, name).await?.filter(|role| role.id == *id);
                Ok(role.map(|role| role_caller(&role, session)))
            }
            Subject::User { name, id, key } => {
                if self.access_key(key).await?.is_none() {
                    return Ok(None);
                }
                Ok(self.user(account, name, id).await?.map(|user| Caller::user(&user)))
            }
            Subject::Root { key } => {
                let gone = self.is_gone(key.as_deref()).await?;
                Ok((!gone).then(|| Caller::root(account)))
            }
            Subject::Federated { name, user, key } => {
                if self.is_gone(key.as_deref()).await? {
                    return Ok(None);
                }
                let (user, user_arn) = match user {
                    None => (None, format!("arn:aws:iam::{account}:root")),
                    Some((user, id)) => match self.user(account, user, id).await? {
                        Some(user) => (Some(user.name.as_str().into()), user.arn()),
                        None => return Ok(None),
                    },
                };
                Ok(Some(Caller {
                    account: account.clone(),
                    principal_arn: format!("arn:aws:sts::{account}:federated-user/{name}").into(),
                    principal_id: format!("{account}:{name}").into(),
                    kind: CallerKind::FederatedUser { user, user_arn: user_arn.into() },
                    access_key_id: None,
                    session: None,
                }))
            }
        }
    }

    /// Whether the key that asked for a session is deleted or inactive.
    async fn is_gone(&self, key: Option<&str>) -> Result<bool, StoreError> {
        match key {
            Some(key) => Ok(self.access_key(key).await?.is_none()),
            None => Ok(false),
        }
    }

    pub(crate) async fn role(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<Versioned<Role>>, StoreError> {
        self.tables.get(&key_of(account, name)).await
    }

    async fn user(
        &self,
        account: &AccountId,
        name: &str,
        id: &str,
    ) -> Result<Option<Versioned<User>>, StoreError> {
        Ok(self.tables.get::<User>(&key_of(account, name)).await?.filter(|user| user.id == id))
    }
}

/// A session of a role, before its facts are added.
pub(crate) fn role_caller(role: &Role, session: &str) -> Caller {
    Caller {
        account: role.account.clone(),
        principal_arn: format!("arn:aws:sts::{}:assumed-role/{}/{session}", role.account, role.name).into(),
        principal_id: format!("{}:{session}", role.id).into(),
        kind: CallerKind::AssumedRole {
            role: role.name.as_str().into(),
            role_arn: role.arn().into(),
            role_id: role.id.as_str().into(),
        },
        access_key_id: None,
        session: None,
    }
}
