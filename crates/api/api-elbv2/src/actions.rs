//! What listeners and rules do, between the shapes of the API and the stored form.

use crate::errors::{Failure, other, validation};
use crate::shapes::{self as wire, errors};
use resources::elb::{
    Action, FixedResponse, Forward, GroupStickiness, LoadBalancerKind, Redirect, WeightedTargetGroup,
};

/// Most target groups of one forward.
const MOST_GROUPS: usize = 5;
/// Largest weight.
const MOST_WEIGHT: i32 = 999;
/// Longest time that a client stays with a group, in seconds.
const LONGEST_STICKY: i32 = 604_800;
/// Content types of fixed responses.
const CONTENT_TYPES: [&str; 5] =
    ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];

/// Reads the actions of a listener or a rule: exactly one that ends the request.
pub(crate) fn read(kind: LoadBalancerKind, given: Vec<wire::Action>) -> Result<Vec<Action>, Failure> {
    let [given]: [wire::Action; 1] = given.try_into().map_err(|given: Vec<_>| match given.len() {
        0 => validation("An action must be specified"),
        _ => other(
            &errors::INVALID_LOAD_BALANCER_ACTION_EXCEPTION,
            "Exactly one action of the type forward, redirect or fixed-response must be specified; authentication \
             actions are not supported",
        ),
    })?;
    if kind == LoadBalancerKind::Network && given.r#type != wire::ActionTypeEnum::Forward {
        return Err(other(
            &errors::INVALID_LOAD_BALANCER_ACTION_EXCEPTION,
            format_args!(
                "The action type '{}' is not valid with network load balancer",
                given.r#type.as_str()
            ),
        ));
    }
    let action = match given.r#type {
        wire::ActionTypeEnum::Forward => Action::Forward(forward(kind, given)?),
        wire::ActionTypeEnum::Redirect => {
            let config = given.redirect_config;
            Action::Redirect(redirect(config.ok_or_else(|| missing("RedirectConfig", "redirect"))?)?)
        }
        wire::ActionTypeEnum::FixedResponse => {
            let config = given.fixed_response_config;
            Action::FixedResponse(fixed(
                config.ok_or_else(|| missing("FixedResponseConfig", "fixed-response"))?,
            )?)
        }
        wire::ActionTypeEnum::AuthenticateOidc
        | wire::ActionTypeEnum::AuthenticateCognito
        | wire::ActionTypeEnum::JwtValidation => {
            return Err(other(
                &errors::INVALID_LOAD_BALANCER_ACTION_EXCEPTION,
                format_args!("The action type '{}' is not supported", given.r#type.as_str()),
            ));
        }
    };
    Ok(vec![action])
}

fn missing(config: &str, kind: &str) -> Failure {
    validation(format_args!("{config} must be specified for an action of the type {kind}"))
}

fn forward(kind: LoadBalancerKind, given: wire::Action) -> Result<Forward, Failure> {
    let config = given.forward_config.unwrap_or_default();
    let mut target_groups = Vec::new();
    for tuple in config.target_groups.unwrap_or_default() {
        let arn = tuple.target_group_arn.filter(|arn| !arn.is_empty());
        let arn = arn.ok_or_else(|| validation("A target group ARN must be specified"))?;
        let weight = tuple.weight.unwrap_or(1);
        let weight = u32::try_from(weight).ok().filter(|_| weight <= MOST_WEIGHT).ok_or_else(|| {
            validation(format_args!("The weight '{weight}' must be between 0 and {MOST_WEIGHT} inclusive"))
        })?;
        if target_groups.iter().any(|group: &WeightedTargetGroup| group.arn == arn) {
            return Err(validation("A target group must be specified once in an action"));
        }
        target_groups.push(WeightedTargetGroup { arn, weight });
    }
    match given.target_group_arn.filter(|arn| !arn.is_empty()) {
        Some(arn) if target_groups.is_empty() => target_groups.push(WeightedTargetGroup { arn, weight: 1 }),
        Some(arn) if target_groups.len() != 1 || target_groups[0].arn != arn => {
            return Err(validation(
                "TargetGroupArn can be specified beside ForwardConfig with that one target group only",
            ));
        }
        None if target_groups.is_empty() => {
            return Err(validation("A target group ARN must be specified"));
        }
        Some(_) | None => {}
    }
    if target_groups.len() > MOST_GROUPS {
        return Err(other(
            &errors::TOO_MANY_TARGET_GROUPS_EXCEPTION,
            format_args!("An action cannot have more than {MOST_GROUPS} target groups"),
        ));
    }
    let stickiness = config.target_group_stickiness_config.map(sticky).transpose()?;
    if kind == LoadBalancerKind::Network && stickiness.is_some_and(|sticky| sticky.enabled) {
        return Err(validation("Target group stickiness is not valid with network load balancer"));
    }
    Ok(Forward { target_groups, stickiness })
}

fn sticky(given: wire::TargetGroupStickinessConfig) -> Result<GroupStickiness, Failure> {
    let enabled = given.enabled == Some(true);
    let seconds = given.duration_seconds;
    if seconds.is_some_and(|seconds| !(1..=LONGEST_STICKY).contains(&seconds))
        || (enabled && seconds.is_none())
    {
        return Err(validation(format_args!(
            "Target group stickiness duration must be between 1 and {LONGEST_STICKY} seconds"
        )));
    }
    Ok(GroupStickiness { enabled, seconds: seconds.and_then(|seconds| u32::try_from(seconds).ok()) })
}

fn redirect(given: wire::RedirectActionConfig) -> Result<Redirect, Failure> {
    let wire::RedirectActionConfig { host, path, port, protocol, query, status_code } = given;
    let redirect = Redirect {
        protocol: protocol.unwrap_or_else(|| "#{protocol}".to_owned()),
        port: port.unwrap_or_else(|| "#{port}".to_owned()),
        host: host.unwrap_or_else(|| "#{host}".to_owned()),
        path: path.unwrap_or_else(|| "/#{path}".to_owned()),
        query: query.unwrap_or_else(|| "#{query}".to_owned()),
        permanent: status_code == wire::RedirectActionStatusCodeEnum::Http301,
    };
    if !redirect.path.starts_with('/') {
        return Err(validation(format_args!("The redirect path '{}' must start with '/'", redirect.path)));
    }
    let is_port = redirect.port == "#{port}" || redirect.port.parse::<u16>().is_ok_and(|port| port > 0);
    if !is_port {
        return Err(validation(format_args!("The redirect port '{}' is not valid", redirect.port)));
    }
    let same = redirect.protocol == "#{protocol}"
        && redirect.port == "#{port}"
        && redirect.host == "#{host}"
        && redirect.path == "/#{path}";
    if same {
        return Err(other(
            &errors::INVALID_LOAD_BALANCER_ACTION_EXCEPTION,
            "The redirect configuration is not valid because it creates a loop.",
        ));
    }
    Ok(redirect)
}

fn fixed(given: wire::FixedResponseActionConfig) -> Result<FixedResponse, Failure> {
    let status = given.status_code.parse().ok();
    let status = status.filter(|status| matches!(status, 200..=299 | 400..=599)).ok_or_else(|| {
        validation(format_args!("The status code '{}' must be 2XX, 4XX or 5XX", given.status_code))
    })?;
    let content_type = given.content_type.filter(|text| !text.is_empty());
    if let Some(text) = content_type.as_deref().filter(|text| !CONTENT_TYPES.contains(text)) {
        return Err(other(
            &errors::INVALID_LOAD_BALANCER_ACTION_EXCEPTION,
            format_args!("The content type '{text}' must be one of '{}'", CONTENT_TYPES.join(", ")),
        ));
    }
    Ok(FixedResponse { status, content_type, body: given.message_body })
}

/// As answers show them.
pub(crate) fn shown(actions: &[Action]) -> Vec<wire::Action> {
    actions.iter().map(shown_one).collect()
}

fn shown_one(action: &Action) -> wire::Action {
    let base = |r#type| wire::Action { r#type, order: Some(1), ..wire::Action::default() };
    match action {
        Action::Forward(forward) => {
            let tuple = |group: &WeightedTargetGroup| wire::TargetGroupTuple {
                target_group_arn: Some(group.arn.clone()),
                weight: i32::try_from(group.weight).ok(),
            };
            let sticky = forward.stickiness.unwrap_or(GroupStickiness { enabled: false, seconds: None });
            let one = forward.target_groups.first().filter(|_| forward.target_groups.len() == 1);
            wire::Action {
                target_group_arn: one.map(|group| group.arn.clone()),
                forward_config: Some(wire::ForwardActionConfig {
                    target_groups: Some(forward.target_groups.iter().map(tuple).collect()),
                    target_group_stickiness_config: Some(wire::TargetGroupStickinessConfig {
                        enabled: Some(sticky.enabled),
                        duration_seconds: sticky.seconds.and_then(|seconds| i32::try_from(seconds).ok()),
                    }),
                }),
                ..base(wire::ActionTypeEnum::Forward)
            }
        }
        Action::Redirect(redirect) => wire::Action {
            redirect_config: Some(wire::RedirectActionConfig {
                protocol: Some(redirect.protocol.clone()),
                port: Some(redirect.port.clone()),
                host: Some(redirect.host.clone()),
                path: Some(redirect.path.clone()),
                query: Some(redirect.query.clone()),
                status_code: if redirect.permanent {
                    wire::RedirectActionStatusCodeEnum::Http301
                } else {
                    wire::RedirectActionStatusCodeEnum::Http302
                },
            }),
            ..base(wire::ActionTypeEnum::Redirect)
        },
        Action::FixedResponse(fixed) => wire::Action {
            fixed_response_config: Some(wire::FixedResponseActionConfig {
                message_body: fixed.body.clone(),
                status_code: fixed.status.to_string(),
                content_type: fixed.content_type.clone(),
            }),
            ..base(wire::ActionTypeEnum::FixedResponse)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(r#type: wire::ActionTypeEnum) -> wire::Action {
        wire::Action { r#type, ..wire::Action::default() }
    }

    #[test]
    fn a_forward_by_arn_is_shown_with_its_configuration() {
        let given =
            wire::Action { target_group_arn: Some("tg".into()), ..action(wire::ActionTypeEnum::Forward) };
        let read = read(LoadBalancerKind::Application, vec![given]).expect("is right");
        let shown = shown(&read);
        assert_eq!(shown[0].target_group_arn.as_deref(), Some("tg"));
        let groups = shown[0].forward_config.as_ref().and_then(|config| config.target_groups.as_ref());
        assert_eq!(groups.map(Vec::len), Some(1));
    }

    #[test]
    fn a_redirect_to_itself_is_a_loop() {
        let to = |host: Option<&str>| wire::Action {
            redirect_config: Some(wire::RedirectActionConfig {
                host: host.map(str::to_owned),
                ..wire::RedirectActionConfig::default()
            }),
            ..action(wire::ActionTypeEnum::Redirect)
        };
        assert!(read(LoadBalancerKind::Application, vec![to(None)]).is_err());
        assert!(read(LoadBalancerKind::Application, vec![to(Some("other"))]).is_ok());
        assert!(read(LoadBalancerKind::Network, vec![to(Some("other"))]).is_err());
        assert!(read(LoadBalancerKind::Application, vec![]).is_err());
    }
}
