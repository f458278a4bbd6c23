//! The alarms that deployments in progress watch.

use super::ServiceController;
use parking_lot::Mutex;
use resources::cloudwatch::{Alarm, StateValue};
use resources::ecs::ServiceDeployment;
use service_deployments::WatchedAlarm;
use std::collections::BTreeMap;
use store::StoreError;

/// Which services are to be looked at when an alarm changes. It is filled as services are observed, which all of them
/// are when the controller begins; only services with a deployment in progress that watches alarms are in it.
#[derive(Default)]
pub(super) struct WatchedAlarms {
    /// Keys of alarms by the key of the service.
    by_service: Mutex<BTreeMap<String, Vec<String>>>,
}

impl WatchedAlarms {
    /// Services whose deployments watch this alarm.
    pub(super) fn by(&self, alarm: &str) -> Vec<String> {
        let watched = self.by_service.lock();
        let those = watched.iter().filter(|(_, alarms)| alarms.iter().any(|own| own == alarm));
        those.map(|(service, _)| service.clone()).collect()
    }

    fn set(&self, service: &str, alarms: &[String]) {
        let mut watched = self.by_service.lock();
        if alarms.is_empty() {
            watched.remove(service);
        } else {
            watched.insert(service.to_owned(), alarms.to_vec());
        }
    }
}

impl ServiceController {
    /// The alarms of the deployment in progress as they stand. A change of one of them after this nudges the service.
    pub(super) async fn alarms(
        &self,
        service: &str,
        record: Option<&ServiceDeployment>,
    ) -> Result<Vec<WatchedAlarm>, StoreError> {
        let enabled = record.and_then(|record| Some((record, record.configuration.alarms.as_ref()?)));
        let enabled = enabled.filter(|(_, alarms)| alarms.enabled);
        let keys = enabled.map_or_else(Vec::new, |(record, alarms)| {
            alarms.names.iter().map(|name| format!("{}/{name}", record.account)).collect()
        });
        self.watched.set(service, &keys);
        let mut seen = Vec::with_capacity(keys.len());
        for key in &keys {
            let Some(alarm) = self.tables.get::<Alarm>(key).await? else { continue };
            seen.push(WatchedAlarm {
                name: alarm.name.clone(),
                is_off: alarm.state.value == StateValue::Alarm,
                span: alarm.watch.span(),
            });
        }
        Ok(seen)
    }
}
