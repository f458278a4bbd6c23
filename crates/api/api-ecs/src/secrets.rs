//! Secrets of container definitions: where the values of variables come from, and who lets the agent into registries.

use crate::errors::client;
use crate::refuse::filled;
use crate::shapes as wire;
use aws_wire::{RequestContext, ServiceError};
use identifiers::{Arn, Region};
use resources::ecs::{ContainerDefinition, SecretSource, TaskDefinition};

/// Parts of the ARN of a secret with JSON key, stage and version.
const MOST_SECRET_PARTS: usize = 10;
/// Parts without them.
const SECRET_PARTS: usize = 7;

/// Checks the secrets of a container.
pub(crate) fn store(list: Option<Vec<wire::Secret>>) -> Result<Vec<SecretSource>, ServiceError> {
    let mut stored: Vec<SecretSource> = Vec::new();
    for wire::Secret { name, value_from } in list.unwrap_or_default() {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(client("The name of a secret must not be empty or contain '='."));
        }
        if stored.iter().any(|other| other.name == name) {
            return Err(not_unique(&name));
        }
        stored.push(SecretSource { name, value_from });
    }
    Ok(stored)
}

/// Checks the secret with user and password for a private registry.
pub(crate) fn store_credentials(
    input: Option<wire::RepositoryCredentials>,
) -> Result<Option<String>, ServiceError> {
    let Some(wire::RepositoryCredentials { credentials_parameter }) = input else { return Ok(None) };
    if credentials_parameter.trim().is_empty() {
        return Err(client("repositoryCredentials.credentialsParameter must not be empty."));
    }
    Ok(Some(credentials_parameter))
}

/// What the API shows of them: names and sources, never values.
pub(crate) fn render(sources: &[SecretSource]) -> Option<Vec<wire::Secret>> {
    let secret = |source: &SecretSource| wire::Secret {
        name: source.name.clone(),
        value_from: source.value_from.clone(),
    };
    let all: Vec<_> = sources.iter().map(secret).collect();
    filled(Some(&all)).then_some(all)
}

/// What must hold of a task definition's secrets as a whole.
pub(crate) fn check(
    context: &RequestContext,
    containers: &[ContainerDefinition],
) -> Result<(), ServiceError> {
    for container in containers {
        let options = container.log_configuration.iter().flat_map(|log| &log.secret_options);
        for secret in options {
            check_source(&context.region, &secret.name, &secret.value_from)?;
        }
        for secret in &container.secrets {
            check_source(&context.region, &secret.name, &secret.value_from)?;
            check_unique(&secret.name, &container.environment)?;
        }
        if let Some(secret) = &container.repository_credentials
            && secret.starts_with("arn:")
            && !is_secret(&context.region, secret, SECRET_PARTS)
        {
            return Err(client(format!(
                "repositoryCredentials.credentialsParameter of container '{}' must name a secret of this region.",
                container.name
            )));
        }
    }
    Ok(())
}

/// Overrides of variables must leave the secrets alone, too.
pub(crate) fn check_overrides(
    definition: &TaskDefinition,
    container: &str,
    environment: &[(String, String)],
) -> Result<(), ServiceError> {
    let found = definition.containers.iter().find(|own| own.name == container);
    for secret in found.iter().flat_map(|container| &container.secrets) {
        check_unique(&secret.name, environment)?;
    }
    Ok(())
}

fn check_unique(name: &str, environment: &[(String, String)]) -> Result<(), ServiceError> {
    if environment.iter().any(|(variable, _)| variable == name) { Err(not_unique(name)) } else { Ok(()) }
}

fn not_unique(name: &str) -> ServiceError {
    client(format!(
        "The secret name must be unique and not shared with any new or existing environment variables set on the \
         container, such as '{name}'."
    ))
}

fn check_source(region: &Region, name: &str, value_from: &str) -> Result<(), ServiceError> {
    let good = match value_from.split(':').nth(2) {
        _ if !value_from.starts_with("arn:") => is_parameter_name(value_from),
        Some("secretsmanager") => is_secret(region, value_from, MOST_SECRET_PARTS),
        Some("ssm") => {
            let arn: Option<Arn> = value_from.parse().ok();
            arn.is_some_and(|arn| {
                arn.region == region.as_str()
                    && arn.resource.strip_prefix("parameter/").is_some_and(is_parameter_name)
            })
        }
        _ => false,
    };
    if good {
        return Ok(());
    }
    // Versions and labels are no part of a name here, though Systems Manager itself takes them.
    if !value_from.starts_with("arn:") || value_from.starts_with(&format!("arn:aws:ssm:{region}:")) {
        return Err(client(format!(
            "The Systems Manager parameter name specified for secret {name} is invalid. The parameter name can be up to \
             2048 characters and include the following letters and symbols: a-zA-Z0-9_.-"
        )));
    }
    Err(client(format!(
        "The valueFrom of secret '{name}' must be the ARN of a secret or parameter of this region, or the name of a \
         parameter."
    )))
}

fn is_parameter_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-/".contains(&b);
    !name.is_empty() && name.len() <= 2048 && name.bytes().all(plain)
}

/// `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`, with at most `most` parts.
fn is_secret(region: &Region, arn: &str, most: usize) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    (SECRET_PARTS..=most).contains(&parts.len())
        && parts[2] == "secretsmanager"
        && parts[3] == region.as_str()
        && parts[4].len() == 12
        && parts[5] == "secret"
        && !parts[6].is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        let region: Region = "us-east-1".parse().expect("a region");
        let secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf";
        for (source, good) in [
            (secret.to_owned(), true),
            (format!("{secret}:user::"), true),
            (format!("{secret}:user:AWSCURRENT:9d4cb84b"), true),
            (format!("{secret}:a:b:c:d"), false),
            (secret.replace("us-east-1", "eu-west-1"), false),
            ("arn:aws:ssm:us-east-1:123456789012:parameter/prod/db".to_owned(), true),
            ("arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db".to_owned(), false),
            ("arn:aws:s3:::bucket/key".to_owned(), false),
            ("/prod/db".to_owned(), true),
            ("/prod/db:2".to_owned(), false),
            ("arn:aws:ssm:us-east-1:123456789012:parameter/prod/db:2".to_owned(), false),
            ("name.with-parts_1".to_owned(), true),
            ("no spaces".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(check_source(&region, "A", &source).is_ok(), good, "{source}");
        }
    }

    #[test]
    fn names_are_used_once() {
        let secret = |name: &str| wire::Secret { name: name.into(), value_from: "a".into() };
        assert!(store(Some(vec![secret("A"), secret("B")])).is_ok());
        assert!(store(Some(vec![secret("A"), secret("A")])).is_err());
        assert!(store(Some(vec![secret("A=B")])).is_err());
    }
}
