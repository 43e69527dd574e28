//! How often one address may knock (§3.3, §5.5 to 5.7).
//!
//! Counted in the backplane, so that neither a restart nor another host begins anew; with the names of the
//! framework's buckets, so that Node servers of the same app count along.

use std::time::Duration;

use luckystack_backplane::{BackplaneError, Count};
use serde_json::json;

use crate::identity::Identity;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// Window of the buckets of §5.7.
pub(crate) const QUARTER_HOUR: Duration = Duration::from_secs(900);

/// One bucket of an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Its name in `ip:<ip>:auth:<name>`.
    pub(crate) name: &'static str,
    pub(crate) limit: u32,
    pub(crate) window: Duration,
    /// Whether the browser is told for how long.
    pub(crate) says_seconds: bool,
}

impl Bucket {
    /// A bucket of §5.5 and 5.6, with the limits of API routes.
    pub(crate) fn of_api(name: &'static str, settings: &Settings) -> Self {
        let rate = &settings.rate;
        let limit = rate.default_api_limit.unwrap_or(rate.auth.max_attempts);
        Self { name, limit, window: rate.window, says_seconds: true }
    }

    /// A bucket of §5.7.
    pub(crate) const fn of_quarter_hour(name: &'static str, limit: u32) -> Self {
        Self { name, limit, window: QUARTER_HOUR, says_seconds: false }
    }
}

impl Identity {
    /// Counts a request of an address; refuses the one past the limit with status 429.
    pub(crate) async fn throttle(
        &self,
        settings: &Settings,
        bucket: Bucket,
        ip: &str,
    ) -> Result<(), Refusal> {
        if !settings.rate.enabled {
            return Ok(());
        }
        let key = format!("ip:{ip}:auth:{}", bucket.name);
        let count = self.store().count(&self.bucket_key(settings, &key), bucket.window).await?;
        let Err(refusal) = judge(count, bucket.limit) else { return Ok(()) };
        self.tell("rateLimitExceeded", || {
            json!({
                "scope": "auth",
                "key": key,
                "limit": bucket.limit,
                "windowMs": millis(bucket.window),
                "count": count.count,
                "ip": ip,
            })
        });
        let seconds = refusal.seconds.filter(|_| bucket.says_seconds);
        Err(Refusal { seconds, ..refusal })
    }

    /// Counts under a bucket's key whether or not rate limits are on; refuses with status 429 past `limit`.
    pub(crate) async fn limit(
        &self,
        settings: &Settings,
        bucket: &str,
        limit: u32,
        window: Duration,
    ) -> Result<(), Refusal> {
        judge(self.store().count(&self.bucket_key(settings, bucket), window).await?, limit)
    }

    /// Forgets all counters of throttles and lockouts, for `/_test/reset` (§6.2).
    pub async fn forget_attempts(&self) -> Result<(), BackplaneError> {
        let prefix = format!("{}:", self.bucket_key(&self.settings(), ""));
        self.store().clear(&prefix).await.map(|_| ())
    }

    /// `<project>:rate-limit:<bucket>`.
    pub(crate) fn bucket_key(&self, settings: &Settings, bucket: &str) -> String {
        self.keys().key(&settings.rate.redis_key_prefix, bucket)
    }
}

fn judge(count: Count, limit: u32) -> Result<(), Refusal> {
    if count.count <= u64::from(limit) {
        return Ok(());
    }
    let seconds = count.remaining.as_secs_f64().ceil().max(1.0) as u64;
    Err(Refusal { seconds: Some(seconds), ..Refusal::of("api.rateLimitExceeded").status(429) })
}

fn millis(window: Duration) -> u64 {
    u64::try_from(window.as_millis()).unwrap_or(u64::MAX)
}
