//! What it costs to know who calls and whether they may: reads the authorization of a signed request, looks its key up,
//! verifies the signature and decides with ten policies of ten statements attached to the user, one thread, from memory.
//! `cargo run --release -p api-server --example identity_speed` prints the median and the 99th percentile.

use access::{Access, Asked, Caller, NewKey, RequestFacts, new_key};
use aws_wire::sigv4::{Authorization, Signer, Verifier, parse, sign};
use encryption::KeyRing;
use environment::Environment;
use http::request::Parts;
use resources::iam::{ManagedPolicy, PolicyVersion, PrincipalPolicies, User};
use std::error::Error;
use std::fmt::Write;
use std::time::Instant;
use store::{MemoryStore, Tables};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
const ROUNDS: usize = 50_000;
const BODY: &[u8] = br#"{"cluster":"default","taskDefinition":"web:1","count":1,"launchType":"FARGATE"}"#;

#[tokio::main(flavor = "current_thread")]
#[allow(clippy::disallowed_methods, reason = "it measures real time")]
async fn main() -> Result<(), Box<dyn Error>> {
    let environment = Environment::real();
    let tables = Tables::new(MemoryStore::new(environment.clone()), environment.clone());
    let keys = KeyRing::in_memory(environment.clone());
    let key = user_with_policies(&tables, &keys).await?;
    let access = Access::new(tables, keys);
    let verifier = Verifier::default();
    let parts = signed(&key, &environment)?;
    let (mut authenticated, mut whole) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let query = Authorization::query_of(&parts);
        let authorization = parse(&parts, &query)?;
        let credential = access.credential(authorization.access_key_id, None).await?;
        Verifier::check_scope(&authorization, REGION, "ecs", environment.now())?;
        // Read to verify the signature.
        verifier.verify(&authorization, &parts, BODY, credential.secret())?;
        authenticated.push(begun.elapsed());
        access.authorize(&credential.caller, &asked(), &facts(&environment)).await?;
        whole.push(begun.elapsed());
    }
    for (name, mut times) in [("authenticate", authenticated), ("authenticate and authorize", whole)] {
        times.sort_unstable();
        println!("{name}: median {:?}, p99 {:?}", times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
    }
    Ok(())
}

/// What RunTask asks for.
fn asked() -> [Asked<'static>; 1] {
    [Asked::new("ecs:RunTask", "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1")]
}

fn facts(environment: &Environment) -> RequestFacts<'static> {
    RequestFacts {
        time: environment.now(),
        source_ip: [127, 0, 0, 1].into(),
        region: REGION,
        user_agent: Some("aws-cli/2.15 md/Botocore#1.34"),
        secure_transport: false,
    }
}

/// Makes a user with ten managed policies attached, of which only the last statement of the last one allows the call.
async fn user_with_policies(tables: &Tables, keys: &KeyRing) -> Result<NewKey, Box<dyn Error>> {
    let environment = tables.environment();
    let mut policies = PrincipalPolicies::default();
    for number in 0..10 {
        let policy = policy(number, environment)?;
        policies.attached.push(policy.arn());
        tables.create(policy).await?;
    }
    let mut user = User {
        account: ACCOUNT.parse()?,
        name: "deployer".to_owned(),
        path: "/".to_owned(),
        id: "AIDADEPLOYER".to_owned(),
        groups: vec![],
        policies,
        boundary: None,
        access_keys: vec![],
        login_profile: None,
        mfa_devices: vec![],
        tags: vec![("team".to_owned(), "blue".to_owned())],
        created_at: environment.now(),
    };
    let mut new = new_key(environment, keys, &Caller::user(&user));
    new.key.user = Some(user.name.clone());
    user.access_keys.push(new.key.access_key_id.clone());
    tables.create(user).await?;
    tables.create(new.key.clone()).await?;
    Ok(new)
}

fn policy(number: usize, environment: &Environment) -> Result<ManagedPolicy, Box<dyn Error>> {
    let mut statements = String::new();
    for statement in 0..9 {
        write!(
            statements,
            r#"{{"Effect":"Allow","Action":["ecr:Get*","ecs:Run{number}{statement}*"],"Resource":"arn:aws:ecs:*:*:task-definition/app-{number}-{statement}:*","Condition":{{"StringEquals":{{"aws:PrincipalTag/team":"blue"}}}}}},"#
        )?;
    }
    let last = if number == 9 { "ecs:RunTask" } else { "ecs:StopTask" };
    let arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:*";
    write!(statements, r#"{{"Effect":"Allow","Action":"{last}","Resource":"{arn}"}}"#)?;
    let version = PolicyVersion {
        number: 1,
        document: format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#),
        created_at: environment.now(),
    };
    Ok(ManagedPolicy {
        account: ACCOUNT.parse()?,
        name: format!("policy-{number}"),
        path: "/".to_owned(),
        id: format!("ANPA{number}"),
        description: None,
        default_version: 1,
        next_version: 2,
        versions: vec![version],
        tags: vec![],
        created_at: environment.now(),
        updated_at: environment.now(),
    })
}

fn signed(new: &NewKey, environment: &Environment) -> Result<Parts, Box<dyn Error>> {
    let request = http::Request::post("/")
        .header("host", "127.0.0.1:4566")
        .header("content-type", "application/x-amz-json-1.1")
        .header("user-agent", "aws-cli/2.15 md/Botocore#1.34")
        .header("x-amz-target", "AmazonEC2ContainerServiceV20141113.RunTask");
    let mut parts = request.body(())?.into_parts().0;
    let signer = Signer {
        access_key_id: new.key.access_key_id.clone(),
        // Read to sign.
        secret_access_key: new.secret.expose().to_owned(),
        session_token: None,
        region: REGION.to_owned(),
    };
    sign(&mut parts, BODY, &signer, "ecs", environment.now())?;
    Ok(parts)
}
