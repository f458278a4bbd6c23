//! Where blobs are kept: in the data directory, or in a bucket.

use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use blob_store::{BlobStore, S3Bucket, S3Credentials};
use environment::Environment;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Opens the blobs of a region; `root` is its directory for them, where uploads and logs are in any case.
pub(super) fn open(settings: &Settings, root: &Path, environment: &Environment) -> Result<BlobStore> {
    let Some(address) = &settings.blobs else {
        return Ok(BlobStore::local(root, environment.clone())?);
    };
    let (bucket, prefix) = S3Bucket::parse_address(address)?;
    let bucket = S3Bucket {
        bucket,
        prefix,
        endpoint: settings.s3_endpoint.clone(),
        region: settings.s3_region.clone(),
        credentials: credentials(settings.s3_profile.as_deref())?,
        // Servers of one's own mostly have no name for each bucket.
        virtual_hosted: settings.s3_endpoint.is_none(),
    };
    Ok(BlobStore::in_bucket(root, environment.clone(), bucket.open()?)?)
}

/// The keys of the environment, or of a profile of the credentials file.
fn credentials(profile: Option<&str>) -> Result<S3Credentials> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if profile.is_none()
        && let (Some(access_key_id), Some(secret_access_key)) =
            (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
    {
        let session_token = variable("AWS_SESSION_TOKEN");
        return Ok(S3Credentials { access_key_id, secret_access_key, session_token });
    }
    let home = PathBuf::from(variable("HOME").unwrap_or_default());
    let path = variable("AWS_SHARED_CREDENTIALS_FILE").map_or(home.join(".aws/credentials"), PathBuf::from);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("--blobs needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the file {}", path.display())
    })?;
    let profile = profile.unwrap_or("default");
    match of_profile(&text, profile) {
        Some(credentials) => Ok(credentials),
        None => bail!("{} has no keys for profile {profile}", path.display()),
    }
}

fn of_profile(text: &str, profile: &str) -> Option<S3Credentials> {
    let mut inside = false;
    let mut values = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = name.trim() == profile;
        } else if inside
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
        {
            values.insert(key.trim(), value.trim().to_owned());
        }
    }
    Some(S3Credentials {
        access_key_id: values.remove("aws_access_key_id")?,
        secret_access_key: values.remove("aws_secret_access_key")?,
        session_token: values.remove("aws_session_token"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_of_the_credentials_file() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key=B\n# x\n[other]\naws_access_key_id=C\n\
                    aws_secret_access_key = D\naws_session_token = E\n[half]\naws_access_key_id=F\n";
        let found = of_profile(text, "default").expect("is there");
        assert_eq!((found.access_key_id.as_str(), found.session_token), ("A", None));
        let found = of_profile(text, "other").expect("is there");
        assert_eq!((found.secret_access_key.as_str(), found.session_token.as_deref()), ("D", Some("E")));
        assert!(of_profile(text, "half").is_none() && of_profile(text, "none").is_none());
    }
}
