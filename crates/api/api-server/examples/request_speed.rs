//! Serves ECS from memory and writes a script for wrk that sends signed ListClusters calls, to measure the request
//! path alone: `cargo run --release -p api-server --example request_speed -- /tmp/calls.lua`, then
//! `wrk -t1 -c8 -d5s -s /tmp/calls.lua http://127.0.0.1:4599/`. It ends with Ctrl-C.

use access::{Access, Caller};
use api_ecs::EcsService;
use api_server::{ApiServer, Authenticator, Config, Listener};
use aws_wire::sigv4::{Signer, sign};
use encryption::KeyRing;
use environment::Environment;
use identifiers::Region;
use resources::ecr::RegistryHosts;
use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;
use store::{MemoryStore, Tables};
use virtual_networks::VirtualNetworks;

const ADDRESS: &str = "127.0.0.1:4599";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let script = std::env::args().nth(1).ok_or("name the script to write")?;
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let access = Access::new(tables.clone(), KeyRing::in_memory(environment.clone()));
    let made = access.create_key(&Caller::root(&"123456789012".parse()?)).await?;
    let region: Region = "us-east-1".parse()?;
    let signer = Signer {
        access_key_id: made.key.access_key_id,
        secret_access_key: made.secret.expose().to_owned(),
        session_token: None,
        region: region.to_string(),
    };
    let networks = VirtualNetworks::new(tables.clone(), "10.88.0.0/16".parse()?);
    let ecs = EcsService::new(tables, RegistryHosts::default(), access.clone(), networks);
    let config = Config {
        region: region.clone(),
        environment: environment.clone(),
        authenticator: Authenticator::new(access, region, environment.clone()),
        audit: None,
        services: vec![Arc::new(api_ecs::shapes::Server(ecs))],
        handlers: vec![],
    };
    let running = Listener::bind(ADDRESS.parse()?).await?.serve(ApiServer::new(config));
    std::fs::write(&script, wrk_script(&signer, &environment)?)?;
    println!("wrk -t1 -c8 -d5s -s {script} http://{ADDRESS}/");
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}

fn wrk_script(signer: &Signer, environment: &Environment) -> Result<String, Box<dyn Error>> {
    let request = http::Request::post("/")
        .header("host", ADDRESS)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "AmazonEC2ContainerServiceV20141113.ListClusters");
    let mut parts = request.body(())?.into_parts().0;
    sign(&mut parts, b"{}", signer, "ecs", environment.now())?;
    let mut text = "wrk.method = \"POST\"\nwrk.body = \"{}\"\n".to_owned();
    // wrk sends the host by itself.
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != http::header::HOST) {
        writeln!(text, "wrk.headers[\"{name}\"] = \"{}\"", value.to_str()?)?;
    }
    Ok(text)
}
