//! RegisterTaskDefinition: a new revision of a family.

use crate::definition;
use crate::errors::Failure;
use crate::render;
use crate::shapes::{RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::RegistryHosts;
use resources::ecs::{TaskDefinition, TaskFamily};
use store::{Batch, Tables};

pub(crate) async fn run(
    tables: &Tables,
    registry: &RegistryHosts,
    context: &RequestContext,
    input: RegisterTaskDefinitionRequest,
) -> Result<RegisterTaskDefinitionResponse, ServiceError> {
    let wanted = definition::store(context, registry, input)?;
    let stored = number(tables, wanted).await?;
    Ok(RegisterTaskDefinitionResponse {
        tags: Some(render::tags(&stored.tags)),
        task_definition: Some(render::definition(context, &stored)),
    })
}

/// Gives the definition the next number of its family, in one transaction with the family.
async fn number(tables: &Tables, wanted: TaskDefinition) -> Result<TaskDefinition, Failure> {
    loop {
        let (batch, definition) = numbered(tables, wanted.clone(), tables.batch()).await?;
        match batch.commit().await {
            Ok(_) => return Ok(definition),
            // Another registration took the number.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The definition with the next number of its family, and the batch that writes both. It conflicts when another
/// registration takes the number.
pub(crate) async fn numbered(
    tables: &Tables,
    wanted: TaskDefinition,
    batch: Batch,
) -> Result<(Batch, TaskDefinition), Failure> {
    let key = format!("{}/{}", wanted.account, wanted.family);
    let family = tables.get::<TaskFamily>(&key).await?;
    let revision = family.as_ref().map_or(0, |family| family.last_revision) + 1;
    let definition = TaskDefinition { revision, ..wanted };
    let row = TaskFamily {
        account: definition.account.clone(),
        family: definition.family.clone(),
        last_revision: revision,
    };
    let batch = batch.create(&definition);
    let batch = match &family {
        Some(old) => batch.replace(old, &row),
        None => batch.create(&row),
    };
    Ok((batch, definition))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::*;
    use crate::testing::{code, container, fixture, registration, registry};

    async fn refused(change: impl FnOnce(&mut RegisterTaskDefinitionRequest)) -> String {
        let f = fixture();
        let mut request = registration(vec![container("main")]);
        change(&mut request);
        let (name, message) = code(run(&f.tables, &registry(), &f.context, request).await);
        assert_eq!(name, "ClientException", "{message}");
        message
    }

    #[tokio::test]
    async fn revisions_count_up_under_contention() {
        let f = fixture();
        let runs = (0..10)
            .map(|_| f.service.register_task_definition(&f.context, registration(vec![container("main")])));
        let mut numbers: Vec<i32> = futures::future::join_all(runs)
            .await
            .into_iter()
            .filter_map(|made| made.expect("registers").task_definition?.revision)
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_is_not_honoured_is_refused_by_name() {
        let file = EnvironmentFile { value: "arn:aws:s3:::b/k".into(), ..EnvironmentFile::default() };
        let message = refused(|r| r.container_definitions[0].environment_files = Some(vec![file])).await;
        assert!(message.contains("'environmentFiles'"), "{message}");
        let message = refused(|r| r.pid_mode = Some(PidMode::Host)).await;
        assert!(message.contains("do not support pidMode 'host'"), "{message}");
    }

    #[tokio::test]
    async fn what_fargate_has_not_is_refused_in_its_words() {
        type Change = fn(&mut ContainerDefinition);
        let cases: [(Change, &str); 14] = [
            (|c| c.privileged = Some(true), "do not support privileged"),
            (|c| c.disable_networking = Some(true), "do not support disableNetworking"),
            (|c| c.dns_servers = Some(vec!["10.0.0.2".into()]), "do not support dnsServers"),
            (|c| c.dns_search_domains = Some(vec!["a".into()]), "do not support dnsSearchDomains"),
            (|c| c.docker_security_options = Some(vec!["a".into()]), "do not support dockerSecurityOptions"),
            (|c| c.extra_hosts = Some(vec![HostEntry::default()]), "do not support extraHosts"),
            (
                |c| c.hostname = Some("a".into()),
                "hostname is not supported on container when networkMode=awsvpc.",
            ),
            (|c| c.links = Some(vec!["a".into()]), "Links are not supported when networkMode=awsvpc."),
            (
                |c| {
                    c.resource_requirements =
                        Some(vec![ResourceRequirement { r#type: ResourceType::Gpu, value: "1".into() }]);
                },
                "do not support GPU resource requirements.",
            ),
            (|c| c.stop_timeout = Some(1), "'stopTimeout'"),
            (|c| c.stop_timeout = Some(121), "'stopTimeout'"),
            (|c| c.start_timeout = Some(121), "'startTimeout'"),
            (
                |c| {
                    c.linux_parameters =
                        Some(LinuxParameters { max_swap: Some(1), ..LinuxParameters::default() });
                },
                "do not support maxSwap",
            ),
            (
                |c| {
                    let range =
                        PortMapping { container_port_range: Some("9-1".into()), ..PortMapping::default() };
                    c.port_mappings = Some(vec![range]);
                },
                "Invalid containerPortRange",
            ),
        ];
        for (change, words) in cases {
            let message = refused(|r| change(&mut r.container_definitions[0])).await;
            assert!(message.contains(words), "{message}");
        }
    }

    #[tokio::test]
    async fn what_fargate_has_is_shown_again() {
        let f = fixture();
        let mut request = registration(vec![container("main")]);
        request.pid_mode = Some(PidMode::Task);
        let ports = vec![
            PortMapping {
                container_port: Some(80),
                host_port: Some(80),
                protocol: Some(TransportProtocol::Tcp),
                app_protocol: Some(ApplicationProtocol::Http2),
                name: Some("web".into()),
                container_port_range: None,
            },
            PortMapping {
                container_port_range: Some("8000-8010".into()),
                protocol: Some(TransportProtocol::Udp),
                ..PortMapping::default()
            },
        ];
        request.container_definitions[0].port_mappings = Some(ports.clone());
        request.container_definitions[0].interactive = Some(true);
        request.container_definitions[0].pseudo_terminal = Some(true);
        let made = run(&f.tables, &registry(), &f.context, request).await.expect("registers");
        let shown = made.task_definition.expect("is shown");
        assert_eq!(shown.pid_mode, Some(PidMode::Task));
        let container = &shown.container_definitions.expect("has containers")[0];
        assert_eq!(container.port_mappings.as_ref(), Some(&ports));
        assert_eq!((container.interactive, container.pseudo_terminal), (Some(true), Some(true)));
    }

    #[tokio::test]
    async fn secrets_need_an_execution_role_and_names_of_their_own() {
        let secrets = || Some(vec![Secret { name: "A".into(), value_from: "/prod/a".into() }]);
        let message = refused(|r| r.container_definitions[0].secrets = secrets()).await;
        assert!(message.contains("you must also specify a value for 'executionRoleArn'"), "{message}");
        let role = || Some("arn:aws:iam::123456789012:role/execution".to_owned());
        let message = refused(|r| {
            r.execution_role_arn = role();
            r.container_definitions[0].secrets = secrets();
            let pair = KeyValuePair { name: Some("A".into()), value: Some("b".into()) };
            r.container_definitions[0].environment = Some(vec![pair]);
        })
        .await;
        assert!(message.contains("The secret name must be unique"), "{message}");

        let f = fixture();
        let mut request = registration(vec![container("main")]);
        request.execution_role_arn = role();
        request.container_definitions[0].secrets = secrets();
        request.container_definitions[0].repository_credentials =
            Some(RepositoryCredentials { credentials_parameter: "registry".into() });
        let made = run(&f.tables, &registry(), &f.context, request).await.expect("registers");
        let shown = made.task_definition.and_then(|d| d.container_definitions).expect("has containers");
        assert_eq!(shown[0].secrets, secrets());
        assert!(shown[0].repository_credentials.is_some());
    }

    #[tokio::test]
    async fn images_of_the_region_and_logs_need_an_execution_role() {
        let needs = |what: &str| {
            format!("Fargate requires task definition to have execution role ARN to support {what}.")
        };
        let own = |r: &mut RegisterTaskDefinitionRequest| {
            r.container_definitions[0].image = Some("localhost:4566/web".into());
        };
        assert_eq!(refused(own).await, needs("ECR images"));
        let empty = refused(|r| {
            own(r);
            r.execution_role_arn = Some(String::new());
        });
        assert_eq!(empty.await, needs("ECR images"));
        let log = LogConfiguration {
            log_driver: LogDriver::Awslogs,
            options: Some(
                [("awslogs-group", "/g"), ("awslogs-region", "us-east-1"), ("awslogs-stream-prefix", "p")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
            ),
            ..LogConfiguration::default()
        };
        let logged = refused(|r| r.container_definitions[0].log_configuration = Some(log));
        assert_eq!(logged.await, needs("log driver awslogs"));
        let f = fixture();
        let mut request = registration(vec![container("main")]);
        own(&mut request);
        request.execution_role_arn = Some("execution".into());
        run(&f.tables, &registry(), &f.context, request).await.expect("registers");
    }

    #[tokio::test]
    async fn what_is_wrong_is_refused() {
        assert!(refused(|r| r.network_mode = None).await.contains("awsvpc"));
        assert!(refused(|r| r.container_definitions.push(container("main"))).await.contains("Duplicate"));
        assert!(refused(|r| r.container_definitions[0].essential = Some(false)).await.contains("essential"));
        assert!(refused(|r| r.container_definitions[0].image = None).await.contains("image"));
        let wait = |name: &str, condition| {
            Some(vec![ContainerDependency { container_name: name.into(), condition }])
        };
        let unknown =
            refused(|r| r.container_definitions[0].depends_on = wait("x", ContainerCondition::Start)).await;
        assert!(unknown.contains("does not exist"), "{unknown}");
        let cycle = refused(|r| {
            r.container_definitions.push(container("b"));
            r.container_definitions[0].depends_on = wait("b", ContainerCondition::Start);
            r.container_definitions[1].depends_on = wait("main", ContainerCondition::Start);
        })
        .await;
        assert!(cycle.contains("Circular"), "{cycle}");
        let check = refused(|r| {
            r.container_definitions.push(container("b"));
            r.container_definitions[0].depends_on = wait("b", ContainerCondition::Healthy);
        })
        .await;
        assert!(check.contains("health check"), "{check}");
        let log = LogConfiguration { log_driver: LogDriver::Awslogs, ..LogConfiguration::default() };
        assert!(
            refused(|r| r.container_definitions[0].log_configuration = Some(log))
                .await
                .contains("awslogs-group")
        );
    }
}
