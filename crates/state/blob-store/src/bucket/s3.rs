//! A bucket of Amazon S3 or of any server that speaks its protocol.

use super::Bucket;
use super::connection::Connector;
use object_store::RetryConfig;
use object_store::aws::AmazonS3Builder;
use std::sync::Arc;
use std::time::Duration;

/// How often a request is made again.
const MOST_RETRIES: usize = 5;
/// Time after which it is not made again.
const RETRY_FOR: Duration = Duration::from_secs(60);

/// Which bucket, and how it is reached.
#[derive(Clone, Debug)]
pub struct S3Bucket {
    /// Name of the bucket.
    pub bucket: String,
    /// What the names of all objects begin with; may be empty.
    pub prefix: String,
    /// `https://HOST:PORT` of the server; `None` is Amazon's of the region.
    pub endpoint: Option<String>,
    /// Region that requests are signed for.
    pub region: String,
    /// What requests are signed with.
    pub credentials: S3Credentials,
    /// The bucket is part of the host name, as Amazon wants it, and not of the path.
    pub virtual_hosted: bool,
}

/// An access key for a bucket.
#[derive(Clone)]
pub struct S3Credentials {
    /// Its id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// The token of temporary ones.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Why a bucket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotABucket {
    /// The address is not one of a bucket.
    #[error("not the address of a bucket, such as s3://bucket/prefix: {0}")]
    Address(String),
    /// The settings do not fit together.
    #[error("the bucket's settings are not right: {0}")]
    Settings(Box<dyn std::error::Error + Send + Sync>),
}

impl S3Bucket {
    /// Bucket and prefix of `s3://bucket/prefix`.
    pub fn parse_address(address: &str) -> Result<(String, String), NotABucket> {
        let wrong = || NotABucket::Address(address.chars().take(300).collect());
        let rest = address.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let prefix = prefix.trim_matches('/');
        let sound = prefix.is_empty() || prefix.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if (3..=63).contains(&bucket.len()) && bucket.bytes().all(plain) && sound {
            Ok((bucket.to_owned(), prefix.to_owned()))
        } else {
            Err(wrong())
        }
    }

    /// The bucket; it is first spoken to when it is used.
    pub fn open(&self) -> Result<Bucket, NotABucket> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_access_key_id(&self.credentials.access_key_id)
            .with_secret_access_key(&self.credentials.secret_access_key)
            .with_virtual_hosted_style_request(self.virtual_hosted)
            .with_http_connector(Connector)
            .with_retry(RetryConfig {
                max_retries: MOST_RETRIES,
                retry_timeout: RETRY_FOR,
                ..RetryConfig::default()
            });
        if let Some(token) = &self.credentials.session_token {
            builder = builder.with_token(token);
        }
        if let Some(endpoint) = &self.endpoint {
            let plain = endpoint.starts_with("http://");
            builder = builder.with_endpoint(endpoint).with_allow_http(plain);
        }
        let objects = Arc::new(builder.build().map_err(|error| NotABucket::Settings(error.into()))?);
        Ok(Bucket::new(objects.clone(), Some(objects), &self.prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parsed = |text: &str| S3Bucket::parse_address(text).ok();
        assert_eq!(parsed("s3://my-bucket"), Some(("my-bucket".into(), String::new())));
        assert_eq!(parsed("s3://my-bucket/a/b/"), Some(("my-bucket".into(), "a/b".into())));
        for wrong in
            ["my-bucket", "s3://", "s3://a", "s3:///x", "s3://bucket/a//b", "s3://bucket/../x", "gs://bucket"]
        {
            assert!(parsed(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let credentials = S3Credentials {
            access_key_id: "id".into(),
            secret_access_key: "secret".into(),
            session_token: Some("secret".into()),
        };
        assert!(!format!("{credentials:?}").contains("secret\""));
    }
}
