//! The attributes of load balancers, listeners and target groups: Describe...Attributes and Modify...Attributes.

use crate::ElbV2Service;
use crate::attributes as known;
use crate::errors::Failure;
use crate::retry::retrying;
use crate::shapes::{
    DescribeListenerAttributesInput, DescribeListenerAttributesOutput, DescribeLoadBalancerAttributesInput,
    DescribeLoadBalancerAttributesOutput, DescribeTargetGroupAttributesInput,
    DescribeTargetGroupAttributesOutput, ListenerAttribute, LoadBalancerAttribute,
    ModifyListenerAttributesInput, ModifyListenerAttributesOutput, ModifyLoadBalancerAttributesInput,
    ModifyLoadBalancerAttributesOutput, ModifyTargetGroupAttributesInput, ModifyTargetGroupAttributesOutput,
    TargetGroupAttribute,
};
use aws_wire::RequestContext;
use resources::elb::{Listener, LoadBalancer, TargetGroup};

pub(crate) async fn describe_load_balancer_attributes(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DescribeLoadBalancerAttributesInput,
) -> Result<DescribeLoadBalancerAttributesOutput, Failure> {
    let row = service.load_balancer(context, &input.load_balancer_arn).await?;
    Ok(DescribeLoadBalancerAttributesOutput { attributes: Some(of_load_balancer(&row)) })
}

pub(crate) async fn modify_load_balancer_attributes(
    service: &ElbV2Service,
    context: &RequestContext,
    input: ModifyLoadBalancerAttributesInput,
) -> Result<ModifyLoadBalancerAttributesOutput, Failure> {
    let row = retrying!(change_load_balancer(service, context, &input))?;
    Ok(ModifyLoadBalancerAttributesOutput { attributes: Some(of_load_balancer(&row)) })
}

async fn change_load_balancer(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &ModifyLoadBalancerAttributesInput,
) -> Result<LoadBalancer, Failure> {
    let old = service.load_balancer(context, &input.load_balancer_arn).await?;
    let mut new = LoadBalancer::clone(&old);
    let given = input.attributes.iter().map(|own| (own.key.clone(), own.value.clone()));
    known::put(known::of_load_balancer(old.kind), "Load balancer", &mut new.attributes, given)?;
    known::check_load_balancer(&new.attributes)?;
    service.tables.replace(&old, new.clone()).await?;
    Ok(new)
}

fn of_load_balancer(row: &LoadBalancer) -> Vec<LoadBalancerAttribute> {
    known::shown(known::of_load_balancer(row.kind), &row.attributes)
        .map(|(key, value)| LoadBalancerAttribute { key, value })
        .collect()
}

pub(crate) async fn describe_target_group_attributes(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DescribeTargetGroupAttributesInput,
) -> Result<DescribeTargetGroupAttributesOutput, Failure> {
    let row = service.target_group(context, &input.target_group_arn).await?;
    Ok(DescribeTargetGroupAttributesOutput { attributes: Some(of_target_group(&row)) })
}

pub(crate) async fn modify_target_group_attributes(
    service: &ElbV2Service,
    context: &RequestContext,
    input: ModifyTargetGroupAttributesInput,
) -> Result<ModifyTargetGroupAttributesOutput, Failure> {
    let row = retrying!(change_target_group(service, context, &input))?;
    Ok(ModifyTargetGroupAttributesOutput { attributes: Some(of_target_group(&row)) })
}

async fn change_target_group(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &ModifyTargetGroupAttributesInput,
) -> Result<TargetGroup, Failure> {
    let old = service.target_group(context, &input.target_group_arn).await?;
    let mut new = TargetGroup::clone(&old);
    let named = input.attributes.iter().map(|own| (own.key.as_deref(), own.value.as_deref()));
    known::check_stickiness(&old, named)?;
    let given = input.attributes.iter().map(|own| (own.key.clone(), own.value.clone()));
    known::put(known::of_target_group(&old), "Target group", &mut new.attributes, given)?;
    known::check_group(&new)?;
    service.tables.replace(&old, new.clone()).await?;
    Ok(new)
}

fn of_target_group(row: &TargetGroup) -> Vec<TargetGroupAttribute> {
    known::shown(known::of_target_group(row), &row.attributes)
        .map(|(key, value)| TargetGroupAttribute { key, value })
        .collect()
}

pub(crate) async fn describe_listener_attributes(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DescribeListenerAttributesInput,
) -> Result<DescribeListenerAttributesOutput, Failure> {
    let row = service.listener(context, &input.listener_arn).await?;
    Ok(DescribeListenerAttributesOutput { attributes: Some(of_listener(&row)) })
}

pub(crate) async fn modify_listener_attributes(
    service: &ElbV2Service,
    context: &RequestContext,
    input: ModifyListenerAttributesInput,
) -> Result<ModifyListenerAttributesOutput, Failure> {
    let row = retrying!(change_listener(service, context, &input))?;
    Ok(ModifyListenerAttributesOutput { attributes: Some(of_listener(&row)) })
}

async fn change_listener(
    service: &ElbV2Service,
    context: &RequestContext,
    input: &ModifyListenerAttributesInput,
) -> Result<Listener, Failure> {
    let old = service.listener(context, &input.listener_arn).await?;
    let mut new = Listener::clone(&old);
    let given = input.attributes.iter().map(|own| (own.key.clone(), own.value.clone()));
    known::put(known::of_listener(&old), "Listener", &mut new.attributes, given)?;
    service.tables.replace(&old, new.clone()).await?;
    Ok(new)
}

fn of_listener(row: &Listener) -> Vec<ListenerAttribute> {
    known::shown(known::of_listener(row), &row.attributes)
        .map(|(key, value)| ListenerAttribute { key, value })
        .collect()
}
