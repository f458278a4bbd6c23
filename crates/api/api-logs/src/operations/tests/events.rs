//! Putting, getting and filtering events.

use super::{Bench, NOW, text, told};
use crate::shapes::{
    FilterLogEventsRequest, FilterLogEventsResponse, GetLogEventsRequest, GetLogEventsResponse, Logs,
    PutRetentionPolicyRequest,
};
use std::time::Duration;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.group("g").await.expect("creates");
    for name in ["s", "t"] {
        bench.stream("g", name).await.expect("creates");
    }
    bench
}

async fn get(bench: &Bench, input: GetLogEventsRequest) -> (Vec<String>, GetLogEventsResponse) {
    let input = GetLogEventsRequest { log_group_name: text("g"), log_stream_name: "s".to_owned(), ..input };
    let answer = bench.service.get_log_events(&bench.context, input).await.expect("gets");
    let messages = answer.events.iter().flatten().filter_map(|event| event.message.clone()).collect();
    (messages, answer)
}

async fn filter(bench: &Bench, input: FilterLogEventsRequest) -> (Vec<String>, FilterLogEventsResponse) {
    let input = FilterLogEventsRequest { log_group_name: text("g"), ..input };
    let answer = bench.service.filter_log_events(&bench.context, input).await.expect("filters");
    let messages = answer.events.iter().flatten().filter_map(|event| event.message.clone()).collect();
    (messages, answer)
}

#[tokio::test]
async fn puts_outside_the_limits_are_refused() {
    let bench = bench().await;
    let many: Vec<(i64, &str)> = (0..10_001).map(|_| (0, "x")).collect();
    let large = "x".repeat(1_048_576 - 25);
    for (events, says) in [
        (&many[..], "less than or equal to 10000"),
        (&[], "greater than or equal to 1"),
        (&[(0, large.as_str())], "Upload too large: 1048577 bytes exceeds limit of 1048576"),
        (&[(0, "")], "need a message"),
        (&[(1, "a"), (0, "b")], "must be in chronological order"),
        (&[(-DAY, "a"), (1, "b")], "cannot span more than 24 hours"),
    ] {
        let refused = told(bench.put("g", "s", events).await);
        assert_eq!(refused.0, "InvalidParameterException");
        assert!(refused.1.contains(says), "{}", refused.1);
    }
    assert_eq!(
        told(bench.put("absent", "s", &[(0, "x")]).await).1,
        "The specified log group does not exist."
    );
    assert_eq!(
        told(bench.put("g", "absent", &[(0, "x")]).await).1,
        "The specified log stream does not exist."
    );
    bench.put("g", "s", &many[..10_000]).await.expect("as many as allowed");
    bench.put("g", "s", &[(0, &large[1..])]).await.expect("as large as allowed");
    bench.put("g", "s", &[(-DAY, "a"), (0, "b")]).await.expect("as long as allowed");
}

#[tokio::test]
async fn events_that_are_too_old_or_too_new_are_left_out_and_named() {
    let bench = bench().await;
    let answer = bench.put("g", "s", &[(-14 * DAY - 2, "a"), (-14 * DAY - 1, "b"), (-14 * DAY, "c")]).await;
    let info = answer.expect("puts").rejected_log_events_info.expect("some are left out");
    assert_eq!((info.too_old_log_event_end_index, info.too_new_log_event_start_index), (Some(2), None));
    let answer = bench.put("g", "s", &[(2 * HOUR, "d"), (2 * HOUR + 1, "e")]).await.expect("puts");
    let info = answer.rejected_log_events_info.expect("one is left out");
    assert_eq!((info.too_old_log_event_end_index, info.too_new_log_event_start_index), (None, Some(1)));
    assert_eq!(answer.next_sequence_token.map(|token| token.len()), Some(56));
    let answer = bench
        .put("g", "s", &[(-4 * DAY, "past"), (2 * HOUR + 1, "too new")])
        .await
        .expect("what is left out spans no day");
    let info = answer.rejected_log_events_info.expect("one is left out");
    assert_eq!(info.too_new_log_event_start_index, Some(1));
    let retention = PutRetentionPolicyRequest { log_group_name: "g".to_owned(), retention_in_days: 3 };
    bench.service.put_retention_policy(&bench.context, retention).await.expect("puts");
    let answer = bench.put("g", "s", &[(-3 * DAY - 1, "f"), (-3 * DAY, "g")]).await.expect("puts");
    let info = answer.rejected_log_events_info.expect("one is left out");
    assert_eq!(info.expired_log_event_end_index, Some(1));
    let forward = || GetLogEventsRequest { start_from_head: Some(true), ..Default::default() };
    assert_eq!(get(&bench, forward()).await.0, ["g", "d"], "what has expired is not shown");
    bench.simulation.advance(Duration::from_secs(1));
    assert_eq!(get(&bench, forward()).await.0, ["d"]);
}

#[tokio::test]
async fn a_stream_is_read_from_both_ends_and_its_tokens_stay_at_the_ends() {
    let mut bench = bench().await;
    let page = |token: Option<String>, head: bool| GetLogEventsRequest {
        next_token: token,
        start_from_head: Some(head),
        limit: Some(2),
        ..Default::default()
    };
    let (empty, answer) = get(&bench, page(None, true)).await;
    assert_eq!(empty, [""; 0]);
    let from_nothing = answer.next_forward_token;
    bench.put("g", "s", &[(0, "0"), (1, "1"), (1, "1b"), (2, "2"), (3, "3")]).await.expect("puts");
    bench.put("g", "t", &[(1, "other")]).await.expect("puts");
    assert_eq!(get(&bench, page(from_nothing, true)).await.0, ["0", "1"]);
    for _ in 0..2 {
        let (first, answer) = get(&bench, page(None, true)).await;
        assert_eq!(first, ["0", "1"]);
        let (second, answer) = get(&bench, page(answer.next_forward_token, true)).await;
        assert_eq!(second, ["1b", "2"]);
        let (back, _) = get(&bench, page(answer.next_backward_token, true)).await;
        assert_eq!(back, ["0", "1"]);
        let (third, answer) = get(&bench, page(answer.next_forward_token, true)).await;
        assert_eq!(third, ["3"]);
        let token = answer.next_forward_token;
        let (end, answer) = get(&bench, page(token.clone(), true)).await;
        assert_eq!((end, answer.next_forward_token), (vec![], token));

        let (last, answer) = get(&bench, page(None, false)).await;
        assert_eq!(last, ["2", "3"]);
        let (before, answer) = get(&bench, page(answer.next_backward_token, false)).await;
        assert_eq!(before, ["1", "1b"]);
        let (start, answer) = get(&bench, page(answer.next_backward_token, false)).await;
        assert_eq!(start, ["0"]);
        let token = answer.next_backward_token;
        let (end, answer) = get(&bench, page(token.clone(), false)).await;
        assert_eq!((end, answer.next_backward_token), (vec![], token));
        bench.reopen().await;
    }
    let window =
        GetLogEventsRequest { start_time: Some(NOW + 1), end_time: Some(NOW + 3), ..Default::default() };
    assert_eq!(get(&bench, window).await.0, ["1", "1b", "2"]);
    let bad = GetLogEventsRequest {
        log_group_name: text("g"),
        log_stream_name: "s".to_owned(),
        next_token: text("x"),
        ..Default::default()
    };
    let refused = told(bench.service.get_log_events(&bench.context, bad).await);
    assert_eq!(refused, ("InvalidParameterException", "The specified nextToken is invalid.".to_owned()));
}

#[tokio::test]
async fn an_answer_holds_a_mebibyte_of_events_at_most() {
    let bench = bench().await;
    let large = "x".repeat(400_000);
    for time in 0..5 {
        bench.put("g", "s", &[(time, large.as_str())]).await.expect("puts");
    }
    let forward = GetLogEventsRequest { start_from_head: Some(true), ..Default::default() };
    let (first, answer) = get(&bench, forward).await;
    assert_eq!(first.len(), 2);
    let next = GetLogEventsRequest { next_token: answer.next_forward_token, ..Default::default() };
    assert_eq!(get(&bench, next).await.0.len(), 2);
    let mut input = FilterLogEventsRequest::default();
    let mut seen = 0;
    loop {
        let (messages, answer) = filter(&bench, input.clone()).await;
        seen += messages.len();
        input.next_token = answer.next_token;
        if input.next_token.is_none() {
            break;
        }
    }
    assert_eq!(seen, 5);
}

#[tokio::test]
async fn a_group_is_searched_by_stream_time_and_pattern() {
    let mut bench = bench().await;
    bench.stream("g", "web/1").await.expect("creates");
    bench.put("g", "s", &[(0, "s0 ERROR"), (10, "s10")]).await.expect("puts");
    bench.put("g", "t", &[(5, "t5"), (10, "t10 ERROR")]).await.expect("puts");
    bench.put("g", "web/1", &[(7, r#"{"level":"ERROR","n":7}"#)]).await.expect("puts");
    let all = FilterLogEventsRequest::default();
    let json = r#"{"level":"ERROR","n":7}"#;
    for _ in 0..2 {
        let (messages, answer) = filter(&bench, all.clone()).await;
        assert_eq!(messages, ["s0 ERROR", "t5", json, "s10", "t10 ERROR"]);
        assert_eq!((answer.next_token, answer.searched_log_streams), (None, Some(vec![])));
        let errors = FilterLogEventsRequest { filter_pattern: text("ERROR -t10"), ..all.clone() };
        assert_eq!(filter(&bench, errors).await.0, ["s0 ERROR", json]);
        let fields = FilterLogEventsRequest { filter_pattern: text("{ $.n >= 7 }"), ..all.clone() };
        assert_eq!(filter(&bench, fields).await.0, [json]);
        let prefix = FilterLogEventsRequest { log_stream_name_prefix: text("web/"), ..all.clone() };
        assert_eq!(filter(&bench, prefix).await.0, [json]);
        let names = FilterLogEventsRequest {
            log_stream_names: Some(["t", "s", "t"].map(str::to_owned).to_vec()),
            start_time: Some(NOW + 5),
            end_time: Some(NOW + 10),
            ..all.clone()
        };
        assert_eq!(filter(&bench, names).await.0, ["t5", "s10", "t10 ERROR"]);
        bench.reopen().await;
    }
    // Page by page, with ids that are different and stay the same.
    let mut input = FilterLogEventsRequest { limit: Some(1), ..all.clone() };
    let mut ids = Vec::new();
    loop {
        let (_, answer) = filter(&bench, input.clone()).await;
        ids.extend(answer.events.into_iter().flatten().filter_map(|event| event.event_id));
        input.next_token = answer.next_token;
        if input.next_token.is_none() {
            break;
        }
    }
    let (_, answer) = filter(&bench, all.clone()).await;
    let at_once: Vec<String> =
        answer.events.into_iter().flatten().filter_map(|event| event.event_id).collect();
    assert_eq!(ids, at_once);
    assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));

    let group = || FilterLogEventsRequest { log_group_name: text("g"), ..Default::default() };
    for (input, name, says) in [
        (
            FilterLogEventsRequest { filter_pattern: text("{"), ..group() },
            "InvalidParameterException",
            "Invalid filter pattern",
        ),
        (
            FilterLogEventsRequest { next_token: text("x"), ..group() },
            "InvalidParameterException",
            "nextToken",
        ),
        (
            FilterLogEventsRequest { log_stream_names: Some(vec!["absent".to_owned()]), ..group() },
            "ResourceNotFoundException",
            "The specified log stream does not exist.",
        ),
        (
            FilterLogEventsRequest {
                log_stream_names: Some(vec!["s".to_owned()]),
                log_stream_name_prefix: text("s"),
                ..group()
            },
            "InvalidParameterException",
            "both",
        ),
        (
            FilterLogEventsRequest { log_group_name: text("no"), ..group() },
            "ResourceNotFoundException",
            "group",
        ),
    ] {
        let refused = told(bench.service.filter_log_events(&bench.context, input).await);
        assert!(refused.0 == name && refused.1.contains(says), "{refused:?}");
    }
}

/// What `aws logs tail --follow` does: from a start time on, again and again, remembering the ids it has seen.
#[tokio::test]
async fn a_group_can_be_followed() {
    let bench = bench().await;
    let mut seen = std::collections::BTreeSet::new();
    let mut shown = Vec::new();
    let mut start = NOW - 1_000;
    for round in 0..5i64 {
        bench.put("g", "s", &[(round, &format!("s{round}"))]).await.expect("puts");
        bench.put("g", "t", &[(round, &format!("t{round}"))]).await.expect("puts");
        let input =
            FilterLogEventsRequest { start_time: Some(start), interleaved: Some(true), ..Default::default() };
        for event in filter(&bench, input).await.1.events.into_iter().flatten() {
            start = start.max(event.timestamp.unwrap_or_default());
            if seen.insert(event.event_id) {
                shown.extend(event.message);
            }
        }
    }
    assert_eq!(shown, ["s0", "t0", "s1", "t1", "s2", "t2", "s3", "t3", "s4", "t4"]);
}

#[tokio::test]
async fn a_group_is_named_by_its_arn_of_any_account() {
    let mut bench = bench().await;
    bench.put("g", "s", &[(0, "one")]).await.expect("accepts");
    bench.context.account = "210987654321".parse().expect("an account");
    let ask = |identifier: &str| GetLogEventsRequest {
        log_group_identifier: text(identifier),
        log_stream_name: "s".to_owned(),
        ..Default::default()
    };
    // Whether the caller may is decided before.
    let arn = "arn:aws:logs:us-east-1:123456789012:log-group:g";
    for arn in [arn.to_owned(), format!("{arn}:*")] {
        let found = bench.service.get_log_events(&bench.context, ask(&arn)).await.expect("finds");
        assert_eq!(found.events.unwrap_or_default().len(), 1);
    }
    for (identifier, error) in [
        ("g", "ResourceNotFoundException"),
        ("arn:aws:logs:us-east-1:210987654321:log-group:g", "ResourceNotFoundException"),
        ("arn:aws:logs:eu-west-1:123456789012:log-group:g", "ResourceNotFoundException"),
        ("arn:aws:logs:us-east-1:123456789012:query:g", "InvalidParameterException"),
        ("arn:aws:sns:us-east-1:123456789012:log-group:g", "InvalidParameterException"),
        ("arn:aws", "InvalidParameterException"),
    ] {
        let refused = bench.service.get_log_events(&bench.context, ask(identifier)).await;
        assert_eq!(told(refused).0, error, "{identifier}");
    }
}
