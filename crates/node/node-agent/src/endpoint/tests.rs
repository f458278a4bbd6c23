//! Requests to the endpoint of a task on a simulated machine.

mod faults;

use super::*;
use crate::api::Api;
use crate::config::Credentials;
use crate::engine::SimulatedEngine;
use crate::roles::RoleKind;
use crate::task::record::{ImageLife, Life};
use crate::task::testing::{ARN, container, payload};
use agent_wire::acs;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn credentials(id: &str) -> acs::IAMRoleCredentials {
    acs::IAMRoleCredentials {
        credentials_id: id.to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/task".to_owned(),
        access_key_id: "ASIA".to_owned(),
        secret_access_key: "s3cret".to_owned().into(),
        session_token: "token".to_owned(),
        expiration: "2030-01-01T00:00:00Z".to_owned(),
        ..acs::IAMRoleCredentials::default()
    }
}

/// A running task with a container `web` that logs and one that ended.
fn endpoint() -> Endpoint {
    let mut web = container("web");
    web.container_arn = "arn:aws:ecs:us-east-1:123456789012:container/default/0123/c".to_owned();
    web.memory = 128;
    web.docker_config = Some(acs::DockerConfig {
        config: r#"{"Labels":{"team":"sea"}}"#.to_owned(),
        host_config:
            r#"{"LogConfig":{"Type":"awslogs","Config":{"awslogs-group":"/g","awslogs-region":"us-east-1",
            "awslogs-stream-prefix":"p"}}}"#
                .to_owned(),
        version: String::new(),
    });
    let mut task = payload(vec![web, container("job")]);
    task.cpu = 0.25;
    task.memory = 512;
    task.launch_type = "FARGATE".to_owned();
    task.role_credentials = Some(credentials("the-id"));
    let interface = &mut task.elastic_network_interfaces[0];
    interface.subnet_gateway_ipv4_address = "10.88.0.1/16".to_owned();
    interface.domain_name_servers = vec!["10.88.0.1".to_owned()];
    interface.private_dns_name = "ip-10-88-0-7.ec2.internal".to_owned();
    let (environment, _) = Environment::simulated(environment::Timestamp::from_seconds(1_700_000_000), 1);
    let definition = TaskDefinition::read(&task).expect("reads");
    let mut record = TaskRecord::new([("web", false), ("job", false)].into_iter());
    for (index, state) in record.containers.iter_mut().enumerate() {
        state.image = ImageLife::Present;
        state.image_digest = Some("sha256:1".to_owned());
        state.life = Life::Running;
        state.started_at = Some(environment.now());
        state.runtime_id = Some(format!("runtime-{index}"));
    }
    record.containers[1].life = Life::Ended;
    record.containers[1].exit =
        Some(crate::Exit { code: Some(3), out_of_memory: false, at: environment.now() });
    let roles = TaskRoles::default();
    roles.take_payload(&task);
    Endpoint {
        task: Arc::new(definition),
        record: watch::Sender::new(Arc::new(record)).subscribe(),
        roles: Arc::new(roles),
        engine: Arc::new(SimulatedEngine::new(environment.clone())),
        api: Arc::new(Api::new(
            "http://127.0.0.1:9".parse().expect("an address"),
            "us-east-1",
            &Credentials { access_key_id: "AKIA".into(), secret_access_key: "secret".into() },
            environment.clone(),
        )),
        environment,
        samples: Mutex::default(),
        faults: FaultRequests::default(),
    }
}

async fn ask(endpoint: &Endpoint, request: Request<()>) -> (StatusCode, Value) {
    let answer = endpoint.answer(&request).await;
    let status = answer.status();
    let body = answer.into_body().collect().await.expect("is whole").to_bytes();
    (status, serde_json::from_slice(&body).expect("is JSON"))
}

async fn get(endpoint: &Endpoint, path: &str) -> (StatusCode, Value) {
    ask(endpoint, Request::get(path).body(()).expect("a request")).await
}

#[tokio::test]
async fn credentials_and_refusals() {
    let endpoint = endpoint();
    let (status, answer) = get(&endpoint, "/v2/credentials/the-id").await;
    assert_eq!(status, StatusCode::OK);
    let expected = serde_json::json!({
        "RoleArn": "arn:aws:iam::123456789012:role/task", "AccessKeyId": "ASIA", "SecretAccessKey": "s3cret",
        "Token": "token", "Expiration": "2030-01-01T00:00:00Z",
    });
    assert_eq!(answer, expected);
    endpoint.roles.take(
        RoleKind::Task,
        &acs::IAMRoleCredentials { access_key_id: "ASIB".to_owned(), ..credentials("the-id") },
    );
    assert_eq!(get(&endpoint, "/v2/credentials/the-id").await.1["AccessKeyId"], "ASIB");

    let refused = |code: u16, name: &str, message: &str| serde_json::json!({"code": name, "message": message, "HTTPErrorCode": code});
    for (path, expected) in [
        (
            "/v2/credentials",
            refused(400, "NoIdInRequest", "CredentialsV2Request: No Credential ID in the request"),
        ),
        (
            "/v2/credentials/",
            refused(400, "NoIdInRequest", "CredentialsV2Request: No Credential ID in the request"),
        ),
        (
            "/v2/credentials/x",
            refused(400, "InvalidIdInRequest", "CredentialsV2Request: Credentials not found"),
        ),
    ] {
        assert_eq!(get(&endpoint, path).await.1, expected, "{path}");
    }
    for path in ["/", "/v1", "/v2", "/v2/credentials/the-id/more", "/v4", "/v5/x"] {
        assert_eq!(get(&endpoint, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let forwarded = Request::get("/v2/credentials/the-id").header("X-Forwarded-For", "192.0.2.1").body(());
    assert_eq!(ask(&endpoint, forwarded.expect("a request")).await.0, StatusCode::FORBIDDEN);
    let post = Request::post("/v2/credentials/the-id").body(()).expect("a request");
    assert_eq!(ask(&endpoint, post).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn metadata_of_containers() {
    let endpoint = endpoint();
    let id = endpoint.task.endpoint_id(0);
    assert!(id.starts_with(&format!("{}-", endpoint.task.id)) && id.ends_with('0'));
    let (status, v4) = get(&endpoint, &format!("/v4/{id}")).await;
    assert_eq!(status, StatusCode::OK);
    let expected = serde_json::json!({
        "DockerId": "runtime-0", "Name": "web", "DockerName": "web", "Image": "localhost:4566/web:1",
        "ImageID": "sha256:1", "DesiredStatus": "RUNNING", "KnownStatus": "RUNNING",
        "Limits": {"CPU": 2, "Memory": 128}, "Type": "NORMAL",
        "CreatedAt": endpoint.environment.now().to_rfc3339(), "StartedAt": endpoint.environment.now().to_rfc3339(),
        "ContainerARN": "arn:aws:ecs:us-east-1:123456789012:container/default/0123/c",
        "LogDriver": "awslogs",
        "LogOptions": {"awslogs-group": "/g", "awslogs-region": "us-east-1",
                       "awslogs-stream": format!("p/web/{}", endpoint.task.id)},
        "Labels": {
            "team": "sea",
            "com.amazonaws.ecs.cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
            "com.amazonaws.ecs.container-name": "web", "com.amazonaws.ecs.task-arn": ARN,
            "com.amazonaws.ecs.task-definition-family": "web", "com.amazonaws.ecs.task-definition-version": "1",
        },
        "Networks": [{
            "NetworkMode": "awsvpc", "IPv4Addresses": ["10.88.0.7"], "AttachmentIndex": 0,
            "MACAddress": "0a:58:0a:58:00:07", "IPv4SubnetCIDRBlock": "10.88.0.0/16",
            "SubnetGatewayIpv4Address": "10.88.0.1/16", "DomainNameServers": ["10.88.0.1"],
            "DomainNameSearchList": [], "PrivateDNSName": "ip-10-88-0-7.ec2.internal",
        }],
    });
    assert_eq!(v4, expected);
    let v3 = get(&endpoint, &format!("/v3/{id}")).await.1;
    assert!(v3.get("ContainerARN").is_none() && v3.get("LogDriver").is_none());
    assert_eq!(
        v3["Networks"],
        serde_json::json!([{"NetworkMode": "awsvpc", "IPv4Addresses": ["10.88.0.7"]}])
    );
    let other = get(&endpoint, &format!("/v4/{}", endpoint.task.endpoint_id(1))).await.1;
    assert_eq!((other["KnownStatus"].as_str(), other["ExitCode"].as_i64()), (Some("STOPPED"), Some(3)));
    let (status, answer) = get(&endpoint, "/v4/elsewhere").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(answer.as_str().is_some_and(|text| text.contains("unable to get container ID")));
}

#[tokio::test]
async fn metadata_of_tasks_and_figures() {
    let endpoint = endpoint();
    let id = endpoint.task.endpoint_id(0);
    let task = get(&endpoint, &format!("/v4/{id}/task")).await.1;
    assert_eq!(task["TaskARN"], ARN);
    assert_eq!(task["Limits"], serde_json::json!({"CPU": 0.25, "Memory": 512}));
    assert_eq!((task["Family"].as_str(), task["Revision"].as_str()), (Some("web"), Some("1")));
    assert_eq!(task["LaunchType"], "FARGATE");
    assert_eq!(task["Containers"].as_array().map(Vec::len), Some(2));
    // What is not known is not there.
    assert!(task.get("AvailabilityZone").is_none() && task.get("PullStartedAt").is_none());

    let stats = get(&endpoint, &format!("/v4/{id}/stats")).await.1;
    assert_eq!(stats["cpu_stats"]["cpu_usage"]["total_usage"], 1_000_000);
    assert_eq!(stats["memory_stats"]["usage"], 1 << 20);
    assert_eq!(
        (stats["id"].as_str(), stats["preread"].as_str()),
        (Some("runtime-0"), Some("0001-01-01T00:00:00Z"))
    );
    assert_eq!(stats["networks"]["eth0"]["rx_bytes"], 100);
    let again = get(&endpoint, &format!("/v4/{id}/stats")).await.1;
    assert_eq!(again["precpu_stats"], stats["cpu_stats"]);
    let all = get(&endpoint, &format!("/v3/{id}/task/stats")).await.1;
    assert!(all["runtime-0"].is_object() && all["runtime-1"].is_null());
    let ended = endpoint.task.endpoint_id(1);
    assert_eq!(get(&endpoint, &format!("/v4/{ended}/stats")).await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn connections_are_bounded() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.set_nonblocking(true).expect("sets");
    let address = listener.local_addr().expect("is bound");
    let endpoint = Endpoint { environment: Environment::real(), ..endpoint() };
    let serving = serve(endpoint, listener).expect("serves");
    let say = async |text: String| {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        // What is too large may be cut off while it is still being sent.
        let _ = stream.write_all(text.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    let ordinary =
        || "GET /v2/credentials/the-id HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned();
    assert!(say(ordinary()).await.starts_with("HTTP/1.1 200 OK"));
    let large = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    assert!(!say(large).await.contains("200 OK"));
    assert!(!say("nonsense\r\n\r\n".to_owned()).await.contains("200 OK"));

    // As many as there are places, all silent: the next waits until their time is over, and no longer.
    let mut silent = Vec::new();
    for _ in 0..MOST_CONNECTIONS {
        silent.push(TcpStream::connect(address).await.expect("connects"));
    }
    let begun = std::time::Instant::now();
    assert!(say(ordinary()).await.starts_with("HTTP/1.1 200 OK"));
    assert!(begun.elapsed() < HEAD_TIME * 3);
    drop(serving);
}

#[tokio::test]
async fn wrong_questions_about_protection_are_answered_as_the_published_agent_does() {
    let endpoint = endpoint();
    let path = format!("/api/{}/task-protection/v1/state", endpoint.task.endpoint_id(0));
    let cases: [(Method, &str, &str, u16, &str); 5] = [
        (Method::PUT, &path, "no JSON", 400, "failed to decode request"),
        (Method::PUT, &path, r#"{"Other":1}"#, 400, "failed to decode request"),
        (Method::PUT, &path, "{}", 400, "does not contain 'ProtectionEnabled' field"),
        (Method::GET, "/api/x/task-protection/v1/state", "", 404, "Failed to find a task"),
        (Method::GET, "/api/x/other", "", 404, "404 page not found"),
    ];
    for (method, path, body, status, text) in cases {
        let answer = endpoint.api(&method, path, body.as_bytes()).await;
        assert_eq!(answer.status().as_u16(), status, "{path} {body}");
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(text), "{body:?}");
    }
}
