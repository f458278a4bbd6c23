//! Queries, their definitions, and what they point to.

use super::{Bench, NOW, told};
use crate::shapes::{
    DeleteQueryDefinitionRequest, DescribeQueriesRequest, DescribeQueryDefinitionsRequest,
    GetLogGroupFieldsRequest, GetLogRecordRequest, GetQueryResultsRequest, GetQueryResultsResponse, Logs,
    PutQueryDefinitionRequest, PutRetentionPolicyRequest, QueryLanguage, QueryStatus, StartQueryRequest,
    StopQueryRequest,
};

fn ask(group: &str, query: &str) -> StartQueryRequest {
    StartQueryRequest {
        log_group_name: Some(group.to_owned()),
        start_time: NOW / 1000 - 7 * 24 * 3600,
        end_time: NOW / 1000 + 3600,
        query_string: query.to_owned(),
        ..Default::default()
    }
}

async fn results(bench: &Bench, input: StartQueryRequest) -> GetQueryResultsResponse {
    let answer = bench.service.start_query(&bench.context, input).await.expect("starts");
    let query_id = answer.query_id.expect("an id");
    let input = GetQueryResultsRequest { query_id, ..Default::default() };
    bench.service.get_query_results(&bench.context, input).await.expect("answers")
}

/// What is shown of a field, row by row.
fn column(answer: &GetQueryResultsResponse, name: &str) -> Vec<String> {
    let rows = answer.results.iter().flatten();
    rows.flat_map(|row| row.iter().filter(|field| field.field.as_deref() == Some(name)))
        .filter_map(|field| field.value.clone())
        .collect()
}

async fn two_groups() -> Bench {
    let bench = Bench::new().await;
    for group in ["g", "h"] {
        bench.group(group).await.expect("makes a group");
        bench.stream(group, "s").await.expect("makes a stream");
    }
    bench.put("g", "s", &[(0, r#"{"n":1}"#), (1000, r#"{"n":2}"#), (2000, "x")]).await.expect("puts");
    bench.put("h", "s", &[(500, r#"{"n":5}"#)]).await.expect("puts");
    bench
}

#[tokio::test]
async fn queries_find_events_of_their_groups() {
    let bench = two_groups().await;
    let found = results(&bench, ask("g", "fields @message")).await;
    assert_eq!(found.status, Some(QueryStatus::Complete));
    assert_eq!(column(&found, "@message"), ["x", r#"{"n":2}"#, r#"{"n":1}"#]);
    let statistics = found.statistics.expect("statistics");
    assert_eq!((statistics.records_matched, statistics.records_scanned), (Some(3.0), Some(3.0)));
    let both = StartQueryRequest {
        log_group_name: None,
        log_group_names: Some(vec!["g".to_owned(), "h".to_owned()]),
        ..ask("", "stats sum(n) as total by @log | sort total asc")
    };
    let found = results(&bench, both).await;
    assert_eq!(column(&found, "total"), ["3", "5"]);
    assert_eq!(column(&found, "@log")[1], "123456789012:h");
    let late =
        StartQueryRequest { start_time: NOW / 1000 + 1, end_time: NOW / 1000 + 1, ..ask("g", "limit 9") };
    assert_eq!(column(&results(&bench, late).await, "@message"), [r#"{"n":2}"#], "both ends are among them");
    let few = StartQueryRequest { limit: Some(1), ..ask("g", "fields n") };
    assert_eq!(results(&bench, few).await.results.map(|rows| rows.len()), Some(1));
}

#[tokio::test]
async fn expired_events_are_not_found() {
    let bench = two_groups().await;
    bench.put("g", "s", &[(-3 * 24 * 3_600_000, "old")]).await.expect("puts");
    assert_eq!(column(&results(&bench, ask("g", "limit 9")).await, "@message").len(), 4);
    let retention = PutRetentionPolicyRequest { log_group_name: "g".to_owned(), retention_in_days: 1 };
    bench.service.put_retention_policy(&bench.context, retention).await.expect("puts");
    assert_eq!(column(&results(&bench, ask("g", "limit 9")).await, "@message").len(), 3);
}

#[tokio::test]
async fn bad_queries_are_refused() {
    let bench = two_groups().await;
    let start = |input| bench.service.start_query(&bench.context, input);
    let error = start(ask("g", "fields @message | nonsense")).await.expect_err("is refused");
    assert_eq!(error.shape.name, "MalformedQueryException");
    assert_eq!(error.members[0].0, "queryCompileError");
    assert_eq!(told(start(ask("never", "fields a")).await).0, "ResourceNotFoundException");
    let backwards = StartQueryRequest { end_time: 0, ..ask("g", "fields a") };
    assert_eq!(told(start(backwards).await).0, "InvalidParameterException");
    let twice = StartQueryRequest { log_group_names: Some(vec!["g".to_owned()]), ..ask("g", "fields a") };
    assert_eq!(told(start(twice).await).0, "InvalidParameterException");
    let sql = StartQueryRequest { query_language: Some(QueryLanguage::Sql), ..ask("g", "select 1") };
    assert_eq!(told(start(sql).await).0, "InvalidParameterException");
}

#[tokio::test]
async fn queries_are_listed_paged_and_stopped() {
    let bench = two_groups().await;
    let (service, c) = (&bench.service, &bench.context);
    let mut ids = Vec::new();
    for group in ["g", "g", "h"] {
        ids.extend(service.start_query(c, ask(group, "fields n")).await.expect("starts").query_id);
    }
    let of_g = DescribeQueriesRequest {
        log_group_name: Some("g".to_owned()),
        max_results: Some(1),
        ..Default::default()
    };
    let first = service.describe_queries(c, of_g.clone()).await.expect("describes");
    assert_eq!(first.queries.expect("queries")[0].query_id, Some(ids[1].clone()), "newest first");
    let rest = DescribeQueriesRequest { next_token: first.next_token, ..of_g };
    let rest = service.describe_queries(c, rest).await.expect("describes");
    assert_eq!(
        (rest.queries.expect("queries")[0].query_id.clone(), rest.next_token),
        (Some(ids[0].clone()), None)
    );
    let running = DescribeQueriesRequest { status: Some(QueryStatus::Running), ..Default::default() };
    assert_eq!(service.describe_queries(c, running).await.expect("describes").queries, Some(vec![]));
    let page = GetQueryResultsRequest { query_id: ids[0].clone(), max_items: Some(2), ..Default::default() };
    let page = service.get_query_results(c, page).await.expect("answers");
    let next = GetQueryResultsRequest {
        query_id: ids[0].clone(),
        next_token: page.next_token,
        ..Default::default()
    };
    assert_eq!(page.results.map(|rows| rows.len()), Some(2));
    let next = service.get_query_results(c, next).await.expect("answers");
    assert_eq!((next.results.map(|rows| rows.len()), next.next_token), (Some(1), None));
    let over = service.stop_query(c, StopQueryRequest { query_id: ids[0].clone() }).await;
    assert_eq!(told(over).0, "InvalidParameterException");
    let unknown = service.stop_query(c, StopQueryRequest { query_id: "x".to_owned() }).await;
    assert_eq!(told(unknown).0, "ResourceNotFoundException");
    let mut other = bench.context.clone();
    other.account = "210987654321".parse().expect("an account");
    let foreign = GetQueryResultsRequest { query_id: ids[0].clone(), ..Default::default() };
    assert_eq!(told(service.get_query_results(&other, foreign).await).0, "ResourceNotFoundException");
    service.close().await;
}

#[tokio::test]
async fn records_and_fields() {
    let bench = two_groups().await;
    let (service, c) = (&bench.service, &bench.context);
    let found = results(&bench, ask("g", "fields n | filter n = 2")).await;
    let log_record_pointer = column(&found, "@ptr").remove(0);
    let input = GetLogRecordRequest { log_record_pointer, ..Default::default() };
    let record = service.get_log_record(c, input.clone()).await.expect("finds").log_record.expect("a record");
    assert_eq!((record["n"].as_str(), record["@message"].as_str()), ("2", r#"{"n":2}"#));
    let mut other = bench.context.clone();
    other.account = "210987654321".parse().expect("an account");
    assert_eq!(told(service.get_log_record(&other, input).await).0, "ResourceNotFoundException");
    let bad = GetLogRecordRequest { log_record_pointer: "x".to_owned(), ..Default::default() };
    assert_eq!(told(service.get_log_record(c, bad).await).0, "InvalidParameterException");
    let fields = GetLogGroupFieldsRequest {
        log_group_name: Some("g".to_owned()),
        time: Some(NOW / 1000),
        ..Default::default()
    };
    let fields =
        service.get_log_group_fields(c, fields).await.expect("answers").log_group_fields.expect("fields");
    let percent =
        |name: &str| fields.iter().find(|field| field.name.as_deref() == Some(name)).and_then(|f| f.percent);
    assert_eq!((percent("@message"), percent("n"), percent("m")), (Some(100), Some(67), None));
}

#[tokio::test]
async fn definitions_are_kept_under_their_ids() {
    let bench = Bench::new().await;
    let (service, c) = (&bench.service, &bench.context);
    let define = |name: &str| PutQueryDefinitionRequest {
        name: name.to_owned(),
        query_string: "fields a".to_owned(),
        client_token: Some(format!("{name}-0123456789-0123456789-0123456789")),
        ..Default::default()
    };
    let id = service.put_query_definition(c, define("b")).await.expect("puts").query_definition_id;
    let again = service.put_query_definition(c, define("b")).await.expect("puts").query_definition_id;
    assert_eq!(id, again, "the same token makes one definition");
    service.put_query_definition(c, define("a")).await.expect("puts");
    let change = PutQueryDefinitionRequest { query_definition_id: id.clone(), ..define("c") };
    service.put_query_definition(c, change).await.expect("changes");
    let page = DescribeQueryDefinitionsRequest { max_results: Some(1), ..Default::default() };
    let first = service.describe_query_definitions(c, page).await.expect("describes");
    assert_eq!(first.query_definitions.expect("one")[0].name.as_deref(), Some("a"));
    let rest = DescribeQueryDefinitionsRequest { next_token: first.next_token, ..Default::default() };
    let rest = service.describe_query_definitions(c, rest).await.expect("describes");
    assert_eq!(rest.query_definitions.expect("one")[0].name.as_deref(), Some("c"));
    let delete = DeleteQueryDefinitionRequest { query_definition_id: id.expect("an id") };
    service.delete_query_definition(c, delete.clone()).await.expect("deletes");
    assert_eq!(told(service.delete_query_definition(c, delete).await).0, "ResourceNotFoundException");
}
