//! Changes of the rules of a security group, for both directions alike.

use crate::errors::{
    GROUP_NOT_FOUND, PERMISSION_DUPLICATE, PERMISSION_NOT_FOUND, RULES_EXCEEDED, dry_run, error, missing,
    store, value,
};
use crate::ids::{GROUP, RULE};
use crate::rules::{self, Wanted, WantedPeer};
use crate::tags::{self, AllTags};
use crate::{Ec2Service, render, shapes as wire};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::{Peer, SecurityGroup, SecurityGroupRule};
use store::Versioned;

/// Most rules of a group in one direction, as AWS's quota is.
const MOST_RULES: usize = 60;
/// Attempts while others write the group.
const MOST_ATTEMPTS: usize = 16;

/// What is said of resources of two VPCs.
const DIFFERENT_NETWORKS: &str = "You have specified two resources that belong to different networks.";

/// What a request asks to change.
pub(crate) struct Change {
    pub(crate) egress: bool,
    pub(crate) dry_run: Option<bool>,
    pub(crate) group_id: Option<String>,
    pub(crate) group_name: Option<String>,
    pub(crate) permissions: Option<Vec<wire::IpPermission>>,
    /// The permission of the plain parameters.
    pub(crate) plain: Option<wire::IpPermission>,
}

impl Ec2Service {
    /// A group by its id, or by its name in the default VPC.
    pub(crate) async fn named_group(
        &self,
        context: &RequestContext,
        id: Option<&str>,
        name: Option<&str>,
    ) -> Result<Versioned<SecurityGroup>, ServiceError> {
        match (id, name) {
            (Some(id), _) => self.group(context, id).await,
            (None, None) => Err(missing("groupName or groupId")),
            (None, Some(name)) => {
                let vpc = self.default_vpc(context).await?;
                let groups = self.all::<SecurityGroup>(context).await?;
                let of_vpc = |group: &Versioned<SecurityGroup>| {
                    vpc.as_ref().is_some_and(|vpc| vpc.id == group.vpc) && group.name == name
                };
                groups.into_iter().find(of_vpc).ok_or_else(|| {
                    let text = format!("The security group '{name}' does not exist in default VPC");
                    error(&GROUP_NOT_FOUND, text)
                })
            }
        }
    }

    /// Adds rules, and answers them.
    pub(crate) async fn authorize(
        &self,
        context: &RequestContext,
        change: Change,
        specifications: Option<Vec<wire::TagSpecification>>,
    ) -> Result<Vec<wire::SecurityGroupRule>, ServiceError> {
        let tags = tags::specified(specifications, &RULE)?;
        let wanted = read(&change)?;
        for _ in 0..MOST_ATTEMPTS {
            let old =
                self.named_group(context, change.group_id.as_deref(), change.group_name.as_deref()).await?;
            let added = self.rules(context, &old, &wanted, change.egress).await?;
            let mut group = SecurityGroup::clone(&old);
            for rule in &added {
                if group.rules.iter().any(|own| own.permits_same(rule)) {
                    let shown = rules::shown(rule);
                    let text = format!("the specified rule \"{shown}\" already exists");
                    return Err(error(&PERMISSION_DUPLICATE, text));
                }
                group.rules.push(rule.clone());
            }
            let count = group.rules.iter().filter(|rule| rule.egress == change.egress).count();
            if count > MOST_RULES {
                let text = "The maximum number of rules per security group has been reached.";
                return Err(error(&RULES_EXCEEDED, text));
            }
            dry_run(change.dry_run)?;
            let batch = added
                .iter()
                .fold(self.tables.batch(), |batch, rule| tags::write(batch, context, &rule.id, &tags));
            match batch.replace(&old, &group).commit().await {
                Ok(_) => {
                    let shown = added
                        .iter()
                        .map(|rule| render::rule(context, &group, rule, &AllTags::only(&rule.id, &tags)));
                    return Ok(shown.collect());
                }
                Err(failure) if failure.is_conflict() => {}
                Err(failure) => return Err(store(failure)),
            }
        }
        Err(store(store::StoreError::Conflict(String::new())))
    }

    /// Takes rules away, by their ids or by what they let through, and answers them.
    pub(crate) async fn revoke(
        &self,
        context: &RequestContext,
        change: Change,
        rule_ids: Option<Vec<String>>,
    ) -> Result<Vec<wire::RevokedSecurityGroupRule>, ServiceError> {
        let rule_ids = rule_ids.unwrap_or_default();
        let wanted = if rule_ids.is_empty() { read(&change)? } else { Vec::new() };
        for _ in 0..MOST_ATTEMPTS {
            let old =
                self.named_group(context, change.group_id.as_deref(), change.group_name.as_deref()).await?;
            let mut group = SecurityGroup::clone(&old);
            let mut revoked = Vec::new();
            for id in &rule_ids {
                let own = group.rules.iter().position(|rule| rule.id == *id && rule.egress == change.egress);
                revoked.push(group.rules.remove(own.ok_or_else(|| RULE.not_found(id))?));
            }
            for rule in self.rules(context, &old, &wanted, change.egress).await? {
                let own = group.rules.iter().position(|own| own.permits_same(&rule));
                let text = "The specified rule does not exist in this security group.";
                revoked.push(group.rules.remove(own.ok_or_else(|| error(&PERMISSION_NOT_FOUND, text))?));
            }
            dry_run(change.dry_run)?;
            let batch = revoked
                .iter()
                .fold(self.tables.batch(), |batch, rule| tags::delete(batch, context, &rule.id));
            match batch.replace(&old, &group).commit().await {
                Ok(_) => return Ok(revoked.iter().map(|rule| shown(&group, rule)).collect()),
                Err(failure) if failure.is_conflict() => {}
                Err(failure) => return Err(store(failure)),
            }
        }
        Err(store(store::StoreError::Conflict(String::new())))
    }

    /// New rules of what is wanted, whose groups are there.
    async fn rules(
        &self,
        context: &RequestContext,
        group: &SecurityGroup,
        wanted: &[Wanted],
        egress: bool,
    ) -> Result<Vec<SecurityGroupRule>, ServiceError> {
        let mut all = Vec::with_capacity(wanted.len());
        for one in wanted {
            let peer = match &one.peer {
                WantedPeer::Known(peer) => peer.clone(),
                WantedPeer::GroupId(id) => {
                    peer_of(group, &*self.named_group(context, Some(id), None).await?)?
                }
                WantedPeer::GroupName(name) => {
                    peer_of(group, &*self.named_group(context, None, Some(name)).await?)?
                }
            };
            all.push(SecurityGroupRule {
                id: self.networks.id(RULE.prefix),
                egress,
                protocol: one.protocol,
                peer,
                description: one.description.clone(),
            });
        }
        Ok(all)
    }
}

fn peer_of(group: &SecurityGroup, other: &SecurityGroup) -> Result<Peer, ServiceError> {
    if other.vpc != group.vpc {
        return Err(error(&GROUP_NOT_FOUND, DIFFERENT_NETWORKS));
    }
    Ok(Peer::Group(other.id.clone()))
}

fn read(change: &Change) -> Result<Vec<Wanted>, ServiceError> {
    let mut permissions = change.permissions.clone().unwrap_or_default();
    if !permissions.is_empty() && change.plain.is_some() {
        return Err(value(
            "The parameter ipPermissions cannot be used with plain parameters of a permission.",
        ));
    }
    permissions.extend(change.plain.clone());
    if permissions.is_empty() {
        return Err(missing("ipPermissions"));
    }
    rules::wanted(permissions)
}

fn shown(group: &SecurityGroup, rule: &SecurityGroupRule) -> wire::RevokedSecurityGroupRule {
    let (ip_protocol, from, to) = rules::numbers(rule.protocol);
    let (cidr_ipv4, cidr_ipv6, referenced_group_id) = rules::peer(&rule.peer);
    wire::RevokedSecurityGroupRule {
        cidr_ipv4,
        cidr_ipv6,
        description: rule.description.clone(),
        from_port: Some(from.unwrap_or(-1)),
        to_port: Some(to.unwrap_or(-1)),
        group_id: Some(group.id.clone()),
        ip_protocol: Some(ip_protocol),
        is_egress: Some(rule.egress),
        referenced_group_id,
        security_group_rule_id: Some(rule.id.clone()),
        ..wire::RevokedSecurityGroupRule::default()
    }
}

impl Ec2Service {
    /// The groups of a new interface: those named, or the default one of the VPC.
    pub(crate) async fn interface_groups(
        &self,
        context: &RequestContext,
        vpc: &str,
        named: &[String],
    ) -> Result<Vec<Versioned<SecurityGroup>>, ServiceError> {
        if named.is_empty() {
            let found = self.networks.default_group(&context.account, vpc).await.map_err(store)?;
            return Ok(vec![found.ok_or_else(|| GROUP.not_found("sg-default"))?]);
        }
        let mut groups = Vec::new();
        for id in named {
            let group = self.group(context, id).await?;
            if group.vpc != vpc {
                return Err(error(&GROUP_NOT_FOUND, DIFFERENT_NETWORKS));
            }
            groups.push(group);
        }
        Ok(groups)
    }
}
