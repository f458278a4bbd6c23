//! Filters of lists: a condition and the values that it compares with.

use crate::errors::invalid;
use crate::shapes::FilterCondition;
use aws_wire::ServiceError;

/// A condition that was read.
#[derive(Debug)]
pub(crate) struct Filter<N> {
    name: N,
    condition: FilterCondition,
    values: Vec<String>,
}

impl<N: Copy> Filter<N> {
    /// Reads a filter whose name may have one of some conditions.
    pub(crate) fn read(
        name: N,
        spelled: &str,
        values: Vec<String>,
        condition: Option<FilterCondition>,
        allowed: &[FilterCondition],
    ) -> Result<Self, ServiceError> {
        let condition = condition.unwrap_or(if allowed.contains(&FilterCondition::Eq) {
            FilterCondition::Eq
        } else {
            allowed[0]
        });
        if !allowed.contains(&condition) {
            return Err(invalid(format!(
                "The condition {} is not valid for the filter {spelled}.",
                condition.as_str()
            )));
        }
        let fits = match condition {
            FilterCondition::Eq | FilterCondition::BeginsWith => values.len() == 1,
            FilterCondition::In => !values.is_empty(),
            FilterCondition::Between => values.len() == 2,
        };
        if !fits {
            let count = values.len();
            return Err(invalid(format!(
                "The filter {spelled} with the condition {} cannot have {count} values.",
                condition.as_str()
            )));
        }
        Ok(Self { name, condition, values })
    }

    /// What it is about.
    pub(crate) fn name(&self) -> N {
        self.name
    }

    /// Whether a text passes. Bounds are compared as numbers.
    pub(crate) fn passes(&self, text: &str) -> bool {
        match self.condition {
            FilterCondition::Eq | FilterCondition::In => self.values.iter().any(|value| value == text),
            FilterCondition::BeginsWith => self.values.iter().any(|value| text.starts_with(value.as_str())),
            FilterCondition::Between => {
                let number = |text: &str| text.parse::<f64>().ok();
                let (from, until) = (number(&self.values[0]), number(&self.values[1]));
                number(text).is_some_and(|value| {
                    from.is_some_and(|from| from <= value) && until.is_some_and(|until| value <= until)
                })
            }
        }
    }

    /// Whether resources of the caller's own account pass: there are no others.
    pub(crate) fn passes_own(&self) -> bool {
        self.values.iter().any(|value| value == "SELF")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(condition: FilterCondition, values: &[&str]) -> Result<Filter<()>, ServiceError> {
        let all =
            [FilterCondition::Eq, FilterCondition::In, FilterCondition::Between, FilterCondition::BeginsWith];
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Filter::read((), "X", values, Some(condition), &all)
    }

    #[test]
    fn conditions_compare_as_they_are_called() {
        let passes =
            |condition, values: &[&str], text| filter(condition, values).expect("reads").passes(text);
        assert!(passes(FilterCondition::Eq, &["a"], "a") && !passes(FilterCondition::Eq, &["a"], "ab"));
        assert!(passes(FilterCondition::In, &["a", "b"], "b"));
        assert!(passes(FilterCondition::BeginsWith, &["a"], "ab"));
        assert!(passes(FilterCondition::Between, &["9", "10.5"], "10"));
        assert!(!passes(FilterCondition::Between, &["9", "10"], "11"));
        for (condition, values) in [
            (FilterCondition::Eq, &["a", "b"][..]),
            (FilterCondition::Between, &["1"]),
            (FilterCondition::In, &[]),
        ] {
            assert_eq!(filter(condition, values).expect_err("refused").shape.name, "InvalidInput");
        }
        let only =
            Filter::read((), "X", vec!["a".to_owned()], Some(FilterCondition::In), &[FilterCondition::Eq]);
        assert_eq!(only.expect_err("refused").shape.name, "InvalidInput");
    }
}
