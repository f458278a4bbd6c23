//! Targets: from the wire, checked and refused, and back.

use crate::errors::{invalid, refuse};
use crate::shapes as wire;
use aws_wire::{RequestContext, ServiceError};
use event_outbox::input_of;
use identifiers::Arn;
use resources::events::{
    EcsParameters, HttpParameters, Input, RetryPolicy, StrategyItem, Target, TaskNetwork,
};

/// Most bytes of a constant input.
const MOST_INPUT: usize = 8_192;

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Cluster,
    LogGroup,
    ApiDestination,
}

/// Reads a target. What this region cannot call or honour is refused.
pub(crate) fn read(context: &RequestContext, input: wire::Target) -> Result<Target, ServiceError> {
    let wire::Target {
        app_sync_parameters,
        arn,
        batch_parameters,
        dead_letter_config,
        ecs_parameters,
        http_parameters,
        id,
        input: constant,
        input_path,
        input_transformer,
        kinesis_parameters,
        redshift_data_parameters,
        retry_policy,
        role_arn,
        run_command_parameters,
        sage_maker_pipeline_parameters,
        sqs_parameters,
    } = input;
    let kind = kind(context, &arn)?;
    refuse(dead_letter_config.is_some_and(|config| config.arn.is_some()), "DeadLetterConfig")?;
    refuse(app_sync_parameters.is_some(), "AppSyncParameters")?;
    refuse(batch_parameters.is_some(), "BatchParameters")?;
    refuse(kinesis_parameters.is_some(), "KinesisParameters")?;
    refuse(redshift_data_parameters.is_some(), "RedshiftDataParameters")?;
    refuse(run_command_parameters.is_some(), "RunCommandParameters")?;
    refuse(sage_maker_pipeline_parameters.is_some(), "SageMakerPipelineParameters")?;
    refuse(sqs_parameters.is_some(), "SqsParameters")?;
    if kind == Kind::Cluster && ecs_parameters.is_none() {
        return Err(invalid(format!("Parameter(s) EcsParameters must be specified for target: {id}.")));
    }
    if kind != Kind::Cluster && ecs_parameters.is_some() {
        return Err(invalid(format!("Parameter(s) EcsParameters not valid for target: {id}.")));
    }
    if kind != Kind::ApiDestination && http_parameters.is_some() {
        return Err(invalid(format!("Parameter(s) HttpParameters not valid for target: {id}.")));
    }
    if kind != Kind::LogGroup {
        check_role(context, role_arn.as_deref(), &arn)?;
    } else if role_arn.is_some() {
        return Err(invalid(format!("RoleArn is not supported for target {arn}.")));
    }
    let input = read_input(&id, constant, input_path, input_transformer)?;
    input_of(&input).map_err(|error| invalid(format!("{error} for target {id}.")))?;
    Ok(Target {
        input,
        ecs: ecs_parameters.map(read_ecs).transpose()?,
        http: http_parameters.map(read_http),
        event: None,
        retry: retry_policy.map_or_else(RetryPolicy::default, |policy| read_retry(&policy)),
        id,
        arn,
        role_arn,
    })
}

/// The ARN of a target, whatever it names.
pub(crate) fn parse(arn: &str) -> Result<Arn, ServiceError> {
    arn.parse().map_err(|_| {
        invalid(format!("Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."))
    })
}

fn kind(context: &RequestContext, arn: &str) -> Result<Kind, ServiceError> {
    let parsed = parse(arn)?;
    let own = parsed.account == context.account.as_str() && parsed.region == context.region.as_str();
    let kind = match (parsed.service.as_str(), parsed.resource.as_str()) {
        ("ecs", resource) if resource.starts_with("cluster/") => Kind::Cluster,
        ("logs", resource) if resource.starts_with("log-group:") => Kind::LogGroup,
        ("events", resource) if resource.starts_with("api-destination/") => Kind::ApiDestination,
        (service, _) => {
            return Err(invalid(format!(
                "Parameter {arn} is not valid. Reason: This region has no targets of this kind of {service}; it has \
                 ECS clusters, CloudWatch log groups and API destinations."
            )));
        }
    };
    if own {
        Ok(kind)
    } else {
        Err(invalid(format!(
            "Parameter {arn} is not valid. Reason: Targets of other accounts and regions are not supported."
        )))
    }
}

fn check_role(context: &RequestContext, role: Option<&str>, target: &str) -> Result<(), ServiceError> {
    let Some(role) = role else { return Err(invalid(format!("RoleArn is required for target {target}."))) };
    let parsed: Option<Arn> = role.parse().ok();
    let good = parsed.is_some_and(|arn| {
        arn.service == "iam" && arn.account == context.account.as_str() && arn.resource.starts_with("role/")
    });
    if good { Ok(()) } else { Err(invalid(format!("Provided role '{role}' is not valid."))) }
}

fn read_input(
    id: &str,
    constant: Option<String>,
    path: Option<String>,
    transformer: Option<wire::InputTransformer>,
) -> Result<Input, ServiceError> {
    let given =
        usize::from(constant.is_some()) + usize::from(path.is_some()) + usize::from(transformer.is_some());
    if given > 1 {
        return Err(invalid(format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
        )));
    }
    if constant.as_ref().is_some_and(|text| text.len() > MOST_INPUT) {
        return Err(invalid(format!("Input for target {id} is longer than {MOST_INPUT} bytes.")));
    }
    Ok(match (constant, path, transformer) {
        (Some(text), ..) => Input::Constant(text),
        (_, Some(path), _) if path == "$" => Input::Event,
        (_, Some(path), _) => Input::Path(path),
        (.., Some(transformer)) => Input::Transformer {
            paths: transformer.input_paths_map.unwrap_or_default().into_iter().collect(),
            template: transformer.input_template,
        },
        _ => Input::Event,
    })
}

fn read_ecs(input: wire::EcsParameters) -> Result<EcsParameters, ServiceError> {
    let wire::EcsParameters {
        capacity_provider_strategy,
        enable_ecs_managed_tags,
        enable_execute_command,
        group,
        launch_type,
        network_configuration,
        placement_constraints,
        placement_strategy,
        platform_version,
        propagate_tags,
        reference_id,
        tags,
        task_count,
        task_definition_arn,
    } = input;
    refuse(placement_constraints.is_some_and(|list| !list.is_empty()), "EcsParameters.PlacementConstraints")?;
    refuse(placement_strategy.is_some_and(|list| !list.is_empty()), "EcsParameters.PlacementStrategy")?;
    let strategy = capacity_provider_strategy.unwrap_or_default();
    if launch_type.is_some() && !strategy.is_empty() {
        return Err(invalid("Only one of LaunchType and CapacityProviderStrategy may be specified."));
    }
    Ok(EcsParameters {
        task_definition_arn,
        count: task_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        launch_type: launch_type.map(|kind| kind.as_str().to_owned()),
        network: network_configuration.and_then(|network| network.awsvpc_configuration).map(|vpc| {
            TaskNetwork {
                subnets: vpc.subnets,
                security_groups: vpc.security_groups.unwrap_or_default(),
                assign_public_ip: vpc.assign_public_ip.map(|assign| assign.as_str().to_owned()),
            }
        }),
        platform_version,
        group,
        strategy: strategy
            .into_iter()
            .map(|item| StrategyItem {
                provider: item.capacity_provider,
                weight: item.weight.unwrap_or(0),
                base: item.base.unwrap_or(0),
            })
            .collect(),
        managed_tags: enable_ecs_managed_tags == Some(true),
        execute_command: enable_execute_command == Some(true),
        propagate_tags: propagate_tags.is_some(),
        reference_id,
        tags: tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
    })
}

fn read_http(input: wire::HttpParameters) -> HttpParameters {
    HttpParameters {
        path_values: input.path_parameter_values.unwrap_or_default(),
        headers: input.header_parameters.unwrap_or_default().into_iter().collect(),
        query: input.query_string_parameters.unwrap_or_default().into_iter().collect(),
    }
}

fn read_retry(input: &wire::RetryPolicy) -> RetryPolicy {
    let usual = RetryPolicy::default();
    let number = |given: Option<i32>, usual: u32| given.and_then(|n| u32::try_from(n).ok()).unwrap_or(usual);
    RetryPolicy {
        attempts: number(input.maximum_retry_attempts, usual.attempts),
        age: number(input.maximum_event_age_in_seconds, usual.age),
    }
}

/// A target as it was given.
pub(crate) fn shown(target: &Target) -> wire::Target {
    let (mut constant, mut path, mut transformer) = (None, None, None);
    match &target.input {
        Input::Event => {}
        Input::Constant(text) => constant = Some(text.clone()),
        Input::Path(text) => path = Some(text.clone()),
        Input::Transformer { paths, template } => {
            transformer = Some(wire::InputTransformer {
                input_paths_map: (!paths.is_empty()).then(|| paths.iter().cloned().collect()),
                input_template: template.clone(),
            });
        }
    }
    let usual = target.retry == RetryPolicy::default();
    wire::Target {
        arn: target.arn.clone(),
        ecs_parameters: target.ecs.as_ref().map(shown_ecs),
        http_parameters: target.http.as_ref().map(|http| wire::HttpParameters {
            header_parameters: Some(http.headers.iter().cloned().collect()),
            path_parameter_values: Some(http.path_values.clone()),
            query_string_parameters: Some(http.query.iter().cloned().collect()),
        }),
        id: target.id.clone(),
        input: constant,
        input_path: path,
        input_transformer: transformer,
        retry_policy: (!usual).then(|| wire::RetryPolicy {
            maximum_event_age_in_seconds: i32::try_from(target.retry.age).ok(),
            maximum_retry_attempts: i32::try_from(target.retry.attempts).ok(),
        }),
        role_arn: target.role_arn.clone(),
        ..wire::Target::default()
    }
}

fn shown_ecs(ecs: &EcsParameters) -> wire::EcsParameters {
    let network = ecs.network.as_ref().map(|network| wire::NetworkConfiguration {
        awsvpc_configuration: Some(wire::AwsVpcConfiguration {
            assign_public_ip: network.assign_public_ip.as_ref().and_then(|text| text.parse().ok()),
            security_groups: (!network.security_groups.is_empty()).then(|| network.security_groups.clone()),
            subnets: network.subnets.clone(),
        }),
    });
    let strategy = ecs.strategy.iter().map(|item| wire::CapacityProviderStrategyItem {
        base: Some(item.base),
        capacity_provider: item.provider.clone(),
        weight: Some(item.weight),
    });
    let tags = ecs.tags.iter().map(|(key, value)| wire::Tag { key: key.clone(), value: value.clone() });
    wire::EcsParameters {
        capacity_provider_strategy: (!ecs.strategy.is_empty()).then(|| strategy.collect()),
        enable_ecs_managed_tags: Some(ecs.managed_tags),
        enable_execute_command: Some(ecs.execute_command),
        group: ecs.group.clone(),
        launch_type: ecs.launch_type.as_ref().and_then(|text| text.parse().ok()),
        network_configuration: network,
        platform_version: ecs.platform_version.clone(),
        propagate_tags: ecs.propagate_tags.then_some(wire::PropagateTags::TaskDefinition),
        reference_id: ecs.reference_id.clone(),
        tags: (!ecs.tags.is_empty()).then(|| tags.collect()),
        task_count: i32::try_from(ecs.count).ok(),
        task_definition_arn: ecs.task_definition_arn.clone(),
        ..wire::EcsParameters::default()
    }
}
