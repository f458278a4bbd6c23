//! Configurations of Service Connect, asked for and settled.

use super::{cluster_default, read};
use crate::operations::{create_service, register_task_definition, update_service};
use crate::shapes as wire;
use crate::testing::{Fixture, SUBNET, code, container, registration, registry};
use aws_wire::ServiceError;
use resources::discovery::{DiscoveryService, Namespace, ServiceName};
use resources::ecs::{ConnectEndpoint, ConnectProtocol, Service, ServiceRevision};

fn port(name: &str, number: i32, protocol: Option<wire::ApplicationProtocol>) -> wire::PortMapping {
    wire::PortMapping {
        name: Some(name.into()),
        container_port: Some(number),
        app_protocol: protocol,
        ..wire::PortMapping::default()
    }
}

/// A task definition `web:2` with the ports `api` (http) and `raw`, and a namespace `inside`.
async fn prepared() -> Fixture {
    let fixture = Fixture::prepared().await;
    let ports = vec![port("api", 80, Some(wire::ApplicationProtocol::Http)), port("raw", 81, None)];
    let main = wire::ContainerDefinition { port_mappings: Some(ports), ..container("main") };
    register_task_definition::run(&fixture.tables, &registry(), &fixture.context, registration(vec![main]))
        .await
        .expect("registers");
    let made = cluster_default(&fixture.tables, &fixture.context, "inside").await;
    assert!(made.ok().flatten().expect("is made").contains(":namespace/ns-"));
    fixture
}

fn offered(port_name: &str) -> wire::ServiceConnectService {
    wire::ServiceConnectService { port_name: port_name.into(), ..wire::ServiceConnectService::default() }
}

fn connect(services: Vec<wire::ServiceConnectService>) -> wire::ServiceConnectConfiguration {
    wire::ServiceConnectConfiguration {
        enabled: true,
        namespace: Some("inside".into()),
        services: Some(services),
        ..wire::ServiceConnectConfiguration::default()
    }
}

async fn create(
    fixture: &Fixture,
    name: &str,
    services: Vec<wire::ServiceConnectService>,
) -> Result<wire::Service, ServiceError> {
    let request = wire::CreateServiceRequest {
        service_name: name.into(),
        task_definition: Some("web".into()),
        desired_count: Some(1),
        launch_type: Some(wire::LaunchType::Fargate),
        network_configuration: Some(wire::NetworkConfiguration {
            awsvpc_configuration: Some(wire::AwsVpcConfiguration {
                subnets: vec![SUBNET.into()],
                ..wire::AwsVpcConfiguration::default()
            }),
        }),
        service_connect_configuration: Some(connect(services)),
        ..wire::CreateServiceRequest::default()
    };
    let answer = create_service::run(&fixture.tables, &registry(), &fixture.context, request).await?;
    Ok(answer.service.expect("is shown"))
}

/// A port at which test traffic is told by a header.
fn tested(port_name: &str, name: &str, exact: Option<&str>) -> wire::ServiceConnectService {
    let value =
        exact.map(|exact| wire::ServiceConnectTestTrafficHeaderMatchRules { exact: exact.to_owned() });
    let header = wire::ServiceConnectTestTrafficHeaderRules { name: name.to_owned(), value };
    let alias = wire::ServiceConnectClientAlias {
        port: 80,
        test_traffic_rules: Some(wire::ServiceConnectTestTrafficRules { header }),
        ..wire::ServiceConnectClientAlias::default()
    };
    wire::ServiceConnectService { client_aliases: Some(vec![alias]), ..offered(port_name) }
}

async fn revision(fixture: &Fixture, service: &str) -> ServiceRevision {
    let key = format!("{}/default/{service}", fixture.context.account);
    let service = fixture.tables.get::<Service>(&key).await.expect("reads").expect("is there");
    let key = format!("{key}/{}", service.primary().expect("has one").service_revision);
    let row = fixture.tables.get::<ServiceRevision>(&key).await.expect("reads").expect("is there");
    ServiceRevision::clone(&row)
}

#[tokio::test]
async fn a_service_takes_its_names_and_sees_those_that_are_there() {
    let f = prepared().await;
    let alias = wire::ServiceConnectClientAlias {
        dns_name: Some("backend".into()),
        port: 8080,
        ..wire::ServiceConnectClientAlias::default()
    };
    let api = wire::ServiceConnectService { client_aliases: Some(vec![alias]), ..offered("api") };
    let shown = create(&f, "back", vec![api.clone(), offered("raw")]).await.expect("creates");
    let deployment = &shown.deployments.expect("are shown")[0];
    let told = deployment.service_connect_configuration.as_ref().expect("is shown");
    assert_eq!(told.services.as_deref(), Some(&[api.clone(), offered("raw")][..]));
    let resources = deployment.service_connect_resources.as_ref().expect("are shown");
    let names: Vec<_> = resources.iter().map(|own| own.discovery_name.as_deref().expect("has one")).collect();
    assert_eq!(names, ["api", "raw"]);
    let made = f.tables.list_all::<DiscoveryService>("").await.expect("lists");
    assert_eq!((made.len(), f.tables.list_all::<ServiceName>("").await.expect("lists").len()), (2, 2));
    assert!(made.iter().all(|own| own.owner.as_deref() == Some("123456789012/default/back")));

    create(&f, "front", vec![]).await.expect("creates");
    let seen = revision(&f, "front").await.endpoints;
    let seen: Vec<_> = seen.iter().map(|own| (own.dns_name.as_str(), own.port, own.protocol)).collect();
    assert_eq!(seen, [("backend", 8080, ConnectProtocol::Http), ("raw.inside", 81, ConnectProtocol::Tcp)]);
    let timeouts = revision(&f, "back").await.endpoints;
    let timeouts: Vec<_> = timeouts.iter().map(|own| (own.idle_timeout, own.request_timeout)).collect();
    assert_eq!(timeouts, [(Some(300), Some(15)), (Some(3600), None)]);

    // What is there already is taken by nobody else, and one's own stays one's own.
    assert_eq!(code(create(&f, "other", vec![offered("api")]).await).0, "InvalidParameterException");
    let renamed = wire::ServiceConnectService { discovery_name: Some("other".into()), ..api.clone() };
    let (_, message) = code(create(&f, "other", vec![renamed]).await);
    assert!(message.contains("backend:8080") && message.contains("back"), "{message}");
    let update = |services| wire::UpdateServiceRequest {
        service: "back".into(),
        service_connect_configuration: Some(connect(services)),
        ..wire::UpdateServiceRequest::default()
    };
    let run = async |services| {
        let answer = update_service::run(&f.tables, &registry(), &f.context, update(services)).await;
        answer.map(|answer| answer.service.and_then(|own| own.deployments).expect("are shown").len())
    };
    assert_eq!(run(vec![api.clone(), offered("raw")]).await.expect("is the same"), 1);
    assert_eq!(run(vec![api]).await.expect("changes"), 2);
    let after = f.tables.list_all::<DiscoveryService>("").await.expect("lists");
    assert_eq!(after.len(), 2, "what is offered no more goes with its deployment");
}

#[tokio::test]
async fn traffic_is_shifted_where_test_traffic_is_told_by_a_header() {
    let f = prepared().await;
    let wanted = tested("api", "X-Test", Some("yes"));
    let shown = create(&f, "back", vec![wanted.clone()]).await.expect("creates");
    let told = shown.deployments.expect("are shown")[0].service_connect_configuration.clone();
    assert_eq!(told.expect("is shown").services.as_deref(), Some(&[wanted][..]));
    let update = wire::UpdateServiceRequest {
        service: "back".into(),
        deployment_configuration: Some(wire::DeploymentConfiguration {
            strategy: Some(wire::DeploymentStrategy::BlueGreen),
            ..wire::DeploymentConfiguration::default()
        }),
        force_new_deployment: Some(true),
        ..wire::UpdateServiceRequest::default()
    };
    let answer = update_service::run(&f.tables, &registry(), &f.context, update).await.expect("begins");
    assert_eq!(answer.service.and_then(|own| own.deployments).map(|own| own.len()), Some(2));
    let service = f.tables.list_all::<Service>("").await.expect("lists").remove(0);
    let endpoint = &revision(&f, "back").await.endpoints[0];
    let header = service.test_header(endpoint);
    assert_eq!((header.name.as_str(), header.value.as_deref()), ("X-Test", Some("yes")));
    let other = ConnectEndpoint { port: 81, ..endpoint.clone() };
    assert_eq!(service.test_header(&other).name, "x-amzn-ecs-blue-green-test");
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_nothing_is_made() {
    let f = prepared().await;
    let named =
        |name: &str| wire::ServiceConnectService { discovery_name: Some(name.into()), ..offered("api") };
    let timeout = wire::TimeoutConfiguration {
        per_request_timeout_seconds: Some(1),
        ..wire::TimeoutConfiguration::default()
    };
    for (wrong, says) in [
        (vec![offered("none")], "portName"),
        (vec![named("-a")], "discoveryName"),
        (vec![named("a"), named("a")], "discoveryName"),
        (vec![wire::ServiceConnectService { ingress_port_override: Some(81), ..offered("api") }], "ingress"),
        (vec![wire::ServiceConnectService { ingress_port_override: Some(0), ..offered("api") }], "ingress"),
        (vec![wire::ServiceConnectService { timeout: Some(timeout), ..offered("raw") }], "appProtocol"),
        (vec![tested("raw", "x-test", None)], "appProtocol"),
        (vec![tested("api", "bad name", None)], "bad name"),
        (vec![tested("api", "x-test", Some("a\nb"))], "x-test"),
    ] {
        let (name, message) = code(create(&f, "wrong", wrong).await);
        assert_eq!(name, "InvalidParameterException");
        assert!(message.contains(says), "{message}");
    }
    let tls = wire::ServiceConnectService {
        tls: Some(wire::ServiceConnectTlsConfiguration::default()),
        ..offered("api")
    };
    assert_eq!(code(create(&f, "wrong", vec![tls]).await).0, "UnsupportedFeatureException");
    let access = wire::ServiceConnectConfiguration {
        access_log_configuration: Some(wire::ServiceConnectAccessLogConfiguration::default()),
        ..connect(vec![offered("api")])
    };
    let (name, message) = code(read(access));
    assert!(name == "InvalidParameterException" && message.contains("logConfiguration"), "{message}");
    let log = wire::LogConfiguration { log_driver: wire::LogDriver::Awsfirelens, ..Default::default() };
    let routed = wire::ServiceConnectConfiguration { log_configuration: Some(log), ..connect(vec![]) };
    assert_eq!(code(read(routed)).0, "UnsupportedFeatureException");
    assert!(f.tables.list_all::<DiscoveryService>("").await.expect("lists").is_empty());
    assert_eq!(f.tables.list_all::<Namespace>("").await.expect("lists").len(), 1);
}
