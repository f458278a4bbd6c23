//! Which capacity provider the next task is started through.

use serde::{Deserialize, Serialize};

/// A capacity provider and its share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyItem {
    /// `FARGATE` or `FARGATE_SPOT`.
    pub provider: String,
    /// Share of the tasks beyond the base.
    pub weight: u32,
    /// Tasks that it gets first.
    pub base: u32,
}

impl StrategyItem {
    /// The provider of the next task, when `running` counts the tasks of a provider. `None` without a strategy.
    pub fn next(strategy: &[Self], running: impl Fn(&str) -> usize) -> Option<String> {
        let count = |item: &Self| running(&item.provider) as u64;
        if let Some(item) = strategy.iter().find(|item| count(item) < u64::from(item.base)) {
            return Some(item.provider.clone());
        }
        // The one that falls furthest behind its share; fractions are compared multiplied out.
        let beyond = |item: &Self| count(item).saturating_sub(u64::from(item.base)) + 1;
        let weighted = strategy.iter().filter(|item| item.weight > 0);
        weighted
            .min_by(|a, b| (beyond(a) * u64::from(b.weight)).cmp(&(beyond(b) * u64::from(a.weight))))
            .or(strategy.first())
            .map(|item| item.provider.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn bases_come_first_and_weights_share_the_rest() {
        let item = |provider: &str, base, weight| StrategyItem { provider: provider.into(), weight, base };
        let strategy = [item("FARGATE", 2, 1), item("FARGATE_SPOT", 0, 3)];
        let mut counts = BTreeMap::<String, usize>::new();
        for _ in 0..10 {
            let chosen =
                StrategyItem::next(&strategy, |provider| counts.get(provider).copied().unwrap_or_default());
            *counts.entry(chosen.expect("one")).or_default() += 1;
        }
        assert_eq!(
            counts.into_iter().collect::<Vec<_>>(),
            [("FARGATE".into(), 4), ("FARGATE_SPOT".into(), 6)]
        );
        assert_eq!(StrategyItem::next(&[], |_| 0), None);
    }
}
