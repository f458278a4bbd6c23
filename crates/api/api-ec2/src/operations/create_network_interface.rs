//! CreateNetworkInterface: an interface that nobody uses, which holds an address.

use crate::errors::{
    ADDRESS_IN_USE, GROUPS_EXCEEDED, IDEMPOTENT_MISMATCH, NO_FREE_ADDRESS, dry_run, error, refuse, store,
    value,
};
use crate::ids::INTERFACE;
use crate::shapes::{CreateNetworkInterfaceRequest, CreateNetworkInterfaceResult};
use crate::tags::{self, AllTags};
use crate::{Ec2Service, render};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::{InterfaceUse, NetworkInterface, Subnet};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use store::Versioned;
use virtual_networks::{NotReserved, Reserved, VirtualNetworks};

/// Most security groups of an interface, as AWS's quota is.
const MOST_GROUPS: usize = 5;
/// Attempts while others write the subnet or its groups.
const MOST_ATTEMPTS: usize = 8;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: CreateNetworkInterfaceRequest,
) -> Result<CreateNetworkInterfaceResult, ServiceError> {
    check(&input)?;
    let token = input.client_token.clone().filter(|token| !token.is_empty());
    let fingerprint = hex::encode(Sha256::digest(format!(
        "{:?}",
        CreateNetworkInterfaceRequest { client_token: None, ..input.clone() }
    )));
    let token = token.map(|token| (token, fingerprint));
    if let Some(made) = repeated(service, context, token.as_ref()).await? {
        return answer(service, context, &made, token).await;
    }
    let tags = tags::specified(input.tag_specifications.clone(), &INTERFACE)?;
    for _ in 0..MOST_ATTEMPTS {
        let subnet = service.subnet(context, &input.subnet_id).await?;
        let named = input.groups.as_deref().unwrap_or_default();
        let groups = service.interface_groups(context, &subnet.vpc, named).await?;
        let wanted = wanted_address(&input, &subnet)?;
        dry_run(input.dry_run)?;
        let reserved = reserve(service, &subnet, wanted).await?;
        let description = input.description.clone().unwrap_or_default();
        let mut interface = service.networks.interface(
            &subnet,
            &groups,
            reserved.address(),
            InterfaceUse::Nobody,
            description,
        );
        interface.client_token.clone_from(&token);
        let batch = VirtualNetworks::attach(service.tables.batch(), &subnet, &groups, &interface);
        match tags::write(batch, context, &interface.id, &tags).commit().await {
            Ok(_) => {
                reserved.keep();
                return answer(service, context, &interface, token).await;
            }
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(store(failure)),
        }
    }
    Err(store(store::StoreError::Conflict(String::new())))
}

fn check(input: &CreateNetworkInterfaceRequest) -> Result<(), ServiceError> {
    refuse(input.interface_type.is_some(), "interfaceType")?;
    let some = |count: Option<i32>| count.is_some_and(|count| count > 0);
    refuse(some(input.secondary_private_ip_address_count), "secondaryPrivateIpAddressCount")?;
    refuse(input.private_ip_addresses.as_ref().is_some_and(|all| all.len() > 1), "privateIpAddresses")?;
    let ipv6 =
        some(input.ipv6_address_count) || input.ipv6_addresses.as_ref().is_some_and(|all| !all.is_empty());
    refuse(ipv6, "ipv6Addresses")?;
    let prefixes = some(input.ipv4_prefix_count) || some(input.ipv6_prefix_count);
    refuse(prefixes || input.ipv4_prefixes.is_some() || input.ipv6_prefixes.is_some(), "prefixes")?;
    refuse(input.connection_tracking_specification.is_some(), "connectionTrackingSpecification")?;
    refuse(input.operator.is_some(), "operator")?;
    if input.groups.as_ref().is_some_and(|groups| groups.len() > MOST_GROUPS) {
        let text =
            format!("The maximum number of security groups per interface has been reached: {MOST_GROUPS}.");
        return Err(error(&GROUPS_EXCEEDED, text));
    }
    Ok(())
}

async fn reserve(
    service: &Ec2Service,
    subnet: &Subnet,
    wanted: Option<Ipv4Addr>,
) -> Result<Reserved, ServiceError> {
    if let Some(address) = wanted {
        return service.networks.reserve_this(address).await.map_err(|failure| match failure {
            NotReserved::InUse(address) => error(&ADDRESS_IN_USE, format!("Address {address} is in use.")),
            NotReserved::Store(failure) => store(failure),
        });
    }
    service.networks.reserve(subnet).await.map_err(store)?.ok_or_else(|| {
        let text = "The specified subnet does not have enough free addresses to satisfy the request.";
        error(&NO_FREE_ADDRESS, text)
    })
}

/// The address that is asked for by itself, in either way.
fn wanted_address(
    input: &CreateNetworkInterfaceRequest,
    subnet: &Subnet,
) -> Result<Option<Ipv4Addr>, ServiceError> {
    let listed = input.private_ip_addresses.iter().flatten().find_map(|own| own.private_ip_address.clone());
    let Some(text) = input.private_ip_address.clone().or(listed) else { return Ok(None) };
    let address: Ipv4Addr = text.parse().map_err(|_| {
        value(format!("Value ({text}) for parameter privateIpAddress is invalid. Invalid IP Address"))
    })?;
    if !subnet.cidr.contains(&address) {
        return Err(value("Address does not fall within the subnet's address range"));
    }
    if !subnet.addresses().contains(&address.to_bits()) {
        return Err(value("Address is in subnet's reserved address range"));
    }
    Ok(Some(address))
}

/// The interface that the same request has made before.
async fn repeated(
    service: &Ec2Service,
    context: &RequestContext,
    token: Option<&(String, String)>,
) -> Result<Option<Versioned<NetworkInterface>>, ServiceError> {
    let Some((token, fingerprint)) = token else { return Ok(None) };
    let all = service.all::<NetworkInterface>(context).await?;
    let has_token = |own: &NetworkInterface| own.client_token.as_ref().is_some_and(|(own, _)| own == token);
    let Some(made) = all.into_iter().find(|own| has_token(own)) else { return Ok(None) };
    if made.client_token.as_ref().is_some_and(|(_, own)| own != fingerprint) {
        let text =
            "The client token you have provided is associated with a resource that has other parameters.";
        return Err(error(&IDEMPOTENT_MISMATCH, text));
    }
    Ok(Some(made))
}

async fn answer(
    service: &Ec2Service,
    context: &RequestContext,
    made: &NetworkInterface,
    token: Option<(String, String)>,
) -> Result<CreateNetworkInterfaceResult, ServiceError> {
    let mut names = HashMap::new();
    for id in &made.groups {
        names.insert(id.clone(), service.group(context, id).await?.name.clone());
    }
    let tags: AllTags = service.tags(context).await?;
    Ok(CreateNetworkInterfaceResult {
        client_token: token.map(|(token, _)| token),
        network_interface: Some(render::interface(context, made, &names, &tags)),
    })
}
