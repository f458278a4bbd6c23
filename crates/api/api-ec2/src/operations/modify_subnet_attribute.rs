//! ModifySubnetAttribute: whether public addresses would be given.

use crate::Ec2Service;
use crate::errors::{missing, refuse, store};
use crate::ids::SUBNET;
use crate::shapes::{AttributeBooleanValue, HostnameType, ModifySubnetAttributeRequest};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::Subnet;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: ModifySubnetAttributeRequest,
) -> Result<(), ServiceError> {
    let is_on =
        |given: &Option<AttributeBooleanValue>| given.as_ref().is_some_and(|given| given.value == Some(true));
    refuse(is_on(&input.assign_ipv6_address_on_creation), "assignIpv6AddressOnCreation")?;
    refuse(is_on(&input.map_customer_owned_ip_on_launch), "mapCustomerOwnedIpOnLaunch")?;
    refuse(is_on(&input.enable_dns64), "enableDns64")?;
    refuse(
        is_on(&input.enable_resource_name_dns_a_record_on_launch)
            || is_on(&input.enable_resource_name_dns_aaaa_record_on_launch),
        "enableResourceNameDnsRecordOnLaunch",
    )?;
    let is_named = input.private_dns_hostname_type_on_launch == Some(HostnameType::ResourceName);
    refuse(is_named, "privateDnsHostnameTypeOnLaunch")?;
    refuse(input.customer_owned_ipv4_pool.is_some(), "customerOwnedIpv4Pool")?;
    refuse(input.enable_lni_at_device_index.is_some(), "enableLniAtDeviceIndex")?;
    let wanted = input.map_public_ip_on_launch.and_then(|given| given.value);
    let is_told = [
        input.assign_ipv6_address_on_creation.is_some(),
        input.map_customer_owned_ip_on_launch.is_some(),
        input.enable_dns64.is_some(),
        input.enable_resource_name_dns_a_record_on_launch.is_some(),
        input.enable_resource_name_dns_aaaa_record_on_launch.is_some(),
        input.private_dns_hostname_type_on_launch.is_some(),
        wanted.is_some(),
    ];
    if !is_told.contains(&true) {
        return Err(missing("attribute"));
    }
    let key = format!("{}/{}", context.account, input.subnet_id);
    let change = |old: &Subnet| {
        let mut new = old.clone();
        new.map_public_ip = wanted.unwrap_or(new.map_public_ip);
        Ok::<_, store::StoreError>(Some(new))
    };
    let changed = service.tables.update::<Subnet, _>(&key, change).await.map_err(store)?;
    changed.map(|_| ()).ok_or_else(|| SUBNET.not_found(&input.subnet_id))
}
