//! Where tasks run: what RunTask and services ask for alike.

use crate::errors::{invalid, store};
use crate::shapes::{self as wire, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ec2::{SecurityGroup, Subnet};
use store::{Tables, Versioned};

/// Platform versions of Linux that name the one that exists.
const PLATFORMS: &[&str] = &["LATEST", "1.4.0"];

/// Most subnets of a task.
const MOST_SUBNETS: usize = 16;
/// Most security groups of a task.
const MOST_GROUPS: usize = 5;

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
    if vpc.subnets.is_empty() {
        return Err(invalid("subnets can not be empty."));
    }
    if vpc.subnets.len() > MOST_SUBNETS {
        return Err(invalid(format!("subnets can have at most {MOST_SUBNETS} items.")));
    }
    let security_groups = vpc.security_groups.unwrap_or_default();
    if security_groups.len() > MOST_GROUPS {
        return Err(invalid(format!("securityGroups can have at most {MOST_GROUPS} items.")));
    }
    let assign_public_ip = vpc.assign_public_ip == Some(wire::AssignPublicIp::Enabled);
    Ok(Network { subnets: vpc.subnets, security_groups, assign_public_ip })
}

/// Refuses a network whose subnets and security groups are not there, or not of one VPC.
pub(crate) async fn check_network(
    tables: &Tables,
    context: &RequestContext,
    subnets: &[String],
    security_groups: &[String],
) -> Result<(), ServiceError> {
    let mut vpc: Option<String> = None;
    for id in subnets {
        let subnet = find::<Subnet>(tables, context, id).await?.filter(|subnet| !subnet.closing);
        let subnet = subnet.ok_or_else(|| {
            invalid(format!(
                "Error retrieving subnet information for [{}]: The subnet ID '{id}' does not exist (ErrorCode: \
                 InvalidSubnetID.NotFound)",
                subnets.join(", ")
            ))
        })?;
        if vpc.as_ref().is_some_and(|vpc| *vpc != subnet.vpc) {
            return Err(invalid("subnets must all belong to the same VPC."));
        }
        vpc = Some(subnet.vpc.clone());
    }
    for id in security_groups {
        let group = find::<SecurityGroup>(tables, context, id).await?.filter(|group| !group.closing);
        let group = group.ok_or_else(|| {
            invalid(format!(
                "Error retrieving security group information for [{}]: The security group '{id}' does not exist \
                 (ErrorCode: InvalidGroup.NotFound)",
                security_groups.join(", ")
            ))
        })?;
        if vpc.as_ref() != Some(&group.vpc) {
            return Err(invalid(format!(
                "Security group {id} does not appear to belong to the same VPC as the input subnets."
            )));
        }
    }
    Ok(())
}

async fn find<T: Stored>(
    tables: &Tables,
    context: &RequestContext,
    id: &str,
) -> Result<Option<Versioned<T>>, ServiceError> {
    // A slash would lead into the rows of another account.
    if id.contains('/') {
        return Ok(None);
    }
    tables.get::<T>(&format!("{}/{id}", context.account)).await.map_err(store)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, GROUP, SUBNET, code};

    #[tokio::test]
    async fn networks_are_those_of_one_vpc_of_the_account() {
        let f = Fixture::prepared().await;
        let check = async |subnets: &[&str], groups: &[&str]| {
            let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
            check_network(&f.tables, &f.context, &owned(subnets), &owned(groups)).await
        };
        check(&[SUBNET], &[]).await.expect("is there");
        check(&[SUBNET], &[GROUP]).await.expect("is there");
        for (subnets, groups, text) in [
            (
                &[SUBNET, "subnet-0"][..],
                &[][..],
                "Error retrieving subnet information for [subnet-12345678, subnet-0]: The subnet ID 'subnet-0' does \
                 not exist (ErrorCode: InvalidSubnetID.NotFound)",
            ),
            (
                &[SUBNET],
                &["sg-0"],
                "Error retrieving security group information for [sg-0]: The security group 'sg-0' does not exist \
                 (ErrorCode: InvalidGroup.NotFound)",
            ),
            (
                &[SUBNET],
                &["sg-other"],
                "Security group sg-other does not appear to belong to the same VPC as the input subnets.",
            ),
            (&[SUBNET, "subnet-other"], &[], "subnets must all belong to the same VPC."),
        ] {
            let refused = code(check(subnets, groups).await);
            assert_eq!(refused, ("InvalidParameterException", text.to_owned()));
        }
    }

    #[test]
    fn there_is_a_most_of_each() {
        let asked = |subnets, groups| {
            network(Some(wire::NetworkConfiguration {
                awsvpc_configuration: Some(wire::AwsVpcConfiguration {
                    subnets: vec![SUBNET.to_owned(); subnets],
                    security_groups: Some(vec![GROUP.to_owned(); groups]),
                    assign_public_ip: None,
                }),
            }))
        };
        assert!(asked(16, 5).is_ok());
        for (subnets, groups) in [(0, 0), (17, 0), (1, 6)] {
            assert_eq!(code(asked(subnets, groups)).0, "InvalidParameterException");
        }
    }
}
