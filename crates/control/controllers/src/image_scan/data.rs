//! The vulnerability data that is there now: opened again when an import put another in its place.

use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use vulnerability_data::{DataError, Database, Stamp};

/// A directory of vulnerability data.
pub struct Data {
    directory: PathBuf,
    open: Mutex<Option<Arc<Database>>>,
}

impl Data {
    /// Data in a directory, in which there may be none yet.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, open: Mutex::new(None) }
    }

    /// The data there is now; `None` when nothing was ever imported.
    pub async fn current(self: &Arc<Self>) -> Result<Option<Arc<Database>>, DataError> {
        let this = self.clone();
        let looked = tokio::task::spawn_blocking(move || this.look()).await;
        // A look that ends badly leaves what was open.
        looked.unwrap_or_else(|_| Ok(self.open.lock().clone()))
    }

    fn look(&self) -> Result<Option<Arc<Database>>, DataError> {
        let mut open = self.open.lock();
        let stamp = Stamp::current(&self.directory);
        if open.as_ref().map(|database| database.stamp()) != stamp {
            *open = Database::open(&self.directory)?.map(Arc::new);
        }
        Ok(open.clone())
    }
}
