//! Secrets Manager: secrets and their versions. What a secret holds is sealed before it gets here.

use crate::Stored;
use crate::sealed::{SealedText, Sealing};
use environment::Timestamp;
use serde::{Deserialize, Serialize};

/// The stage of the version that is handed out when a caller names none.
pub const CURRENT: &str = "AWSCURRENT";
/// The stage of the version that was current before.
pub const PREVIOUS: &str = "AWSPREVIOUS";
/// The stage of a version that a rotation is making.
pub const PENDING: &str = "AWSPENDING";

/// A secret: everything but its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    /// Owner.
    pub account: String,
    /// The region of its ARN.
    pub region: String,
    /// Its name, unique in account and region.
    pub name: String,
    /// The six characters that end its ARN.
    pub suffix: String,
    /// Names its versions in the store; another for every creation.
    pub id: String,
    /// What it is for.
    pub description: Option<String>,
    /// The KMS key that a caller named.
    pub kms_key_id: Option<String>,
    /// Its tags, in the order they came; `None` until it gets the first.
    pub tags: Option<Vec<(String, String)>>,
    /// Its resource policy.
    pub policy: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything of it changed last.
    pub changed_at: Timestamp,
    /// When it was marked for deletion, and when it goes.
    pub deletion: Option<Deletion>,
    /// How it is rotated; stays when rotation is turned off.
    pub rotation: Option<Rotation>,
    /// Its versions, in the order they were made.
    pub versions: Vec<VersionInfo>,
}

/// The end of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deletion {
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When the secret goes; until then it can be restored.
    pub due_at: Timestamp,
}

/// The rotation of a secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rotation {
    /// Whether it is turned on.
    pub enabled: bool,
    /// The function that the caller named.
    pub lambda_arn: Option<String>,
    /// Days between two rotations.
    pub after_days: Option<i64>,
    /// Hours of the window, for example `3h`.
    pub duration: Option<String>,
    /// A `rate(...)` or `cron(...)` expression.
    pub schedule: Option<String>,
    /// When the secret was rotated last.
    pub last_rotated_at: Option<Timestamp>,
}

/// A version of a secret, without its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionInfo {
    /// Its id.
    pub id: String,
    /// Its stages; without one it is deprecated.
    pub stages: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a version holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueKind {
    /// A text.
    Text,
    /// Bytes.
    Binary,
}

/// The value of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretVersion {
    /// Owner.
    pub account: String,
    /// `Secret::id` of its secret.
    pub secret_id: String,
    /// Its id.
    pub id: String,
    /// What it holds.
    pub kind: ValueKind,
    /// The value.
    pub sealed: SealedText,
}

impl Secret {
    /// The key of a secret.
    pub fn key_of(account: &str, region: &str, name: &str) -> String {
        format!("{account}/{region}/{name}")
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        format!(
            "arn:aws:secretsmanager:{}:{}:secret:{}-{}",
            self.region, self.account, self.name, self.suffix
        )
    }

    /// The version called `id`.
    pub fn version(&self, id: &str) -> Option<&VersionInfo> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// The version that has a stage.
    pub fn staged(&self, stage: &str) -> Option<&VersionInfo> {
        self.versions.iter().find(|version| version.stages.iter().any(|own| own == stage))
    }

    /// Takes a stage from the version that has it and gives it to version `to`, if any. When the current version
    /// changes, the one before becomes the previous one.
    pub fn move_stage(&mut self, stage: &str, to: Option<&str>) {
        let from = self.staged(stage).map(|version| version.id.clone());
        if from.as_deref() == to {
            return;
        }
        for version in &mut self.versions {
            version.stages.retain(|own| own != stage);
            if to == Some(version.id.as_str()) {
                version.stages.push(stage.to_owned());
            }
        }
        if stage == CURRENT && to.is_some() {
            if let Some(from) = from {
                self.move_stage(PREVIOUS, Some(&from));
            }
            if let Some(to) = to {
                self.drop_stage(PREVIOUS, to);
            }
        }
    }

    fn drop_stage(&mut self, stage: &str, from: &str) {
        for version in self.versions.iter_mut().filter(|version| version.id == from) {
            version.stages.retain(|own| own != stage);
        }
    }
}

impl Stored for Secret {
    const TABLE: &'static str = "secrets/secret";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.region, &self.name)
    }
}

impl SecretVersion {
    /// The key of a version.
    pub fn key_of(account: &str, secret_id: &str, id: &str) -> String {
        format!("{account}/{secret_id}/{id}")
    }

    /// Prefix of the keys of a secret's versions.
    pub fn keys_of(account: &str, secret_id: &str) -> String {
        format!("{account}/{secret_id}/")
    }

    /// What the value of a version is sealed for.
    pub fn purpose_of(account: &str, secret_id: &str, id: &str) -> String {
        format!("secretsmanager/{account}/{secret_id}/{id}")
    }
}

impl Stored for SecretVersion {
    const TABLE: &'static str = "secrets/version";

    fn key(&self) -> String {
        Self::key_of(&self.account, &self.secret_id, &self.id)
    }
}

impl Sealing for SecretVersion {
    fn purpose(&self) -> String {
        Self::purpose_of(&self.account, &self.secret_id, &self.id)
    }

    fn sealed(&self) -> &SealedText {
        &self.sealed
    }

    fn with_sealed(&self, sealed: SealedText) -> Self {
        Self { sealed, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(versions: &[(&str, &[&str])]) -> Secret {
        Secret {
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            name: "a/b".to_owned(),
            suffix: "AbCdEf".to_owned(),
            id: "0".to_owned(),
            description: None,
            kms_key_id: None,
            tags: None,
            policy: None,
            created_at: Timestamp::from_seconds(0),
            changed_at: Timestamp::from_seconds(0),
            deletion: None,
            rotation: None,
            versions: versions
                .iter()
                .map(|(id, stages)| VersionInfo {
                    id: (*id).to_owned(),
                    stages: stages.iter().map(|stage| (*stage).to_owned()).collect(),
                    created_at: Timestamp::from_seconds(0),
                })
                .collect(),
        }
    }

    fn stages(secret: &Secret) -> Vec<(&str, Vec<&str>)> {
        secret
            .versions
            .iter()
            .map(|version| (version.id.as_str(), version.stages.iter().map(String::as_str).collect()))
            .collect()
    }

    #[test]
    fn the_version_before_the_current_one_is_the_previous_one() {
        let mut moved = secret(&[("1", &[PREVIOUS]), ("2", &[CURRENT]), ("3", &[PENDING])]);
        moved.move_stage(CURRENT, Some("3"));
        assert_eq!(stages(&moved), [("1", vec![]), ("2", vec![PREVIOUS]), ("3", vec![PENDING, CURRENT])]);
        // Back again: the two change places.
        moved.move_stage(CURRENT, Some("2"));
        assert_eq!(stages(&moved), [("1", vec![]), ("2", vec![CURRENT]), ("3", vec![PENDING, PREVIOUS])]);
        moved.move_stage(CURRENT, Some("2"));
        moved.move_stage(PENDING, None);
        assert_eq!(stages(&moved), [("1", vec![]), ("2", vec![CURRENT]), ("3", vec![PREVIOUS])]);
    }

    #[test]
    fn the_first_current_version_has_none_before_it() {
        let mut first = secret(&[("1", &[])]);
        first.move_stage(CURRENT, Some("1"));
        assert_eq!(stages(&first), [("1", vec![CURRENT])]);
        assert_eq!(first.arn(), "arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b-AbCdEf");
    }
}
