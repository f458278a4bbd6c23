//! How fast records are taken, and how fast a call is found among many: `cargo run --release --example record_speed`.

use audit_log::{Attribute, AuditLog, Bounds, Event, Identity, Matching, Query, Resource};
use blob_store::BlobStore;
use environment::{Environment, Timestamp};

const RECORDS: u64 = 5_000_000;
const ACCOUNT: &str = "123456789012";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let environment = Environment::real();
    let dir = tempfile::tempdir()?;
    let blobs = BlobStore::local(dir.path(), environment.clone())?;
    let log = AuditLog::open(blobs, environment.clone(), Bounds::default()).await?;
    let start = environment.now();
    for number in 0..RECORDS {
        log.room().await;
        take(&log, &environment, number);
        if number.is_multiple_of(64) {
            tokio::task::yield_now().await;
        }
    }
    report(&environment, start, "taken", RECORDS);
    log.flush().await;
    report(&environment, start, "on disk", RECORDS);
    find(&log, &environment).await?;
    log.close().await;
    println!("{} MiB on disk, {} lost", size(dir.path())? / 1024 / 1024, log.lost());
    Ok(())
}

/// Nine of ten are ListClusters, the rest make a cluster each.
fn take(log: &AuditLog, environment: &Environment, number: u64) {
    let identity = Identity {
        kind: "Root",
        principal_id: ACCOUNT,
        arn: "arn:aws:iam::123456789012:root",
        account: ACCOUNT,
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        ..Identity::default()
    };
    let (name, request) = (format!("cluster-{number}"), environment.uuid());
    let parameters = format!("{{\"clusterName\":\"{name}\"}}");
    let resources = [Resource { kind: "AWS::ECS::Cluster", name: &name }];
    let creates = number.is_multiple_of(10);
    log.record(&Event {
        time: environment.now(),
        source: "ecs.amazonaws.com",
        name: if creates { "CreateCluster" } else { "ListClusters" },
        region: "us-east-1",
        account: ACCOUNT,
        identity,
        source_address: "127.0.0.1",
        user_agent: "Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.11",
        request_parameters: if creates { Some(&parameters) } else { None },
        request_id: &request,
        read_only: !creates,
        resources: if creates { &resources } else { &[] },
        ..Event::default()
    });
}

async fn find(log: &AuditLog, environment: &Environment) -> Result<(), Box<dyn std::error::Error>> {
    let name = |text: &str| Some(Matching::Text(Attribute::ResourceName, text.to_owned()));
    let searches = [
        ("the newest 50", None),
        ("one cluster of the first thousand", name("cluster-770")),
        ("one cluster in the middle", name(&format!("cluster-{}", RECORDS / 2))),
        ("a cluster that never was", name("nothing")),
    ];
    for (what, matching) in searches {
        let until = environment.now();
        let from = Timestamp::from_seconds(0);
        let mut query = Query { account: ACCOUNT.to_owned(), matching, from, until, before: None, limit: 50 };
        let (mut events, mut pages) = (0, 0);
        let start = environment.now();
        loop {
            let found = log.search(&query).await?;
            (events, pages) = (events + found.events.len(), pages + 1);
            query.before = found.next;
            if query.before.is_none() || query.matching.is_none() {
                break;
            }
        }
        let took = environment.now().since(start);
        println!("{what}: {events} found in {pages} pages, {} ms", took.as_millis());
    }
    Ok(())
}

fn report(environment: &Environment, start: Timestamp, what: &str, records: u64) {
    let seconds = environment.now().since(start).as_secs_f64();
    println!(
        "{records} {what}: {:.0} a second, {:.0} ns each",
        records as f64 / seconds,
        seconds * 1e9 / records as f64
    );
}

fn size(folder: &std::path::Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
