//! What a call is about, as far as its parameters and its answer name it.

use audit_log::Resource;
use aws_wire::Node;

/// Most resources of a record.
const MOST: usize = 20;
/// Longest name of a resource.
const MOST_NAME: usize = 2048;

/// A resource by type and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    kind: &'static str,
    name: String,
}

impl Named {
    pub(super) fn resource(&self) -> Resource<'_> {
        Resource { kind: self.kind, name: &self.name }
    }

    /// The account of a role that is named by its ARN.
    pub(super) fn owner_of_role(&self) -> Option<&str> {
        let is_role = self.kind == "AWS::IAM::Role" && self.name.starts_with("arn:");
        self.name.split(':').nth(4).filter(|account| is_role && !account.is_empty())
    }
}

/// Adds what a parameter at the top of a request names.
pub(super) fn add_parameter(
    service: &str,
    member: &str,
    shape: &str,
    value: &Node,
    resources: &mut Vec<Named>,
) {
    match value {
        Node::Text(text) => {
            if let Some(kind) = kind_of(service, member, shape).or_else(|| kind_of_arn(text)) {
                add(kind, text, resources);
            }
        }
        Node::List(items) => {
            for item in items.iter().take(MOST) {
                if let Node::Text(text) = item
                    && let Some(kind) = kind_of(service, member, shape).or_else(|| kind_of_arn(text))
                {
                    add(kind, text, resources);
                }
            }
        }
        _ => {}
    }
}

/// Adds what an ARN names.
pub(super) fn add_arn(arn: &str, resources: &mut Vec<Named>) {
    if let Some(kind) = kind_of_arn(arn) {
        add(kind, arn, resources);
    }
}

fn add(kind: &'static str, name: &str, resources: &mut Vec<Named>) {
    let new = Named { kind, name: name.to_owned() };
    if !name.is_empty() && name.len() <= MOST_NAME && resources.len() < MOST && !resources.contains(&new) {
        resources.push(new);
    }
}

/// The type of what a parameter names, by its own name and that of its shape.
fn kind_of(service: &str, member: &str, shape: &str) -> Option<&'static str> {
    Some(match (service, member) {
        ("ecs", "cluster" | "clusterName" | "clusters") => "AWS::ECS::Cluster",
        ("ecs", "service" | "services" | "serviceName") => "AWS::ECS::Service",
        ("ecs", "task" | "tasks") => "AWS::ECS::Task",
        ("ecs", "taskDefinition" | "taskDefinitions" | "family") => "AWS::ECS::TaskDefinition",
        ("ecs", "containerInstance" | "containerInstances") => "AWS::ECS::ContainerInstance",
        ("ecs", "capacityProvider" | "capacityProviders") => "AWS::ECS::CapacityProvider",
        ("ecr", "repositoryName" | "repositoryNames") => "AWS::ECR::Repository",
        ("ecr-public", "repositoryName" | "repositoryNames") => "AWS::ECR::PublicRepository",
        ("logs", "logGroupName" | "logGroupIdentifier") => "AWS::Logs::LogGroup",
        ("logs", "logStreamName") => "AWS::Logs::LogStream",
        ("iam", "UserName") => "AWS::IAM::User",
        ("iam", "GroupName") => "AWS::IAM::Group",
        ("iam", "RoleName") | ("sts", "RoleArn") => "AWS::IAM::Role",
        ("iam", "PolicyName" | "PolicyArn") => "AWS::IAM::Policy",
        ("iam", "InstanceProfileName") => "AWS::IAM::InstanceProfile",
        ("iam" | "sts", "AccessKeyId") => "AWS::IAM::AccessKey",
        ("iam", "OpenIDConnectProviderArn") => "AWS::IAM::OIDCProvider",
        ("secretsmanager", "SecretId" | "Name") => "AWS::SecretsManager::Secret",
        ("ssm", "Name") if shape.starts_with("Document") => "AWS::SSM::Document",
        ("ssm", "Name" | "Names") => "AWS::SSM::Parameter",
        ("cloudtrail", "Name" | "TrailName") => "AWS::CloudTrail::Trail",
        ("cloudtrail", "S3BucketName") => "AWS::S3::Bucket",
        _ => return None,
    })
}

/// The type of what an ARN names: its service and the beginning of its resource.
fn kind_of_arn(arn: &str) -> Option<&'static str> {
    let mut parts = arn.splitn(6, ':');
    if parts.next() != Some("arn") {
        return None;
    }
    let (service, resource) = (parts.nth(1)?, parts.nth(2)?);
    let kind = resource.split(['/', ':']).next().unwrap_or_default();
    Some(match (service, kind) {
        ("ecs", "cluster") => "AWS::ECS::Cluster",
        ("ecs", "service") => "AWS::ECS::Service",
        ("ecs", "task") => "AWS::ECS::Task",
        ("ecs", "task-definition") => "AWS::ECS::TaskDefinition",
        ("ecs", "container-instance") => "AWS::ECS::ContainerInstance",
        ("ecs", "capacity-provider") => "AWS::ECS::CapacityProvider",
        ("ecr", "repository") => "AWS::ECR::Repository",
        ("ecr-public", "repository") => "AWS::ECR::PublicRepository",
        ("logs", "log-group") => "AWS::Logs::LogGroup",
        ("iam", "user") => "AWS::IAM::User",
        ("iam", "group") => "AWS::IAM::Group",
        ("iam", "role") => "AWS::IAM::Role",
        ("iam", "policy") => "AWS::IAM::Policy",
        ("iam", "instance-profile") => "AWS::IAM::InstanceProfile",
        ("iam", "oidc-provider") => "AWS::IAM::OIDCProvider",
        ("secretsmanager", "secret") => "AWS::SecretsManager::Secret",
        ("ssm", "document") => "AWS::SSM::Document",
        ("ssm", "parameter") => "AWS::SSM::Parameter",
        ("cloudtrail", "trail") => "AWS::CloudTrail::Trail",
        ("s3", _) => "AWS::S3::Bucket",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(service: &str, member: &str, value: Node) -> Vec<(&'static str, String)> {
        let mut resources = Vec::new();
        add_parameter(service, member, "String", &value, &mut resources);
        resources.into_iter().map(|named| (named.kind, named.name)).collect()
    }

    #[test]
    fn parameters_name_resources() {
        let text = |text: &str| Node::Text(text.to_owned());
        assert_eq!(added("ecs", "cluster", text("c")), [("AWS::ECS::Cluster", "c".to_owned())]);
        let arn = "arn:aws:ecs:us-east-1:123456789012:task/c/0123";
        assert_eq!(added("ecs", "resourceArn", text(arn)), [("AWS::ECS::Task", arn.to_owned())]);
        assert_eq!(added("ecs", "tasks", Node::List(vec![text("a"), text("b"), text("a")])).len(), 2);
        for (member, value) in [("reason", text("c")), ("cluster", Node::Integer(1)), ("cluster", text(""))] {
            assert!(added("ecs", member, value).is_empty());
        }
        assert_eq!(kind_of("ssm", "Name", "DocumentName"), Some("AWS::SSM::Document"));
        assert_eq!(kind_of("ssm", "Name", "PSParameterName"), Some("AWS::SSM::Parameter"));
        let many = (0..100).map(|number| text(&number.to_string())).collect();
        assert_eq!(added("ecs", "tasks", Node::List(many)).len(), MOST);
    }

    #[test]
    fn other_texts_are_no_resources() {
        for text in ["", "arn", "arn:aws:ecs", "arn:aws:ecs:r:a:thing/x", "http://a:b:c:d:e"] {
            assert_eq!(kind_of_arn(text), None, "{text}");
        }
    }
}
