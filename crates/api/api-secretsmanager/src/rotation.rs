//! The books of rotations: rules, and the date of the next one.

use crate::errors::invalid_parameter;
use crate::shapes::RotationRulesType;
use aws_wire::ServiceError;
use environment::Timestamp;
use resources::secrets::{Rotation, Secret};
use std::time::Duration;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// Puts the rules of a request over those of a secret.
pub(crate) fn set_rules(rotation: &mut Rotation, rules: RotationRulesType) -> Result<(), ServiceError> {
    if rules.automatically_after_days.is_some() && rules.schedule_expression.is_some() {
        return Err(invalid_parameter(
            "You can't specify both AutomaticallyAfterDays and ScheduleExpression in the same rotation rules.",
        ));
    }
    if let Some(expression) = &rules.schedule_expression
        && !is_schedule(expression)
    {
        return Err(invalid_parameter("Invalid rotation schedule expression."));
    }
    rotation.after_days = rules.automatically_after_days;
    rotation.schedule = rules.schedule_expression;
    rotation.duration = rules.duration;
    Ok(())
}

/// The rules as the API shows them; `None` when there are none.
pub(crate) fn rules(rotation: &Rotation) -> Option<RotationRulesType> {
    let rules = RotationRulesType {
        automatically_after_days: rotation.after_days,
        duration: rotation.duration.clone(),
        schedule_expression: rotation.schedule.clone(),
    };
    (rules != RotationRulesType::default()).then_some(rules)
}

/// When the next rotation is due. That of a `cron` expression is not told.
pub(crate) fn next(secret: &Secret) -> Option<Timestamp> {
    let rotation = secret.rotation.as_ref().filter(|rotation| rotation.enabled)?;
    let from = rotation.last_rotated_at.unwrap_or(secret.created_at);
    let days = rotation.after_days.and_then(|days| u64::try_from(days).ok()).map(|days| days * DAY);
    let seconds = days.or_else(|| rate(rotation.schedule.as_deref()?))?;
    Some(from + Duration::from_secs(seconds))
}

fn is_schedule(expression: &str) -> bool {
    let cron = expression.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')'));
    rate(expression).is_some() || cron.is_some_and(|fields| fields.split_whitespace().count() == 6)
}

/// Seconds of `rate(4 hours)` or `rate(10 days)`, which AWS takes from 4 hours to 999 days.
fn rate(expression: &str) -> Option<u64> {
    let (count, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let count: u64 = count.parse().ok().filter(|count| (1..=999).contains(count))?;
    match unit {
        "hour" | "hours" if count >= 4 => Some(count * HOUR),
        "day" | "days" => Some(count * DAY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules() {
        assert_eq!(rate("rate(10 days)"), Some(10 * DAY));
        assert_eq!(rate("rate(1 day)"), Some(DAY));
        assert!(is_schedule("cron(0 16 1,15 * ? *)"));
        for bad in
            ["", "rate(1 hour)", "rate(0 days)", "rate(x days)", "cron(0 0)", "daily", "rate(1000 days)"]
        {
            assert!(!is_schedule(bad), "{bad}");
        }
    }
}
