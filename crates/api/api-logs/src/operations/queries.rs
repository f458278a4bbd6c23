//! StartQuery, GetQueryResults, StopQuery and DescribeQueries.

use crate::LogsService;
use crate::errors::{invalid, invalid_token};
use crate::lookup::group_name;
use crate::queries::{Asked, Kept, Queries, Status};
use crate::shapes::errors::{
    LIMIT_EXCEEDED_EXCEPTION, MALFORMED_QUERY_EXCEPTION, RESOURCE_NOT_FOUND_EXCEPTION,
};
use crate::shapes::{
    DescribeQueriesRequest, DescribeQueriesResponse, GetQueryResultsRequest, GetQueryResultsResponse,
    QueryInfo, QueryLanguage, QueryStatistics, QueryStatus, ResultField, StartQueryRequest,
    StartQueryResponse, StopQueryRequest, StopQueryResponse,
};
use crate::token;
use aws_wire::{Node, RequestContext, ServiceError};
use logs_insights::{Malformed, Query};
use std::sync::Arc;
use std::time::Duration;

/// Groups of a query.
const MOST_GROUPS: usize = 50;
/// Rows of an answer.
const MOST_ROWS: usize = 10_000;
/// Queries of a list when the request does not say.
const USUAL_LIMIT: usize = 100;
/// How long an answer waits for a query that is over soon, which most are.
const PATIENCE: Duration = Duration::from_millis(200);

/// Starts a query.
pub async fn start(
    service: &LogsService,
    context: &RequestContext,
    input: StartQueryRequest,
) -> Result<StartQueryResponse, ServiceError> {
    check_language(input.query_language)?;
    if input.end_time < input.start_time {
        return Err(invalid("End time should not be before start time."));
    }
    let names = named_groups(&input)?;
    let mut groups = Vec::with_capacity(names.len());
    for name in names {
        let group = service.require_group(context, group_name(context, name)?).await?.value;
        if !groups.iter().any(|other: &Arc<resources::logs::LogGroup>| other.id == group.id) {
            groups.push(group);
        }
    }
    let query = Query::parse(&input.query_string).map_err(malformed)?;
    let asked = Asked {
        account: context.account.to_string(),
        groups,
        text: input.query_string,
        times: (input.start_time.saturating_mul(1000), input.end_time.saturating_mul(1000)),
        limit: input.limit.and_then(|limit| usize::try_from(limit).ok()),
    };
    let kept = service.queries.start(asked, query).map_err(|_| {
        let text = "The maximum number of concurrent queries has been reached. Please try again later.";
        ServiceError::new(&LIMIT_EXCEEDED_EXCEPTION, text)
    })?;
    tokio::select! {
        () = kept.over() => {}
        () = service.tables.environment().sleep(PATIENCE) => {}
    }
    Ok(StartQueryResponse { query_id: Some(kept.id.clone()) })
}

fn named_groups(input: &StartQueryRequest) -> Result<Vec<&str>, ServiceError> {
    let single = input.log_group_name.as_ref().map(|name| vec![name.as_str()]);
    let given = [single, texts(input.log_group_names.as_ref()), texts(input.log_group_identifiers.as_ref())];
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(names), None) if !names.is_empty() && names.len() <= MOST_GROUPS => Ok(names),
        (Some(_), None) => Err(invalid(format!("A query looks at 1 to {MOST_GROUPS} log groups."))),
        _ => Err(invalid("Exactly one of logGroupName, logGroupNames and logGroupIdentifiers is required.")),
    }
}

fn texts(names: Option<&Vec<String>>) -> Option<Vec<&str>> {
    names.map(|names| names.iter().map(String::as_str).collect())
}

pub(super) fn check_language(language: Option<QueryLanguage>) -> Result<(), ServiceError> {
    match language {
        None | Some(QueryLanguage::Cwli) => Ok(()),
        Some(_) => Err(invalid("This region speaks the query language CWLI only.")),
    }
}

/// The error with the place that it is about.
fn malformed(error: Malformed) -> ServiceError {
    let offset = |place: usize| Node::Integer(place as i64);
    let location = Node::Map(vec![
        ("startCharOffset".to_owned(), offset(error.place.start)),
        ("endCharOffset".to_owned(), offset(error.place.end)),
    ]);
    let text = format!("{} at character {}", error.message, error.place.start);
    let detail =
        Node::Map(vec![("location".to_owned(), location), ("message".to_owned(), Node::Text(error.message))]);
    ServiceError::new(&MALFORMED_QUERY_EXCEPTION, text).with_member("queryCompileError", detail)
}

/// What a query found, or how far it is.
pub async fn results(
    service: &LogsService,
    context: &RequestContext,
    input: GetQueryResultsRequest,
) -> Result<GetQueryResultsResponse, ServiceError> {
    let kept = require(service, context, &input.query_id)?;
    let state = kept.state();
    let after = match &input.next_token {
        Some(text) => token::decode(text)?.parse().map_err(|_| invalid_token())?,
        None => 0,
    };
    let most = input.max_items.and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0);
    let rows = state.outcome.rows.get(after..).unwrap_or_default();
    let shown = &rows[..rows.len().min(most.unwrap_or(MOST_ROWS))];
    let field = |(name, value): &(String, String)| ResultField {
        field: Some(name.clone()),
        value: Some(value.clone()),
    };
    let count = |number: u64| Some(number as f64);
    Ok(GetQueryResultsResponse {
        query_language: Some(QueryLanguage::Cwli),
        results: Some(shown.iter().map(|row| row.iter().map(field).collect()).collect()),
        statistics: Some(QueryStatistics {
            records_matched: count(state.outcome.matched),
            records_scanned: count(state.scanned),
            bytes_scanned: count(state.scanned_bytes as u64),
            estimated_records_skipped: count(0),
            estimated_bytes_skipped: count(0),
            log_groups_scanned: count(kept.asked.groups.len() as u64),
        }),
        status: Some(status(state.status)),
        next_token: (shown.len() < rows.len()).then(|| token::encode(&(after + shown.len()).to_string())),
        ..GetQueryResultsResponse::default()
    })
}

/// Stops a query.
pub async fn stop(
    service: &LogsService,
    context: &RequestContext,
    input: StopQueryRequest,
) -> Result<StopQueryResponse, ServiceError> {
    let kept = require(service, context, &input.query_id)?;
    if !Queries::stop(&kept) {
        return Err(invalid("The specified query is not running."));
    }
    kept.over().await;
    Ok(StopQueryResponse { success: Some(true) })
}

/// Lists the account's queries, newest first.
pub async fn describe(
    service: &LogsService,
    context: &RequestContext,
    input: DescribeQueriesRequest,
) -> Result<DescribeQueriesResponse, ServiceError> {
    // One that was made anew under an old name has none of the old one's queries.
    let group = match &input.log_group_name {
        Some(name) => Some(service.require_group(context, name).await?),
        None => None,
    };
    let wanted = |kept: &Arc<Kept>| {
        let groups = &kept.asked.groups;
        group.as_ref().is_none_or(|group| groups.iter().any(|other| other.id == group.id))
            && input.status.is_none_or(|wanted| status(kept.state().status) == wanted)
            && input.query_language.is_none_or(|language| language == QueryLanguage::Cwli)
    };
    let found: Vec<Arc<Kept>> =
        service.queries.list(context.account.as_str()).into_iter().filter(wanted).collect();
    let after = match &input.next_token {
        Some(text) => {
            let id = token::decode(text)?;
            found.iter().position(|kept| kept.id == id).map_or(0, |index| index + 1)
        }
        None => 0,
    };
    let most = input.max_results.and_then(|most| usize::try_from(most).ok()).unwrap_or(USUAL_LIMIT);
    let rest = &found[after.min(found.len())..];
    let shown = &rest[..rest.len().min(most)];
    let next = shown.last().filter(|_| shown.len() < rest.len());
    Ok(DescribeQueriesResponse {
        queries: Some(shown.iter().map(|kept| render(kept)).collect()),
        next_token: next.map(|kept| token::encode(&kept.id)),
    })
}

fn render(kept: &Kept) -> QueryInfo {
    let state = kept.state();
    QueryInfo {
        query_language: Some(QueryLanguage::Cwli),
        query_id: Some(kept.id.clone()),
        query_string: Some(kept.asked.text.clone()),
        status: Some(status(state.status)),
        create_time: Some(kept.created_at.as_millis()),
        log_group_name: kept.asked.groups.first().map(|group| group.name.clone()),
        query_duration: state.took.map(|took| took.as_millis() as i64),
        bytes_scanned: Some(state.scanned_bytes as f64),
        ..QueryInfo::default()
    }
}

fn status(status: Status) -> QueryStatus {
    match status {
        Status::Scheduled => QueryStatus::Scheduled,
        Status::Running => QueryStatus::Running,
        Status::Complete => QueryStatus::Complete,
        Status::Failed => QueryStatus::Failed,
        Status::Cancelled => QueryStatus::Cancelled,
        Status::Timeout => QueryStatus::Timeout,
    }
}

fn require(service: &LogsService, context: &RequestContext, id: &str) -> Result<Arc<Kept>, ServiceError> {
    service.queries.get(context.account.as_str(), id).ok_or_else(|| {
        ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, "The specified query does not exist.")
    })
}
