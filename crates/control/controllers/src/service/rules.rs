//! The rules of load balancers that a deployment shifts traffic with. They are written in the transaction of the step.

use super::ServiceController;
use resources::ecs::{Service, weights};
use resources::elb::{Action, Listener, Rule, WeightedTargetGroup};
use std::collections::{BTreeMap, BTreeSet};
use store::{Batch, StoreError, Versioned};

/// The two target groups of a rule, and the thousandths of its traffic that go to the alternate one.
struct Shift<'a> {
    main: &'a str,
    alternate: &'a str,
    share: u32,
    /// Target groups of other deployments of the service, which get none of the traffic.
    others: &'a BTreeSet<&'a str>,
}

impl ServiceController {
    /// Sets the weights of the rules of a service whose shares of traffic have changed.
    pub(super) async fn shift_rules(
        &self,
        mut batch: Batch,
        old: &Service,
        new: &Service,
    ) -> Result<Batch, StoreError> {
        let (before, after) = (old.alternate_share(), new.alternate_share());
        if before == after {
            return Ok(batch);
        }
        let (mut rules, mut listeners) = (BTreeMap::new(), BTreeMap::new());
        let others = target_groups(old).chain(target_groups(new)).collect();
        for own in new.primary().iter().flat_map(|primary| &primary.workload.load_balancers) {
            let Some(advanced) = &own.advanced else { continue };
            let (main, alternate) = (own.target_group_arn.as_str(), advanced.target_group_arn.as_str());
            let production = Some((advanced.production_rule.as_str(), after.production));
            let test = advanced.test_rule.as_deref().map(|rule| (rule, after.test));
            for (arn, share) in [production, test].into_iter().flatten() {
                let shift = Shift { main, alternate, share, others: &others };
                self.change_rule(arn, &shift, &mut rules, &mut listeners).await?;
            }
        }
        for (old, new) in rules.values() {
            batch = batch.replace(old, new);
        }
        for (old, new) in listeners.values() {
            batch = batch.replace(old, new);
        }
        Ok(batch)
    }

    /// Changes the rule or the listener that an ARN names. One that is gone has no traffic to shift.
    async fn change_rule(
        &self,
        arn: &str,
        shift: &Shift<'_>,
        rules: &mut BTreeMap<String, (Versioned<Rule>, Rule)>,
        listeners: &mut BTreeMap<String, (Versioned<Listener>, Listener)>,
    ) -> Result<(), StoreError> {
        let rule_key = Rule::key_in(arn);
        if let Some(key) = &rule_key
            && let Some(row) = self.tables.get::<Rule>(key).await?
        {
            let new = Rule::clone(&row);
            shift.change(&mut rules.entry(key.clone()).or_insert((row, new)).1.actions);
            return Ok(());
        }
        // The default rule of a listener is in the row of its listener.
        let of_rule = rule_key.and_then(|key| key.rsplit_once('/').map(|(listener, _)| listener.to_owned()));
        let Some(key) = of_rule.or_else(|| Listener::key_in(arn)) else { return Ok(()) };
        let Some(row) = self.tables.get::<Listener>(&key).await? else {
            tracing::warn!(rule = arn, "a rule that a deployment shifts traffic with is gone");
            return Ok(());
        };
        let new = Listener::clone(&row);
        shift.change(&mut listeners.entry(key).or_insert((row, new)).1.default_actions);
        Ok(())
    }
}

/// The target groups of the deployments of a service.
fn target_groups(service: &Service) -> impl Iterator<Item = &str> {
    let all = service.deployments.iter().flat_map(|own| &own.workload.load_balancers);
    all.flat_map(|own| {
        let alternate = own.advanced.as_ref().map(|other| other.target_group_arn.as_str());
        [Some(own.target_group_arn.as_str()), alternate].into_iter().flatten()
    })
}

impl Shift<'_> {
    /// Sets the weights in the forward of a rule; the two groups are added to it if they are not there.
    fn change(&self, actions: &mut [Action]) {
        let forward = actions.iter_mut().find_map(|action| match action {
            Action::Forward(forward) => Some(forward),
            Action::Redirect(_) | Action::FixedResponse(_) => None,
        });
        let Some(forward) = forward else { return };
        for group in forward.target_groups.iter_mut().filter(|own| self.others.contains(own.arn.as_str())) {
            group.weight = 0;
        }
        let (main, alternate) = weights(self.share);
        for (arn, weight) in [(self.main, main), (self.alternate, alternate)] {
            match forward.target_groups.iter_mut().find(|group| group.arn == arn) {
                Some(group) => group.weight = weight,
                None => forward.target_groups.push(WeightedTargetGroup { arn: arn.to_owned(), weight }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resources::elb::Forward;

    #[test]
    fn what_another_deployment_had_gets_nothing_and_the_rest_stays() {
        let group = |arn: &str, weight| WeightedTargetGroup { arn: arn.to_owned(), weight };
        let groups = vec![group("main", 95), group("replaced", 5), group("foreign", 7)];
        let mut actions = [Action::Forward(Forward { target_groups: groups, stickiness: None })];
        let others = BTreeSet::from(["main", "alternate", "replaced"]);
        Shift { main: "main", alternate: "alternate", share: 0, others: &others }.change(&mut actions);
        let Action::Forward(forward) = &actions[0] else { panic!("{actions:?}") };
        let wanted = [group("main", 100), group("replaced", 0), group("foreign", 7), group("alternate", 0)];
        assert_eq!(forward.target_groups, wanted);
    }
}
