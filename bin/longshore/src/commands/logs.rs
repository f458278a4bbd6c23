//! `longshore logs`: what the containers of a task or a service say, from CloudWatch Logs.

use crate::client::Client;
use crate::commands::env::region_of;
use crate::commands::exec::{cluster_of, without_nulls};
use anyhow::{Context, Result, bail};
use clap::Args;
use environment::Environment;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Pause between two looks at the streams.
const PAUSE: Duration = Duration::from_millis(500);
/// Looks between two questions which tasks there are.
const LOOKS: u32 = 4;
/// Looks after the end of a task, for output that is on its way.
const LAST_LOOKS: u32 = 4;

/// Show the logs of a task, or of the tasks of a service. Their containers must use the log driver awslogs.
#[derive(Args)]
pub(crate) struct LogsArgs {
    /// Id or ARN of a task, or name of a service
    #[arg(value_name = "TASK|SERVICE")]
    name: String,
    /// Go on with what is said from now on
    #[arg(long, short)]
    follow: bool,
    /// Only what was said since: 30s, 10m, 2h, 1d ago
    #[arg(long, value_name = "TIME", value_parser = ago)]
    since: Option<Duration>,
    /// Only this container
    #[arg(long, short, value_name = "NAME")]
    container: Option<String>,
    /// Cluster [default: that of the ARN, or `default`]
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Data directory of the region [default: as `longshore up`]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

fn ago(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time such as 30s, 10m, 2h or 1d");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// A stream that is read.
struct Stream {
    group: String,
    token: Option<String>,
    label: String,
}

struct Reader<'a> {
    client: &'a Client,
    arguments: &'a LogsArgs,
    cluster: Option<String>,
    /// Milliseconds since the epoch of the first event that is wanted.
    from: Option<i64>,
    streams: BTreeMap<String, Stream>,
}

/// Prints what there is, and with `--follow` what comes, until a task is over or the program is interrupted.
pub(crate) async fn run(arguments: LogsArgs) -> Result<()> {
    let (endpoint, key) = region_of(arguments.data_dir.clone())?;
    let client = Client::new(&endpoint.endpoint, &endpoint.region, &key);
    let environment = Environment::real();
    let since =
        |ago: Duration| environment.now().as_millis() - i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
    let mut reader = Reader {
        client: &client,
        cluster: arguments.cluster.clone().or_else(|| cluster_of(&arguments.name)),
        from: arguments.since.map(since),
        streams: BTreeMap::new(),
        arguments: &arguments,
    };
    let mut all_over = reader.find().await?;
    if reader.streams.is_empty() && !arguments.follow {
        bail!("no container of {} writes to CloudWatch Logs", arguments.name);
    }
    let (mut look, mut looks_left) = (0, LAST_LOOKS);
    loop {
        reader.print().await?;
        if !arguments.follow {
            return Ok(());
        }
        if all_over {
            looks_left -= 1;
            if looks_left == 0 {
                return Ok(());
            }
        }
        environment.sleep(PAUSE).await;
        look += 1;
        if look % LOOKS == 0 {
            all_over = reader.find().await?;
        }
    }
}

impl Reader<'_> {
    /// Notes the streams of the tasks there are; true when it is one task and it is over.
    async fn find(&mut self) -> Result<bool> {
        let tasks = self.tasks().await?;
        let several = tasks.len() > 1;
        for task in &tasks {
            self.note_streams(task, several).await?;
        }
        let is_service = !self.is_task();
        Ok(!is_service && tasks.iter().all(|task| task["lastStatus"] == "STOPPED"))
    }

    fn is_task(&self) -> bool {
        let name = &self.arguments.name;
        name.contains(":task/") || (name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    async fn tasks(&self) -> Result<Vec<Value>> {
        let name = &self.arguments.name;
        let arns = if self.is_task() {
            vec![Value::from(name.as_str())]
        } else {
            let mut arns = Vec::new();
            for status in ["RUNNING", "STOPPED"] {
                let input = json!({"cluster": self.cluster, "serviceName": name, "desiredStatus": status});
                let input = without_nulls(input);
                arns.extend(self.client.all_pages("ecs", "ListTasks", "taskArns", &input).await?);
            }
            arns
        };
        let mut tasks = Vec::new();
        for hundred in arns.chunks(100) {
            let input = without_nulls(json!({"cluster": self.cluster, "tasks": hundred}));
            let mut described = self.client.ecs("DescribeTasks", &input).await?;
            if let Value::Array(found) = described["tasks"].take() {
                tasks.extend(found);
            }
        }
        if tasks.is_empty() && self.is_task() {
            bail!("there is no task {name}");
        }
        Ok(tasks)
    }

    async fn note_streams(&mut self, task: &Value, several: bool) -> Result<()> {
        let id = text(&task["taskArn"]).rsplit('/').next().unwrap_or_default().to_owned();
        if self.streams.values().any(|stream| stream.label.starts_with(&id)) {
            return Ok(());
        }
        let input = json!({"taskDefinition": task["taskDefinitionArn"]});
        let answer = self.client.ecs("DescribeTaskDefinition", &input).await?;
        let containers =
            answer["taskDefinition"]["containerDefinitions"].as_array().cloned().unwrap_or_default();
        let wanted = self.arguments.container.as_deref();
        let logging = containers.iter().filter(|own| own["logConfiguration"]["logDriver"] == "awslogs");
        for own in logging.filter(|own| wanted.is_none_or(|wanted| own["name"] == wanted)) {
            let (name, options) = (text(&own["name"]), &own["logConfiguration"]["options"]);
            let stream = format!("{}/{name}/{id}", text(&options["awslogs-stream-prefix"]));
            let label = match (several, containers.len() > 1) {
                (true, _) => format!("{id}/{name}"),
                (false, true) => name.to_owned(),
                (false, false) => String::new(),
            };
            let group = text(&options["awslogs-group"]).to_owned();
            self.streams.entry(stream).or_insert(Stream { group, token: None, label });
        }
        if let Some(wanted) = wanted
            && !containers.iter().any(|own| own["name"] == wanted)
        {
            bail!("there is no container {wanted} in task {id}");
        }
        Ok(())
    }

    /// Prints what is new, oldest first.
    async fn print(&mut self) -> Result<()> {
        let mut events = Vec::new();
        for (name, stream) in &mut self.streams {
            loop {
                let input = without_nulls(json!({
                    "logGroupName": stream.group, "logStreamName": name, "startFromHead": true,
                    "startTime": self.from, "nextToken": stream.token,
                }));
                let answer = match self.client.logs("GetLogEvents", &input).await {
                    Ok(answer) => answer,
                    // It is made when the container starts.
                    Err(error) if error.to_string().contains("ResourceNotFoundException") => break,
                    Err(error) => return Err(error),
                };
                let page = answer["events"].as_array().map_or(&[][..], Vec::as_slice);
                events.extend(page.iter().map(|event| {
                    (
                        event["timestamp"].as_i64().unwrap_or_default(),
                        stream.label.clone(),
                        text(&event["message"]).to_owned(),
                    )
                }));
                let next = answer["nextForwardToken"].as_str().map(str::to_owned);
                let at_the_end = next == stream.token || page.is_empty();
                stream.token = next;
                if at_the_end {
                    break;
                }
            }
        }
        events.sort_by_key(|(at, _, _)| *at);
        let mut out = std::io::stdout().lock();
        for (_, label, message) in events {
            let written = if label.is_empty() {
                writeln!(out, "{message}")
            } else {
                writeln!(out, "{label} | {message}")
            };
            written.context("write the logs")?;
        }
        out.flush().context("write the logs")
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_ago_are_read() {
        assert_eq!(ago("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(ago("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "5", "m", "-1m", "1w", "99999999999999999999d", "1ä"] {
            assert!(ago(wrong).is_err(), "{wrong}");
        }
    }
}
