//! DescribeAccountAttributes: that there are VPCs only, and which is the default one.

use crate::Ec2Service;
use crate::errors::dry_run;
use crate::shapes::{
    AccountAttribute, AccountAttributeName, AccountAttributeValue, DescribeAccountAttributesRequest,
    DescribeAccountAttributesResult,
};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DescribeAccountAttributesRequest,
) -> Result<DescribeAccountAttributesResult, ServiceError> {
    dry_run(input.dry_run)?;
    let default = service.default_vpc(context).await?.map_or("none".to_owned(), |vpc| vpc.id.clone());
    let all = [
        (AccountAttributeName::SupportedPlatforms, "VPC".to_owned()),
        (AccountAttributeName::DefaultVpc, default),
    ];
    let wanted = input.attribute_names.unwrap_or_default();
    let shown = all.into_iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name));
    let shown = shown.map(|(name, value)| AccountAttribute {
        attribute_name: Some(name.as_str().to_owned()),
        attribute_values: Some(vec![AccountAttributeValue { attribute_value: Some(value) }]),
    });
    Ok(DescribeAccountAttributesResult { account_attributes: Some(shown.collect()) })
}
