//! From the document to checked rules.

use crate::rule::{Action, Count, Rule, TagSelection};
use crate::schema::{self, Checked, Object, invalid, wrong_type};
use resources::ecr::StorageClass;
use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;

const DAY: u64 = 24 * 3600;
/// Fewest days in the archive before an image is deleted.
const LEAST_ARCHIVED_DAYS: i64 = 90;
/// Most `*` in a pattern.
const MOST_WILDCARDS: usize = 4;
/// Most rules of a policy.
const MOST_RULES: usize = 50;

/// Why a document is not a lifecycle policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Lifecycle policy validation failure: {0}")]
pub struct NotAPolicy(pub(crate) String);

pub(crate) fn rules(text: &str) -> Checked<Vec<Rule>> {
    let unmapped = || invalid("Could not map policyString into LifecyclePolicy.");
    let document: Value = serde_json::from_str(text).map_err(|_| unmapped())?;
    if !document.is_object() {
        return Err(unmapped());
    }
    let rules = &schema::object(&document, &["rules"], &[])?["rules"];
    let Value::Array(rules) = rules else { return Err(wrong_type(rules, "array")) };
    if rules.is_empty() {
        return Err(invalid("array is too short: must have at least 1 elements but instance has 0 elements"));
    }
    if rules.len() > MOST_RULES {
        return Err(invalid(format!(
            "array is too long: must have at most {MOST_RULES} elements but instance has {} elements",
            rules.len()
        )));
    }
    let rules = rules.iter().map(rule).collect::<Checked<Vec<Rule>>>()?;
    check_together(&rules)?;
    Ok(rules)
}

fn rule(value: &Value) -> Checked<Rule> {
    let rule = schema::object(value, &["rulePriority", "selection", "action"], &["description"])?;
    if let Some(description) = rule.get("description").filter(|text| !text.is_string()) {
        return Err(wrong_type(description, "string"));
    }
    let priority = schema::number(rule, "rulePriority", 1)?;
    let action = action(&rule["action"])?;
    let selection = schema::object(
        &rule["selection"],
        &["tagStatus", "countType", "countNumber"],
        &["tagPrefixList", "tagPatternList", "countUnit", "storageClass"],
    )?;
    let tags = tags(selection)?;
    let (count, storage_class) = count(selection)?;
    match (count, action) {
        (Count::SincePulled(_), Action::Expire) => {
            Err(invalid("countType sinceImagePulled can only be used with the transition action"))
        }
        (Count::SinceTransitioned(_), Action::Archive) => {
            Err(invalid("countType sinceImageTransitioned can only be used with the expire action"))
        }
        _ => Ok(Rule { priority, tags, storage_class, count, action }),
    }
}

fn action(value: &Value) -> Checked<Action> {
    let action = schema::object(value, &["type"], &["targetStorageClass"])?;
    let kind = schema::one_of(action, "type", &["expire", "transition"])?;
    // An explicit null is neither: it is refused as no text.
    let target = schema::one_of(action, "targetStorageClass", &["archive"])?;
    match (kind, target) {
        (Some("transition"), Some(_)) => Ok(Action::Archive),
        (Some("transition"), None) => {
            Err(invalid("object has missing required properties ([\"targetStorageClass\"])"))
        }
        (_, Some(_)) => Err(invalid("targetStorageClass can only be used with the transition action")),
        (_, None) => Ok(Action::Expire),
    }
}

fn tags(selection: &Object) -> Checked<TagSelection> {
    let status = schema::one_of(selection, "tagStatus", &["any", "tagged", "untagged"])?;
    let prefixes = schema::texts(selection, "tagPrefixList")?;
    let patterns = schema::texts(selection, "tagPatternList")?;
    if status != Some("tagged") && !(prefixes.is_empty() && patterns.is_empty()) {
        return Err(invalid("tagPrefixList and tagPatternList can only be used with tagStatus tagged"));
    }
    if patterns.iter().chain(&prefixes).any(String::is_empty) {
        return Err(invalid("string \"\" is too short (length: 0, required minimum: 1)"));
    }
    if let Some(pattern) = patterns.iter().find(|pattern| pattern.matches('*').count() > MOST_WILDCARDS) {
        return Err(invalid(format!(
            "tag pattern {pattern} has more than the maximum of {MOST_WILDCARDS} wildcards"
        )));
    }
    match (status, prefixes.is_empty(), patterns.is_empty()) {
        (Some("untagged"), ..) => Ok(TagSelection::Untagged),
        (Some("tagged"), false, true) => Ok(TagSelection::Prefixes(prefixes)),
        (Some("tagged"), true, false) => Ok(TagSelection::Patterns(patterns)),
        (Some("tagged"), false, false) => {
            Err(invalid("only one of tagPrefixList and tagPatternList can be used in a rule"))
        }
        (Some("tagged"), true, true) => {
            Err(invalid("tagPrefixList or tagPatternList is required when tagStatus is tagged"))
        }
        _ => Ok(TagSelection::Any),
    }
}

fn count(selection: &Object) -> Checked<(Count, StorageClass)> {
    let kind = match &selection["countType"] {
        Value::String(kind) => kind.as_str(),
        other => return Err(wrong_type(other, "string")),
    };
    let number = schema::number(selection, "countNumber", 1)?;
    let unit = schema::one_of(selection, "countUnit", &["days"])?;
    let class = schema::one_of(selection, "storageClass", &["standard", "archive"])?;
    // It was checked to be at least 1.
    let days = Duration::from_secs(u64::from(number.unsigned_abs()) * DAY);
    let count = match kind {
        "imageCountMoreThan" => Count::MoreThan(usize::try_from(number).unwrap_or(usize::MAX)),
        "sinceImagePushed" => Count::SincePushed(days),
        "sinceImagePulled" => Count::SincePulled(days),
        "sinceImageTransitioned" => Count::SinceTransitioned(days),
        _ => return Err(invalid("instance failed to match exactly one schema (matched 0 out of 2)")),
    };
    match (count, unit) {
        (Count::MoreThan(_), Some(_)) => {
            return Err(invalid("countUnit cannot be used with countType imageCountMoreThan"));
        }
        (Count::MoreThan(_), None) | (_, Some(_)) => {}
        (_, None) => return Err(invalid("object has missing required properties ([\"countUnit\"])")),
    }
    let archived = matches!(count, Count::SinceTransitioned(_));
    match (archived, class) {
        (true, Some("archive")) => {
            schema::number(selection, "countNumber", LEAST_ARCHIVED_DAYS)?;
            Ok((count, StorageClass::Archive))
        }
        (true, _) => Err(invalid("countType sinceImageTransitioned requires storageClass archive")),
        (false, Some("archive")) => {
            Err(invalid(format!("storageClass archive cannot be used with countType {kind}")))
        }
        (false, _) => Ok((count, StorageClass::Standard)),
    }
}

/// What no rule can show alone.
fn check_together(rules: &[Rule]) -> Checked<()> {
    let mut priorities = HashSet::new();
    if let Some(twice) = rules.iter().find(|rule| !priorities.insert(rule.priority)) {
        return Err(invalid(format!("rulePriority {} is used by more than one rule", twice.priority)));
    }
    for class in [StorageClass::Standard, StorageClass::Archive] {
        let of_class = || rules.iter().filter(|rule| rule.storage_class == class);
        if of_class().filter(|rule| rule.tags == TagSelection::Untagged).count() > 1 {
            return Err(invalid("only one rule can select untagged images of a storage class"));
        }
        let last = of_class().map(|rule| rule.priority).max();
        if of_class().any(|rule| rule.tags == TagSelection::Any && Some(rule.priority) != last) {
            return Err(invalid("a rule with tagStatus any must have the highest rulePriority"));
        }
    }
    Ok(())
}
