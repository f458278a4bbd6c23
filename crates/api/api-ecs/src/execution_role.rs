//! What Fargate does not do without an execution role: the machine itself may neither pull images nor write logs.

use crate::errors::client;
use crate::logging::AWSLOGS_DRIVER;
use aws_wire::ServiceError;
use resources::ecr::RegistryHosts;
use resources::ecs::ContainerDefinition;

/// What says that the execution role is missing for something.
pub(crate) fn needed(what: &str) -> ServiceError {
    client(format!("Fargate requires task definition to have execution role ARN to support {what}."))
}

/// Refuses containers whose images, logs or secrets need the execution role that is not there.
pub(crate) fn check(
    registry: &RegistryHosts,
    containers: &[ContainerDefinition],
    role: Option<&str>,
) -> Result<(), ServiceError> {
    if role.is_some_and(|role| !role.is_empty()) {
        return Ok(());
    }
    let given = |what: &str| {
        client(format!(
            "When you are specifying {what}, you must also specify a value for 'executionRoleArn'."
        ))
    };
    for container in containers {
        if registry.have(&container.image) {
            return Err(needed("ECR images"));
        }
        let log = container.log_configuration.as_ref();
        if log.is_some_and(|log| log.driver == AWSLOGS_DRIVER) {
            return Err(needed("log driver awslogs"));
        }
        if !container.secrets.is_empty() || log.is_some_and(|log| !log.secret_options.is_empty()) {
            return Err(given("container secrets"));
        }
        if container.repository_credentials.is_some() {
            return Err(given("repositoryCredentials"));
        }
    }
    Ok(())
}
