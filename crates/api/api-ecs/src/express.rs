//! Express services: what their operations share. Reading what is told, and the container that comes of it.

pub(crate) mod find;
pub(crate) mod managed;
pub(crate) mod render;

use crate::EcsService;
use crate::errors::{client, invalid};
use crate::placement::check_network;
use crate::shapes::{self as wire, errors};
use access::AssumeError;
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::{Subnet, Vpc};
use resources::ecs::{ExpressScaling, ExpressService};
use std::collections::BTreeMap;
use std::time::Duration;

/// The service that infrastructure roles trust.
const MANAGER: &str = "ecs.amazonaws.com";
/// The name of its sessions, as on AWS.
const SESSION: &str = "ECSGateway";
/// How long the session lasts that shows whether a role can be assumed.
const LIFE: Duration = Duration::from_secs(900);
/// Port of a container that tells none.
const USUAL_PORT: i32 = 80;
/// Where tasks are asked for their health when nothing is told.
const USUAL_PATH: &str = "/ping";
/// Longest path.
const MOST_PATH: usize = 1_024;
/// Most tasks.
const MOST_TASKS: i32 = 5_000;
/// The metric, and its value, when nothing is told.
const USUAL_TARGET: (&str, i32) = ("AVERAGE_CPU", 60);
/// Begins the names of log streams when nothing is told.
const USUAL_PREFIX: &str = "ecs";

/// Where an express service is.
pub(crate) struct Place {
    pub(crate) subnets: Vec<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) vpc: String,
    /// Whether its VPC has a way to the outside.
    pub(crate) public: bool,
}

/// Refuses what is no ARN of a role of this account.
pub(crate) fn check_role(
    context: &RequestContext,
    given: Option<&str>,
    parameter: &str,
) -> Result<(), ServiceError> {
    let own = format!("arn:aws:iam::{}:role/", context.account);
    if given.is_none_or(|given| given.strip_prefix(&own).is_some_and(|name| !name.is_empty())) {
        return Ok(());
    }
    Err(invalid(format!("{parameter} must be the ARN of a role of this account.")))
}

/// Refuses a role that ECS cannot assume for a service.
pub(crate) async fn check_trust(
    service: &EcsService,
    role: &str,
    service_arn: &str,
) -> Result<(), ServiceError> {
    let assumed = service.access.assume_for_service(role, MANAGER, SESSION, LIFE, service_arn).await;
    assumed.map(drop).map_err(|error| match error {
        AssumeError::NoRole(_) | AssumeError::NotTrusted { .. } => ServiceError::new(
            &errors::ACCESS_DENIED_EXCEPTION,
            format!("Cannot assume role {role}. Please verify that the role exists and trusts {MANAGER}."),
        ),
        AssumeError::Failed(error) => {
            tracing::error!(%error, "cannot look at a role");
            ServiceError::new(&errors::SERVER_EXCEPTION, "Service Unavailable. Please try again later.")
        }
    })
}

/// The path that tasks are asked by.
pub(crate) fn health_check_path(given: Option<&str>, old: Option<&str>) -> Result<String, ServiceError> {
    let path = given.filter(|given| !given.is_empty()).or(old).unwrap_or(USUAL_PATH);
    if !path.starts_with('/') || path.len() > MOST_PATH || !path.bytes().all(|b| (33..127).contains(&b)) {
        return Err(invalid(format!(
            "healthCheckPath must begin with a '/' character and have at most {MOST_PATH} characters."
        )));
    }
    Ok(path.to_owned())
}

/// How many tasks there are. There is no Application Auto Scaling, so the number does not change by itself.
pub(crate) fn scaling(
    given: Option<&wire::ExpressGatewayScalingTarget>,
    old: Option<&ExpressScaling>,
) -> Result<ExpressScaling, ServiceError> {
    let before = old.and_then(|old| i32::try_from(old.count).ok());
    let least = given.and_then(|given| given.min_task_count);
    let most = given.and_then(|given| given.max_task_count);
    let (least, most) = (least.or(before).unwrap_or(1), most.or(least).or(before).unwrap_or(1));
    if !(1..=MOST_TASKS).contains(&least) || !(1..=MOST_TASKS).contains(&most) || least > most {
        return Err(invalid(format!(
            "minTaskCount and maxTaskCount must be between 1 and {MOST_TASKS}, and minTaskCount must not be greater."
        )));
    }
    if least != most {
        return Err(ServiceError::new(
            &errors::UNSUPPORTED_FEATURE_EXCEPTION,
            "This region has no Application Auto Scaling: minTaskCount and maxTaskCount must be the same number. See \
             docs/guides/express-services.md.",
        ));
    }
    let metric = given.and_then(|given| given.auto_scaling_metric).map(|metric| metric.as_str().to_owned());
    let target = given.and_then(|given| given.auto_scaling_target_value);
    if target.is_some_and(|target| target < 1) {
        return Err(invalid("autoScalingTargetValue must be greater than 0."));
    }
    Ok(ExpressScaling {
        count: least.unsigned_abs(),
        metric: metric.or(old.map(|old| old.metric.clone())).unwrap_or_else(|| USUAL_TARGET.0.to_owned()),
        target: target.or(old.map(|old| old.target)).unwrap_or(USUAL_TARGET.1),
    })
}

/// Subnets and groups as told, or the default subnets of the account.
pub(crate) async fn place(
    service: &EcsService,
    context: &RequestContext,
    given: Option<&wire::ExpressGatewayServiceNetworkConfiguration>,
) -> Result<Place, ServiceError> {
    let tables = &service.tables;
    let mut subnets = given.and_then(|given| given.subnets.clone()).unwrap_or_default();
    let security_groups = given.and_then(|given| given.security_groups.clone()).unwrap_or_default();
    if subnets.is_empty() {
        let usual = service.networks.default_subnets(&context.account).await;
        subnets = usual.map_err(crate::errors::store)?.iter().map(|subnet| subnet.id.clone()).collect();
    }
    let Some(first) = subnets.first() else {
        return Err(invalid("No default VPC or subnets found."));
    };
    // One more is made for the tasks.
    if security_groups.len() > 4 {
        return Err(invalid("securityGroups can have at most 4 items."));
    }
    check_network(tables, context, &subnets, &security_groups).await?;
    let account = &context.account;
    let subnet = tables.get::<Subnet>(&format!("{account}/{first}")).await.map_err(crate::errors::store)?;
    let vpc = subnet.map(|subnet| subnet.vpc.clone()).unwrap_or_default();
    let row = tables.get::<Vpc>(&format!("{account}/{vpc}")).await.map_err(crate::errors::store)?;
    let public = row.is_some_and(|row| row.internet_gateway.is_some());
    Ok(Place { subnets, security_groups, vpc, public })
}

/// The container that gets the requests: as told, and for the rest as it was.
pub(crate) fn container(
    context: &RequestContext,
    told: wire::ExpressGatewayContainer,
    old: Option<&wire::ContainerDefinition>,
    log_group: Option<&str>,
) -> Result<wire::ContainerDefinition, ServiceError> {
    let wire::ExpressGatewayContainer {
        aws_logs_configuration,
        command,
        container_port,
        environment,
        image,
        repository_credentials,
        secrets,
    } = told;
    if image.is_empty() {
        return Err(client("Container.image should not be null or empty."));
    }
    let old = old.cloned().unwrap_or_default();
    let old_port = old.port_mappings.as_ref().and_then(|ports| ports.first()?.container_port);
    let port = container_port.or(old_port).unwrap_or(USUAL_PORT);
    if !(1..=65_535).contains(&port) {
        return Err(invalid("containerPort must be between 1 and 65535."));
    }
    let told_log = aws_logs_configuration.map(|own| (own.log_group, own.log_stream_prefix));
    if told_log.as_ref().is_some_and(|(group, prefix)| group.is_empty() || prefix.is_empty()) {
        return Err(invalid("logGroup and logStreamPrefix of awsLogsConfiguration cannot be empty."));
    }
    let usual_log = || log_group.map(|group| (group.to_owned(), USUAL_PREFIX.to_owned()));
    let log = match (told_log, old.log_configuration) {
        (None, Some(old)) => Some(old),
        (told, _) => told.or_else(usual_log).map(|(group, prefix)| log_to(context, group, prefix)),
    };
    let credentials = repository_credentials.and_then(|own| own.credentials_parameter);
    let port_mapping = wire::PortMapping {
        container_port: Some(port),
        protocol: Some(wire::TransportProtocol::Tcp),
        ..wire::PortMapping::default()
    };
    Ok(wire::ContainerDefinition {
        name: Some(ExpressService::CONTAINER.to_owned()),
        image: Some(image),
        essential: Some(true),
        command: command.or(old.command),
        environment: environment.or(old.environment),
        secrets: secrets.or(old.secrets),
        repository_credentials: credentials
            .map(|parameter| wire::RepositoryCredentials { credentials_parameter: parameter })
            .or(old.repository_credentials),
        port_mappings: Some(vec![port_mapping]),
        log_configuration: log,
        ..wire::ContainerDefinition::default()
    })
}

fn log_to(context: &RequestContext, group: String, prefix: String) -> wire::LogConfiguration {
    let options = [
        ("awslogs-group", group),
        ("awslogs-region", context.region.to_string()),
        ("awslogs-stream-prefix", prefix),
    ];
    wire::LogConfiguration {
        log_driver: wire::LogDriver::Awslogs,
        options: Some(BTreeMap::from(options.map(|(name, value)| (name.to_owned(), value)))),
        secret_options: None,
    }
}

/// The first port of a container.
pub(crate) fn port(container: &wire::ContainerDefinition) -> u16 {
    let first = container.port_mappings.as_ref().and_then(|ports| ports.first()?.container_port);
    first.and_then(|port| u16::try_from(port).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{code, fixture};

    fn told(least: Option<i32>, most: Option<i32>) -> wire::ExpressGatewayScalingTarget {
        wire::ExpressGatewayScalingTarget {
            min_task_count: least,
            max_task_count: most,
            ..wire::ExpressGatewayScalingTarget::default()
        }
    }

    #[test]
    fn the_number_of_tasks_is_one_number() {
        let old = ExpressScaling { count: 3, metric: "AVERAGE_MEMORY".to_owned(), target: 5 };
        let counted = |least, most, old| scaling(Some(&told(least, most)), old).map(|own| own.count).ok();
        for (least, most, old, count) in [
            (None, None, None, Some(1)),
            (Some(2), None, None, Some(2)),
            (Some(2), Some(2), None, Some(2)),
            (None, None, Some(&old), Some(3)),
            (Some(1), None, Some(&old), Some(1)),
            (None, Some(3), Some(&old), Some(3)),
            (None, Some(2), None, None),
            (Some(1), Some(4), None, None),
            (Some(0), Some(0), None, None),
            (Some(3), Some(2), None, None),
        ] {
            assert_eq!(counted(least, most, old), count, "{least:?} {most:?}");
        }
        assert_eq!(code(scaling(Some(&told(Some(1), Some(4))), None)).0, "UnsupportedFeatureException");
        assert_eq!(code(scaling(Some(&told(Some(3), Some(2))), None)).0, "InvalidParameterException");
        let kept = scaling(None, Some(&old)).expect("reads");
        assert_eq!((kept.metric.as_str(), kept.target), ("AVERAGE_MEMORY", 5));
    }

    #[test]
    fn paths_begin_with_a_slash() {
        assert_eq!(health_check_path(None, None).expect("reads"), "/ping");
        assert_eq!(health_check_path(None, Some("/old")).expect("reads"), "/old");
        assert_eq!(health_check_path(Some("/a?b=c"), Some("/old")).expect("reads"), "/a?b=c");
        for wrong in ["HTTP:80/ping", "ping", "/a b"] {
            assert_eq!(code(health_check_path(Some(wrong), None)).0, "InvalidParameterException");
        }
    }

    #[test]
    fn what_is_not_told_of_a_container_stays() {
        let context = fixture().context;
        let image = |image: &str| wire::ExpressGatewayContainer {
            image: image.to_owned(),
            ..wire::ExpressGatewayContainer::default()
        };
        let first = wire::ExpressGatewayContainer {
            container_port: Some(8080),
            command: Some(vec!["serve".to_owned()]),
            ..image("web:1")
        };
        let first = container(&context, first, None, Some("/aws/ecs/default/web-1")).expect("reads");
        assert_eq!(port(&first), 8080);
        let options = first.log_configuration.clone().and_then(|log| log.options).expect("has a log");
        assert_eq!(options["awslogs-group"], "/aws/ecs/default/web-1");
        let second = container(&context, image("web:2"), Some(&first), None).expect("reads");
        let wanted = wire::ContainerDefinition { image: Some("web:2".to_owned()), ..first };
        assert_eq!(second, wanted);
        assert_eq!(code(container(&context, image(""), None, None)).0, "ClientException");
        let wrong = wire::ExpressGatewayContainer { container_port: Some(0), ..image("web") };
        assert_eq!(code(container(&context, wrong, None, None)).0, "InvalidParameterException");
    }
}
