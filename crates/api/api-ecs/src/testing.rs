//! What the tests of this crate share: a service over an empty store.

use crate::shapes::*;
use crate::{EcsService, operations};
use access::Access;
use aws_wire::{RequestContext, ServiceError};
use encryption::KeyRing;
use environment::Environment;
use resources::ec2::{SecurityGroup, Subnet};
use resources::ecr::RegistryHosts;
use std::net::{IpAddr, Ipv4Addr};
use store::{MemoryStore, Tables};
use virtual_networks::VirtualNetworks;

pub(crate) struct Fixture {
    pub(crate) tables: Tables,
    pub(crate) service: EcsService,
    pub(crate) context: RequestContext,
}

pub(crate) fn fixture() -> Fixture {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let context = RequestContext {
        account: "123456789012".parse().expect("an account"),
        region: "us-east-1".parse().expect("a region"),
        principal_arn: "arn:aws:iam::123456789012:root".into(),
        principal_id: "123456789012".into(),
        request_id: "request".into(),
        source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host: "127.0.0.1:4566".into(),
        time: environment.now(),
        extensions: aws_wire::Extensions::new(),
    };
    let access = Access::new(tables.clone(), KeyRing::in_memory(environment));
    let networks = VirtualNetworks::new(tables.clone(), "10.88.0.0/16".parse().expect("a range"));
    Fixture { service: EcsService::new(tables.clone(), registry(), access, networks), tables, context }
}

/// A subnet that there is.
pub(crate) const SUBNET: &str = "subnet-12345678";
/// A security group of its VPC.
pub(crate) const GROUP: &str = "sg-12345678";

/// A subnet and a group, and others in another VPC.
async fn make_networks(tables: &Tables, context: &RequestContext) {
    for (vpc, subnet, group) in [("vpc-1", SUBNET, GROUP), ("vpc-2", "subnet-other", "sg-other")] {
        let subnet = Subnet {
            account: context.account.clone(),
            id: subnet.to_owned(),
            vpc: vpc.to_owned(),
            cidr: "10.88.0.0/20".parse().expect("a range"),
            zone: "a".to_owned(),
            default_for_zone: true,
            map_public_ip: true,
            closing: false,
            created_at: context.time,
        };
        let group = SecurityGroup {
            account: context.account.clone(),
            id: group.to_owned(),
            vpc: vpc.to_owned(),
            name: "default".to_owned(),
            description: String::new(),
            rules: vec![],
            closing: false,
            created_at: context.time,
        };
        tables.batch().create(&subnet).create(&group).commit().await.expect("writes");
    }
}

/// A region whose registry is `localhost:4566`.
pub(crate) fn registry() -> RegistryHosts {
    RegistryHosts::new(vec!["localhost:4566".into()])
}

pub(crate) fn code<T>(result: Result<T, ServiceError>) -> (&'static str, String) {
    let error = result.err().expect("an error");
    (error.shape.name, error.message.into_owned())
}

pub(crate) fn container(name: &str) -> ContainerDefinition {
    ContainerDefinition {
        name: Some(name.into()),
        image: Some("busybox".into()),
        ..ContainerDefinition::default()
    }
}

pub(crate) fn registration(containers: Vec<ContainerDefinition>) -> RegisterTaskDefinitionRequest {
    RegisterTaskDefinitionRequest {
        family: "web".into(),
        network_mode: Some(NetworkMode::Awsvpc),
        requires_compatibilities: Some(vec![Compatibility::Fargate]),
        cpu: Some("256".into()),
        memory: Some("512".into()),
        container_definitions: containers,
        ..RegisterTaskDefinitionRequest::default()
    }
}

pub(crate) fn run_request() -> RunTaskRequest {
    RunTaskRequest {
        task_definition: "web".into(),
        launch_type: Some(LaunchType::Fargate),
        network_configuration: Some(NetworkConfiguration {
            awsvpc_configuration: Some(AwsVpcConfiguration {
                subnets: vec![SUBNET.into()],
                ..AwsVpcConfiguration::default()
            }),
        }),
        ..RunTaskRequest::default()
    }
}

impl Fixture {
    /// A cluster `default` and a task definition `web:1`.
    pub(crate) async fn prepared() -> Self {
        let fixture = fixture();
        make_networks(&fixture.tables, &fixture.context).await;
        fixture
            .service
            .create_cluster(&fixture.context, CreateClusterRequest::default())
            .await
            .expect("creates");
        let request = registration(vec![container("main")]);
        operations::register_task_definition::run(&fixture.tables, &registry(), &fixture.context, request)
            .await
            .expect("registers");
        fixture
    }
}
