//! `longshore registry events`: what happened in a registry, as ECR would send it to EventBridge.

use crate::client::Client;
use crate::commands::env::region_of;
use anyhow::{Context, Result, bail};
use clap::Args;
use environment::{Environment, Timestamp};
use identifiers::AccountId;
use serde_json::Value;
use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Time between two looks for new events.
const LOOK: Duration = Duration::from_secs(1);
/// How far back each look goes again: an event may be written a little later than another that is younger.
const OVERLAP: Duration = Duration::from_secs(10);

/// Show pushes, pulls, deletions, scans and copies of images
///
/// The region keeps the last 10,000 events of an account, of pulls 2,000.
#[derive(Args)]
pub(crate) struct EventsArgs {
    /// Go on showing events as they come, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Only what happened since then: 30s, 10m, 2h, 7d, or a time as 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Since>,
    /// Only events of this repository
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// Events of this account [default: the region's own]
    #[arg(long, value_name = "ID")]
    account: Option<AccountId>,
    /// Print each event as one line of JSON, in the shape of EventBridge
    #[arg(long)]
    json: bool,
    /// Data directory of the region [default: as `longshore up`]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Since {
    Ago(Duration),
    At(Timestamp),
}

fn parse_since(text: &str) -> Result<Since> {
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        return Ok(Since::At(time));
    }
    let unit = match text.chars().next_back() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => bail!("write it as 30s, 10m, 2h, 7d, or as a time like 2026-01-31T08:00:00Z"),
    };
    let number: u64 = text[..text.len() - 1].parse().context("a number before the unit")?;
    Ok(Since::Ago(Duration::from_secs(number.saturating_mul(unit).min(u64::from(u32::MAX)))))
}

/// Prints what there is, and then what comes.
pub(crate) async fn run(arguments: EventsArgs) -> Result<()> {
    let environment = Environment::real();
    let (endpoint, key) = region_of(arguments.data_dir.clone())?;
    let client = Client::new(&endpoint.endpoint, &endpoint.region, &key);
    let mut since = match arguments.since {
        None => 0,
        Some(Since::At(time)) => time.as_millis(),
        Some(Since::Ago(ago)) => (environment.now() - ago).as_millis(),
    };
    // What was shown and may be read again, with the look in which it was.
    let mut shown: HashMap<String, u64> = HashMap::new();
    let mut looks = 0;
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let begun = environment.now();
        let goes_on = tokio::select! {
            goes_on = show(&client, &arguments, since, (&mut shown, looks)) => goes_on?,
            _ = &mut interrupted => return Ok(()),
        };
        if !goes_on || !arguments.follow {
            return Ok(());
        }
        // Two looks back lies before all that the next one can read.
        let forgotten = 2 * OVERLAP.as_secs() / LOOK.as_secs();
        shown.retain(|_, look| *look + forgotten >= looks);
        looks += 1;
        since = since.max((begun - OVERLAP).as_millis());
        tokio::select! {
            () = environment.sleep(LOOK) => {}
            _ = &mut interrupted => return Ok(()),
        }
    }
}

/// Prints the events from a moment on that were not shown yet; false when nobody reads any more.
async fn show(
    client: &Client,
    arguments: &EventsArgs,
    since: i64,
    (shown, look): (&mut HashMap<String, u64>, u64),
) -> Result<bool> {
    let account = arguments.account.as_ref().map(|account| format!("&account={account}")).unwrap_or_default();
    let mut after = String::new();
    loop {
        let page = client.registry_tells(&format!("events?since={since}{account}{after}")).await?;
        for event in page["events"].as_array().into_iter().flatten() {
            let is_of_another = arguments
                .repository
                .as_ref()
                .is_some_and(|wanted| event["detail"]["repository-name"] != wanted.as_str());
            let id = event["id"].as_str().unwrap_or_default();
            if is_of_another || shown.insert(id.to_owned(), look).is_some() {
                continue;
            }
            let text = if arguments.json { event.to_string() } else { line(event) };
            match writeln!(std::io::stdout(), "{text}") {
                Ok(()) => {}
                // Whoever read has seen enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(false),
                Err(error) => return Err(error).context("print an event"),
            }
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(true),
        }
    }
}

/// An event for people: when, what, which image, and what there is to be said of it.
fn line(event: &Value) -> String {
    let detail = &event["detail"];
    let text = |name: &str| detail[name].as_str().unwrap_or_default();
    let action = match event["detail-type"].as_str().unwrap_or_default() {
        "ECR Image Scan" => "SCAN",
        "ECR Pull Through Cache Action" => "CACHE",
        _ => text("action-type"),
    };
    let tag = detail["image-tag"].as_str().map(|tag| format!(":{tag}")).unwrap_or_default();
    let image = format!("{}{tag}@{}", text("repository-name"), text("image-digest"));
    let more = match action {
        "PULL" => format!("{} times", detail["count"]),
        "SCAN" => format!("{} {}", text("scan-status"), detail["finding-severity-counts"]),
        "CACHE" => format!("{} from {}", text("sync-status"), text("upstream-registry-url")),
        "REPLICATE" => {
            let to = format!(
                "{} to {} in {}",
                text("result"),
                text("destination-account"),
                text("destination-region")
            );
            format!("{to} {}", text("failure-code"))
        }
        _ => String::new(),
    };
    let whole = format!("{}  {action:<9}  {image}  {more}", event["time"].as_str().unwrap_or_default());
    whole.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moments_and_spans_are_read() {
        assert_eq!(parse_since("10m").ok(), Some(Since::Ago(Duration::from_secs(600))));
        assert_eq!(parse_since("7d").ok(), Some(Since::Ago(Duration::from_secs(604_800))));
        assert_eq!(parse_since("1970-01-01T00:00:05Z").ok(), Some(Since::At(Timestamp::from_seconds(5))));
        for wrong in ["", "m", "-1m", "10", "1.5h", "é", "5é", "yesterday"] {
            assert!(parse_since(wrong).is_err(), "{wrong}");
        }
        assert!(parse_since("99999999999999999999d").is_err());
        assert!(parse_since("9999999999999999999d").is_ok(), "as far back as there is time");
    }

    #[test]
    fn lines_say_what_happened() {
        let event = json!({"time": "2026-01-31T08:00:00Z", "detail-type": "ECR Image Action", "detail": {
            "action-type": "PUSH", "repository-name": "app", "image-digest": "sha256:ab", "image-tag": "v1"}});
        assert_eq!(line(&event), "2026-01-31T08:00:00Z  PUSH       app:v1@sha256:ab");
        let event = json!({"time": "t", "detail-type": "ECR Image Scan", "detail": {
            "scan-status": "COMPLETE", "repository-name": "app", "image-digest": "sha256:ab", "finding-severity-counts": {"HIGH": 2}}});
        assert_eq!(line(&event), "t  SCAN       app@sha256:ab  COMPLETE {\"HIGH\":2}");
    }
}
