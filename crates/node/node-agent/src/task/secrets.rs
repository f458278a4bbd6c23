//! Secrets of containers: what the payload names, fetched as the execution role and kept in memory only.

use super::definition::{ContainerDefinition, InvalidTask};
use crate::api::{ApiError, TaskApi, Version};
use agent_wire::acs;
use environment::Environment;
use futures::future::try_join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

/// Attempts at a service that cannot be reached.
const ATTEMPTS: u32 = 5;
/// Parts of the ARN of a secret; what follows are key, stage and version.
const SECRET_ARN_PARTS: usize = 7;

/// A variable whose value is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretVariable {
    name: String,
    /// As the task definition names the source.
    value_from: String,
    source: Source,
    /// A variable of the container; otherwise an option of its log driver.
    variable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    SecretsManager { id: String, key: Option<String>, stage: Option<String>, version: Option<String> },
    ParameterStore,
}

/// Name and value of a variable.
pub(crate) type Variable = (String, Zeroizing<String>);

/// The values for a task's containers, in their order; fetched once, and again by the next run of the agent.
#[derive(Clone, Default)]
pub(crate) struct TaskSecrets(Arc<OnceCell<Vec<Fetched>>>);

/// What was fetched for a container.
pub(crate) struct Fetched {
    /// Its variables.
    pub(crate) variables: Vec<Variable>,
    /// Options of its log driver.
    pub(crate) log_options: Vec<Variable>,
}

impl SecretVariable {
    /// Reads a secret of a payload.
    pub(super) fn read(secret: &acs::Secret) -> Result<Self, InvalidTask> {
        let variable = matches!(secret.r#type, None | Some(acs::SecretType::EnvironmentVariable));
        let to_log = secret.target == Some(acs::SecretTarget::LogDriver);
        let container = matches!(secret.target, None | Some(acs::SecretTarget::Container));
        if !variable || !(container || to_log) {
            return Err(InvalidTask::Unsupported(format!(
                "the secret {:?}, which is no environment variable of a container,",
                secret.name
            )));
        }
        let source = match secret.provider {
            Some(acs::SecretProvider::Asm) => secrets_manager(&secret.value_from),
            Some(acs::SecretProvider::Ssm) => Source::ParameterStore,
            None | Some(acs::SecretProvider::Unrecognized) => {
                return Err(InvalidTask::Unsupported(format!("the provider of secret {:?}", secret.name)));
            }
        };
        Ok(Self {
            name: secret.name.clone(),
            value_from: secret.value_from.clone(),
            source,
            variable: container,
        })
    }

    /// Whether it is a variable of the container, and no option of its log driver.
    pub(super) fn is_variable(&self) -> bool {
        self.variable
    }

    async fn fetch(&self, api: &TaskApi, environment: &Environment) -> Result<Variable, String> {
        let value = match &self.source {
            Source::SecretsManager { id, key, stage, version } => {
                let version = Version { stage: stage.as_deref(), id: version.as_deref() };
                let fetched = attempts(environment, || api.secret_value(id, version)).await;
                let refused = |(attempts, error)| {
                    format!(
                        "unable to retrieve secret from asm: service call has been retried {attempts} time(s): \
                         failed to fetch secret {} from secrets manager: {error}",
                        self.value_from
                    )
                };
                let text = fetched.map_err(refused)?;
                let found = text.ok_or_else(|| "it is binary".to_owned());
                found.and_then(|text| part(text, key.as_deref())).map_err(|fault| {
                    format!(
                        "unable to retrieve secret from asm: retrieved secret {} is unusable: {fault}",
                        self.value_from
                    )
                })?
            }
            Source::ParameterStore => {
                let fetched = attempts(environment, || api.parameter(&self.value_from)).await;
                let refused = |(attempts, error)| {
                    format!(
                        "unable to retrieve secrets from ssm: service call has been retried {attempts} time(s): {error}"
                    )
                };
                fetched.map_err(refused)?.ok_or_else(|| {
                    format!(
                        "unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm \
                         parameters: {}",
                        self.value_from
                    )
                })?
            }
        };
        Ok((self.name.clone(), value))
    }
}

/// `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME[:KEY:STAGE:VERSION]`, or the name alone.
fn secrets_manager(value_from: &str) -> Source {
    let parts: Vec<&str> = value_from.split(':').collect();
    let (id, rest) = parts.split_at(parts.len().min(SECRET_ARN_PARTS));
    let part = |index: usize| rest.get(index).filter(|part| !part.is_empty()).map(|&part| part.to_owned());
    Source::SecretsManager { id: id.join(":"), key: part(0), stage: part(1), version: part(2) }
}

/// The whole text, or the value of a key of the JSON object that it is.
fn part(text: Zeroizing<String>, key: Option<&str>) -> Result<Zeroizing<String>, String> {
    let Some(key) = key else { return Ok(text) };
    // The error would repeat parts of the text, so it is left out.
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text).map_err(|_| "it is no JSON object".to_owned())?;
    match object.get(key) {
        None => Err(format!("it did not contain json key {key}")),
        Some(serde_json::Value::String(value)) => Ok(Zeroizing::new(value.clone())),
        Some(other) => Ok(Zeroizing::new(other.to_string())),
    }
}

/// Tries again while the service cannot be reached; answers how often it was tried, too.
pub(crate) async fn attempts<T, F: Future<Output = Result<T, ApiError>>>(
    environment: &Environment,
    mut call: impl FnMut() -> F,
) -> Result<T, (u32, ApiError)> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match call().await {
            Err(error) if error.is_retryable() && attempt < ATTEMPTS => {
                environment.sleep(Duration::from_millis(100) * attempt).await;
            }
            other => return other.map_err(|error| (attempt, error)),
        }
    }
}

impl TaskSecrets {
    /// Fetches what the containers need, unless it is here already. The error is the reason why none can start.
    pub(super) async fn get(
        &self,
        containers: &[ContainerDefinition],
        api: &TaskApi,
        environment: &Environment,
    ) -> Result<&Vec<Fetched>, String> {
        let of_one = |container: &ContainerDefinition| {
            let (variables, log_options) = (container.secrets.clone(), container.log_secrets.clone());
            async move {
                let variables = fetch_all(variables, api, environment);
                let log_options = fetch_all(log_options, api, environment);
                let (variables, log_options) = tokio::try_join!(variables, log_options)?;
                Ok(Fetched { variables, log_options })
            }
        };
        let all: Vec<_> = containers.iter().map(of_one).collect();
        self.0.get_or_try_init(|| try_join_all(all)).await
    }
}

async fn fetch_all(
    secrets: Vec<SecretVariable>,
    api: &TaskApi,
    environment: &Environment,
) -> Result<Vec<Variable>, String> {
    try_join_all(secrets.iter().map(|secret| secret.fetch(api, environment))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_taken_apart() {
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf";
        let source = |id: &str, key: Option<&str>, stage: Option<&str>, version: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            Source::SecretsManager {
                id: id.to_owned(),
                key: own(key),
                stage: own(stage),
                version: own(version),
            }
        };
        for (text, expected) in [
            (arn.to_owned(), source(arn, None, None, None)),
            (format!("{arn}:user::"), source(arn, Some("user"), None, None)),
            (format!("{arn}::AWSPREVIOUS:"), source(arn, None, Some("AWSPREVIOUS"), None)),
            (
                format!("{arn}:user:AWSCURRENT:9d4cb84b"),
                source(arn, Some("user"), Some("AWSCURRENT"), Some("9d4cb84b")),
            ),
            ("name".to_owned(), source("name", None, None, None)),
        ] {
            assert_eq!(secrets_manager(&text), expected, "{text}");
        }
    }

    #[test]
    fn parts_of_a_secret() {
        let secret = || Zeroizing::new(r#"{"user":"a","port":5432}"#.to_owned());
        assert_eq!(*part(secret(), Some("user")).expect("is there"), "a");
        assert_eq!(*part(secret(), Some("port")).expect("is there"), "5432");
        assert_eq!(part(secret(), None).expect("is there"), secret());
        assert!(part(secret(), Some("none")).expect_err("is missing").contains("json key none"));
        let fault = part(Zeroizing::new("hunter2".to_owned()), Some("user")).expect_err("is no JSON");
        assert!(!fault.contains("hunter2"));
    }

    #[test]
    fn only_variables_of_containers_are_taken() {
        let secret = acs::Secret {
            name: "A".to_owned(),
            value_from: "a".to_owned(),
            provider: Some(acs::SecretProvider::Ssm),
            ..acs::Secret::default()
        };
        assert!(SecretVariable::read(&secret).is_ok());
        let to_log = acs::Secret { target: Some(acs::SecretTarget::LogDriver), ..secret.clone() };
        assert!(!SecretVariable::read(&to_log).expect("reads").is_variable());
        let mounted = acs::Secret { r#type: Some(acs::SecretType::MountPoint), ..secret.clone() };
        assert!(SecretVariable::read(&mounted).is_err());
        assert!(SecretVariable::read(&acs::Secret { provider: None, ..secret }).is_err());
    }
}
