//! AddTags, RemoveTags and DescribeTags, of load balancers, target groups, listeners and rules.

use crate::errors::{Failure, validation};
use crate::retry::retrying;
use crate::shapes::{
    AddTagsInput, AddTagsOutput, DescribeTagsInput, DescribeTagsOutput, RemoveTagsInput, RemoveTagsOutput,
    TagDescription,
};
use crate::{ElbV2Service, tags};
use aws_wire::RequestContext;
use resources::elb::{Listener, LoadBalancer, Rule, Tags, TargetGroup};
use store::Versioned;

/// Most resources of a request.
const MOST: usize = 20;

/// What has tags.
enum Tagged {
    LoadBalancer(Versioned<LoadBalancer>),
    TargetGroup(Versioned<TargetGroup>),
    Listener(Versioned<Listener>),
    DefaultRule(Versioned<Listener>),
    Rule(Versioned<Rule>),
}

pub(crate) async fn add_tags(
    service: &ElbV2Service,
    context: &RequestContext,
    input: AddTagsInput,
) -> Result<AddTagsOutput, Failure> {
    check(&input.resource_arns)?;
    for arn in &input.resource_arns {
        retrying!(change(service, context, arn, |old| tags::put(old, input.tags.clone())))?;
    }
    Ok(AddTagsOutput::default())
}

pub(crate) async fn remove_tags(
    service: &ElbV2Service,
    context: &RequestContext,
    input: RemoveTagsInput,
) -> Result<RemoveTagsOutput, Failure> {
    check(&input.resource_arns)?;
    let rest =
        |old: &Tags| Ok(old.iter().filter(|(key, _)| !input.tag_keys.contains(key)).cloned().collect());
    for arn in &input.resource_arns {
        retrying!(change(service, context, arn, rest))?;
    }
    Ok(RemoveTagsOutput::default())
}

pub(crate) async fn describe_tags(
    service: &ElbV2Service,
    context: &RequestContext,
    input: DescribeTagsInput,
) -> Result<DescribeTagsOutput, Failure> {
    check(&input.resource_arns)?;
    let mut descriptions = Vec::new();
    for arn in &input.resource_arns {
        let tagged = find(service, context, arn).await?;
        descriptions
            .push(TagDescription { resource_arn: Some(arn.clone()), tags: Some(tags::shown(tagged.tags())) });
    }
    Ok(DescribeTagsOutput { tag_descriptions: Some(descriptions) })
}

fn check(arns: &[String]) -> Result<(), Failure> {
    if arns.is_empty() || arns.len() > MOST {
        return Err(validation(format_args!("Between 1 and {MOST} resources must be specified")));
    }
    Ok(())
}

async fn find(service: &ElbV2Service, context: &RequestContext, arn: &str) -> Result<Tagged, Failure> {
    if LoadBalancer::key_in(arn).is_some() {
        return Ok(Tagged::LoadBalancer(service.load_balancer(context, arn).await?));
    }
    if TargetGroup::key_in(arn).is_some() {
        return Ok(Tagged::TargetGroup(service.target_group(context, arn).await?));
    }
    if Listener::key_in(arn).is_some() {
        return Ok(Tagged::Listener(service.listener(context, arn).await?));
    }
    if let Some(listener) = service.listener_of_default_rule(context, arn).await? {
        return Ok(Tagged::DefaultRule(listener));
    }
    Ok(Tagged::Rule(service.rule(context, arn).await?))
}

impl Tagged {
    fn tags(&self) -> &Tags {
        match self {
            Self::LoadBalancer(row) => &row.tags,
            Self::TargetGroup(row) => &row.tags,
            Self::Listener(row) => &row.tags,
            Self::DefaultRule(row) => &row.default_rule_tags,
            Self::Rule(row) => &row.tags,
        }
    }
}

async fn change(
    service: &ElbV2Service,
    context: &RequestContext,
    arn: &str,
    change: impl Fn(&Tags) -> Result<Tags, Failure>,
) -> Result<(), Failure> {
    let tables = &service.tables;
    let tagged = find(service, context, arn).await?;
    let tags = change(tagged.tags())?;
    match &tagged {
        Tagged::LoadBalancer(old) => {
            tables.replace(old, LoadBalancer { tags, ..LoadBalancer::clone(old) }).await?;
        }
        Tagged::TargetGroup(old) => {
            tables.replace(old, TargetGroup { tags, ..TargetGroup::clone(old) }).await?;
        }
        Tagged::Listener(old) => {
            tables.replace(old, Listener { tags, ..Listener::clone(old) }).await?;
        }
        Tagged::DefaultRule(old) => {
            tables.replace(old, Listener { default_rule_tags: tags, ..Listener::clone(old) }).await?;
        }
        Tagged::Rule(old) => {
            tables.replace(old, Rule { tags, ..Rule::clone(old) }).await?;
        }
    }
    Ok(())
}
