//! `longshore spot interrupt`: takes the capacity of FARGATE_SPOT tasks back.

use crate::client::Client;
use crate::commands::env::region_of;
use anyhow::Result;
use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::path::PathBuf;

/// Take spare capacity back, as AWS may at any time.
#[derive(Args)]
pub(crate) struct SpotArgs {
    #[command(subcommand)]
    command: SpotCommand,
}

#[derive(Subcommand)]
enum SpotCommand {
    /// Interrupt FARGATE_SPOT tasks: SIGTERM, and SIGKILL after their stopTimeout, two minutes at most
    Interrupt {
        /// Tasks of this cluster only
        #[arg(long, value_name = "NAME")]
        cluster: Option<String>,
        /// Tasks of this service only
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// This task only
        #[arg(long, value_name = "ID")]
        task: Option<String>,
        /// No more than so many
        #[arg(long, value_name = "NUMBER")]
        count: Option<usize>,
        /// Data directory of the region [default: as `longshore up`]
        #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

/// Asks the region and prints which tasks it was.
pub(crate) async fn run(arguments: SpotArgs) -> Result<()> {
    let SpotCommand::Interrupt { cluster, service, task, count, data_dir } = arguments.command;
    let (endpoint, key) = region_of(data_dir)?;
    let client = Client::new(&endpoint.endpoint, &endpoint.region, &key);
    // The id is the last part of an ARN.
    let task = task.map(|task| task.rsplit('/').next().unwrap_or_default().to_owned());
    let count = count.map(|count| count.to_string());
    let wanted = [("cluster", cluster), ("service", service), ("task", task), ("count", count)];
    let pairs = wanted.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let query: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    let answer = client.interrupt_spot(&query.join("&")).await?;
    let tasks = answer["tasks"].as_array().cloned().unwrap_or_default();
    for task in &tasks {
        println!("{}", task.as_str().unwrap_or_default());
    }
    println!("interrupted {} FARGATE_SPOT tasks", tasks.len());
    Ok(())
}
