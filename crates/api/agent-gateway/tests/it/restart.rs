//! Agents that die, with tasks that do not.

use crate::region::{TestRegion, container, logged, sandbox};
use resources::ecs::TaskStatus;

#[tokio::test]
async fn a_killed_agent_adopts_its_tasks_and_loses_no_line() {
    let mut region = TestRegion::with_agent().await;
    let living = region.place_logged(vec![logged("web")]).await;
    let ending = region.place_logged(vec![logged("job")]).await;
    let unwanted = region.place(vec![container("old")]).await;
    for key in [&living, &ending, &unwanted] {
        region.wait_for_status(key, TaskStatus::Running).await;
    }
    let stream = format!("p/web/{}", sandbox(&living));
    region.engine.print(sandbox(&living), "web", "before");
    region
        .wait_for("the line", async || (region.messages("/test", &stream).await == ["before"]).then_some(()))
        .await;
    region.kill_agent().await;

    region.engine.print(sandbox(&living), "web", "meanwhile");
    region.engine.print(sandbox(&ending), "job", "done");
    region.engine.exit(sandbox(&ending), "job", 5);
    region.want_stop(&unwanted).await;
    region.start_agent();

    let task = region.wait_for_status(&ending, TaskStatus::Deprovisioning).await;
    assert_eq!(task.containers[0].exit_code, Some(5));
    let job = format!("p/job/{}", sandbox(&ending));
    assert_eq!(region.messages("/test", &job).await, ["done"]);
    region.wait_for_status(&unwanted, TaskStatus::Deprovisioning).await;
    region
        .wait_for("the missing line", async || {
            (region.messages("/test", &stream).await == ["before", "meanwhile"]).then_some(())
        })
        .await;
    assert_eq!(region.task(&living).await.last_status, TaskStatus::Running);
    assert_eq!(region.engine.sandboxes(), [sandbox(&living)]);
    assert_eq!(region.engine.made().len(), 3, "nothing was made twice");
    region.want_stop(&living).await;
    region.wait_for_status(&living, TaskStatus::Deprovisioning).await;
    region.end().await;
}

#[tokio::test]
async fn tasks_that_the_server_does_not_want_any_more_are_stopped() {
    let mut region = TestRegion::with_agent().await;
    let key = region.place(vec![container("web")]).await;
    region.wait_for_status(&key, TaskStatus::Running).await;
    region.kill_agent().await;
    let row = region.tables.get::<resources::ecs::Task>(&key).await.expect("reads").expect("is there");
    region.tables.delete(&row).await.expect("deletes");
    region.start_agent();
    region
        .wait_for("the machine to be empty", async || region.engine.sandboxes().is_empty().then_some(()))
        .await;
    region.end().await;
}

#[tokio::test]
async fn tasks_placed_while_the_agent_was_away_run_when_it_is_back() {
    let mut region = TestRegion::with_agent().await;
    let first = region.place(vec![container("web")]).await;
    region.kill_agent().await;
    region.start_agent();
    region.wait_for_status(&first, TaskStatus::Running).await;
    region.end().await;
}
