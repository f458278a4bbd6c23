//! Reads everything that load balancers are made of.

use super::{DataPlane, LoadBalancerController, Memory};
use load_balancing::Certificate;
use resources::ecs::ExpressService;
use resources::elb::{Action, Listener, LoadBalancer, Rule, Target, TargetGroup};
use resources::iam::{ServerCertificate, key_of, name_of};
use resources::sealed::Sealing;
use std::collections::{BTreeMap, BTreeSet};
use store::{StoreError, Tables, Versioned};

/// All rows.
#[derive(Clone, Default)]
pub struct Rows {
    pub balancers: Vec<Versioned<LoadBalancer>>,
    pub listeners: Vec<Versioned<Listener>>,
    pub rules: Vec<Versioned<Rule>>,
    pub groups: Vec<Versioned<TargetGroup>>,
    pub targets: Vec<Versioned<Target>>,
    /// Express services, whose names are further names of their load balancers.
    pub express: Vec<Versioned<ExpressService>>,
    /// Certificates of listeners that open, by ARN.
    pub certificates: BTreeMap<String, Certificate>,
}

impl Rows {
    /// The names that a load balancer has beside its own.
    pub(super) fn other_names(&self, balancer: &LoadBalancer) -> impl Iterator<Item = &str> {
        let own = self
            .express
            .iter()
            .filter(|own| own.account == balancer.account && own.gateway.as_ref() == Some(&balancer.name));
        own.map(|own| own.host.as_str())
    }

    /// ARNs of the target groups that listeners use.
    pub(super) fn used_groups(&self) -> BTreeSet<&str> {
        let defaults = self.listeners.iter().flat_map(|listener| &listener.default_actions);
        let rules = self.rules.iter().flat_map(|rule| &rule.actions);
        defaults.chain(rules).flat_map(Action::target_groups).collect()
    }
}

impl<D: DataPlane> LoadBalancerController<D> {
    /// The rows, read again when the store has changed.
    pub(super) async fn observe(&self, memory: &mut Memory) -> Result<Rows, StoreError> {
        let revision = self.tables.store().status().await?.revision;
        if let Some((seen, rows)) = &memory.rows
            && *seen == revision
        {
            return Ok(rows.clone());
        }
        let rows = self.read().await?;
        memory.rows = Some((revision, rows.clone()));
        Ok(rows)
    }

    async fn read(&self) -> Result<Rows, StoreError> {
        let tables = &self.tables;
        let mut rows = Rows {
            balancers: tables.list_all("").await?,
            listeners: tables.list_all("").await?,
            rules: tables.list_all("").await?,
            groups: tables.list_all("").await?,
            targets: tables.list_all("").await?,
            express: tables.list_all("").await?,
            certificates: BTreeMap::new(),
        };
        for listener in &rows.listeners {
            for own in &listener.certificates {
                if !rows.certificates.contains_key(&own.arn)
                    && let Some(row) = certificate(tables, listener, &own.arn).await?
                    && let Some(opened) = self.open(&row)
                {
                    rows.certificates.insert(own.arn.clone(), opened);
                }
            }
        }
        Ok(rows)
    }

    fn open(&self, row: &ServerCertificate) -> Option<Certificate> {
        let opened = self.keys.open(&row.purpose(), row.sealed.as_str());
        let key = match opened {
            Ok(key) => String::from_utf8(key.to_vec()).ok()?,
            Err(error) => {
                tracing::error!(certificate = row.arn(), %error, "the key of a certificate does not open");
                return None;
            }
        };
        let chain = row.chain.as_deref().unwrap_or_default();
        Some(Certificate { arn: row.arn(), chain: format!("{}\n{chain}", row.body.trim()), private_key: key })
    }
}

async fn certificate(
    tables: &Tables,
    listener: &Listener,
    arn: &str,
) -> Result<Option<Versioned<ServerCertificate>>, StoreError> {
    match name_of(arn, &listener.account, "server-certificate") {
        Some(name) => tables.get(&key_of(&listener.account, name)).await,
        None => Ok(None),
    }
}
