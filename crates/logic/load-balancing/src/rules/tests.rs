//! Rules as tables.

use super::*;
use crate::{FixedResponse, Protocol, QueryPair, Rule};

fn answer(status: u16) -> Action {
    Action::FixedResponse(FixedResponse { status, content_type: None, body: None })
}

fn listener(rules: Vec<(u32, Vec<Condition>)>) -> Listener {
    let mut listener = Listener::new("listener", Protocol::Http, 80, answer(404));
    listener.rules = rules
        .into_iter()
        .map(|(priority, conditions)| Rule {
            arn: format!("rule-{priority}"),
            priority,
            conditions,
            action: answer(200),
        })
        .collect();
    listener
}

struct Request {
    method: Method,
    headers: HeaderMap,
    uri: http::Uri,
    source: IpAddr,
}

fn request(line: &str) -> Request {
    let mut lines = line.split(" | ");
    let (method, uri) = lines.next().and_then(|first| first.split_once(' ')).expect("has a method");
    let mut headers = HeaderMap::new();
    let mut source: IpAddr = [192, 0, 2, 1].into();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("is a header");
        match name {
            "from" => source = value.parse().expect("is an address"),
            _ => {
                headers
                    .append(HeaderName::try_from(name).expect("is a name"), value.parse().expect("is one"));
            }
        }
    }
    Request { method: method.parse().expect("is one"), headers, uri: uri.parse().expect("is one"), source }
}

impl Request {
    fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            host: RequestView::host_of(&self.headers),
            path: self.uri.path(),
            query: self.uri.query().unwrap_or_default(),
            headers: &self.headers,
            source: self.source,
        }
    }
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn conditions() {
    let path = |values: &[&str]| Condition::PathPattern(texts(values));
    let host = |values: &[&str]| Condition::HostHeader(texts(values));
    let header =
        |name: &str, values: &[&str]| Condition::HttpHeader { name: name.into(), values: texts(values) };
    let is = |name: &str, value: Option<&str>| Condition::HeaderIs {
        name: name.into(),
        value: value.map(str::to_owned),
    };
    let method = |values: &[&str]| Condition::HttpRequestMethod(texts(values));
    let query = |key: Option<&str>, value: &str| {
        Condition::QueryString(vec![QueryPair { key: key.map(str::to_owned), value: value.into() }])
    };
    let source = |range: &str| Condition::SourceIp(vec![range.parse().expect("is a range")]);
    let table: Vec<(Condition, &str, bool)> = vec![
        (path(&["/api/*"]), "GET /api/x", true),
        (path(&["/api/*"]), "GET /API/x", false),
        (path(&["/api/*"]), "GET /other?x=/api/x", false),
        (path(&["/a", "/b"]), "GET /b", true),
        (path(&["/admin/*"]), "GET /x/../admin/y", true),
        (path(&["/admin/*"]), "GET /%61dmin/y", true),
        (path(&["/admin/*"]), "GET /%2e%2e/admin/y", true),
        (path(&["/a%2Fb"]), "GET /a%2Fb", true),
        (host(&["*.example.com"]), "GET / | host: WWW.Example.Com", true),
        (host(&["*.example.com"]), "GET / | host: www.example.com:8080", true),
        (host(&["*.example.com"]), "GET / | host: example.com", false),
        (host(&["exampl?.com"]), "GET / | host: example.com", true),
        (host(&["*"]), "GET /", true),
        (header("User-Agent", &["*chrome*"]), "GET / | user-agent: Mozilla Chrome/1", true),
        (header("X-A", &["one"]), "GET / | x-a: two | x-a: ONE", true),
        (header("X-A", &["one"]), "GET /", false),
        (header("bad name", &["*"]), "GET / | x-a: two", false),
        (is("X-A", None), "GET / | x-a: whatever", true),
        (is("X-A", None), "GET / | x-b: whatever", false),
        (is("X-A", Some("on*")), "GET / | x-a: off | x-a: on*", true),
        (is("X-A", Some("on*")), "GET / | x-a: one", false),
        (is("X-A", Some("on")), "GET / | x-a: ON", false),
        (is("bad name", None), "GET / | x-a: on", false),
        (method(&["GET", "PURGE"]), "PURGE /", true),
        (method(&["GET"]), "HEAD /", false),
        (method(&["get"]), "GET /", false),
        (query(Some("version"), "v1"), "GET /?VERSION=V1", true),
        (query(Some("version"), "v?"), "GET /?a=b&version=v9", true),
        (query(Some("version"), "v1"), "GET /?version=v2&other=v1", false),
        (query(None, "example"), "GET /?a=example", true),
        (query(None, "example"), "GET /?example", true),
        (query(Some("a"), r"\*"), "GET /?a=*", true),
        (query(Some("a"), r"\*"), "GET /?a=b", false),
        (query(Some("a"), "b c"), "GET /?a=b%20c", true),
        (source("192.0.2.0/24"), "GET / | from: 192.0.2.77", true),
        (source("192.0.2.0/24"), "GET / | from: ::ffff:192.0.2.77", true),
        (source("192.0.2.0/24"), "GET / | x-forwarded-for: 192.0.2.77 | from: 198.51.100.1", false),
        (source("2001:db8::/32"), "GET / | from: 2001:db8::1", true),
    ];
    for (condition, line, holds) in table {
        let shown = format!("{condition:?} on {line}");
        let listener = listener(vec![(1, vec![condition])]);
        let request = request(line);
        assert_eq!(Rules::new(&listener).find(&request.view()).is_some(), holds, "{shown}");
    }
}

#[test]
fn the_lowest_priority_whose_conditions_all_hold_wins() {
    let path = |value: &str| Condition::PathPattern(vec![value.into()]);
    let get = Condition::HttpRequestMethod(vec!["GET".into()]);
    let listener = listener(vec![
        (30, vec![path("/*")]),
        (10, vec![path("/a/*"), get.clone()]),
        (20, vec![path("/a/*")]),
    ]);
    let rules = Rules::new(&listener);
    let found = |line: &str| rules.find(&request(line).view()).map(|index| listener.rules[index].priority);
    assert_eq!(found("GET /a/b"), Some(10));
    assert_eq!(found("POST /a/b"), Some(20));
    assert_eq!(found("POST /b"), Some(30));
    let none = listener_default();
    assert_eq!(Rules::new(&none).decide(&none, &request("GET /").view()), (None, &answer(404)));
}

fn listener_default() -> Listener {
    listener(Vec::new())
}

#[test]
fn ports_are_no_part_of_hosts() {
    for (host, wanted) in [
        ("a:80", "a"),
        ("a", "a"),
        ("a:", "a"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("a:b", "a:b"),
        ("", ""),
    ] {
        assert_eq!(host_without_port(host), wanted, "{host}");
    }
}

#[test]
fn paths_are_normalized() {
    for (path, wanted) in [
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/../../b", "/b"),
        ("/a/..", "/"),
        ("/a/.", "/a/"),
        ("/a//b", "/a//b"),
        ("/%7euser/%zz%4", "/~user/%zz%4"),
        ("/.well-known/x", "/.well-known/x"),
        ("*", "*"),
    ] {
        assert_eq!(normalize_path(path), wanted, "{path}");
    }
}
