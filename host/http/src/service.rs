//! One request, in the order of wire protocol §6.1.
//!
//! This is the hot path: `GET /api/…` allocates its request id, its route name and its header map, arms
//! no timer, takes no lock and formats nothing.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use http::header::{ACCEPT_LANGUAGE, ACCESS_CONTROL_ALLOW_ORIGIN, CONNECTION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use luckystack_pipeline::{CorsRejected, Hook, HttpRequestEvent};
use luckystack_plugins::call::Session;
use luckystack_plugins::{Caller, Transport};
use luckystack_topology::{HttpConfig, Method as RouteMethod};
use serde_json::json;

use crate::access::{Gate, Visitor};
use crate::answer::{Answer, INTERNAL, TOO_MANY};
use crate::auth::AuthCall;
use crate::body::ReplyBody;
use crate::dispatch::Dispatch;
use crate::endpoints::{Endpoints, Probe, Stores};
use crate::headers::{self, X_LANGUAGE, X_REQUEST_ID};
use crate::input::{self, InputError};
use crate::ip::{ProxyTrust, client_ip};
use crate::lifecycle::{ConnState, RequestGuard};
use crate::origin::{self, OriginPolicy, Refusal, Verdict};
use crate::path::decode_path;
use crate::rate::RequestRate;
use crate::readiness::Readiness;
use crate::server::HostState;
use crate::sockets::Realtime;
use crate::static_files::StaticFiles;
use crate::uploads::{self, Uploads};

/// Where the host tells its state.
const HOST_STATE: &str = "/_host";

/// Longest request target; what common proxies pass on. Beyond it 414.
const MAX_TARGET: usize = 8 * 1024;
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared<D> {
    pub dispatch: D,
    pub config: HttpConfig,
    pub headers: HeaderMap,
    pub origins: OriginPolicy,
    pub endpoints: Endpoints,
    pub files: Option<StaticFiles>,
    pub state: Option<HostState>,
    pub readiness: Arc<Readiness>,
    pub trust: ProxyTrust,
    pub gate: Gate,
    pub uploads: Uploads,
    pub realtime: Option<Realtime>,
}

/// What the requests of one connection share.
#[derive(Debug)]
pub(crate) struct Connection<D> {
    pub shared: Arc<Shared<D>>,
    pub state: Arc<ConnState>,
    /// The peer's address as text.
    pub peer: Arc<str>,
    pub rate: Option<RequestRate>,
    /// Whether it is encrypted.
    pub secure: bool,
}

/// A request that passed the gate.
pub(crate) struct Admitted<'a> {
    pub parts: &'a Parts,
    /// The decoded path.
    pub path: &'a str,
    pub id: &'a Arc<str>,
}

impl<D: Dispatch> Connection<D> {
    /// Answers one request, whatever it is.
    pub(crate) async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Response<ReplyBody> {
        let guard = self.state.begin(request.version() == Version::HTTP_2);
        let started = tracing::enabled!(tracing::Level::DEBUG).then(Instant::now);
        if self.rate.as_ref().is_some_and(|rate| !rate.allow()) {
            return self.reject(request.version(), guard, Answer::from(TOO_MANY).closing());
        }
        if request.uri().path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET) {
            let answer = Answer::text(StatusCode::URI_TOO_LONG, "URI Too Long");
            return self.reject(request.version(), guard, answer.closing());
        }
        // Sockets have their own order (Appendix A).
        if let Some(io) = self.sockets(request.uri().path()) {
            return self.socket(io, request, guard).await;
        }
        let (parts, body) = request.into_parts();
        // Steps 1 and 2.
        let Some(path) = decode_path(parts.uri.path()) else {
            return self.reject(parts.version, guard, Answer::text(StatusCode::BAD_REQUEST, "Bad Request"));
        };
        let origin = match self.shared.origins.judge(&parts.method, &path, &parts.headers) {
            Verdict::Pass(origin) => origin,
            Verdict::Refuse(refusal) => {
                self.announce_refusal(refusal, &parts.headers, &path);
                return self.reject(parts.version, guard, Answer::text(StatusCode::FORBIDDEN, "Forbidden"));
            }
        };
        // Step 3.
        let (id, id_value) = headers::request_id(&parts.headers);
        let request = Admitted { parts: &parts, path: &path, id: &id };
        let handled = self.handle(&request, origin.as_ref(), body);
        // A panic ends this request and nothing else. Nothing that it could have left half changed is
        // looked at again: the request's own state dies with it.
        let answer = AssertUnwindSafe(handled).catch_unwind().await.unwrap_or_else(|panic| {
            tracing::error!(path = %path, request_id = %id, panic = panic_text(&*panic), "a request panicked");
            INTERNAL.into()
        });
        let mut headers = self.shared.headers.clone();
        headers.insert(X_REQUEST_ID, id_value);
        if let Some(origin) = origin {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        if let Some(started) = started {
            tracing::debug!(
                method = %parts.method,
                path = %path,
                status = answer.status.as_u16(),
                request_id = %id,
                micros = started.elapsed().as_micros() as u64,
                "answered"
            );
        }
        self.finish(parts.version, guard, headers, answer)
    }

    /// Steps 4 to 11.
    async fn handle(&self, request: &Admitted<'_>, origin: Option<&HeaderValue>, body: Incoming) -> Answer {
        if self.shared.dispatch.has_hook(Hook::PreHttpRequest)
            && let Some(stopped) = self.ask_hook(request, origin).await
        {
            return stopped;
        }
        let method = match request.parts.method {
            Method::GET => RouteMethod::Get,
            Method::POST => RouteMethod::Post,
            Method::PUT => RouteMethod::Put,
            Method::DELETE => RouteMethod::Delete,
            Method::OPTIONS => return Answer::empty(StatusCode::NO_CONTENT),
            // §7.4: what a router asks to know whether the host is there.
            Method::HEAD if request.path == "/" => return Answer::empty(StatusCode::OK),
            ref other => {
                let text = format!("method: {other} not supported, use one of: GET, POST, PUT, DELETE");
                return Answer::text(StatusCode::NOT_FOUND, text);
            }
        };
        let gate = &self.shared.gate;
        let ip = self.ip(&request.parts.headers);
        // Step 7.
        let visitor = match gate.visitor(&request.parts.headers, &ip).await {
            Ok(visitor) => visitor,
            // Probes and files are for everybody.
            Err(_) if method == RouteMethod::Get && !is_personal(request.path) => Visitor::default(),
            Err(answer) => return answer,
        };
        // Step 8.
        let refused = gate.check_csrf(
            &request.parts.method,
            request.path,
            request.id,
            &request.parts.headers,
            &visitor,
        );
        let mut answer = match refused {
            Some(refused) => refused,
            None => self.route(request, method, ip, &visitor, body).await,
        };
        let sets_cookie = answer.headers.iter().any(|(name, _)| name == SET_COOKIE);
        if !sets_cookie && let Some(cookie) = gate.sliding_cookie(&visitor) {
            answer.headers.push((SET_COOKIE, cookie));
        }
        answer
    }

    /// Steps 9 to 11.
    async fn route(
        &self,
        request: &Admitted<'_>,
        method: RouteMethod,
        ip: Arc<str>,
        visitor: &Visitor,
        body: Incoming,
    ) -> Answer {
        let is_api = request.path.starts_with("/api/");
        let caller = self.caller(&request.parts.headers, request.id, ip, visitor.session.as_ref());
        if is_api {
            return match self.input(request, method, true, body).await {
                Ok(input) => self.api(request, method, caller, input).await,
                Err(error) => error.into(),
            };
        }
        let shared = &self.shared;
        let is_auth = request.path.starts_with("/auth/");
        let auth = AuthCall { parts: request.parts, path: request.path, method, caller: &caller, visitor };
        if let Some(answer) = self.bodyless(request, method).await {
            return answer;
        }
        if is_auth && let Some(answer) = shared.gate.bodyless(&auth).await {
            return answer;
        }
        let input = match self.input(request, method, false, body).await {
            Ok(input) => input,
            Err(error) => return error.into(),
        };
        if let Some(name) = request.path.strip_prefix(uploads::PREFIX) {
            return shared.uploads.serve(name, &request.parts.headers, &shared.gate).await;
        }
        if is_auth {
            let fields = input::fields(&request.parts.headers, request.parts.uri.query(), method, &input);
            if let Some(answer) = shared.gate.auth(&auth, fields).await {
                return answer;
            }
        }
        if request.path.starts_with("/sync/") {
            let body = input::object(&request.parts.headers, input);
            self.sync(request, method, caller, body).await
        } else if let Some(files) = &shared.files {
            files.serve(request.path, &request.parts.headers).await
        } else {
            Answer::not_found()
        }
    }

    /// Step 4.
    async fn ask_hook(&self, request: &Admitted<'_>, origin: Option<&HeaderValue>) -> Option<Answer> {
        let headers = headers::visible(&request.parts.headers);
        let headers_of = &request.parts.headers;
        let caller = self.caller(headers_of, request.id, self.ip(headers_of), None);
        let event = HttpRequestEvent {
            method: request.parts.method.as_str(),
            url: request.parts.uri.path_and_query().map_or("", |target| target.as_str()),
            request_id: request.id,
            origin: origin.and_then(|origin| origin.to_str().ok()),
            headers: &headers,
            ip: &caller.ip,
        };
        let stop = self.shared.dispatch.pre_http_request(&event, &caller).await?;
        let status = stop
            .http_status
            .and_then(|status| StatusCode::from_u16(status).ok())
            .filter(|status| !status.is_informational())
            .unwrap_or(StatusCode::FORBIDDEN);
        Some(Answer::json(status, json!({ "status": "error", "errorCode": stop.error_code }).to_string()))
    }

    /// Step 9.
    async fn bodyless(&self, request: &Admitted<'_>, method: RouteMethod) -> Option<Answer> {
        let shared = &self.shared;
        if request.path == "/favicon.ico" {
            let icon = match &shared.files {
                Some(files) => files.favicon(&request.parts.headers).await,
                None => None,
            };
            return Some(icon.unwrap_or_else(|| Answer::empty(StatusCode::NOT_FOUND)));
        }
        if let Some(state) = shared.state.as_ref().filter(|_| request.path == HOST_STATE) {
            return Some(Answer::json(StatusCode::OK, state.tell()));
        }
        if request.path == shared.config.test_reset_endpoint {
            return Some(shared.gate.reset(method, &request.parts.headers, &shared.dispatch).await);
        }
        let probe = shared.endpoints.probe(request.path)?;
        let degraded = shared.dispatch.degraded_services();
        let stores = match probe {
            Probe::Ready => shared.gate.stores().await,
            Probe::Live | Probe::Health => Stores::default(),
        };
        Some(shared.endpoints.answer(probe, shared.readiness.phase(), &degraded, stores))
    }

    /// Step 10.
    async fn input(
        &self,
        request: &Admitted<'_>,
        method: RouteMethod,
        is_api: bool,
        body: Incoming,
    ) -> Result<bytes::Bytes, InputError> {
        let parts = request.parts;
        if method == RouteMethod::Get {
            return if is_api { input::api_query(parts.uri.query()) } else { Ok(bytes::Bytes::new()) };
        }
        let config = &self.shared.config;
        let media = input::media_type(&parts.headers)?;
        let body =
            input::read_body(&parts.headers, body, config.request_body_max_bytes, config.body_read_timeout)
                .await?;
        if is_api {
            return input::api_body(media, body);
        }
        input::check_body(media, &body).map(|()| body)
    }

    /// Address of the client.
    pub(crate) fn ip(&self, headers: &HeaderMap) -> Arc<str> {
        client_ip(self.shared.trust, headers, &self.peer)
    }

    /// Who makes this request.
    fn caller(
        &self,
        headers: &HeaderMap,
        id: &Arc<str>,
        ip: Arc<str>,
        session: Option<&Arc<Session>>,
    ) -> Caller {
        let shared = &self.shared;
        Caller {
            session: session.cloned(),
            ip,
            language: shared.dispatch.negotiate_language(
                session.and_then(|session| session.language.as_deref()),
                headers::text(headers, X_LANGUAGE),
                headers::text(headers, ACCEPT_LANGUAGE),
            ),
            request_id: Arc::clone(id),
            traceparent: headers::traceparent(headers),
            transport: Transport::Http,
        }
    }

    pub(crate) fn announce_refusal(&self, refusal: Refusal, headers: &HeaderMap, path: &str) {
        let origin = origin::claimed_text(headers);
        tracing::debug!(origin, path, reason = refusal.reason(), "refused an origin");
        if self.shared.dispatch.has_hook(Hook::CorsRejected) {
            let id = headers::request_id(headers).0;
            let caller = self.caller(headers, &id, self.ip(headers), None);
            let event = CorsRejected {
                origin: origin.unwrap_or_default().to_owned(),
                normalized_origin: origin.and_then(origin::normalise).map(Cow::into_owned),
                allowed_origins: self.shared.origins.configured().to_vec(),
                allow_localhost: self.shared.origins.allow_localhost(),
                route: path.to_owned(),
                reason: refusal.reason().to_owned(),
            };
            self.shared.dispatch.cors_rejected(event, caller);
        }
    }

    /// An answer from before step 3: it carries no common headers.
    fn reject(&self, version: Version, guard: RequestGuard, answer: Answer) -> Response<ReplyBody> {
        self.finish(version, guard, HeaderMap::new(), answer)
    }

    fn finish(
        &self,
        version: Version,
        guard: RequestGuard,
        mut headers: HeaderMap,
        mut answer: Answer,
    ) -> Response<ReplyBody> {
        answer.put_headers(&mut headers);
        if answer.close {
            if version != Version::HTTP_2 {
                headers.insert(CONNECTION, CLOSE);
            }
            self.state.tear_down();
        }
        let mut response = Response::new(ReplyBody::new(answer.content, version == Version::HTTP_2, guard));
        *response.status_mut() = answer.status;
        *response.headers_mut() = headers;
        response
    }

    /// How long a client may take nothing.
    pub(crate) fn write_patience(&self) -> Duration {
        self.shared.config.write_timeout
    }
}

/// Whether the answer depends on who asks.
fn is_personal(path: &str) -> bool {
    ["/api/", "/sync/", "/auth/"].iter().any(|prefix| path.starts_with(prefix))
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
