//! Tasks from placement to their end.

use crate::region::{TestRegion, container, logged, sandbox};
use node_agent::SimulatedFault;
use resources::ecs::{ContainerInstance, HealthCheck, HealthStatus, StopCode, TaskStatus};

#[tokio::test]
async fn a_task_runs_and_is_stopped() {
    let region = TestRegion::with_agent().await;
    let key = region.place_logged(vec![logged("web"), container("side")]).await;
    let task = region.wait_for_status(&key, TaskStatus::Running).await;
    assert!(task.containers.iter().all(|c| c.last_status == "RUNNING" && c.image_digest.is_some()));
    assert_eq!(task.containers[0].runtime_id.as_deref(), Some("runtime-web"));
    assert!(task.pull_started_at.is_some() && task.pull_stopped_at.is_some());
    region.engine.print(sandbox(&key), "web", "hello");
    let stream = format!("p/web/{}", sandbox(&key));
    region
        .wait_for("the line", async || (region.messages("/test", &stream).await == ["hello"]).then_some(()))
        .await;

    region.engine.print(sandbox(&key), "web", "last words");
    region.want_stop(&key).await;
    let task = region.wait_for_status(&key, TaskStatus::Deprovisioning).await;
    assert_eq!(task.containers.iter().map(|c| c.exit_code).collect::<Vec<_>>(), [Some(143); 2]);
    assert_eq!(task.stop_code, Some(StopCode::UserInitiated));
    // Output is there before the task is over.
    assert_eq!(region.messages("/test", &stream).await, ["hello", "last words"]);
    assert!(region.engine.sandboxes().is_empty());
    region.end().await;
}

#[tokio::test]
async fn a_task_ends_by_itself() {
    let region = TestRegion::with_agent().await;
    let key = region.place(vec![container("web"), container("side")]).await;
    region.wait_for_status(&key, TaskStatus::Running).await;
    region.engine.exit(sandbox(&key), "web", 3);
    let task = region.wait_for_status(&key, TaskStatus::Deprovisioning).await;
    assert_eq!(task.stop_code, Some(StopCode::EssentialContainerExited));
    assert_eq!(task.stopped_reason.as_deref(), Some("Essential container in task exited"));
    assert_eq!(task.containers[0].exit_code, Some(3));
    region.end().await;
}

#[tokio::test]
async fn failures_reach_the_task_with_a_reason() {
    let region = TestRegion::with_agent().await;
    region.engine.fail(SimulatedFault::Pull("registry.example/web:1".to_owned()));
    let key = region.place(vec![container("web")]).await;
    let task = region.wait_for_status(&key, TaskStatus::Deprovisioning).await;
    assert_eq!(task.stop_code, Some(StopCode::TaskFailedToStart));
    assert!(
        task.stopped_reason.expect("has one").starts_with("CannotPullContainerError: registry.example/web:1")
    );

    region.engine.fail(SimulatedFault::Start("other".to_owned()));
    let key = region.place(vec![container("other")]).await;
    let task = region.wait_for_status(&key, TaskStatus::Deprovisioning).await;
    assert!(task.stopped_reason.expect("has one").starts_with("CannotStartContainerError: exec"));

    region.engine.fail(SimulatedFault::Sandbox);
    let key = region.place(vec![container("third")]).await;
    let task = region.wait_for_status(&key, TaskStatus::Deprovisioning).await;
    assert!(task.stopped_reason.expect("has one").starts_with("ResourceInitializationError: "));
    region.engine.mend(&SimulatedFault::Sandbox);

    let mut missing = logged("web2");
    let options = &mut missing.log_configuration.as_mut().expect("has one").options;
    options.insert("awslogs-create-group".to_owned(), "false".to_owned());
    options.insert("awslogs-group".to_owned(), "/missing".to_owned());
    let key = region.place_logged(vec![missing]).await;
    let task = region.wait_for_status(&key, TaskStatus::Deprovisioning).await;
    assert!(task.stopped_reason.expect("has one").contains("ResourceNotFoundException"));
    assert!(region.engine.sandboxes().is_empty());
    region.end().await;
}

#[tokio::test]
async fn a_container_that_ignores_the_signal_is_killed() {
    let region = TestRegion::with_agent().await;
    region.engine.fail(SimulatedFault::IgnoresTerm("web".to_owned()));
    let mut web = container("web");
    web.stop_timeout = Some(1);
    let key = region.place(vec![web]).await;
    region.wait_for_status(&key, TaskStatus::Running).await;
    region.want_stop(&key).await;
    let task = region.wait_for_status(&key, TaskStatus::Deprovisioning).await;
    assert_eq!(task.containers[0].exit_code, Some(137));
    region.end().await;
}

#[tokio::test]
async fn health_arrives_at_once() {
    let region = TestRegion::with_agent().await;
    let mut web = container("web");
    web.health_check = Some(HealthCheck {
        command: vec!["CMD".to_owned(), "ok".to_owned()],
        interval: 5,
        timeout: 2,
        retries: 1,
        start_period: 0,
    });
    let key = region.place(vec![web]).await;
    region
        .wait_for("health", async || {
            (region.task(&key).await.containers[0].health == HealthStatus::Healthy).then_some(())
        })
        .await;
    region.engine.fail(SimulatedFault::Unhealthy("web".to_owned()));
    region
        .wait_for("sickness", async || {
            (region.task(&key).await.containers[0].health == HealthStatus::Unhealthy).then_some(())
        })
        .await;
    region.end().await;
}

#[tokio::test]
async fn the_instance_shows_whether_its_agent_is_connected() {
    let mut region = TestRegion::with_agent().await;
    let instance = region.instance().await;
    region.stop_agent().await;
    region
        .wait_for("the agent's absence", async || {
            let row =
                region.tables.get::<ContainerInstance>(&instance).await.expect("reads").expect("is there");
            (!row.agent_connected).then_some(())
        })
        .await;
    region.start_agent();
    assert_eq!(region.instance().await, instance, "it registers as the same instance");
    region.end().await;
}
