//! Which events a trail delivers.

use crate::errors::refused;
use crate::shapes::errors::INVALID_EVENT_SELECTORS_EXCEPTION;
use crate::shapes::{
    AdvancedEventSelector, AdvancedFieldSelector, DataResource, EventSelector, ReadWriteType,
};
use audit_log::StoredEvent;
use aws_wire::ServiceError;
use resources::cloudtrail::{AdvancedSelector, BasicSelector, FieldSelector, Selectors, Trail};

/// Most event selectors of a trail.
const MOST_BASIC: usize = 5;
/// Most values in all advanced event selectors of a trail.
const MOST_VALUES: usize = 500;
/// Fields that advanced event selectors can name.
const FIELDS: &[&str] = &[
    "eventCategory",
    "eventName",
    "eventSource",
    "eventType",
    "readOnly",
    "resources.ARN",
    "resources.type",
    "sessionCredentialFromConsole",
    "userIdentity.arn",
];
/// Sources of the events of global services.
const GLOBAL: &[&str] = &["iam.amazonaws.com", "sts.amazonaws.com"];

/// Whether a trail delivers an event.
pub(crate) fn selects(trail: &Trail, event: &StoredEvent) -> bool {
    if !trail.include_global_service_events && GLOBAL.contains(&event.source.as_str()) {
        return false;
    }
    match &trail.selectors {
        None => !event.data,
        Some(Selectors::Basic(selectors)) => selectors.iter().any(|selector| basic(selector, event)),
        Some(Selectors::Advanced(selectors)) => {
            selectors.iter().any(|selector| selector.fields.iter().all(|field| field_matches(field, event)))
        }
    }
}

fn basic(selector: &BasicSelector, event: &StoredEvent) -> bool {
    let read_write = match selector.read_write.as_str() {
        "ReadOnly" => event.read_only,
        "WriteOnly" => !event.read_only,
        _ => true,
    };
    // The data resources of these selectors are of services that this region does not have.
    read_write && selector.management && !event.data && !selector.excluded_sources.contains(&event.source)
}

fn field_matches(selector: &FieldSelector, event: &StoredEvent) -> bool {
    let text = |value: bool| if value { "true" } else { "false" };
    let values: Vec<&str> = match selector.field.as_str() {
        "eventCategory" => vec![if event.data { "Data" } else { "Management" }],
        "eventName" => vec![&event.name],
        "eventSource" => vec![&event.source],
        "eventType" => vec![match event.event_type {
            audit_log::EventType::ApiCall => "AwsApiCall",
            audit_log::EventType::ServiceEvent => "AwsServiceEvent",
        }],
        "readOnly" => vec![text(event.read_only)],
        "resources.ARN" => event.resources.iter().map(|(_, name)| name.as_str()).collect(),
        "resources.type" => event.resources.iter().map(|(kind, _)| kind.as_str()).collect(),
        // Nobody signs in to a console here.
        "sessionCredentialFromConsole" => vec!["false"],
        _ => vec![event.identity.get().arn],
    };
    let any = |wanted: &[String], like: fn(&str, &str) -> bool| {
        wanted.iter().any(|wanted| values.iter().any(|value| like(value, wanted)))
    };
    let wanted = [
        (&selector.equals, (|value, wanted| value == wanted) as fn(&str, &str) -> bool),
        (&selector.starts_with, |value, wanted| value.starts_with(wanted)),
        (&selector.ends_with, |value, wanted| value.ends_with(wanted)),
    ];
    let unwanted = [
        (&selector.not_equals, (|value, wanted| value == wanted) as fn(&str, &str) -> bool),
        (&selector.not_starts_with, |value, wanted| value.starts_with(wanted)),
        (&selector.not_ends_with, |value, wanted| value.ends_with(wanted)),
    ];
    let asks = wanted.iter().any(|(texts, _)| !texts.is_empty());
    (!asks || wanted.iter().any(|(texts, like)| any(texts, *like)))
        && !unwanted.iter().any(|(texts, like)| any(texts, *like))
}

/// Reads event selectors.
pub(crate) fn from_basic(selectors: Vec<EventSelector>) -> Result<Selectors, ServiceError> {
    if selectors.is_empty() || selectors.len() > MOST_BASIC {
        return Err(invalid(format!("A trail can have 1 to {MOST_BASIC} event selectors.")));
    }
    let read = |selector: EventSelector| BasicSelector {
        read_write: selector.read_write_type.unwrap_or(ReadWriteType::All).as_str().to_owned(),
        management: selector.include_management_events.unwrap_or(true),
        excluded_sources: selector.exclude_management_event_sources.unwrap_or_default(),
        data_resources: selector.data_resources.unwrap_or_default().into_iter().map(data_resource).collect(),
    };
    Ok(Selectors::Basic(selectors.into_iter().map(read).collect()))
}

fn data_resource(resource: DataResource) -> (String, Vec<String>) {
    (resource.r#type.unwrap_or_default(), resource.values.unwrap_or_default())
}

/// Reads advanced event selectors.
pub(crate) fn from_advanced(selectors: Vec<AdvancedEventSelector>) -> Result<Selectors, ServiceError> {
    let selectors: Vec<AdvancedSelector> = selectors
        .into_iter()
        .map(|selector| AdvancedSelector {
            name: selector.name,
            fields: selector.field_selectors.into_iter().map(field).collect(),
        })
        .collect();
    if selectors.is_empty() {
        return Err(invalid("A trail needs at least one advanced event selector."));
    }
    let fields = || selectors.iter().flat_map(|selector| &selector.fields);
    if fields().flat_map(texts).flatten().count() > MOST_VALUES {
        return Err(invalid(format!("A trail can have at most {MOST_VALUES} values in its selectors.")));
    }
    if let Some(unknown) = fields().find(|field| !FIELDS.contains(&field.field.as_str())) {
        return Err(invalid(format!("The field {} is not valid in a selector.", unknown.field)));
    }
    if let Some(empty) = fields().find(|field| texts(field).iter().all(|texts| texts.is_empty())) {
        return Err(invalid(format!("The field selector of {} has no operator.", empty.field)));
    }
    for selector in &selectors {
        check_category(selector)?;
    }
    Ok(Selectors::Advanced(selectors))
}

/// Every selector says which category of events it is about.
fn check_category(selector: &AdvancedSelector) -> Result<(), ServiceError> {
    let category = selector.fields.iter().find(|field| field.field == "eventCategory");
    match category.map(|field| field.equals.as_slice()) {
        Some([category]) if category == "Management" || category == "Data" => Ok(()),
        Some([category]) if category == "NetworkActivity" => {
            Err(invalid("Network activity events do not exist in this region."))
        }
        _ => Err(invalid(
            "An advanced event selector needs the field eventCategory with Equals set to Management or Data.",
        )),
    }
}

fn field(selector: AdvancedFieldSelector) -> FieldSelector {
    FieldSelector {
        field: selector.field,
        equals: selector.equals.unwrap_or_default(),
        starts_with: selector.starts_with.unwrap_or_default(),
        ends_with: selector.ends_with.unwrap_or_default(),
        not_equals: selector.not_equals.unwrap_or_default(),
        not_starts_with: selector.not_starts_with.unwrap_or_default(),
        not_ends_with: selector.not_ends_with.unwrap_or_default(),
    }
}

fn texts(field: &FieldSelector) -> [&Vec<String>; 6] {
    [
        &field.equals,
        &field.starts_with,
        &field.ends_with,
        &field.not_equals,
        &field.not_starts_with,
        &field.not_ends_with,
    ]
}

/// Both kinds of selectors as they are answered; one of them is absent.
pub(crate) type Answered = (Option<Vec<EventSelector>>, Option<Vec<AdvancedEventSelector>>);

/// The selectors of a trail as they are answered.
pub(crate) fn answered(selectors: Option<&Selectors>) -> Answered {
    match selectors {
        None => {
            let all = BasicSelector {
                read_write: "All".to_owned(),
                management: true,
                excluded_sources: vec![],
                data_resources: vec![],
            };
            (Some(vec![to_basic(&all)]), None)
        }
        Some(Selectors::Basic(selectors)) => (Some(selectors.iter().map(to_basic).collect()), None),
        Some(Selectors::Advanced(selectors)) => (None, Some(selectors.iter().map(to_advanced).collect())),
    }
}

fn to_basic(selector: &BasicSelector) -> EventSelector {
    let data_resource = |(kind, values): &(String, Vec<String>)| DataResource {
        r#type: Some(kind.clone()),
        values: Some(values.clone()),
    };
    EventSelector {
        // It was written from the same enumeration.
        read_write_type: Some(selector.read_write.parse().unwrap_or(ReadWriteType::All)),
        include_management_events: Some(selector.management),
        exclude_management_event_sources: Some(selector.excluded_sources.clone()),
        data_resources: Some(selector.data_resources.iter().map(data_resource).collect()),
    }
}

fn to_advanced(selector: &AdvancedSelector) -> AdvancedEventSelector {
    let some = |texts: &Vec<String>| (!texts.is_empty()).then(|| texts.clone());
    let field = |field: &FieldSelector| AdvancedFieldSelector {
        field: field.field.clone(),
        equals: some(&field.equals),
        starts_with: some(&field.starts_with),
        ends_with: some(&field.ends_with),
        not_equals: some(&field.not_equals),
        not_starts_with: some(&field.not_starts_with),
        not_ends_with: some(&field.not_ends_with),
    };
    AdvancedEventSelector {
        name: selector.name.clone(),
        field_selectors: selector.fields.iter().map(field).collect(),
    }
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> ServiceError {
    refused(&INVALID_EVENT_SELECTORS_EXCEPTION, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, read_only: bool, data: bool) -> StoredEvent {
        StoredEvent {
            name: name.to_owned(),
            source: "ecs.amazonaws.com".to_owned(),
            read_only,
            data,
            resources: vec![("AWS::ECS::Cluster".to_owned(), "c".to_owned())],
            ..StoredEvent::default()
        }
    }

    fn advanced(fields: &[(&str, &str, &[&str])]) -> Result<AdvancedSelector, ServiceError> {
        let field_selectors = fields
            .iter()
            .map(|(field, operator, values)| {
                let values = Some(values.iter().map(ToString::to_string).collect());
                let mut selector =
                    AdvancedFieldSelector { field: (*field).to_owned(), ..AdvancedFieldSelector::default() };
                match *operator {
                    "Equals" => selector.equals = values,
                    "StartsWith" => selector.starts_with = values,
                    _ => selector.not_equals = values,
                }
                selector
            })
            .collect();
        match from_advanced(vec![AdvancedEventSelector { name: None, field_selectors }])? {
            Selectors::Advanced(mut selectors) => Ok(selectors.remove(0)),
            Selectors::Basic(_) => unreachable!("advanced selectors stay advanced"),
        }
    }

    #[test]
    fn basic_selectors() {
        let all = BasicSelector {
            read_write: "All".to_owned(),
            management: true,
            excluded_sources: vec![],
            data_resources: vec![],
        };
        let write = BasicSelector { read_write: "WriteOnly".to_owned(), ..all.clone() };
        let other = BasicSelector { excluded_sources: vec!["ecs.amazonaws.com".to_owned()], ..all.clone() };
        for (selector, read_only, data, expected) in [
            (&all, true, false, true),
            (&all, true, true, false),
            (&write, true, false, false),
            (&write, false, false, true),
            (&other, false, false, false),
        ] {
            assert_eq!(basic(selector, &event("X", read_only, data)), expected, "{selector:?}");
        }
    }

    #[test]
    fn advanced_selectors() {
        let management = ("eventCategory", "Equals", &["Management"][..]);
        for (fields, expected) in [
            (vec![management], true),
            (vec![("eventCategory", "Equals", &["Data"][..])], false),
            (vec![management, ("eventName", "StartsWith", &["Delete", "Run"])], true),
            (vec![management, ("eventName", "StartsWith", &["Delete"])], false),
            (vec![management, ("readOnly", "Equals", &["false"])], true),
            (vec![management, ("eventSource", "NotEquals", &["ecs.amazonaws.com"])], false),
            (vec![management, ("resources.type", "Equals", &["AWS::ECS::Cluster"])], true),
            (vec![management, ("userIdentity.arn", "Equals", &["x"])], false),
        ] {
            let selector = advanced(&fields).expect("is valid");
            let matches =
                selector.fields.iter().all(|field| field_matches(field, &event("RunTask", false, false)));
            assert_eq!(matches, expected, "{fields:?}");
        }
        for bad in [
            vec![("eventName", "Equals", &["X"][..])],
            vec![("eventCategory", "NotEquals", &["Data"][..])],
            vec![management, ("colour", "Equals", &["red"])],
            vec![management, ("eventName", "Equals", &[])],
        ] {
            assert!(advanced(&bad).is_err(), "{bad:?}");
        }
    }
}
