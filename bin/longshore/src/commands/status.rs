//! `longshore status`: the region at a glance.

use crate::client::Client;
use crate::commands::env::region_of;
use crate::region::name_server;
use crate::settings::default_data_dir;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Show the region at a glance: endpoint, hosts, names, clusters, tasks, repositories, log groups.
#[derive(Args)]
pub(crate) struct StatusArgs {
    /// Data directory of the region [default: as `longshore up`]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Asks the region through its own API and prints what it says.
pub(crate) async fn run(arguments: StatusArgs) -> Result<()> {
    let (endpoint, key) = region_of(arguments.data_dir.clone())?;
    let client = Client::new(&endpoint.endpoint, &endpoint.region, &key);
    let clusters = client.all_pages("ecs", "ListClusters", "clusterArns", &json!({})).await?;
    println!(
        "region    {} of account {} at {} (process {})",
        endpoint.region, endpoint.account, endpoint.endpoint, endpoint.pid
    );
    if let Some(answer) = client.hosts().await? {
        for host in answer["hosts"].as_array().into_iter().flatten() {
            let (cpu, memory) = (&host["cpu"], &host["memory"]);
            println!(
                "host      {}: {} tasks reserve {} of {} CPU units and {} of {} MiB",
                text(host, "id"),
                host["tasks"],
                cpu["reserved"],
                cpu["lent"],
                memory["reserved"],
                memory["lent"]
            );
        }
    }
    match name_server::look(&arguments.data_dir.unwrap_or_else(default_data_dir)).await {
        Some(Ok(found)) => println!("names     {found}"),
        Some(Err(wrong)) => println!("names     NOT ANSWERED: {wrong}"),
        None => {}
    }
    println!("clusters  {}", clusters.len());
    for arn in &clusters {
        show_cluster(&client, arn).await?;
    }
    let repositories = client.all_pages("ecr", "DescribeRepositories", "repositories", &json!({})).await?;
    println!("registry  {} repositories", repositories.len());
    for repository in &repositories {
        println!("  {}", text(repository, "repositoryUri"));
    }
    let groups = client.all_pages("logs", "DescribeLogGroups", "logGroups", &json!({})).await?;
    println!("logs      {} groups", groups.len());
    Ok(())
}

async fn show_cluster(client: &Client, arn: &Value) -> Result<()> {
    let answer = client.ecs("DescribeClusters", &json!({"clusters": [arn]})).await?;
    let cluster = &answer["clusters"][0];
    println!(
        "  {}: {} running, {} pending",
        text(cluster, "clusterName"),
        cluster["runningTasksCount"],
        cluster["pendingTasksCount"]
    );
    let tasks = client.all_pages("ecs", "ListTasks", "taskArns", &json!({"cluster": arn})).await?;
    for hundred in tasks.chunks(100) {
        let described = client.ecs("DescribeTasks", &json!({"cluster": arn, "tasks": hundred})).await?;
        for task in described["tasks"].as_array().into_iter().flatten() {
            let address =
                task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"].as_str().unwrap_or("-");
            let id = text(task, "taskArn").rsplit('/').next().unwrap_or_default();
            let definition = text(task, "taskDefinitionArn").rsplit('/').next().unwrap_or_default();
            println!("    {id}  {:<12} {address:<15} {definition}", text(task, "lastStatus"));
        }
    }
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
