//! Requests for faults in the network of a task.

use super::*;
use crate::engine::SimulatedFault;
use container_network::faults::{Fault, FaultName};

/// An endpoint of a task that may make faults, and its machine.
fn faulty() -> (Endpoint, SimulatedEngine, Arc<environment::Simulation>) {
    let (environment, simulation) =
        Environment::simulated(environment::Timestamp::from_seconds(1_700_000_000), 1);
    let engine = SimulatedEngine::new(environment.clone());
    let base = endpoint();
    let mut task = TaskDefinition::clone(&base.task);
    task.fault_injection = true;
    let endpoint = Endpoint { task: Arc::new(task), engine: Arc::new(engine.clone()), environment, ..base };
    (endpoint, engine, simulation)
}

/// What the container `index` is answered.
async fn asked(endpoint: &Endpoint, index: usize, path: &str, body: &str) -> (u16, Value) {
    let path = format!("/api/{}/fault/v1/{path}", endpoint.task.endpoint_id(index));
    let answer = endpoint.api(&Method::POST, &path, body.as_bytes()).await;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&body).expect("is JSON"))
}

fn status(text: &str) -> (u16, Value) {
    (200, serde_json::json!({"Status": text}))
}

fn refused(code: u16, text: &str) -> (u16, Value) {
    (code, serde_json::json!({"Error": text}))
}

const PORT: &str = r#"{"Port":8080,"Protocol":"tcp","TrafficType":"ingress"}"#;
const LATENCY: &str =
    r#"{"DelayMilliseconds":200,"JitterMilliseconds":10,"Sources":["10.0.0.0/8","10.1.1.1"]}"#;
const LOSS: &str = r#"{"LossPercent":6,"Sources":["52.95.154.1"],"SourcesToFilter":["10.88.0.1"]}"#;

#[tokio::test]
async fn faults_start_stop_and_exclude_each_other() {
    let (endpoint, engine, simulation) = faulty();
    for (path, body, expected) in [
        ("network-blackhole-port/status", PORT, status("not-running")),
        ("network-blackhole-port/start", PORT, status("running")),
        ("network-latency/start", LATENCY, status("running")),
        ("network-latency/status", "", status("running")),
        ("network-packet-loss/status", "", status("not-running")),
        (
            "network-packet-loss/start",
            LOSS,
            refused(409, "There is already one network latency fault running"),
        ),
        ("network-packet-loss/stop", "", status("stopped")),
        ("network-latency/stop", "", status("stopped")),
    ] {
        assert_eq!(asked(&endpoint, 0, path, body).await, expected, "{path}");
    }
    simulation.advance(Duration::from_secs(5));
    for (path, body, expected) in [
        ("network-packet-loss/start", LOSS, status("running")),
        (
            "network-latency/start",
            LATENCY,
            refused(409, "There is already one network packet loss fault running"),
        ),
        ("network-blackhole-port/start", PORT, status("running")),
        ("network-blackhole-port/status", PORT, status("running")),
    ] {
        assert_eq!(asked(&endpoint, 0, path, body).await, expected, "{path}");
    }
    let running = engine.network_faults(&endpoint.task.id);
    assert_eq!(running.len(), 2, "a port twice is one fault: {running:?}");
    assert!(
        matches!(&running[1], Fault::PacketLoss { percent: 6, towards, spared } if towards.len() + spared.len() == 2)
    );
}

#[tokio::test]
async fn each_container_is_heard_once_in_five_seconds_for_each_action() {
    let (endpoint, _, simulation) = faulty();
    let limited = refused(429, "You have reached maximum request limit.");
    assert_eq!(asked(&endpoint, 0, "network-latency/start", "").await.0, 400);
    assert_eq!(asked(&endpoint, 0, "network-latency/start", LATENCY).await, limited, "refusals count");
    assert_eq!(asked(&endpoint, 0, "network-latency/stop", "").await.0, 200, "another action");
    assert_eq!(asked(&endpoint, 0, "network-packet-loss/stop", "").await.0, 200, "another fault");
    assert_eq!(asked(&endpoint, 1, "network-latency/start", LATENCY).await.0, 200, "another container");
    simulation.advance(Duration::from_millis(4_999));
    assert_eq!(asked(&endpoint, 0, "network-latency/stop", "").await, limited);
    simulation.advance(Duration::from_millis(1));
    assert_eq!(asked(&endpoint, 0, "network-latency/stop", "").await, status("stopped"));
}

#[tokio::test]
async fn wrong_requests_are_refused_as_the_published_agent_does() {
    let (endpoint, _, simulation) = faulty();
    for (path, body, text) in [
        ("network-blackhole-port/start", "", "required request body is missing"),
        ("network-blackhole-port/status", " ", "required request body is missing"),
        ("network-blackhole-port/start", "{}", "required parameter Port is missing"),
        ("network-blackhole-port/start", r#"{"Port":1}"#, "required parameter Protocol is missing"),
        (
            "network-blackhole-port/stop",
            r#"{"Port":1,"Protocol":"tcp","TrafficType":""}"#,
            "required parameter TrafficType is missing",
        ),
        (
            "network-blackhole-port/start",
            r#"{"Port":1,"Protocol":"icmp","TrafficType":"egress"}"#,
            "invalid value icmp for parameter Protocol",
        ),
        (
            "network-blackhole-port/start",
            r#"{"Port":1,"Protocol":"udp","TrafficType":"both"}"#,
            "invalid value both for parameter TrafficType",
        ),
        (
            "network-blackhole-port/start",
            r#"{"Port":1,"Protocol":"udp","TrafficType":"egress","SourcesToFilter":["example.com"]}"#,
            "invalid value example.com for parameter SourcesToFilter",
        ),
        ("network-latency/start", "{}", "required parameter DelayMilliseconds is missing"),
        (
            "network-latency/start",
            r#"{"DelayMilliseconds":1}"#,
            "required parameter JitterMilliseconds is missing",
        ),
        (
            "network-latency/start",
            r#"{"DelayMilliseconds":1,"JitterMilliseconds":0,"Sources":[]}"#,
            "required parameter Sources is missing",
        ),
        (
            "network-latency/start",
            r#"{"DelayMilliseconds":1,"JitterMilliseconds":0,"Sources":["10.0.0.1/33"]}"#,
            "invalid value 10.0.0.1/33 for parameter Sources",
        ),
        ("network-packet-loss/start", r#"{"Sources":["::1"]}"#, "required parameter LossPercent is missing"),
        (
            "network-packet-loss/start",
            r#"{"LossPercent":0,"Sources":["::1"]}"#,
            "invalid value 0 for parameter LossPercent",
        ),
        (
            "network-packet-loss/start",
            r#"{"LossPercent":101,"Sources":["::1"]}"#,
            "invalid value 101 for parameter LossPercent",
        ),
        ("network-packet-loss/start", r#"{"LossPercent":1}"#, "required parameter Sources is missing"),
    ] {
        assert_eq!(asked(&endpoint, 0, path, body).await, refused(400, text), "{path} {body}");
        simulation.advance(Duration::from_secs(5));
    }
    assert_eq!(asked(&endpoint, 0, "network-blackhole-port/start", r#"{"Port":"x"}"#).await.0, 400);
    assert_eq!(asked(&endpoint, 0, "network-corruption/start", "{}").await.0, 404);
    assert_eq!(asked(&endpoint, 0, "network-latency/begin", "{}").await.0, 404);
    let path = format!("/api/{}/fault/v1/network-latency/status", endpoint.task.endpoint_id(0));
    assert_eq!(endpoint.api(&Method::GET, &path, b"").await.status().as_u16(), 405);
    let path = "/api/nobody/fault/v1/network-latency/status";
    assert_eq!(endpoint.api(&Method::POST, path, b"").await.status().as_u16(), 404);
}

#[tokio::test]
async fn a_task_must_be_allowed_to_and_a_machine_able_to() {
    let (endpoint, engine, _) = faulty();
    engine.fail(SimulatedFault::Delay);
    assert_eq!(asked(&endpoint, 0, "network-latency/start", LATENCY).await, refused(500, "internal error"));
    assert_eq!(asked(&endpoint, 0, "network-latency/status", "").await, status("not-running"));
    let plain = Endpoint { ..super::endpoint() };
    let text = format!("enableFaultInjection is not enabled for task: {}", plain.task.arn);
    assert_eq!(asked(&plain, 0, "network-latency/start", LATENCY).await, refused(400, &text));
    assert_eq!(asked(&plain, 0, "network-latency/status", "").await, refused(400, &text));
}

#[tokio::test]
async fn a_blackhole_of_port_80_spares_the_endpoint_that_ends_it() {
    let (endpoint, engine, _) = faulty();
    let egress = r#"{"Port":80,"Protocol":"tcp","TrafficType":"egress"}"#;
    assert_eq!(asked(&endpoint, 0, "network-blackhole-port/start", egress).await, status("running"));
    let running = engine.network_faults(&endpoint.task.id);
    let [Fault::BlackholePort { spared, port }] = &running[..] else { panic!("{running:?}") };
    assert_eq!(spared, &["169.254.170.2".parse().expect("a range")]);
    assert!(engine.has_fault(&endpoint.task.id, FaultName::BlackholePort(*port)).await.expect("asks"));
}
