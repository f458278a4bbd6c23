//! One watch over all tasks, dealt out to the sessions of the instances they are placed on.

use parking_lot::Mutex;
use resources::ecs::Task;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::{TableChange, Tables, Versioned};
use tokio::sync::{mpsc, watch};

/// Changes that wait for one session. One that has more is ended, and lists its tasks when it comes back.
const QUEUE: usize = 4096;
/// Pause before watching anew.
const PAUSE: Duration = Duration::from_millis(200);

type Subscribers = Arc<Mutex<HashMap<String, mpsc::Sender<Versioned<Task>>>>>;

/// Deals out changes of tasks.
pub(crate) struct Feed {
    subscribers: Subscribers,
    /// True once the first watch stands.
    ready: watch::Receiver<bool>,
}

impl Feed {
    /// Watches until told to stop.
    pub(crate) fn start(tables: Tables, mut stopped: watch::Receiver<bool>) -> Self {
        let subscribers = Subscribers::default();
        let own = subscribers.clone();
        let (set_ready, ready) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                () = deal(tables, own, set_ready) => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        });
        Self { subscribers, ready }
    }

    /// Changes of the tasks on an instance from now on; the end of the channel means that some were lost. The caller
    /// lists afterwards, so that nothing falls in between.
    pub(crate) async fn subscribe(&self, instance: &str) -> mpsc::Receiver<Versioned<Task>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        // After the end of the feed the sender is dropped unused, which ends the session.
        if self.ready.clone().wait_for(|ready| *ready).await.is_err() {
            return receiver;
        }
        self.subscribers.lock().insert(instance.to_owned(), sender);
        receiver
    }

    /// Nobody listens for that instance any more.
    pub(crate) fn unsubscribe(&self, instance: &str) {
        self.subscribers.lock().remove(instance);
    }
}

async fn deal(tables: Tables, subscribers: Subscribers, ready: watch::Sender<bool>) {
    loop {
        match tables.watch::<Task>("", None).await {
            Ok(mut watch) => {
                // Whoever subscribed before this watch may have missed something.
                subscribers.lock().clear();
                ready.send_replace(true);
                loop {
                    match watch.next().await {
                        Ok(changes) => changes.into_iter().for_each(|change| hand_over(&subscribers, change)),
                        Err(error) => {
                            tracing::warn!(%error, "the watch over tasks ended, watching anew");
                            break;
                        }
                    }
                }
            }
            Err(error) => tracing::error!(%error, "cannot watch tasks"),
        }
        tables.environment().sleep(PAUSE).await;
    }
}

fn hand_over(subscribers: &Subscribers, change: TableChange<Task>) {
    let TableChange::Put(task) = change else { return };
    let Some(instance) = task.container_instance.clone() else { return };
    let mut subscribers = subscribers.lock();
    let full = subscribers.get(&instance).is_some_and(|session| session.try_send(task).is_err());
    if full {
        subscribers.remove(&instance);
    }
}
