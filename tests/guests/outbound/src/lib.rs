//! A service that reaches outside of its sandbox: over HTTP and into its key-value store. Both need grants.

use luckystack::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Fetch {
    url: String,
}

#[derive(Serialize, JsonSchema)]
struct Fetched {
    status: u16,
    body: String,
}

/// Fetches an address and says what came.
#[api(method = "POST", rate_limit = false)]
fn fetch(input: Fetch) -> Result<Fetched, HandlerError> {
    match http::get(&input.url) {
        Ok(answer) => Ok(Fetched { status: answer.status(), body: answer.text()?.to_owned() }),
        Err(http::Error::Denied(url)) => Err(error!("outbound.denied", url = url).status(403)),
        Err(error) => Err(error!("outbound.failed", reason = error.to_string()).status(502)),
    }
}

/// Counts in the store.
#[api(method = "POST", rate_limit = false)]
fn increment() -> Result<u64, HandlerError> {
    Ok(kv::open()?.increment("counter", 1)?)
}

luckystack::plugin! {
    service = "outbound",
    description = "Reaches outside: HTTP and the key-value store",
    handlers = [fetch, increment],
}
