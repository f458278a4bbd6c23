//! Decides what goes. Pure.

use environment::Timestamp;
use resources::secrets::{Secret, SecretVersion};
use resources::ssm::{Parameter, ParameterVersion};
use std::collections::{HashMap, HashSet};
use store::Versioned;

/// Rows: all there are, or those that go.
#[derive(Default)]
pub struct Observed {
    /// Values of secrets.
    pub values: Vec<Versioned<SecretVersion>>,
    /// Values of parameters.
    pub parameter_values: Vec<Versioned<ParameterVersion>>,
    /// Secrets.
    pub secrets: Vec<Versioned<Secret>>,
    /// Parameters.
    pub parameters: Vec<Versioned<Parameter>>,
}

/// What goes of what there is.
pub fn plan(observed: Observed, now: Timestamp) -> Observed {
    let over = |secret: &Secret| secret.deletion.is_some_and(|deletion| deletion.due_at <= now);
    let (gone_secrets, secrets): (Vec<_>, Vec<_>) =
        observed.secrets.into_iter().partition(|secret| over(secret));
    let (gone_parameters, parameters): (Vec<_>, Vec<_>) =
        observed.parameters.into_iter().partition(|parameter| parameter.is_expired(now));
    let named: HashSet<(&str, &str)> = secrets
        .iter()
        .flat_map(|secret| secret.versions.iter().map(|version| (secret.id.as_str(), version.id.as_str())))
        .collect();
    let kept: HashMap<&str, i64> =
        parameters.iter().map(|parameter| (parameter.id.as_str(), parameter.oldest)).collect();
    let orphan = |value: &SecretVersion| !named.contains(&(value.secret_id.as_str(), value.id.as_str()));
    let old = |value: &ParameterVersion| {
        kept.get(value.parameter_id.as_str()).is_none_or(|oldest| value.info.version < *oldest)
    };
    let mut values = observed.values;
    values.retain(|value| orphan(value));
    let mut parameter_values = observed.parameter_values;
    parameter_values.retain(|value| old(value));
    Observed { values, parameter_values, secrets: gone_secrets, parameters: gone_parameters }
}
