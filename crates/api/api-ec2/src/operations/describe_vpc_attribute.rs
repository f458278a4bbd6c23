//! DescribeVpcAttribute: one attribute of a VPC.

use crate::Ec2Service;
use crate::errors::dry_run;
use crate::shapes::{
    AttributeBooleanValue, DescribeVpcAttributeRequest, DescribeVpcAttributeResult, VpcAttributeName,
};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DescribeVpcAttributeRequest,
) -> Result<DescribeVpcAttributeResult, ServiceError> {
    dry_run(input.dry_run)?;
    let vpc = service.vpc(context, &input.vpc_id).await?;
    let value = |value: bool| Some(AttributeBooleanValue { value: Some(value) });
    let mut answer =
        DescribeVpcAttributeResult { vpc_id: Some(vpc.id.clone()), ..DescribeVpcAttributeResult::default() };
    match input.attribute {
        VpcAttributeName::EnableDnsSupport => answer.enable_dns_support = value(vpc.dns_support),
        VpcAttributeName::EnableDnsHostnames => answer.enable_dns_hostnames = value(vpc.dns_hostnames),
        VpcAttributeName::EnableNetworkAddressUsageMetrics => {
            answer.enable_network_address_usage_metrics = value(vpc.address_metrics);
        }
    }
    Ok(answer)
}
