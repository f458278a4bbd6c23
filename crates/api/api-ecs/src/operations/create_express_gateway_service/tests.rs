//! Express services over a store in memory: what is written, shown and refused.

use super::{host_label, image_name};
use crate::shapes::*;
use crate::testing::{Fixture, code, fixture};
use resources::ecs::{ExpressService, Service, ServiceStatus, Strategy, TaskDefinition};
use resources::iam::{PrincipalPolicies, Role};
use store::Tables;

const EXECUTION: &str = "arn:aws:iam::123456789012:role/execution";
const INFRASTRUCTURE: &str = "arn:aws:iam::123456789012:role/infrastructure";

async fn make_role(tables: &Tables, trusted: &str) {
    let role = Role {
        account: "123456789012".parse().expect("an account"),
        name: "infrastructure".to_owned(),
        path: "/".to_owned(),
        id: "AROAEXAMPLE".to_owned(),
        description: None,
        trust_policy: format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{trusted}"}},
                "Action":"sts:AssumeRole"}}]}}"#
        ),
        max_session_seconds: 3600,
        policies: PrincipalPolicies::default(),
        boundary: None,
        instance_profiles: Vec::new(),
        linked_service: None,
        tags: Vec::new(),
        created_at: environment::Timestamp::default(),
    };
    tables.create(role).await.expect("writes");
}

fn create(name: &str) -> CreateExpressGatewayServiceRequest {
    CreateExpressGatewayServiceRequest {
        execution_role_arn: EXECUTION.to_owned(),
        infrastructure_role_arn: INFRASTRUCTURE.to_owned(),
        primary_container: ExpressGatewayContainer {
            image: "web:1".to_owned(),
            ..ExpressGatewayContainer::default()
        },
        service_name: Some(name.to_owned()),
        ..CreateExpressGatewayServiceRequest::default()
    }
}

async fn prepared() -> Fixture {
    let fixture = fixture();
    make_role(&fixture.tables, "ecs.amazonaws.com").await;
    fixture
}

async fn describe(f: &Fixture, arn: &str) -> ECSExpressGatewayService {
    let request = DescribeExpressGatewayServiceRequest {
        service_arn: arn.to_owned(),
        include: Some(vec![ExpressGatewayServiceInclude::Tags]),
    };
    let answer = f.service.describe_express_gateway_service(&f.context, request).await;
    answer.expect("describes").service.expect("a service")
}

#[tokio::test]
async fn one_request_makes_a_cluster_a_task_definition_and_a_service_that_waits() {
    let f = prepared().await;
    let tag = Tag { key: Some("team".into()), value: Some("a".into()) };
    let request = CreateExpressGatewayServiceRequest { tags: Some(vec![tag.clone()]), ..create("web_1") };
    let made = f.service.create_express_gateway_service(&f.context, request).await.expect("creates");
    let shown = made.service.expect("a service");
    let arn = shown.service_arn.clone().expect("an ARN");
    assert_eq!(arn, "arn:aws:ecs:us-east-1:123456789012:service/default/web_1");
    assert_eq!(describe(&f, &arn).await, shown);
    assert_eq!(shown.tags, Some(vec![tag]));
    let status = shown.status.and_then(|status| status.status_code);
    assert_eq!(status, Some(ExpressGatewayServiceStatusCode::Active));
    let configurations = shown.active_configurations.expect("configurations");
    let [own] = &configurations[..] else { panic!("{configurations:?}") };
    assert_eq!((own.cpu.as_deref(), own.memory.as_deref()), (Some("256"), Some("512")));
    assert_eq!(own.health_check_path.as_deref(), Some("/ping"));
    let container = own.primary_container.as_ref().expect("a container");
    assert_eq!(container.container_port, Some(80));
    let log = container.aws_logs_configuration.as_ref().expect("a log");
    assert!(log.log_group.starts_with("/aws/ecs/default/web_1-"), "{}", log.log_group);
    let [path] = &own.ingress_paths.clone().expect("paths")[..] else { panic!("one path") };
    assert!(path.endpoint.starts_with("web-1-"), "{}", path.endpoint);
    assert!(path.endpoint.ends_with(".ecs.us-east-1.elb.localhost"), "{}", path.endpoint);
    assert_eq!(path.access_type, AccessType::Public);

    let service = f.tables.get::<Service>("123456789012/default/web_1").await.expect("reads");
    let service = service.expect("a service");
    assert!(service.express && service.deployments.is_empty());
    assert_eq!(service.deployment_configuration.strategy, Strategy::Canary);
    let revision = own.service_revision_arn.clone().expect("a revision");
    let request = DescribeServiceRevisionsRequest { service_revision_arns: vec![revision] };
    let answer = f.service.describe_service_revisions(&f.context, request).await.expect("describes");
    let revisions = answer.service_revisions.expect("revisions");
    let managed = revisions[0].ecs_managed_resources.as_ref().expect("resources");
    let ingress = &managed.ingress_paths.as_ref().expect("paths")[0];
    let balancer = ingress.load_balancer.as_ref().expect("a load balancer");
    assert_eq!((balancer.status, &balancer.arn), (ManagedResourceStatus::Provisioning, &None));
}

#[tokio::test]
async fn an_update_changes_what_it_tells_and_keeps_the_rest() {
    let f = prepared().await;
    let mut request = create("web");
    request.primary_container.container_port = Some(8080);
    request.health_check_path = Some("/health".to_owned());
    let made = f.service.create_express_gateway_service(&f.context, request).await.expect("creates");
    let arn = made.service.and_then(|own| own.service_arn).expect("an ARN");
    let update = UpdateExpressGatewayServiceRequest {
        service_arn: arn.clone(),
        primary_container: Some(ExpressGatewayContainer {
            image: "web:2".to_owned(),
            ..ExpressGatewayContainer::default()
        }),
        scaling_target: Some(ExpressGatewayScalingTarget {
            min_task_count: Some(2),
            ..ExpressGatewayScalingTarget::default()
        }),
        ..UpdateExpressGatewayServiceRequest::default()
    };
    let answer = f.service.update_express_gateway_service(&f.context, update).await.expect("updates");
    let target = answer.service.and_then(|own| own.target_configuration).expect("a target");
    let container = target.primary_container.as_ref().expect("a container");
    assert_eq!((container.image.as_str(), container.container_port), ("web:2", Some(8080)));
    assert_eq!(target.health_check_path.as_deref(), Some("/health"));
    assert_eq!(target.execution_role_arn.as_deref(), Some(EXECUTION));
    assert_eq!(describe(&f, &arn).await.active_configurations, Some(vec![target]));
    let service = f.tables.get::<Service>("123456789012/default/web").await.expect("reads");
    assert_eq!(service.map(|own| own.desired_count), Some(2));
    assert!(f.tables.get::<TaskDefinition>("123456789012/default-web/2").await.is_ok());
}

#[tokio::test]
async fn a_deleted_service_drains_until_nothing_is_left_of_it() {
    let f = prepared().await;
    let made = f.service.create_express_gateway_service(&f.context, create("web")).await.expect("creates");
    let arn = made.service.and_then(|own| own.service_arn).expect("an ARN");
    let again = f.service.create_express_gateway_service(&f.context, create("web")).await;
    assert_eq!(code(again), ("InvalidParameterException", "Creation of service was not idempotent.".into()));
    let delete = || DeleteExpressGatewayServiceRequest { service_arn: arn.clone() };
    f.service.delete_express_gateway_service(&f.context, delete()).await.expect("deletes");
    let (name, message) = code(f.service.delete_express_gateway_service(&f.context, delete()).await);
    assert_eq!((name, message.as_str()), ("ServiceNotActiveException", "Service is in DRAINING status."));

    let gone = |old: &Service| {
        Ok::<_, store::StoreError>(Some(Service { status: ServiceStatus::Inactive, ..old.clone() }))
    };
    f.tables.update("123456789012/default/web", gone).await.expect("writes");
    let code_of = |shown: ECSExpressGatewayService| shown.status.and_then(|status| status.status_code);
    assert_eq!(code_of(describe(&f, &arn).await), Some(ExpressGatewayServiceStatusCode::Draining));
    let again = f.service.create_express_gateway_service(&f.context, create("web")).await;
    assert_eq!(code(again).1, "Unable to Start a service that is still Draining.");
    let gone = |old: &ExpressService| {
        Ok::<_, store::StoreError>(Some(ExpressService { is_gone: true, ..old.clone() }))
    };
    f.tables.update("123456789012/default/web", gone).await.expect("writes");
    assert_eq!(code_of(describe(&f, &arn).await), Some(ExpressGatewayServiceStatusCode::Inactive));
    let (_, message) = code(f.service.delete_express_gateway_service(&f.context, delete()).await);
    assert_eq!(message, "Cannot perform this operation on a service in INACTIVE status.");
    f.service.create_express_gateway_service(&f.context, create("web")).await.expect("comes again");
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let f = fixture();
    make_role(&f.tables, "ecs-tasks.amazonaws.com").await;
    let refused = async |request| code(f.service.create_express_gateway_service(&f.context, request).await).0;
    assert_eq!(refused(create("web")).await, "AccessDeniedException");
    let mut request = create("web");
    request.infrastructure_role_arn = "infrastructure".to_owned();
    assert_eq!(refused(request).await, "InvalidParameterException");
    assert_eq!(refused(create("a b")).await, "InvalidParameterException");
    let mut request = create("web");
    request.network_configuration = Some(ExpressGatewayServiceNetworkConfiguration {
        subnets: Some(vec!["subnet-0".to_owned()]),
        security_groups: None,
    });
    assert_eq!(refused(request).await, "InvalidParameterException");

    let f = prepared().await;
    let refused = async |request| code(f.service.create_express_gateway_service(&f.context, request).await).0;
    let request = CreateExpressGatewayServiceRequest { cluster: Some("none".into()), ..create("web") };
    assert_eq!(refused(request).await, "ClusterNotFoundException");
    let request = CreateExpressGatewayServiceRequest { cpu: Some("3".into()), ..create("web") };
    assert_eq!(refused(request).await, "ClientException");

    let arn = "arn:aws:ecs:us-east-1:123456789012:service/default/none".to_owned();
    let describe = DescribeExpressGatewayServiceRequest { service_arn: arn.clone(), include: None };
    let answer = f.service.describe_express_gateway_service(&f.context, describe).await;
    assert_eq!(code(answer).0, "ResourceNotFoundException");
    let delete = DeleteExpressGatewayServiceRequest { service_arn: arn };
    let answer = f.service.delete_express_gateway_service(&f.context, delete).await;
    assert_eq!(code(answer).0, "ServiceNotFoundException");
    let delete = DeleteExpressGatewayServiceRequest { service_arn: "web".to_owned() };
    let answer = f.service.delete_express_gateway_service(&f.context, delete).await;
    assert_eq!(code(answer).0, "InvalidParameterException");
}

#[test]
fn names_of_hosts_come_of_names() {
    assert_eq!(host_label("Web_App", "0123abcd"), "web-app-0123abcd");
    assert_eq!(host_label("_", "0123abcd"), "express-0123abcd");
    assert_eq!(host_label(&"a".repeat(255), "0123abcd").len(), 63);
    assert_eq!(image_name("registry:5000/team/web.app:1@sha256:0"), "webapp");
    assert_eq!(image_name(":"), "express");
}
