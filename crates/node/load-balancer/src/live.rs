//! Listeners as they live, with what a configuration says of them compiled for use.

use crate::counters::{BalancerCounts, Sharded};
use crate::log::Log;
use crate::target::Group;
use crate::tls::{self, TlsError};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use load_balancing::{Action, Forward, HttpAttributes, Kind, Listener, Redirect, Rules, group_token};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::sync::watch;

/// A load balancer, in what its listeners share.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) arn: String,
    pub(crate) kind: Kind,
    pub(crate) attributes: HttpAttributes,
    pub(crate) counts: Arc<Sharded<BalancerCounts>>,
    pub(crate) log: Option<Arc<Log>>,
}

/// A listener: the same one from one configuration to the next, so that connections see what changes.
#[derive(Debug)]
pub(crate) struct ListenerState {
    compiled: ArcSwapOption<Compiled>,
    gone: watch::Sender<bool>,
}

impl ListenerState {
    pub(crate) fn new() -> Self {
        Self { compiled: ArcSwapOption::empty(), gone: watch::Sender::new(false) }
    }

    /// What it does now; nothing when it is gone.
    pub(crate) fn compiled(&self) -> Option<Arc<Compiled>> {
        self.compiled.load_full()
    }

    pub(crate) fn replace(&self, compiled: Arc<Compiled>) {
        self.compiled.store(Some(compiled));
    }

    /// No configuration has it any more: connections end with what they are at. What it did last stays for those.
    pub(crate) fn retire(&self) {
        self.gone.send_replace(true);
    }

    pub(crate) fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }

    /// Tells when it goes.
    pub(crate) fn watch(&self) -> watch::Receiver<bool> {
        self.gone.subscribe()
    }
}

/// What a listener does.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) balancer: Arc<Balancer>,
    pub(crate) listener: Listener,
    pub(crate) rules: Rules,
    /// What each rule does, in the order of the listener's rules.
    pub(crate) steps: Vec<Step>,
    pub(crate) default: Step,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) response_headers: Vec<(HeaderName, HeaderValue)>,
}

/// An action, with what it needs at hand.
#[derive(Debug)]
pub(crate) enum Step {
    Forward(Forwarding),
    Redirect(Redirect),
    Fixed { status: u16, content_type: Option<HeaderValue>, body: Bytes },
}

/// Target groups and how one is chosen.
#[derive(Debug)]
pub(crate) struct Forwarding {
    pub(crate) groups: Vec<WeightedGroup>,
    pub(crate) stickiness_seconds: Option<u32>,
    turn: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct WeightedGroup {
    pub(crate) group: Arc<Group>,
    pub(crate) weight: u32,
    /// Its number in cookies.
    pub(crate) token: u64,
}

impl Forwarding {
    fn new(forward: &Forward, groups: &HashMap<String, Arc<Group>>) -> Self {
        let groups = forward.target_groups.iter().filter_map(|wanted| {
            let group = groups.get(&wanted.arn)?.clone();
            Some(WeightedGroup { group, weight: wanted.weight, token: group_token(&wanted.arn) })
        });
        Self {
            groups: groups.collect(),
            stickiness_seconds: forward.stickiness_seconds,
            turn: AtomicU64::new(0),
        }
    }

    /// Chooses a group by weight.
    pub(crate) fn choose(&self) -> Option<&WeightedGroup> {
        match self.groups.as_slice() {
            [only] => (only.weight > 0).then_some(only),
            groups => {
                let turn = self.turn.fetch_add(1, Relaxed);
                load_balancing::choose_group(turn, groups.iter().map(|group| group.weight))
                    .map(|index| &groups[index])
            }
        }
    }
}

impl Step {
    fn new(action: &Action, groups: &HashMap<String, Arc<Group>>) -> Self {
        match action {
            Action::Forward(forward) => Self::Forward(Forwarding::new(forward, groups)),
            Action::Redirect(redirect) => Self::Redirect(redirect.clone()),
            Action::FixedResponse(fixed) => Self::Fixed {
                status: fixed.status,
                content_type: fixed
                    .content_type
                    .as_deref()
                    .and_then(|content_type| HeaderValue::from_str(content_type).ok()),
                body: Bytes::from(fixed.body.clone().unwrap_or_default()),
            },
        }
    }
}

impl Compiled {
    /// Compiles a listener. Fails on certificates that cannot be read.
    pub(crate) fn new(
        balancer: &Arc<Balancer>,
        listener: &Listener,
        groups: &HashMap<String, Arc<Group>>,
    ) -> Result<Self, TlsError> {
        let header = |(name, value): &(String, String)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
        };
        Ok(Self {
            balancer: balancer.clone(),
            rules: Rules::new(listener),
            steps: listener.rules.iter().map(|rule| Step::new(&rule.action, groups)).collect(),
            default: Step::new(&listener.default_action, groups),
            tls: tls::server_config(listener, balancer.attributes.http2)?,
            response_headers: listener.response_headers.iter().filter_map(header).collect(),
            listener: listener.clone(),
        })
    }
}
