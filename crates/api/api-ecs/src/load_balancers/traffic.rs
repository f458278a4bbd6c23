//! What deployments that shift traffic need of load balancers: two target groups, and rules that send requests to them.
//!
//! Errors have the texts of AWS's page on troubleshooting blue/green deployments. Two that AWS tells when a deployment has
//! begun already are told at once.

use crate::errors::{Failure, invalid};
use aws_wire::ServiceError;
use resources::ecs::{AlternateTargets, ServiceLoadBalancer, TaskDefinition};
use resources::elb::{Action, LISTENER, LISTENER_RULE, Listener, Rule, account_and_rest};
use std::collections::BTreeSet;
use store::Tables;

/// Whether an ARN is one of a rule of an application load balancer, or of a listener of a network load balancer.
pub(super) fn is_rule(arn: &str) -> bool {
    is_rule_of_application(arn)
        || account_and_rest(arn, LISTENER).is_some_and(|(_, rest)| matches!(rest[..], ["net", _, _, _]))
}

fn is_rule_of_application(arn: &str) -> bool {
    account_and_rest(arn, LISTENER_RULE).is_some_and(|(_, rest)| matches!(rest[..], ["app", _, _, _, _]))
}

/// Refuses groups that two load balancers of a service shift traffic to, and rules that are of two kinds of traffic.
pub(super) fn check(all: &[ServiceLoadBalancer]) -> Result<(), ServiceError> {
    let (mut groups, mut production, mut test) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for own in all {
        let Some(advanced) = &own.advanced else { continue };
        for arn in [&own.target_group_arn, &advanced.target_group_arn] {
            if !groups.insert(arn) {
                return Err(invalid(format!("Duplicate targetGroupArn found: {arn}")));
            }
        }
        production.insert(advanced.production_rule.as_str());
        test.extend(advanced.test_rule.as_deref());
    }
    let both: Vec<&str> = production.intersection(&test).copied().collect();
    if both.is_empty() {
        return Ok(());
    }
    Err(invalid(format!(
        "The following rules cannot be used as both production and test listener rules: {}",
        both.join(", ")
    )))
}

/// Refuses rules that are not there, and those of application load balancers that do not send requests to both groups.
pub(super) async fn check_rules(
    tables: &Tables,
    definition: &TaskDefinition,
    main: &str,
    advanced: &AlternateTargets,
) -> Result<(), Failure> {
    let account = definition.account.as_str();
    let production = groups_of(tables, account, &advanced.production_rule).await?;
    let test = match &advanced.test_rule {
        Some(rule) => groups_of(tables, account, rule).await?,
        None => BTreeSet::new(),
    };
    // The listener of a network load balancer gets its second group with the first deployment.
    if !is_rule_of_application(&advanced.production_rule) {
        return Ok(());
    }
    let groups = [main, advanced.target_group_arn.as_str()];
    if advanced.test_rule.is_none() && groups.iter().any(|group| !production.contains(*group)) {
        return Err(invalid(
            "For Application LoadBalancer, testListenerRule is required when productionListenerRule is not associated \
             with both targetGroup and alternateTargetGroup",
        )
        .into());
    }
    match groups.into_iter().find(|group| !production.contains(*group) && !test.contains(*group)) {
        Some(group) => Err(invalid(format!(
            "Target group {group} is not associated with either productionListenerRule or testListenerRule."
        ))
        .into()),
        None => Ok(()),
    }
}

/// The target groups that a rule of the account sends requests to.
async fn groups_of(tables: &Tables, account: &str, arn: &str) -> Result<BTreeSet<String>, Failure> {
    let missing = || invalid(format!("The specified listener rule {arn} does not exist."));
    let rule_key = Rule::key_in(arn);
    let listener_key = match &rule_key {
        // The default rule of a listener is in the row of its listener.
        Some(key) => key.rsplit_once('/').map(|(listener, _)| listener.to_owned()),
        None => Listener::key_in(arn),
    };
    let is_own = |key: &&String| key.split('/').next() == Some(account);
    let groups =
        |actions: &[Action]| actions.iter().flat_map(Action::target_groups).map(str::to_owned).collect();
    if let Some(key) = rule_key.as_ref().filter(is_own)
        && let Some(rule) = tables.get::<Rule>(key).await?.filter(|rule| rule.arn == arn)
    {
        return Ok(groups(&rule.actions));
    }
    if let Some(key) = listener_key.as_ref().filter(is_own)
        && let Some(listener) = tables.get::<Listener>(key).await?
        && (listener.arn == arn || listener.rule_arn(&listener.default_rule) == arn)
    {
        return Ok(groups(&listener.default_actions));
    }
    Err(missing().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::code;

    const ARN: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012";

    fn own(main: &str, alternate: &str, production: &str, test: Option<&str>) -> ServiceLoadBalancer {
        let rule = |name: &str| format!("{ARN}:listener-rule/app/web/1/2/{name}");
        ServiceLoadBalancer {
            target_group_arn: main.to_owned(),
            container_name: "web".to_owned(),
            container_port: 80,
            advanced: Some(AlternateTargets {
                target_group_arn: alternate.to_owned(),
                production_rule: rule(production),
                test_rule: test.map(rule),
                role_arn: "arn:aws:iam::123456789012:role/shift".to_owned(),
            }),
        }
    }

    #[test]
    fn rules_are_of_application_and_listeners_of_network_load_balancers() {
        for (rest, is_one) in [
            ("listener-rule/app/web/1/2/3", true),
            ("listener/net/web/1/2", true),
            ("listener/app/web/1/2", false),
            ("listener-rule/net/web/1/2/3", false),
            ("targetgroup/web/1", false),
        ] {
            assert_eq!(is_rule(&format!("{ARN}:{rest}")), is_one, "{rest}");
        }
    }

    #[test]
    fn groups_are_shifted_by_one_load_balancer_and_rules_carry_one_kind_of_traffic() {
        assert!(check(&[own("a", "b", "1", Some("2")), own("c", "d", "1", Some("3"))]).is_ok());
        for (wrong, text) in [
            (vec![own("a", "a", "1", None)], "Duplicate targetGroupArn found: a"),
            (vec![own("a", "b", "1", None), own("a", "c", "1", None)], "Duplicate targetGroupArn found: a"),
            (
                vec![own("a", "b", "1", Some("2")), own("c", "d", "2", None)],
                "The following rules cannot be used as both production and test listener rules: arn:",
            ),
        ] {
            let (name, message) = code(check(&wrong));
            assert_eq!(name, "InvalidParameterException");
            assert!(message.starts_with(text), "{message}");
        }
    }
}
