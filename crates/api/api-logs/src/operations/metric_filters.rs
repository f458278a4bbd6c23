//! PutMetricFilter, DescribeMetricFilters, DeleteMetricFilter and TestMetricFilter.

use crate::LogsService;
use crate::errors::{from_store, invalid};
use crate::filters::Compiled;
use crate::pattern::Pattern;
use crate::shapes::errors::{LIMIT_EXCEEDED_EXCEPTION, RESOURCE_NOT_FOUND_EXCEPTION};
use crate::shapes::{
    self, DeleteMetricFilterRequest, DescribeMetricFiltersRequest, DescribeMetricFiltersResponse,
    MetricFilterMatchRecord, MetricTransformation, PutMetricFilterRequest, StandardUnit,
    TestMetricFilterRequest, TestMetricFilterResponse,
};
use crate::token;
use aws_wire::{FromNode, Node, RequestContext, ServiceError};
use resources::logs::MetricFilter;
use store::Versioned;

/// Filters of a group.
const MOST_FILTERS: usize = 100;
/// Filters of an answer when the request does not say.
const USUAL_LIMIT: usize = 50;
/// Dimensions of a filter.
const MOST_DIMENSIONS: usize = 3;

/// Keeps a filter; from the next put of events on it makes samples of a metric.
pub async fn put(
    service: &LogsService,
    context: &RequestContext,
    input: PutMetricFilterRequest,
) -> Result<(), ServiceError> {
    let group = service.require_group(context, &input.log_group_name).await?;
    refuse_unsupported(&input)?;
    // The model demands exactly one.
    let Some(transformation) = input.metric_transformations.first() else {
        return Err(invalid("Exactly one metric transformation is required."));
    };
    check(transformation)?;
    let now = service.tables.environment().now();
    let mut row = MetricFilter {
        account: group.account.clone(),
        group_id: group.id.clone(),
        group_name: group.name.clone(),
        name: input.filter_name,
        pattern: input.filter_pattern,
        metric_namespace: transformation.metric_namespace.clone(),
        metric_name: transformation.metric_name.clone(),
        metric_value: transformation.metric_value.clone(),
        default_value: transformation.default_value,
        dimensions: transformation.dimensions.clone().unwrap_or_default(),
        unit: transformation.unit.map(|unit| unit.as_str().to_owned()),
        created_at: now,
    };
    let compiled = Compiled::of(&row).map_err(|error| invalid(format!("Invalid filter pattern: {error}")))?;
    if !row.dimensions.is_empty() && !compiled.has_fields() {
        return Err(invalid("Dimensions need a filter pattern for JSON or space-delimited events."));
    }
    // Several puts at once must not get past the limit together.
    let _one_at_a_time = service.limits.lock().await;
    let others = service.filters.of_group(&group).await.map_err(from_store)?;
    match others.iter().find(|other| other.name == row.name) {
        Some(old) => row.created_at = old.created_at,
        None if others.len() >= MOST_FILTERS => {
            return Err(ServiceError::new(&LIMIT_EXCEEDED_EXCEPTION, "Resource limit exceeded."));
        }
        None => {}
    }
    let batch = service.tables.batch().require_unchanged(&group).put_any(&row);
    batch.commit().await.map(|_| ()).map_err(from_store)
}

fn refuse_unsupported(input: &PutMetricFilterRequest) -> Result<(), ServiceError> {
    let selection = input.field_selection_criteria.as_ref().is_some_and(|text| !text.is_empty());
    let system = input.emit_system_field_dimensions.as_ref().is_some_and(|fields| !fields.is_empty());
    if input.apply_on_transformed_logs == Some(true) || selection || system {
        return Err(invalid(
            "applyOnTransformedLogs, fieldSelectionCriteria and emitSystemFieldDimensions are not supported by this \
             region.",
        ));
    }
    Ok(())
}

fn check(transformation: &MetricTransformation) -> Result<(), ServiceError> {
    if transformation.metric_name.is_empty() || transformation.metric_namespace.is_empty() {
        return Err(invalid("A metric transformation needs a metricName and a metricNamespace."));
    }
    if transformation.metric_namespace.starts_with("AWS/") {
        return Err(invalid("The metric namespace must not begin with AWS/."));
    }
    let value = &transformation.metric_value;
    let is_number = value.parse::<f64>().is_ok_and(f64::is_finite);
    if !is_number && !value.starts_with('$') {
        return Err(invalid(format!(
            "Invalid metricValue '{value}': it is a number or names a field as $.field or $column."
        )));
    }
    let dimensions = transformation.dimensions.iter().flatten();
    if dimensions.clone().count() > MOST_DIMENSIONS {
        return Err(invalid(format!("A metric filter has at most {MOST_DIMENSIONS} dimensions.")));
    }
    if dimensions.clone().any(|(name, value)| name.is_empty() || !value.starts_with('$')) {
        return Err(invalid("The value of a dimension names a field as $.field or $column."));
    }
    if dimensions.count() > 0 && transformation.default_value.is_some() {
        return Err(invalid("Dimensions and a default value are mutually exclusive."));
    }
    Ok(())
}

/// Lists filters by group and name.
pub async fn describe(
    service: &LogsService,
    context: &RequestContext,
    input: DescribeMetricFiltersRequest,
) -> Result<DescribeMetricFiltersResponse, ServiceError> {
    if input.metric_name.is_some() != input.metric_namespace.is_some() {
        return Err(invalid("metricName and metricNamespace must be specified together."));
    }
    let mut found = match &input.log_group_name {
        Some(name) => {
            let group = service.require_group(context, name).await?;
            service.filters.of_group(&group).await
        }
        None => service.filters.of_account(context.account.as_str()).await,
    }
    .map_err(from_store)?;
    let after = input.next_token.as_deref().map(token::decode).transpose()?;
    let prefix = input.filter_name_prefix.as_deref().unwrap_or_default();
    found.sort_by_key(order);
    found.retain(|row| {
        row.name.starts_with(prefix)
            && input.metric_name.as_ref().is_none_or(|name| *name == row.metric_name)
            && input.metric_namespace.as_ref().is_none_or(|namespace| *namespace == row.metric_namespace)
            && after.as_ref().is_none_or(|after| order(row) > *after)
    });
    let most = input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(USUAL_LIMIT);
    let more = found.len() > most;
    found.truncate(most);
    let next_token = found.last().filter(|_| more).map(|row| token::encode(&order(row)));
    let rendered = found.iter().map(|row| render(row)).collect();
    Ok(DescribeMetricFiltersResponse { metric_filters: Some(rendered), next_token })
}

/// Removes a filter.
pub async fn delete(
    service: &LogsService,
    context: &RequestContext,
    input: DeleteMetricFilterRequest,
) -> Result<(), ServiceError> {
    let group = service.require_group(context, &input.log_group_name).await?;
    let key = MetricFilter::key_of(&group.account, &group.id, &input.filter_name);
    let Some(row) = service.tables.get::<MetricFilter>(&key).await.map_err(from_store)? else {
        let text = "The specified metric filter does not exist.";
        return Err(ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, text));
    };
    service.tables.delete(&row).await.map_err(from_store)
}

/// Which of the messages a pattern matches, and what it names in them.
pub async fn test(
    _: &LogsService,
    _: &RequestContext,
    input: TestMetricFilterRequest,
) -> Result<TestMetricFilterResponse, ServiceError> {
    let pattern = Pattern::parse(&input.filter_pattern)
        .map_err(|error| invalid(format!("Invalid filter pattern: {error}")))?;
    let matching = input.log_event_messages.iter().enumerate().filter(|(_, text)| pattern.matches(text));
    let matches = matching.map(|(index, text)| MetricFilterMatchRecord {
        event_number: Some(index as i64 + 1),
        event_message: Some(text.clone()),
        extracted_values: Some(pattern.fields(text)),
    });
    Ok(TestMetricFilterResponse { matches: Some(matches.collect()) })
}

fn order(row: &Versioned<MetricFilter>) -> String {
    format!("{}\n{}", row.group_name, row.name)
}

fn render(row: &MetricFilter) -> shapes::MetricFilter {
    let transformation = MetricTransformation {
        metric_name: row.metric_name.clone(),
        metric_namespace: row.metric_namespace.clone(),
        metric_value: row.metric_value.clone(),
        default_value: row.default_value,
        dimensions: (!row.dimensions.is_empty()).then(|| row.dimensions.clone()),
        unit: row.unit.as_ref().and_then(|unit| StandardUnit::from_node(Node::Text(unit.clone())).ok()),
    };
    shapes::MetricFilter {
        filter_name: Some(row.name.clone()),
        filter_pattern: Some(row.pattern.clone()),
        metric_transformations: Some(vec![transformation]),
        creation_time: Some(row.created_at.as_millis()),
        log_group_name: Some(row.group_name.clone()),
        apply_on_transformed_logs: Some(false),
        ..shapes::MetricFilter::default()
    }
}
