//! RegisterTargets and DeregisterTargets. Targets are private IPv4 addresses; one that is deregistered drains first. There are
//! no instances that could be targets, so that groups of instances stay empty.

use crate::errors::{Failure, other, validation};
use crate::operations::create_target_group::port;
use crate::retry::retrying;
use crate::shapes as wire;
use crate::shapes::{
    DeregisterTargetsInput, DeregisterTargetsOutput, RegisterTargetsInput, RegisterTargetsOutput, errors,
};
use crate::{ElbV2Service, limits};
use aws_wire::RequestContext;
use resources::Stored;
use resources::elb::{Target, TargetGroup, TargetHealth, TargetType};
use std::net::{IpAddr, Ipv4Addr};

pub(crate) async fn register_targets(
    service: &ElbV2Service,
    context: &RequestContext,
    input: RegisterTargetsInput,
) -> Result<RegisterTargetsOutput, Failure> {
    retrying!(register(service, context, &input))?;
    Ok(RegisterTargetsOutput::default())
}

async fn register(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &RegisterTargetsInput,
) -> Result<(), Failure> {
    let group = service.target_group(context, &input.target_group_arn).await?;
    if input.targets.is_empty() {
        return Err(validation("At least one target must be specified"));
    }
    let old = service.tables.list_all::<Target>(&format!("{}/", group.key())).await?;
    let mut batch = service.tables.batch().require_exists(&group);
    let mut added = Vec::new();
    for given in &input.targets {
        let new = target(context, &group, given)?;
        if added.contains(&new.key()) {
            continue;
        }
        match old.iter().find(|old| old.key() == new.key()) {
            // It is there and stays.
            Some(old) if old.draining_since.is_none() => continue,
            // It may belong to a task still, which is draining; when that ends, its target goes.
            Some(old) => {
                batch = batch.replace(
                    old,
                    &Target { task: old.task.clone(), service: old.service.clone(), ..new.clone() },
                );
            }
            None => batch = batch.create(&new),
        }
        added.push(new.key());
    }
    if old.len() + added.len() > limits::TARGETS {
        return Err(other(
            &errors::TOO_MANY_TARGETS_EXCEPTION,
            format_args!("The target group cannot have more than {} targets", limits::TARGETS),
        ));
    }
    if !added.is_empty() {
        batch.commit().await?;
    }
    Ok(())
}

fn target(
    context: &RequestContext,
    group: &TargetGroup,
    given: &wire::TargetDescription,
) -> Result<Target, Failure> {
    if given.quic_server_id.is_some() {
        return Err(validation("QUIC is not supported"));
    }
    Ok(Target {
        account: group.account.clone(),
        target_group: group.name.clone(),
        target_group_arn: group.arn.clone(),
        address: IpAddr::V4(address_in(group, &given.id)?),
        port: given.port.map_or(Ok(group.port), port)?,
        zone: given.availability_zone.clone(),
        task: None,
        service: None,
        registered_at: context.time,
        draining_since: None,
        health: TargetHealth::initial(),
    })
}

/// The address of a target that a group can have.
fn address_in(group: &TargetGroup, given: &str) -> Result<Ipv4Addr, Failure> {
    match group.target_type {
        TargetType::Ip => address(given),
        TargetType::Instance => {
            Err(other(&errors::INVALID_TARGET_EXCEPTION, format_args!("Instance ID '{given}' is not valid")))
        }
    }
}

/// A private address. Those of the machine itself and of the link are none: whoever may register a target must not reach by it
/// what listens on loopback addresses only, or the credentials of the machine.
fn address(given: &str) -> Result<Ipv4Addr, Failure> {
    let shared = |address: Ipv4Addr| address.octets()[0] == 100 && (64..128).contains(&address.octets()[1]);
    let is_fine = |address: &Ipv4Addr| address.is_private() || shared(*address);
    given.parse().ok().filter(is_fine).ok_or_else(|| {
        other(
            &errors::INVALID_TARGET_EXCEPTION,
            format_args!("The IP address '{given}' is not a valid target: it must be a private IPv4 address"),
        )
    })
}

pub(crate) async fn deregister_targets(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DeregisterTargetsInput,
) -> Result<DeregisterTargetsOutput, Failure> {
    retrying!(deregister(service, context, &input))?;
    Ok(DeregisterTargetsOutput::default())
}

async fn deregister(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &DeregisterTargetsInput,
) -> Result<(), Failure> {
    let group = service.target_group(context, &input.target_group_arn).await?;
    let rows = service.tables.list_all::<Target>(&format!("{}/", group.key())).await?;
    let mut batch = service.tables.batch();
    let mut is_changed = false;
    for given in &input.targets {
        let address = address_in(&group, &given.id)?;
        // Without a port, every port of the address.
        let own = rows.iter().filter(|row| {
            row.address == IpAddr::V4(address) && given.port.is_none_or(|port| i32::from(row.port) == port)
        });
        for row in own.filter(|row| row.draining_since.is_none()) {
            let mut new = Target::clone(row);
            new.drain(context.time);
            batch = batch.replace(row, &new);
            is_changed = true;
        }
    }
    if is_changed {
        batch.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_addresses_are_targets() {
        for (text, is_fine) in [
            ("10.0.0.1", true),
            ("172.16.0.1", true),
            ("192.168.1.1", true),
            ("100.64.0.1", true),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("0.0.0.0", false),
            ("8.8.8.8", false),
            ("100.128.0.1", false),
            ("fd00::1", false),
            ("i-0123456789abcdef0", false),
        ] {
            assert_eq!(address(text).is_ok(), is_fine, "{text}");
        }
    }
}
