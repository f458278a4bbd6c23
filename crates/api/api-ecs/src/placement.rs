//! Where tasks run: what RunTask and services ask for alike.

use crate::errors::invalid;
use crate::shapes::{self as wire, errors};
use aws_wire::ServiceError;

/// Platform versions of Linux that name the one that exists.
const PLATFORMS: &[&str] = &["LATEST", "1.4.0"];

/// Subnets and security groups.
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) subnets: Vec<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) assign_public_ip: bool,
}

/// The platform version of a request.
pub(crate) fn platform(given: Option<String>) -> Result<String, ServiceError> {
    let given = given.unwrap_or_else(|| "LATEST".to_owned());
    if PLATFORMS.contains(&given.as_str()) {
        return Ok(given);
    }
    Err(ServiceError::new(
        &errors::PLATFORM_UNKNOWN_EXCEPTION,
        "The specified platform version does not exist.",
    ))
}

/// The network of a request, which awsvpc needs.
pub(crate) fn network(given: Option<wire::NetworkConfiguration>) -> Result<Network, ServiceError> {
    let vpc = given.and_then(|network| network.awsvpc_configuration).ok_or_else(|| {
        invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    })?;
    if vpc.subnets.is_empty() || vpc.subnets.iter().any(|subnet| !subnet.starts_with("subnet-")) {
        return Err(invalid("subnets must name at least one subnet, each as subnet-..."));
    }
    let security_groups = vpc.security_groups.unwrap_or_default();
    if security_groups.iter().any(|group| !group.starts_with("sg-")) {
        return Err(invalid("securityGroups must be named as sg-..."));
    }
    let assign_public_ip = vpc.assign_public_ip == Some(wire::AssignPublicIp::Enabled);
    Ok(Network { subnets: vpc.subnets, security_groups, assign_public_ip })
}
