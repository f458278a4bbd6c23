//! Amazon resource names: `arn:partition:service:region:account:resource`.

use std::fmt;
use std::str::FromStr;

/// A parsed Amazon resource name. Region and account may be empty, as they are for IAM and S3.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arn {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// Service namespace, for example `ecs`.
    pub service: String,
    /// Region name, or empty for global services.
    pub region: String,
    /// Twelve-digit account, or empty.
    pub account: String,
    /// Everything after the fifth colon, for example `cluster/default`.
    pub resource: String,
}

/// Why a text is not an ARN.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an ARN: {0:?}")]
pub struct ArnError(pub String);

impl Arn {
    /// An ARN in the partition `aws`.
    pub fn new(
        service: &str,
        region: impl fmt::Display,
        account: impl fmt::Display,
        resource: impl Into<String>,
    ) -> Self {
        Self {
            partition: "aws".to_owned(),
            service: service.to_owned(),
            region: region.to_string(),
            account: account.to_string(),
            resource: resource.into(),
        }
    }

    /// Splits `type/rest` (or `type:rest`) of the resource part.
    pub fn resource_type(&self) -> Option<(&str, &str)> {
        self.resource.split_once(['/', ':'])
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:{}:{}:{}:{}:{}",
            self.partition, self.service, self.region, self.account, self.resource
        )
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or_else(|| ArnError(text.to_owned()));
        if next()? != "arn" {
            return Err(ArnError(text.to_owned()));
        }
        let arn = Self {
            partition: next()?.to_owned(),
            service: next()?.to_owned(),
            region: next()?.to_owned(),
            account: next()?.to_owned(),
            resource: next()?.to_owned(),
        };
        if arn.partition.is_empty() || arn.service.is_empty() || arn.resource.is_empty() {
            return Err(ArnError(text.to_owned()));
        }
        Ok(arn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        for text in [
            "arn:aws:ecs:us-east-1:123456789012:task/default/0123456789abcdef",
            "arn:aws:iam::123456789012:role/x",
            "arn:aws:logs:us-east-1:123456789012:log-group:/a/b:*",
        ] {
            assert_eq!(text.parse::<Arn>().expect("parses").to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_not_an_arn() {
        for text in ["", "arn", "arn:aws:ecs", "arn:aws:ecs:r:1", "arn::ecs:r:1:x", "urn:aws:ecs:r:1:x"] {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }

    #[test]
    fn splits_the_resource() {
        let arn: Arn = "arn:aws:ecs:us-east-1:123456789012:cluster/default".parse().expect("parses");
        assert_eq!(arn.resource_type(), Some(("cluster", "default")));
    }
}
