//! What a function is told.

use identifiers::{Arn, Region};
use resources::ecs::{HookRun, LifecycleStage as Stage, Service, WHOLE};
use serde_json::{Map, Number, Value, json};

/// The payload of a call, with the members and names of AWS's.
pub fn payload(region: &Region, service: &Service, run: &HookRun) -> String {
    let own = format!("{}/{}", service.cluster, service.name);
    let arn = |resource: String| Arn::new("ecs", region, &service.account, resource).to_string();
    let Some(lifecycle) = &service.lifecycle else { return "{}".to_owned() };
    let find = |id: &str| service.deployments.iter().find(|own| own.id == id);
    let revision = |id: &str| {
        find(id)
            .map(|one| arn(format!("service-revision/{own}/{}", one.service_revision)))
            .unwrap_or_default()
    };
    let green = revision(&lifecycle.green);
    let blue = lifecycle.blue.as_deref().map(revision);
    let weights = |share: u32| {
        let mut weights = Map::new();
        weights.insert(green.clone(), percent(share));
        if let Some(blue) = &blue {
            weights.insert(blue.clone(), percent(WHOLE - share.min(WHOLE)));
        }
        Value::Object(weights)
    };
    let none = || Value::Object(Map::new());
    let (test, production) = match lifecycle.stage {
        Stage::ReconcileService => (weights(lifecycle.test), weights(lifecycle.production)),
        Stage::TestTrafficShift => (weights(lifecycle.test), none()),
        Stage::PreProductionTrafficShift | Stage::ProductionTrafficShift => {
            (none(), weights(lifecycle.production))
        }
        _ => (none(), none()),
    };
    let deployment = service.primary().map(|own| own.service_deployment.as_str()).unwrap_or_default();
    let mut payload = json!({
        "executionId": run.id,
        "lifecycleStage": lifecycle.stage.as_str(),
        "resourceArn": arn(format!("service-deployment/{own}/{deployment}")),
        "executionDetails": {
            "serviceArn": arn(format!("service/{own}")),
            "targetServiceRevisionArn": green,
            "testTrafficWeights": test,
            "productionTrafficWeights": production,
        },
    });
    let details = run.details.as_deref().and_then(|details| serde_json::from_str::<Value>(details).ok());
    if let (Some(details), Value::Object(payload)) = (details, &mut payload) {
        payload.insert("hookDetails".to_owned(), details);
    }
    payload.to_string()
}

/// Thousandths as per cent: a whole number where it is one.
fn percent(share: u32) -> Value {
    if share.is_multiple_of(10) {
        return Value::from(share / 10);
    }
    Number::from_f64(f64::from(share) / 10.0).map_or(Value::Null, Value::Number)
}
