//! `longshore demo`: the whole way, from an image push to a running Fargate task with its logs.

pub(crate) mod container;
mod image;

use crate::client::Client;
use crate::region::Region;
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const GROUP: &str = "/demo";
const FAMILY: &str = "demo";
const REPOSITORY: &str = "demo";
/// Every new account has it.
const EXECUTION_ROLE: &str = "ecsTaskExecutionRole";

/// Show a container of yours running as a Fargate task, in a region that vanishes afterwards.
///
/// Needs root, no Docker and no internet. On a terminal it stays up until Ctrl-C.
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// End after showing everything, on a terminal too
    #[arg(long)]
    once: bool,
}

/// Runs the demonstration and leaves nothing behind, whether it went well or not.
pub(crate) async fn run(arguments: DemoArgs) -> Result<()> {
    let faults = super::doctor::host_failures();
    if !faults.is_empty() {
        bail!("this machine cannot run tasks:\n  {}", faults.join("\n  "));
    }
    let directory =
        tempfile::Builder::new().prefix("longshore-demo-").tempdir().context("make a directory")?;
    let begun = Instant::now();
    let region = Region::start(Settings::temporary(directory.path())?).await?;
    say(begun, &format!("a region answers at {} ({})", region.endpoint(), directory.path().display()));
    let stay = std::io::stdout().is_terminal() && !arguments.once;
    let shown = tokio::select! {
        shown = show(&region, begun, stay) => shown,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    let stopped = region.stop(true).await;
    shown.and(stopped)?;
    drop(directory);
    say(begun, "the region and everything in it is gone");
    Ok(())
}

async fn show(region: &Region, begun: Instant, stay: bool) -> Result<()> {
    let client = region.client();
    push(region, &client, begun).await?;
    let task = run_task(region, &client, begun).await?;
    let address = wait_until_running(&client, &task, begun).await?;
    let host = address.clone();
    let body = tokio::task::spawn_blocking(move || container::fetch(&host)).await??;
    say(begun, &format!("http://{address}:{}/ answers: {}", container::PORT, body.trim()));
    show_logs(&client, &task, begun).await?;
    if stay {
        println!("\nIt stays up until Ctrl-C. In another terminal, try:");
        println!("  eval \"$(longshore env --data-dir {})\"", region.data_dir().display());
        println!("  aws ecs describe-tasks --tasks {task}");
        println!(
            "  aws logs get-log-events --log-group-name {GROUP} --log-stream-name demo/web/{}",
            id_of(&task)
        );
        println!("  curl http://{address}:{}/", container::PORT);
        std::future::pending::<()>().await;
    }
    client.ecs("StopTask", &json!({"task": task, "reason": "the demonstration is over"})).await?;
    follow(&client, &task, "STOPPED", begun).await?;
    Ok(())
}

async fn push(region: &Region, client: &Client, begun: Instant) -> Result<()> {
    let image = tokio::task::spawn_blocking(image::build).await??;
    let size: usize = image.blobs.iter().map(|(_, blob)| blob.len()).sum();
    client.ecr("CreateRepository", &json!({"repositoryName": REPOSITORY})).await?;
    let token = client.ecr("GetAuthorizationToken", &json!({})).await?;
    let token =
        token["authorizationData"][0]["authorizationToken"].as_str().context("a registry token")?.to_owned();
    let reference = format!("{}/{REPOSITORY}:latest", region.registry());
    let options = crate::client::registry_options(&token)?;
    container_image::push(&image, &reference, &options, &environment::Environment::real()).await?;
    say(begun, &format!("pushed {reference}, {:.1} MiB", size as f64 / 1_048_576.0));
    Ok(())
}

async fn run_task(region: &Region, client: &Client, begun: Instant) -> Result<String> {
    let container = |name: &str| {
        json!({
            "name": name,
            "image": format!("{}/{REPOSITORY}:latest", region.registry()),
            "command": ["demo-container", name],
            "essential": true,
            "stopTimeout": 5,
            "linuxParameters": {"initProcessEnabled": true},
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": GROUP, "awslogs-region": region.name(), "awslogs-stream-prefix": "demo"}},
        })
    };
    let mut visitor = container("visitor");
    visitor["dependsOn"] = json!([{"containerName": "web", "condition": "START"}]);
    client.ecs("CreateCluster", &json!({"clusterName": "default"})).await?;
    client.logs("CreateLogGroup", &json!({"logGroupName": GROUP})).await?;
    let role = format!("arn:aws:iam::{}:role/{EXECUTION_ROLE}", region.account());
    client
        .ecs(
            "RegisterTaskDefinition",
            &json!({
            "family": FAMILY, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "executionRoleArn": role, "containerDefinitions": [container("web"), visitor]}),
        )
        .await?;
    let subnet = client.default_subnet().await?;
    let answer = client
        .ecs(
            "RunTask",
            &json!({
            "taskDefinition": FAMILY, "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": [subnet]}}}),
        )
        .await?;
    let task = answer["tasks"][0]["taskArn"].as_str().with_context(|| format!("no task: {answer}"))?;
    say(begun, &format!("RunTask accepted: {task}"));
    Ok(task.to_owned())
}

/// Follows the task to RUNNING and returns its address.
async fn wait_until_running(client: &Client, task: &str, begun: Instant) -> Result<String> {
    let described = follow(client, task, "RUNNING", begun).await?;
    let address = described["containers"][0]["networkInterfaces"][0]["privateIpv4Address"].as_str();
    Ok(address.context("the running task has no address")?.to_owned())
}

/// Prints every status the task is seen in until `wanted`.
async fn follow(client: &Client, task: &str, wanted: &str, begun: Instant) -> Result<Value> {
    let mut last = String::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = client.ecs("DescribeTasks", &json!({"tasks": [task]})).await?;
        let described = &answer["tasks"][0];
        let status = described["lastStatus"].as_str().unwrap_or("missing").to_owned();
        if status != last {
            say(begun, &format!("task is {status}"));
            last.clone_from(&status);
        }
        if status == wanted {
            return Ok(described.clone());
        }
        if status == "STOPPED" || Instant::now() > deadline {
            bail!(
                "the task is {status}, not {wanted}: {}",
                described["stoppedReason"].as_str().unwrap_or_default()
            );
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn show_logs(client: &Client, task: &str, begun: Instant) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut lines = Vec::new();
    while Instant::now() < deadline {
        let answer = client
            .logs("FilterLogEvents", &json!({"logGroupName": GROUP, "logStreamNamePrefix": "demo/"}))
            .await?;
        lines = answer["events"].as_array().cloned().unwrap_or_default();
        if lines.len() >= 6 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    say(begun, &format!("CloudWatch Logs of {} in {GROUP}:", id_of(task)));
    for line in &lines {
        println!("           {}", line["message"].as_str().unwrap_or_default());
    }
    if lines.is_empty() {
        bail!("no log line arrived");
    }
    Ok(())
}

fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn say(begun: Instant, text: &str) {
    println!("[{:7.3} s] {text}", begun.elapsed().as_secs_f64());
}
