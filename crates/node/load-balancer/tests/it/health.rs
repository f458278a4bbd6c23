//! Health checks, draining and slow start.

use crate::support::{Region, Upstream, full, request, text};
use environment::Environment;
use http::{Response, StatusCode};
use load_balancing::{Reason, TargetState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};
use std::time::Duration;

#[tokio::test]
async fn a_target_is_healthy_while_its_checks_say_so() {
    let status = Arc::new(AtomicU16::new(200));
    let told = status.clone();
    // Checks ask at another path here, which the handler sees.
    let upstream = Upstream::start(move |request| {
        let status = told.load(SeqCst);
        async move {
            let agent =
                request.headers().get("user-agent").is_some_and(|agent| agent == "ELB-HealthChecker/2.0");
            let mut response = Response::new(full("checked"));
            if agent {
                *response.status_mut() = StatusCode::from_u16(status).expect("is one");
            }
            response
        }
    })
    .await;
    let steady = Upstream::named("steady").await;
    let mut region = Region::application(&[upstream.address, steady.address]).await;
    region.group().health_check.path = "/checked".into();
    region.group().health_check.matcher = "200-299,404".parse().expect("is one");
    region.apply().await;
    region.all(TargetState::Healthy).await;
    status.store(404, SeqCst);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(region.target(upstream.address.port()).await.state, TargetState::Healthy);
    status.store(500, SeqCst);
    let unhealthy = |report: &load_balancing::Report| report.targets[0].state == TargetState::Unhealthy;
    let report = region.until("it is found out", unhealthy).await;
    assert_eq!(report.targets[0].reason, Some(Reason::ResponseCodeMismatch));
    assert_eq!(
        report.targets[0].description.as_deref(),
        Some("Health checks failed with these codes: [500]")
    );
    for _ in 0..10 {
        assert_eq!(region.get("/").await.1, "steady");
    }
    status.store(200, SeqCst);
    region.all(TargetState::Healthy).await;
    upstream.close();
    let report = region.until("it is found out", unhealthy).await;
    assert_eq!(report.targets[0].reason, Some(Reason::FailedHealthChecks));
    region.stop().await;
}

#[tokio::test]
async fn a_draining_target_ends_what_it_has_and_gets_nothing_new() {
    let slow = Upstream::start(|_| async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Response::new(full("slow"))
    })
    .await;
    let other = Upstream::named("other").await;
    let mut region = Region::application(&[slow.address]).await;
    region.all(TargetState::Healthy).await;
    let at = region.at();
    let outstanding = tokio::spawn(async move {
        let mut client = crate::support::Client::connect(at).await;
        text(client.send(request("/")).await.expect("is answered")).await
    });
    region.until("it is in progress", |report| report.targets[0].outstanding == 1).await;
    region.group().targets[0].draining_since = Some(Environment::real().now());
    region.group().targets.push(crate::support::target(other.address));
    region.apply().await;
    let report = region
        .until("the other one is ready", |report| report.targets[1].state == TargetState::Healthy)
        .await;
    assert_eq!(report.targets[0].state, TargetState::Draining);
    assert_eq!(report.targets[0].reason, Some(Reason::DeregistrationInProgress));
    for _ in 0..10 {
        assert_eq!(region.get("/").await.1, "other");
    }
    assert_eq!(outstanding.await.expect("joins"), "slow");
    region.until("it has drained", |report| report.targets[0].state == TargetState::Unused).await;
    assert_eq!(slow.count(), 1);
    region.stop().await;
}

#[tokio::test]
async fn what_outlasts_the_deregistration_delay_is_cut() {
    let slow = Upstream::start(|_| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Response::new(full("slow"))
    })
    .await;
    let mut region = Region::application(&[slow.address]).await;
    region.group().attributes.deregistration_delay_seconds = 1;
    region.apply().await;
    region.all(TargetState::Healthy).await;
    let at = region.at();
    let outstanding = tokio::spawn(async move {
        let mut client = crate::support::Client::connect(at).await;
        client.send(request("/")).await.expect("is answered").status().as_u16()
    });
    region.until("it is in progress", |report| report.targets[0].outstanding == 1).await;
    region.group().targets[0].draining_since = Some(Environment::real().now());
    region.apply().await;
    assert_eq!(outstanding.await.expect("joins"), 502);
    region.stop().await;
}
