//! What a caller must be allowed to do for each operation: the action on what the input names, with its tags. Describing is
//! allowed for everything or nothing, as on AWS.

use crate::ElbV2Service;
use crate::errors::Failure;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use resources::elb::{Listener, LoadBalancer, Rule, Tags, TargetGroup};

/// Members that name what an operation is about, the closest first.
const SUBJECTS: [&str; 4] = ["RuleArn", "ListenerArn", "TargetGroupArn", "LoadBalancerArn"];

/// The permissions of a request.
pub(crate) async fn of(
    service: &ElbV2Service,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let request = Request { service, context, operation, input };
    Ok(request.permissions().await?)
}

struct Request<'a> {
    service: &'a ElbV2Service,
    context: &'a RequestContext,
    operation: &'static Operation,
    input: &'a Node,
}

impl Request<'_> {
    async fn permissions(&self) -> Result<Vec<Permission>, Failure> {
        let input = self.input;
        let arns: Vec<&str> = match self.operation.name {
            name if name.starts_with("Describe") => return Ok(vec![Permission::of(self.operation, "*")]),
            "CreateLoadBalancer" => return Ok(self.create_tagged(&self.new_load_balancer())),
            "CreateTargetGroup" => {
                let name = input.text("Name").unwrap_or("*");
                return Ok(self.create_tagged(&self.arn(&format!("targetgroup/{name}/*"))));
            }
            "AddTags" | "RemoveTags" => input.texts("ResourceArns").collect(),
            "SetRulePriorities" => {
                input.items("RulePriorities").iter().filter_map(|pair| pair.text("RuleArn")).collect()
            }
            _ => SUBJECTS.iter().find_map(|member| input.text(member)).into_iter().collect(),
        };
        let mut permissions = Vec::new();
        for arn in arns {
            let tags = self.tags(arn).await?;
            permissions.extend(self.create(arn).into_iter().map(|permission| {
                permission
                    .with_tag_keys(input.texts("TagKeys").map(str::to_owned).collect())
                    .with_resource_tags(tags.iter().map(|(key, value)| (key, value)))
            }));
        }
        if permissions.is_empty() {
            permissions.push(Permission::of(self.operation, "*"));
        }
        Ok(permissions)
    }

    /// The operation on something, and giving it tags where it is new.
    fn create(&self, arn: &str) -> Vec<Permission> {
        let tags = || self.input.tags("Tags", "Key", "Value");
        let mut permissions = vec![Permission::of(self.operation, arn).with_request_tags(tags())];
        if self.operation.name.starts_with("Create") && tags().next().is_some() {
            let tag = Permission::new("elasticloadbalancing:AddTags", arn).with_request_tags(tags());
            permissions.push(tag.with("elasticloadbalancing:CreateAction", self.operation.name));
        }
        permissions
    }

    /// What is made counts as tagged as it will be: the managed policies of AWS that infrastructure roles have ask for tags
    /// of the resource when it is made.
    fn create_tagged(&self, arn: &str) -> Vec<Permission> {
        let tags = || self.input.tags("Tags", "Key", "Value");
        self.create(arn).into_iter().map(|permission| permission.with_resource_tags(tags())).collect()
    }

    fn arn(&self, rest: &str) -> String {
        format!("arn:aws:elasticloadbalancing:{}:{}:{rest}", self.context.region, self.context.account)
    }

    fn new_load_balancer(&self) -> String {
        let kind = if self.input.text("Type") == Some("network") { "net" } else { "app" };
        self.arn(&format!("loadbalancer/{kind}/{}/*", self.input.text("Name").unwrap_or("*")))
    }

    /// The tags of what an ARN names, if it is there.
    async fn tags(&self, arn: &str) -> Result<Tags, Failure> {
        let tables = &self.service.tables;
        if let Some(key) = LoadBalancer::key_in(arn) {
            let found = tables.get::<LoadBalancer>(&key).await?.filter(|row| row.arn == arn);
            return Ok(found.map(|row| row.tags.clone()).unwrap_or_default());
        }
        if let Some(key) = TargetGroup::key_in(arn) {
            let found = tables.get::<TargetGroup>(&key).await?.filter(|row| row.arn == arn);
            return Ok(found.map(|row| row.tags.clone()).unwrap_or_default());
        }
        if let Some(key) = Listener::key_in(arn) {
            let found = tables.get::<Listener>(&key).await?.filter(|row| row.arn == arn);
            return Ok(found.map(|row| row.tags.clone()).unwrap_or_default());
        }
        let Some(key) = Rule::key_in(arn) else { return Ok(Tags::new()) };
        let found = tables.get::<Rule>(&key).await?.filter(|row| row.arn == arn);
        Ok(found.map(|row| row.tags.clone()).unwrap_or_default())
    }
}
