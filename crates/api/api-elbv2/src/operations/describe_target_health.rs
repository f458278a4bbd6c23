//! DescribeTargetHealth.

use crate::errors::Failure;
use crate::shapes as wire;
use crate::shapes::{DescribeTargetHealthInput, DescribeTargetHealthOutput};
use crate::{ElbV2Service, render};
use aws_wire::RequestContext;
use resources::Stored;
use resources::elb::Target;

pub(crate) async fn run(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DescribeTargetHealthInput,
) -> Result<DescribeTargetHealthOutput, Failure> {
    let group = service.target_group(context, &input.target_group_arn).await?;
    let rows = service.tables.list_all::<Target>(&format!("{}/", group.key())).await?;
    let descriptions =
        match input.targets.filter(|targets| !targets.is_empty()) {
            None => rows.iter().map(|row| render::target_health(&group, row)).collect(),
            Some(targets) => {
                let mut found = Vec::new();
                for given in targets {
                    let port = given.port.unwrap_or(i32::from(group.value.port));
                    let row = rows
                        .iter()
                        .find(|row| row.address.to_string() == given.id && i32::from(row.port) == port);
                    found.push(row.map_or_else(
                        || not_registered(&given, port),
                        |row| render::target_health(&group, row),
                    ));
                }
                found
            }
        };
    Ok(DescribeTargetHealthOutput { target_health_descriptions: Some(descriptions) })
}

fn not_registered(given: &wire::TargetDescription, port: i32) -> wire::TargetHealthDescription {
    wire::TargetHealthDescription {
        target: Some(wire::TargetDescription { port: Some(port), ..given.clone() }),
        health_check_port: Some(port.to_string()),
        target_health: Some(wire::TargetHealth {
            state: Some(wire::TargetHealthStateEnum::Unused),
            reason: Some(wire::TargetHealthReasonEnum::TargetNotRegistered),
            description: Some("Target is not registered to the target group".to_owned()),
        }),
        ..wire::TargetHealthDescription::default()
    }
}
