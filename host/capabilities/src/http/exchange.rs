//! One request and its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{CONNECTION, HeaderName, HeaderValue};
use ::http::{Method, Request, Uri};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::body::{Incoming, MAX_BODY, Outgoing};
use super::connect::{self, Target};
use super::{Caller, MAX_IN_FLIGHT, Outbound};
use crate::log_line::{Allowance, one_line};

/// An answer, and the work that keeps its connection going.
pub(super) type Response = (::http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// How long a connection may take when the guest does not say: beyond it, nobody answers any more.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest head of an answer: four times what servers commonly send at most.
const MAX_HEAD: usize = 64 << 10;
/// Most header lines of an answer.
const MAX_HEADERS: usize = 256;

/// The task that drives a connection: given up with the request that it is for.
struct EndsWithRequest(JoinHandle<()>);

impl Drop for EndsWithRequest {
    fn drop(&mut self) {
        self.0.abort();
    }
}

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Sends `request` if the service was granted it. Whatever the options say, everything ends with the
/// call's deadline.
pub(super) async fn exchange(
    outbound: Arc<Outbound>,
    caller: Caller,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Response, Error> {
    let deadline = Instant::from_std(caller.deadline);
    // A tunnel would lead past every check there is.
    if request.method() == Method::CONNECT {
        return Err(Error::HttpRequestMethodInvalid);
    }
    let target = Target::of(request.uri())?;
    if !outbound.grants.allows_http(target.scheme, &target.host, target.port) {
        caller.warn(
            &target,
            &format!(
                "add `{}` to `http` under [service.{}.grants] in the preset",
                target.grant(),
                caller.source.service
            ),
        );
        return Err(Error::HttpRequestDenied);
    }

    let connect_until = earliest(deadline, options.connect_timeout.unwrap_or(CONNECT_TIMEOUT));
    let place = place(&caller, &target, connect_until).await?;
    let addresses = addresses(&outbound, &caller, &target, connect_until).await?;
    let stream = connect::connect(&target, &addresses, &outbound.tls, connect_until).await?;

    let request = prepare(request, caller.traceparent.as_deref())?;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream))
        .await?;
    // The connection ends with the call, whatever the guest holds on to.
    let mut connection = EndsWithRequest(tokio::spawn(async move {
        if let Ok(Err(error)) = timeout_at(deadline, connection).await {
            tracing::debug!(%error, "outbound connection ended");
        }
    }));

    let first_byte_until = options.first_byte_timeout.map_or(deadline, |wait| earliest(deadline, wait));
    let response = match timeout_at(first_byte_until, sender.send_request(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) if error.is_parse_too_large() => {
            return Err(Error::HttpResponseHeaderSectionSize(Some(MAX_HEAD as u32)));
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => return Err(Error::ConnectionReadTimeout),
    };
    let announced = response.body().size_hint().lower();
    if announced > MAX_BODY {
        return Err(Error::HttpResponseBodySize(Some(announced)));
    }
    let between_bytes = options.between_bytes_timeout.unwrap_or(Duration::MAX);
    let response = response.map(|body| Incoming::new(body, between_bytes, deadline, place).boxed_unsync());
    let work = async move {
        // It can only fail by being cancelled, and then nobody reads the answer either.
        let _ = (&mut connection.0).await;
        Ok(())
    };
    Ok((response, Box::new(work)))
}

/// A place among the call's requests in flight.
async fn place(caller: &Caller, target: &Target, until: Instant) -> Result<OwnedSemaphorePermit, Error> {
    match timeout_at(until, Arc::clone(&caller.places).acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        Ok(Err(_)) | Err(_) => {
            caller.warn(
                target,
                &format!(
                    "its call has {MAX_IN_FLIGHT} requests in flight already: read or drop the bodies of earlier answers"
                ),
            );
            Err(Error::ConnectionLimitReached)
        }
    }
}

/// The addresses of the target that its grant covers.
async fn addresses(
    outbound: &Outbound,
    caller: &Caller,
    target: &Target,
    until: Instant,
) -> Result<Vec<IpAddr>, Error> {
    let found = connect::resolve(target, &outbound.lookups, until).await?;
    let (covered, prohibited): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| {
        outbound.grants.allows_http_address(target.scheme, &target.host, target.port, *address)
    });
    match prohibited.first() {
        _ if !covered.is_empty() => Ok(covered),
        Some(address) => {
            caller.warn(
                target,
                &format!(
                    "it resolves to {address}, which is not public: such an address must be called and granted literally"
                ),
            );
            Err(Error::DestinationIpProhibited)
        }
        None => Err(Error::DestinationNotFound),
    }
}

/// Turns what the guest asked for into what goes on the wire.
fn prepare(request: Request<WasiBody>, traceparent: Option<&str>) -> Result<Request<Outgoing>, Error> {
    let mut request = request.map(Outgoing::new);
    let asked = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = if asked.starts_with('/') { asked.to_owned() } else { format!("/{asked}") };
    *request.uri_mut() = Uri::try_from(path).map_err(|_| Error::HttpRequestUriInvalid)?;
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if let Some(value) = traceparent.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.entry(&TRACEPARENT).or_insert(value);
    }
    Ok(request)
}

fn earliest(deadline: Instant, wait: Duration) -> Instant {
    Instant::now().checked_add(wait).map_or(deadline, |until| until.min(deadline))
}

impl Caller {
    /// Says in the log why a request was refused. Such lines count as the call's own: a guest that
    /// tries all day does not fill the log either.
    fn warn(&self, target: &Target, remedy: &str) {
        let Some(call) = self.call.upgrade() else { return };
        if Allowance::of(call.count_log_line(), self.max_log_lines) != Allowance::Write {
            return;
        }
        let target = target.to_string();
        tracing::warn!(
            service = %self.source.service,
            route = self.source.route(),
            request_id = self.source.request_id.as_deref(),
            "outbound request to {} refused: {remedy}",
            one_line(&target, 300),
        );
    }
}
