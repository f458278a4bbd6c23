//! Payloads for tests.

use agent_wire::acs;

/// An ARN of a task.
pub(crate) const ARN: &str =
    "arn:aws:ecs:us-east-1:123456789012:task/default/0123456789abcdef0123456789abcdef";

/// An essential container.
pub(crate) fn container(name: &str) -> acs::Container {
    acs::Container {
        name: name.to_owned(),
        image: format!("localhost:4566/{name}:1"),
        essential: true,
        ..acs::Container::default()
    }
}

/// A dependency.
pub(crate) fn depends(on: &str, condition: acs::ContainerCondition) -> Vec<acs::ContainerDependency> {
    vec![acs::ContainerDependency { container_name: on.to_owned(), condition: Some(condition) }]
}

/// A task.
pub(crate) fn payload(containers: Vec<acs::Container>) -> acs::Task {
    acs::Task {
        arn: ARN.to_owned(),
        task_cluster_arn: "arn:aws:ecs:us-east-1:123456789012:cluster/default".to_owned(),
        family: "web".to_owned(),
        version: "1".to_owned(),
        desired_status: "RUNNING".to_owned(),
        network_mode: "awsvpc".to_owned(),
        elastic_network_interfaces: vec![acs::ElasticNetworkInterface {
            ec2_id: "eni-1".to_owned(),
            mac_address: "0a:58:0a:58:00:07".to_owned(),
            ipv4_addresses: vec![acs::IPv4AddressAssignment {
                primary: true,
                private_address: "10.88.0.7".to_owned(),
            }],
            ..acs::ElasticNetworkInterface::default()
        }],
        containers,
        ..acs::Task::default()
    }
}
