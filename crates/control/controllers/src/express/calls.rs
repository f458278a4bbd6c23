//! The calls by which the parts of an express service are made and taken away.

use resources::ecs::{ExpressConfiguration, ExpressGateway, ExpressService};
use serde_json::{Value, json};

/// The tag of everything that ECS makes for express services. AWS's managed policy for infrastructure roles asks for it.
pub const MANAGED: (&str, &str) = ("AmazonECSManaged", "true");
/// Weight of all traffic.
pub(super) const ALL: u32 = 100;

/// A call of an operation of this region.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The service as it stands in signatures, for example `elasticloadbalancing`.
    pub service: &'static str,
    /// Name of the operation.
    pub operation: &'static str,
    /// What is sent.
    pub body: Body,
}

/// What a call sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Parameters of a query, `Action` and `Version` among them.
    Query(Vec<(String, String)>),
    /// The value of the header `x-amz-target`, and JSON.
    Json(&'static str, Value),
}

/// Parameters that are put one after the other.
struct Query(Vec<(String, String)>);

impl Query {
    fn new(operation: &str, version: &str) -> Self {
        Self(Vec::new()).with("Action", operation).with("Version", version)
    }

    fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.0.push((name.into(), value.to_string()));
        self
    }

    fn members<'a>(mut self, name: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        for (index, value) in values.into_iter().enumerate() {
            self = self.with(format!("{name}.member.{}", index + 1), value);
        }
        self
    }
}

fn balancing(operation: &'static str, fill: impl FnOnce(Query) -> Query) -> Call {
    let query = fill(Query::new(operation, "2015-12-01"));
    Call { service: "elasticloadbalancing", operation, body: Body::Query(query.0) }
}

/// As [`balancing`], of something new, which is tagged.
fn new_balancing(operation: &'static str, fill: impl FnOnce(Query) -> Query) -> Call {
    balancing(operation, |query| {
        fill(query).with("Tags.member.1.Key", MANAGED.0).with("Tags.member.1.Value", MANAGED.1)
    })
}

fn network(operation: &'static str, fill: impl FnOnce(Query) -> Query) -> Call {
    let query = fill(Query::new(operation, "2016-11-15"));
    Call { service: "ec2", operation, body: Body::Query(query.0) }
}

pub(super) fn create_log_group(name: &str) -> Call {
    let (key, value) = MANAGED;
    let body = json!({"logGroupName": name, "tags": {key: value}});
    Call {
        service: "logs",
        operation: "CreateLogGroup",
        body: Body::Json("Logs_20140328.CreateLogGroup", body),
    }
}

pub(super) fn create_security_group(name: &str, vpc: &str, description: &str) -> Call {
    network("CreateSecurityGroup", |query| {
        query
            .with("GroupName", name)
            .with("GroupDescription", description)
            .with("VpcId", vpc)
            .with("TagSpecification.1.ResourceType", "security-group")
            .with("TagSpecification.1.Tag.1.Key", MANAGED.0)
            .with("TagSpecification.1.Tag.1.Value", MANAGED.1)
    })
}

/// Lets everybody reach a port of the load balancer.
pub(super) fn open_to_all(group: &str, port: u16) -> Call {
    permit(group, port, |query| query.with("IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"))
}

/// Lets the members of another group reach a port.
pub(super) fn open_to_group(group: &str, port: u16, other: &str) -> Call {
    permit(group, port, |query| query.with("IpPermissions.1.Groups.1.GroupId", other))
}

fn permit(group: &str, port: u16, peer: impl FnOnce(Query) -> Query) -> Call {
    network("AuthorizeSecurityGroupIngress", |query| {
        let query = query
            .with("GroupId", group)
            .with("IpPermissions.1.IpProtocol", "tcp")
            .with("IpPermissions.1.FromPort", port)
            .with("IpPermissions.1.ToPort", port);
        peer(query)
    })
}

pub(super) fn close(group: &str, rule: &str) -> Call {
    network("RevokeSecurityGroupIngress", |query| {
        query.with("GroupId", group).with("SecurityGroupRuleId.1", rule)
    })
}

pub(super) fn delete_security_group(group: &str) -> Call {
    network("DeleteSecurityGroup", |query| query.with("GroupId", group))
}

pub(super) fn create_load_balancer(gateway: &ExpressGateway, group: &str) -> Call {
    let scheme = if gateway.public { "internet-facing" } else { "internal" };
    new_balancing("CreateLoadBalancer", |query| {
        query
            .with("Name", &gateway.name)
            .with("Type", "application")
            .with("Scheme", scheme)
            .members("Subnets", gateway.subnets.iter().map(String::as_str))
            .members("SecurityGroups", [group])
    })
}

/// A listener that answers 404 where no rule of a service holds.
pub(super) fn create_listener(balancer: &str, port: u16, certificate: &str) -> Call {
    new_balancing("CreateListener", |query| {
        query
            .with("LoadBalancerArn", balancer)
            .with("Protocol", "HTTPS")
            .with("Port", port)
            .with("Certificates.member.1.CertificateArn", certificate)
            .with("DefaultActions.member.1.Type", "fixed-response")
            .with("DefaultActions.member.1.FixedResponseConfig.StatusCode", "404")
            .with("DefaultActions.member.1.FixedResponseConfig.ContentType", "text/plain")
    })
}

pub(super) fn add_certificate(listener: &str, certificate: &str) -> Call {
    of_certificate("AddListenerCertificates", listener, certificate)
}

pub(super) fn remove_certificate(listener: &str, certificate: &str) -> Call {
    of_certificate("RemoveListenerCertificates", listener, certificate)
}

fn of_certificate(operation: &'static str, listener: &str, certificate: &str) -> Call {
    balancing(operation, |query| {
        query.with("ListenerArn", listener).with("Certificates.member.1.CertificateArn", certificate)
    })
}

pub(super) fn create_target_group(name: &str, vpc: &str, wanted: &ExpressConfiguration) -> Call {
    new_balancing("CreateTargetGroup", |query| {
        query
            .with("Name", name)
            .with("Protocol", "HTTP")
            .with("Port", wanted.port)
            .with("VpcId", vpc)
            .with("TargetType", "ip")
            .with("HealthCheckPath", &wanted.health_check_path)
    })
}

/// The rule that sends the requests for a service to its target groups, by ARN and weight.
pub(super) fn create_rule(
    listener: &str,
    priority: u32,
    service: &ExpressService,
    groups: &[(&str, u32)],
) -> Call {
    new_balancing("CreateRule", |query| {
        let query = query
            .with("ListenerArn", listener)
            .with("Priority", priority)
            .with("Conditions.member.1.Field", "host-header")
            .with("Conditions.member.1.HostHeaderConfig.Values.member.1", &service.host);
        forward(query, groups)
    })
}

pub(super) fn modify_rule(rule: &str, groups: &[(&str, u32)]) -> Call {
    balancing("ModifyRule", |query| forward(query.with("RuleArn", rule), groups))
}

fn forward(query: Query, groups: &[(&str, u32)]) -> Query {
    let action = "Actions.member.1";
    let query = query.with(format!("{action}.Type"), "forward");
    groups.iter().enumerate().fold(query, |query, (index, (arn, weight))| {
        let group = format!("{action}.ForwardConfig.TargetGroups.member.{}", index + 1);
        query.with(format!("{group}.TargetGroupArn"), arn).with(format!("{group}.Weight"), weight)
    })
}

pub(super) fn delete_rule(arn: &str) -> Call {
    balancing("DeleteRule", |query| query.with("RuleArn", arn))
}

pub(super) fn delete_target_group(arn: &str) -> Call {
    balancing("DeleteTargetGroup", |query| query.with("TargetGroupArn", arn))
}

pub(super) fn delete_listener(arn: &str) -> Call {
    balancing("DeleteListener", |query| query.with("ListenerArn", arn))
}

pub(super) fn delete_load_balancer(arn: &str) -> Call {
    balancing("DeleteLoadBalancer", |query| query.with("LoadBalancerArn", arn))
}
