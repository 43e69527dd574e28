//! This boot's name where the others look for it: `luckystack:boot:<envKey>` (wire protocol §5.1, §6.3).

use std::time::Duration;

use bytes::Bytes;
use luckystack_backplane::SharedBackplane;
use tokio::task::AbortHandle;

/// How long it stands when this host is gone.
const LIFE: Duration = Duration::from_secs(3600);
/// A store that came back empty has the name again so soon.
const REFRESH: Duration = Duration::from_secs(10);

/// Keeps the name written until it is dropped; the key then lives on for at most [`LIFE`].
#[derive(Debug)]
pub(crate) struct BootUuid(AbortHandle);

impl BootUuid {
    /// Writes it on a backplane that others share; on one of its own nobody would look.
    pub(crate) fn announce(backplane: &SharedBackplane, env_key: &str, uuid: &str) -> Option<BootUuid> {
        if !backplane.is_shared() {
            return None;
        }
        let (backplane, uuid) = (backplane.clone(), Bytes::from(uuid.to_owned()));
        // Without the project's name: the router serves several (§5.1).
        let key = format!("luckystack:boot:{env_key}");
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(REFRESH);
            loop {
                ticks.tick().await;
                if let Err(error) = backplane.set(&key, uuid.clone(), Some(LIFE)).await {
                    tracing::debug!(%error, "this boot's name was not written; it is tried again");
                }
            }
        });
        Some(BootUuid(task.abort_handle()))
    }
}

impl Drop for BootUuid {
    fn drop(&mut self) {
        self.0.abort();
    }
}
