//! The language of the scripts, one command a line; a transcript repeats each line and puts the answers behind `=>`.
//!
//! ```text
//! # a remark, kept in the transcript
//! policy NAME identity|resource|trust      the document follows on indented lines
//! caller NAME root ACCOUNT
//! caller NAME user ARN ID
//! caller NAME role ROLE_ARN ID SESSION
//! caller NAME federated PROVIDER
//! caller NAME service HOST
//! caller NAME anonymous
//! attach CALLER identity|boundary|session [POLICY ...]
//! resource ARN ACCOUNT [POLICY]            who owns it and what is attached to it
//! ask CALLER ACTION ARN [KEY=VALUE ...]    a key that is repeated has several values
//! ```

use iam_policy::{
    Context, Decision, Policies, Policy, PolicyKind, Principal, Request, Source, StatementRef, evaluate,
    matching_statements,
};
use identifiers::{AccountId, Arn};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

#[derive(Default)]
struct World {
    policies: BTreeMap<String, Source>,
    callers: BTreeMap<String, Caller>,
    resources: BTreeMap<String, (AccountId, Option<Source>)>,
}

struct Caller {
    principal: Principal,
    identity: Vec<Source>,
    boundary: Option<Source>,
    session: Option<Vec<Source>>,
}

/// Runs a script and gives its transcript. Mistakes in a script panic: it is a test.
pub(crate) fn run(script: &str) -> String {
    let mut world = World::default();
    let mut transcript = String::new();
    let mut lines = script.lines().peekable();
    while let Some(line) = lines.next() {
        let mut document = String::new();
        while let Some(indented) = lines.next_if(|next| next.starts_with(' ')) {
            document.push_str(indented);
            document.push('\n');
        }
        write!(transcript, "{line}\n{document}").expect("memory");
        let words: Vec<&str> = line.split_whitespace().collect();
        match &words[..] {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            ["policy", name, kind] => answer(&mut transcript, &world.add_policy(name, kind, &document)),
            ["caller", name, kind, rest @ ..] => world.add_caller(name, kind, rest),
            ["attach", name, kind, policies @ ..] => world.attach(name, kind, policies),
            ["resource", arn, account, policy @ ..] => world.add_resource(arn, account, policy),
            ["ask", caller, action, arn, keys @ ..] => {
                answer(&mut transcript, &world.ask(caller, action, arn, keys));
            }
            _ => panic!("no such command: {line}"),
        }
    }
    transcript
}

fn answer(transcript: &mut String, text: &str) {
    writeln!(transcript, "=> {text}").expect("memory");
}

impl World {
    fn add_policy(&mut self, name: &str, kind: &str, document: &str) -> String {
        let kind = match kind {
            "identity" => PolicyKind::Identity,
            "managed" => PolicyKind::Managed,
            "resource" => PolicyKind::Resource,
            "trust" => PolicyKind::Trust,
            _ => panic!("no such kind of policy: {kind}"),
        };
        match Policy::parse(document, kind) {
            Err(malformed) => format!("MalformedPolicyDocument: {malformed}"),
            Ok(policy) => {
                let keys = policy.context_keys().join(" ");
                let source = Source { id: name.into(), policy: Arc::new(policy) };
                self.policies.insert(name.to_owned(), source);
                if keys.is_empty() { "ok".to_owned() } else { format!("ok, asks for {keys}") }
            }
        }
    }

    fn add_caller(&mut self, name: &str, kind: &str, rest: &[&str]) {
        let account_of = |arn: &str| account(&arn.parse::<Arn>().expect("an ARN").account);
        let principal = match (kind, rest) {
            ("root", [id]) => {
                Principal::Root { account: account(id), arn: format!("arn:aws:iam::{id}:root") }
            }
            ("user", [arn, id]) => Principal::User {
                account: account_of(arn),
                arn: (*arn).to_owned(),
                unique_id: (*id).to_owned(),
            },
            ("role", [arn, id, session]) => {
                let account = account_of(arn);
                let role = arn.rsplit('/').next().expect("a name");
                let session = format!("arn:aws:sts::{account}:assumed-role/{role}/{session}");
                let (role_arn, role_id) = ((*arn).to_owned(), (*id).to_owned());
                Principal::AssumedRole { account, arn: session, role_arn, role_id }
            }
            ("federated", [provider]) => Principal::Federated { provider: (*provider).to_owned() },
            ("service", [name]) => Principal::Service { name: (*name).to_owned() },
            ("anonymous", []) => Principal::Anonymous,
            _ => panic!("no such caller: {kind} {rest:?}"),
        };
        let caller = Caller { principal, identity: Vec::new(), boundary: None, session: None };
        self.callers.insert(name.to_owned(), caller);
    }

    fn attach(&mut self, name: &str, kind: &str, policies: &[&str]) {
        let sources: Vec<Source> = policies.iter().map(|policy| self.policies[*policy].clone()).collect();
        let caller = self.callers.get_mut(name).expect("a caller");
        match kind {
            "identity" => caller.identity = sources,
            "boundary" => caller.boundary = sources.into_iter().next(),
            "session" => caller.session = Some(sources),
            _ => panic!("no such place: {kind}"),
        }
    }

    fn add_resource(&mut self, arn: &str, owner: &str, policy: &[&str]) {
        let policy = policy.first().map(|policy| self.policies[*policy].clone());
        self.resources.insert(arn.to_owned(), (account(owner), policy));
    }

    fn ask(&self, name: &str, action: &str, resource: &str, keys: &[&str]) -> String {
        let caller = &self.callers[name];
        let mut context = Context::new();
        caller.principal.describe(&mut context);
        for key in keys {
            let (key, value) = key.split_once('=').expect("KEY=VALUE");
            context.add(key, value);
        }
        let attached = self.resources.get(resource);
        let policies = Policies {
            identity: &caller.identity,
            boundary: caller.boundary.as_ref(),
            session: caller.session.as_deref(),
            resource: attached.and_then(|(_, policy)| policy.as_ref()),
            resource_account: attached.map(|(owner, _)| owner),
        };
        let request = Request { principal: &caller.principal, action, resource, context: &context };
        let decision = evaluate(&request, &policies);
        let matching = matching_statements(&request, &policies);
        sentence(&request, &decision, &matching)
    }
}

fn account(text: &str) -> AccountId {
    text.parse().expect("an account")
}

/// The decision, in AWS's words where it is a denial.
fn sentence(request: &Request<'_>, decision: &Decision, matching: &[StatementRef]) -> String {
    let by = decision.decided_by.as_ref().map(cite);
    if decision.is_allowed() {
        return by.map_or_else(|| "allowed, being root".to_owned(), |by| format!("allowed by {by}"));
    }
    let who = request.principal.arn().map_or_else(|| format!("{:?}", request.principal), str::to_owned);
    let reason = decision.denial_reason(request.action);
    let mut text = format!(
        "User: {who} is not authorized to perform: {} on resource: {} {reason}",
        request.action, request.resource
    );
    match by {
        Some(by) => write!(text, "  [{by}]").expect("memory"),
        None if matching.is_empty() => {}
        None => {
            let others: Vec<String> = matching.iter().map(cite).collect();
            write!(text, "  [not enough: {}]", others.join(", ")).expect("memory");
        }
    }
    text
}

fn cite(statement: &StatementRef) -> String {
    let sid = statement.sid.as_deref().map_or_else(String::new, |sid| format!(" {sid}"));
    format!("{} statement {}{sid}", statement.source, statement.index)
}
