//! SimulatePrincipalPolicy and SimulateCustomPolicy, on the engine that decides real requests.

use crate::IamService;
use crate::errors::{Failure, invalid_input};
use crate::paging::Paging;
use crate::positions;
use crate::principal_policies::{Loaded, Subject, managed};
use crate::shapes::{
    ContextEntry, EvaluationResult, PermissionsBoundaryDecisionDetail, PolicyEvaluationDecisionType,
    PolicySourceType, SimulateCustomPolicyRequest, SimulatePolicyResponse, SimulatePrincipalPolicyRequest,
    Statement,
};
use aws_wire::RequestContext;
use iam_policy::{
    Context, Effect, Policies, PolicyKind, Principal, Request, Source, evaluate, matching_statements,
};
use identifiers::{AccountId, Arn};
use resources::iam::{User, key_of, name_of};

/// Most pairs of action and resource in one call.
const MOST_PAIRS: usize = 10_000;

/// What is simulated, whichever operation asked for it.
struct Simulation {
    actions: Vec<String>,
    resources: Vec<String>,
    principal: Principal,
    context: Context,
    identity: Vec<Loaded>,
    boundary: Option<Loaded>,
    resource: Option<Loaded>,
    owner: Option<AccountId>,
}

pub(crate) async fn simulate_principal_policy(
    service: &IamService,
    context: &RequestContext,
    input: SimulatePrincipalPolicyRequest,
) -> Result<SimulatePolicyResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let subject = Subject::find(service, context, &input.policy_source_arn).await?;
    let mut identity = subject.policies(service).await?;
    identity.extend(listed("PolicyInputList", input.policy_input_list.unwrap_or_default())?);
    let boundary = match given_boundary(input.permissions_boundary_policy_input_list)? {
        Some(given) => Some(given),
        None => match subject.boundary() {
            Some(arn) => managed(service, &context.account, arn).await?,
            None => None,
        },
    };
    let resource = resource_policy(
        input.resource_policy,
        input.caller_arn.is_some() || matches!(subject, Subject::User(_)),
    )?;
    let principal = match (&input.caller_arn, &subject) {
        (Some(arn), _) => caller(service, context, arn).await?,
        (None, Subject::User(user)) => user_principal(user),
        (None, Subject::Role(role)) => Principal::AssumedRole {
            account: role.account.clone(),
            arn: format!("arn:aws:sts::{}:assumed-role/{}/simulation", role.account, role.name),
            role_arn: role.arn(),
            role_id: role.id.clone(),
        },
        (None, Subject::Group(_)) => nobody(context),
    };
    let simulation = Simulation {
        actions: input.action_names,
        resources: input.resource_arns.unwrap_or_default(),
        context: entries(&principal, input.context_entries.unwrap_or_default())?,
        principal,
        identity,
        boundary,
        resource,
        owner: owner(input.resource_owner.as_deref())?,
    };
    simulation.run(&paging)
}

pub(crate) async fn simulate_custom_policy(
    service: &IamService,
    context: &RequestContext,
    input: SimulateCustomPolicyRequest,
) -> Result<SimulatePolicyResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let resource = resource_policy(input.resource_policy, input.caller_arn.is_some())?;
    let principal = match &input.caller_arn {
        Some(arn) => caller(service, context, arn).await?,
        None => nobody(context),
    };
    let simulation = Simulation {
        actions: input.action_names,
        resources: input.resource_arns.unwrap_or_default(),
        context: entries(&principal, input.context_entries.unwrap_or_default())?,
        principal,
        identity: listed("PolicyInputList", input.policy_input_list)?,
        boundary: given_boundary(input.permissions_boundary_policy_input_list)?,
        resource,
        owner: owner(input.resource_owner.as_deref())?,
    };
    simulation.run(&paging)
}

impl Simulation {
    fn run(mut self, paging: &Paging) -> Result<SimulatePolicyResponse, Failure> {
        if self.resources.is_empty() {
            self.resources.push("*".to_owned());
        }
        if self.actions.len().saturating_mul(self.resources.len()) > MOST_PAIRS {
            return Err(invalid_input(format_args!(
                "At most {MOST_PAIRS} pairs of actions and resources are simulated at once."
            )));
        }
        for action in &self.actions {
            if !action.contains(':') {
                return Err(invalid_input(format_args!("Invalid ActionName: {action}")));
            }
        }
        let identity: Vec<Source> = self.identity.iter().map(|loaded| loaded.source.clone()).collect();
        let missing = self.missing_keys();
        let actions = self.actions.iter();
        let pairs = actions.flat_map(|action| self.resources.iter().map(move |resource| (action, resource)));
        let part = paging.cut_in_order(pairs.collect());
        let results = part.map(|(action, resource)| self.one(action, resource, &identity, &missing));
        Ok(SimulatePolicyResponse {
            evaluation_results: Some(results.items),
            is_truncated: results.is_truncated,
            marker: results.marker,
        })
    }

    fn one(&self, action: &str, resource: &str, identity: &[Source], missing: &[String]) -> EvaluationResult {
        let request = Request { principal: &self.principal, action, resource, context: &self.context };
        let boundary = self.boundary.as_ref().map(|loaded| &loaded.source);
        let policies = Policies {
            identity,
            boundary,
            session: None,
            resource: self.resource.as_ref().map(|loaded| &loaded.source),
            resource_account: self.owner.as_ref(),
        };
        let decision = evaluate(&request, &policies);
        let matched = matching_statements(&request, &policies);
        let bounded = boundary.map(|boundary| {
            let alone = Policies { identity: std::slice::from_ref(boundary), ..Policies::default() };
            PermissionsBoundaryDecisionDetail {
                allowed_by_permissions_boundary: Some(evaluate(&request, &alone).is_allowed()),
            }
        });
        EvaluationResult {
            eval_action_name: action.to_owned(),
            eval_decision: match decision.effect {
                Effect::Allow => PolicyEvaluationDecisionType::Allowed,
                Effect::ExplicitDeny => PolicyEvaluationDecisionType::ExplicitDeny,
                Effect::ImplicitDeny => PolicyEvaluationDecisionType::ImplicitDeny,
            },
            eval_resource_name: Some(resource.to_owned()),
            matched_statements: Some(
                matched.iter().map(|found| self.statement(&found.source, found.index)).collect(),
            ),
            missing_context_values: Some(missing.to_vec()),
            permissions_boundary_decision_detail: bounded,
            ..EvaluationResult::default()
        }
    }

    fn statement(&self, source: &str, index: usize) -> Statement {
        let all = self.identity.iter().chain(&self.boundary).chain(&self.resource);
        let loaded = all.into_iter().find(|loaded| *loaded.source.id == *source);
        let span = loaded.and_then(|loaded| positions::of_statement(&loaded.document, index));
        Statement {
            source_policy_id: Some(source.to_owned()),
            source_policy_type: loaded.map(|loaded| loaded.kind),
            start_position: span.as_ref().map(|(start, _)| start.clone()),
            end_position: span.map(|(_, end)| end),
        }
    }

    /// Condition keys that some policy asks for and nobody gave.
    fn missing_keys(&self) -> Vec<String> {
        let all = self.identity.iter().chain(&self.boundary).chain(&self.resource);
        let keys = all.flat_map(|loaded| loaded.source.policy.context_keys());
        let mut missing: Vec<String> =
            keys.filter(|key| self.context.get(key).is_empty()).map(str::to_owned).collect();
        missing.sort();
        missing.dedup();
        missing
    }
}

fn listed(name: &str, documents: Vec<String>) -> Result<Vec<Loaded>, Failure> {
    let numbered = documents.iter().enumerate();
    numbered
        .map(|(index, document)| {
            let id = format!("{name}.{}", index + 1);
            Loaded::parse(&id, document, PolicySourceType::None, PolicyKind::Identity)
        })
        .collect()
}

fn given_boundary(documents: Option<Vec<String>>) -> Result<Option<Loaded>, Failure> {
    let mut boundaries = listed("PermissionsBoundaryPolicyInputList", documents.unwrap_or_default())?;
    if boundaries.len() > 1 {
        return Err(invalid_input("There is one permissions boundary at most."));
    }
    Ok(boundaries.pop())
}

fn resource_policy(document: Option<String>, has_caller: bool) -> Result<Option<Loaded>, Failure> {
    let Some(document) = document else { return Ok(None) };
    if !has_caller {
        return Err(invalid_input("CallerArn is required when ResourcePolicy is given."));
    }
    Loaded::parse("ResourcePolicy", &document, PolicySourceType::Resource, PolicyKind::Resource).map(Some)
}

/// The account that owns the resources, given as an account or as the ARN of somebody in it.
fn owner(given: Option<&str>) -> Result<Option<AccountId>, Failure> {
    let Some(given) = given else { return Ok(None) };
    let account = given.parse::<Arn>().map_or_else(|_| given.to_owned(), |arn| arn.account);
    let account =
        account.parse().map_err(|_| invalid_input(format_args!("Invalid ResourceOwner: {given}")))?;
    Ok(Some(account))
}

async fn caller(service: &IamService, context: &RequestContext, arn: &str) -> Result<Principal, Failure> {
    let refused = || invalid_input(format_args!("Invalid CallerArn: {arn} is not the ARN of a user."));
    let parsed: Arn = arn.parse().map_err(|_| refused())?;
    let account: AccountId = parsed.account.parse().map_err(|_| refused())?;
    let name = name_of(arn, &account, "user").ok_or_else(refused)?;
    let known = if account == context.account {
        service.tables.get::<User>(&key_of(&account, name)).await?
    } else {
        None
    };
    Ok(match known {
        Some(user) => user_principal(&user),
        None => Principal::User { account, arn: arn.to_owned(), unique_id: String::new() },
    })
}

fn user_principal(user: &User) -> Principal {
    Principal::User { account: user.account.clone(), arn: user.arn(), unique_id: user.id.clone() }
}

/// A user of the caller's account without a name, for simulations that are about nobody in particular.
fn nobody(context: &RequestContext) -> Principal {
    Principal::User {
        account: context.account.clone(),
        arn: format!("arn:aws:iam::{}:user/simulation", context.account),
        unique_id: String::new(),
    }
}

/// What the caller gives stands over what follows from the principal.
fn entries(principal: &Principal, given: Vec<ContextEntry>) -> Result<Context, Failure> {
    let mut context = Context::new();
    principal.describe(&mut context);
    for entry in given {
        let Some(key) = entry.context_key_name else {
            return Err(invalid_input("Invalid Context Entry: it has no ContextKeyName."));
        };
        context.remove(&key);
        for value in entry.context_key_values.unwrap_or_default() {
            context.add(&key, value);
        }
    }
    Ok(context)
}
