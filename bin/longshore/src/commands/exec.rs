//! `longshore exec`: runs a command in a container of a task and connects it with this terminal, through ExecuteCommand
//! and the session protocol, as the aws CLI and its plugin do.

mod session;
mod terminal;

use crate::client::Client;
use crate::commands::env::region_of;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use session::{End, Session};
use std::path::PathBuf;
use std::process::exit;
use terminal::Terminal;

/// Exit code when the session ended without one of the command's.
const NO_CODE: i32 = 255;

/// Run a command in a container of a running task. The task must be started with enableExecuteCommand.
#[derive(Args)]
pub(crate) struct ExecArgs {
    /// Id or ARN of the task
    #[arg(value_name = "TASK")]
    task: String,
    /// Name of the container [default: the only one]
    #[arg(long, short, value_name = "NAME")]
    container: Option<String>,
    /// Cluster of the task [default: that of the ARN, or `default`]
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Program and arguments [default: /bin/sh]
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Data directory of the region [default: as `longshore up`]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Runs the command and ends this program with its exit code.
pub(crate) async fn run(arguments: ExecArgs) -> Result<()> {
    let (endpoint, key) = region_of(arguments.data_dir)?;
    let client = Client::new(&endpoint.endpoint, &endpoint.region, &key);
    let usual = || vec!["/bin/sh".to_owned()];
    let words = if arguments.command.is_empty() { usual() } else { arguments.command };
    let cluster = arguments.cluster.or_else(|| cluster_of(&arguments.task));
    let input = json!({
        "cluster": cluster,
        "task": arguments.task,
        "container": arguments.container,
        "command": command_line(&words),
        "interactive": true,
    });
    let answer = client.ecs("ExecuteCommand", &without_nulls(input)).await?;
    let text = |name: &str| answer["session"][name].as_str().map(str::to_owned);
    let (Some(id), Some(url), Some(token)) = (text("sessionId"), text("streamUrl"), text("tokenValue"))
    else {
        bail!("the region answered without a session");
    };
    let terminal = Terminal::open()?;
    let session = Session::open(&client, id, url, token, terminal).await;
    let end = session.context("open the session")?.run().await?;
    // Not by returning: a thread may still wait for the keyboard.
    match end {
        End { code: Some(code), .. } => exit(code),
        End { code: None, reason } => {
            eprintln!("longshore: {}", if reason.is_empty() { "the session is over" } else { &reason });
            exit(NO_CODE)
        }
    }
}

/// The cluster in the ARN of a task.
pub(crate) fn cluster_of(task: &str) -> Option<String> {
    let (_, rest) = task.split_once(":task/")?;
    rest.split_once('/').map(|(cluster, _)| cluster.to_owned())
}

pub(crate) fn without_nulls(mut input: serde_json::Value) -> serde_json::Value {
    if let Some(object) = input.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    input
}

/// Words as one line, each in quotes where it needs them.
fn command_line(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let quoted = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_bounds() {
        let words = ["sh", "-c", "echo 'a  b'", ""].map(str::to_owned);
        assert_eq!(command_line(&words), r"sh -c 'echo '\''a  b'\''' ''");
        assert_eq!(cluster_of("arn:aws:ecs:r:1:task/c/0a").as_deref(), Some("c"));
        assert_eq!(cluster_of("0a"), None);
    }
}
