//! What a caller must be allowed to do for each operation: the resources that its input names, with their tags.
//!
//! ARNs are made from the input alone, so a call on what does not exist needs the same permission. Describing knows no
//! resources in policies.

use crate::Ec2Service;
use crate::ids::{GROUP, INTERFACE, Kind, RULE, SUBNET, VPC};
use crate::render::arn;
use aws_wire::{Node, Operation, Permission, RequestContext, ServiceError};
use resources::ec2::ResourceTags;

/// The permissions of a request.
pub(crate) async fn of(
    service: &Ec2Service,
    context: &RequestContext,
    operation: &'static Operation,
    input: &Node,
) -> Result<Vec<Permission>, ServiceError> {
    let request = Request { service, context, operation, input };
    Ok(match operation.name {
        "CreateVpc" => request.create(&VPC, vec![]).await?,
        "CreateDefaultVpc" => vec![request.any(&VPC)],
        "CreateSubnet" => request.create(&SUBNET, vec![request.named(&VPC, "VpcId").await?]).await?,
        "CreateSecurityGroup" => request.create(&GROUP, vec![request.named(&VPC, "VpcId").await?]).await?,
        "CreateNetworkInterface" => {
            let mut others = vec![request.named(&SUBNET, "SubnetId").await?];
            for group in input.texts("Groups") {
                others.push(request.on(&GROUP, group).await?);
            }
            request.create(&INTERFACE, others).await?
        }
        "DeleteVpc" | "ModifyVpcAttribute" | "DescribeVpcAttribute" => {
            vec![request.named(&VPC, "VpcId").await?]
        }
        "DeleteSubnet" | "ModifySubnetAttribute" => vec![request.named(&SUBNET, "SubnetId").await?],
        "DeleteSecurityGroup" | "RevokeSecurityGroupIngress" | "RevokeSecurityGroupEgress" => {
            vec![request.named(&GROUP, "GroupId").await?]
        }
        "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => {
            let mut all = vec![request.named(&GROUP, "GroupId").await?];
            all.extend(request.tags_of_new(&RULE));
            all
        }
        "DeleteNetworkInterface" => vec![request.named(&INTERFACE, "NetworkInterfaceId").await?],
        "CreateTags" | "DeleteTags" => request.on_tagged().await?,
        _ => vec![Permission::of(operation, "*")],
    })
}

struct Request<'a> {
    service: &'a Ec2Service,
    context: &'a RequestContext,
    operation: &'static Operation,
    input: &'a Node,
}

impl Request<'_> {
    /// A new resource of a kind, whose id nobody knows yet.
    fn any(&self, kind: &Kind) -> Permission {
        Permission::of(self.operation, arn(self.context, kind.name, "*"))
    }

    async fn on(&self, kind: &Kind, id: &str) -> Result<Permission, ServiceError> {
        let permission = Permission::of(self.operation, arn(self.context, kind.name, id));
        let tags = self.service.find::<ResourceTags>(self.context, id).await?;
        Ok(permission.with_resource_tags(tags.iter().flat_map(|row| &row.tags)))
    }

    /// The resource whose id is the input's member; any, where that is missing.
    async fn named(&self, kind: &Kind, member: &str) -> Result<Permission, ServiceError> {
        match self.input.text(member) {
            Some(id) => self.on(kind, id).await,
            None => Ok(self.any(kind)),
        }
    }

    /// Making a resource beside others, and giving it tags.
    async fn create(&self, kind: &Kind, others: Vec<Permission>) -> Result<Vec<Permission>, ServiceError> {
        let tags: Vec<(&str, &str)> = self.request_tags().collect();
        let mut all = vec![self.any(kind).with_request_tags(tags)];
        all.extend(others);
        all.extend(self.tags_of_new(kind));
        Ok(all)
    }

    fn tags_of_new(&self, kind: &Kind) -> Option<Permission> {
        let tags: Vec<(&str, &str)> = self.request_tags().collect();
        (!tags.is_empty()).then(|| {
            Permission::new("ec2:CreateTags", arn(self.context, kind.name, "*"))
                .with("ec2:CreateAction", self.operation.name)
                .with_request_tags(tags)
        })
    }

    fn request_tags(&self) -> impl Iterator<Item = (&str, &str)> {
        self.input.items("TagSpecifications").iter().flat_map(|one| one.tags("Tags", "Key", "Value"))
    }

    async fn on_tagged(&self) -> Result<Vec<Permission>, ServiceError> {
        let tags: Vec<(&str, &str)> = self.input.tags("Tags", "Key", "Value").collect();
        let mut all = Vec::new();
        for id in self.input.texts("Resources") {
            let permission = match Kind::of(id) {
                Some(kind) => self.on(kind, id).await?,
                None => Permission::of(self.operation, arn(self.context, "*", id)),
            };
            all.push(if self.operation.name == "CreateTags" {
                permission.with_request_tags(tags.clone())
            } else {
                permission.with_tag_keys(tags.iter().map(|(key, _)| (*key).to_owned()).collect())
            });
        }
        Ok(all)
    }
}
