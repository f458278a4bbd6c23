//! Finds the secret that a request names: by name, by ARN, or by an ARN without its last six characters.
//!
//! An ARN may name a secret of another account: whether the caller may use it was decided before, on its policy.

use crate::SecretsManagerService;
use crate::errors::{marked_for_deletion, no_secret, store};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::secrets::{Secret, SecretVersion, VersionInfo};
use store::{Batch, StoreError, Versioned};

/// Characters that end an ARN.
pub(crate) const SUFFIX: usize = 6;
/// Attempts to change a secret that others change at the same time.
const MOST_ATTEMPTS: usize = 50;

/// What a secret id says: a name, and a suffix if it names one.
#[derive(Debug, PartialEq, Eq)]
struct Candidate<'a> {
    account: &'a str,
    name: &'a str,
    suffix: Option<&'a str>,
}

/// What an id may mean, in the order in which it is looked for.
fn candidates<'a>(context: &'a RequestContext, id: &'a str) -> Vec<Candidate<'a>> {
    if !id.starts_with("arn:") {
        return vec![Candidate { account: context.account.as_str(), name: id, suffix: None }];
    }
    let own = id.parse::<Arn>().is_ok_and(|arn| {
        arn.service == "secretsmanager"
            && arn.region == context.region.as_str()
            && arn.resource.starts_with("secret:")
    });
    let mut parts = id.splitn(7, ':').skip(4);
    let (Some(account), Some(resource)) = (parts.next(), parts.nth(1).filter(|_| own)) else { return vec![] };
    let mut found = Vec::new();
    if let Some((name, suffix)) = resource.rsplit_once('-').filter(|(_, suffix)| suffix.len() == SUFFIX) {
        found.push(Candidate { account, name, suffix: Some(suffix) });
    }
    found.push(Candidate { account, name: resource, suffix: None });
    found
}

impl SecretsManagerService {
    /// The secret, whatever state it is in.
    pub(crate) async fn require(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<Versioned<Secret>, ServiceError> {
        self.find(context, id).await?.ok_or_else(no_secret)
    }

    /// The secret that an id means, if there is one.
    pub(crate) async fn find(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<Option<Versioned<Secret>>, ServiceError> {
        for candidate in candidates(context, id) {
            let key = Secret::key_of(candidate.account, context.region.as_str(), candidate.name);
            let found = self.tables.get::<Secret>(&key).await.map_err(store)?;
            let fits = |secret: &Versioned<Secret>| candidate.suffix.is_none_or(|own| own == secret.suffix);
            if let Some(secret) = found.filter(fits) {
                // Past its date it is gone, even if nobody has come by to remove it.
                return Ok((!is_over(&secret, context)).then_some(secret));
            }
        }
        Ok(None)
    }

    /// The secret, unless it is marked for deletion.
    pub(crate) async fn require_usable(
        &self,
        context: &RequestContext,
        id: &str,
    ) -> Result<Versioned<Secret>, ServiceError> {
        let secret = self.require(context, id).await?;
        if secret.deletion.is_some() { Err(marked_for_deletion()) } else { Ok(secret) }
    }

    /// Changes a secret that is not marked for deletion, again if somebody else was faster.
    pub(crate) async fn change(
        &self,
        context: &RequestContext,
        id: &str,
        mut edit: impl FnMut(&mut Secret) -> Result<(), ServiceError>,
    ) -> Result<Versioned<Secret>, ServiceError> {
        let mut attempts = 0;
        loop {
            let old = self.require_usable(context, id).await?;
            let mut new = (*old.value).clone();
            edit(&mut new)?;
            if new == *old.value {
                return Ok(old);
            }
            new.changed_at = context.time;
            attempts += 1;
            match self.replacement(&old, &new).commit().await {
                Err(StoreError::Conflict(_)) if attempts < MOST_ATTEMPTS => {}
                Err(error) => return Err(store(error)),
                Ok(revision) => {
                    let create_revision = old.create_revision;
                    return Ok(Versioned { value: new.into(), revision, create_revision });
                }
            }
        }
    }

    /// The write of a secret over an old one, with the end of the versions that it does not have.
    pub(crate) fn replacement(&self, old: &Versioned<Secret>, new: &Secret) -> Batch {
        let stays = |version: &VersionInfo| old.id == new.id && new.version(&version.id).is_some();
        let gone = old.versions.iter().filter(|version| !stays(version));
        gone.fold(self.tables.batch().replace(old, new), |batch, version| {
            batch.delete_any::<SecretVersion>(&SecretVersion::key_of(&old.account, &old.id, &version.id))
        })
    }
}

/// Whether a secret is past the date of its deletion.
pub(crate) fn is_over(secret: &Secret, context: &RequestContext) -> bool {
    secret.deletion.is_some_and(|deletion| deletion.due_at <= context.time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::context;

    #[test]
    fn an_id_is_a_name_or_an_arn_with_or_without_its_suffix() {
        let context = context();
        let names = |id| {
            let found = candidates(&context, id);
            found.iter().map(|one| (one.name.to_owned(), one.suffix.map(str::to_owned))).collect::<Vec<_>>()
        };
        let arn = |rest: &str| format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{rest}");
        let own = |name: &str, suffix: Option<&str>| (name.to_owned(), suffix.map(str::to_owned));
        assert_eq!(names("a/b-AbCdEf"), [own("a/b-AbCdEf", None)]);
        let full = [own("a/b", Some("AbCdEf")), own("a/b-AbCdEf", None)];
        let (whole, partial) = (arn("a/b-AbCdEf"), arn("a/b"));
        assert_eq!(names(&whole), full);
        assert_eq!(names(&partial), [own("a/b", None)]);
        let foreign = candidates(&context, "arn:aws:secretsmanager:us-east-1:999999999999:secret:a");
        assert_eq!(foreign, [Candidate { account: "999999999999", name: "a", suffix: None }]);
        for other in [
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a",
            "arn:aws:ssm:us-east-1:123456789012:secret:a",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret",
            "arn:",
        ] {
            assert_eq!(names(other), [], "{other}");
        }
    }
}
