//! `wasi:http`, driven to the end of one request.

use crate::bindings::imports::wasi::http::outgoing_handler::handle;
use crate::bindings::imports::wasi::http::types::{
    ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
};
use crate::bindings::imports::wasi::io::streams::StreamError;
use crate::http::{Error, Request, Response, target};

/// What `blocking-write-and-flush` takes at once.
const WRITE_AT_ONCE: usize = 4096;
const READ_AT_ONCE: u64 = 64 * 1024;

pub(crate) fn http_send(request: &Request) -> Result<Response, Error> {
    let target = target(&request.url)?;
    let headers = Fields::new();
    for (name, value) in &request.headers {
        headers.append(name, value).map_err(|_| Error::Header(name.clone()))?;
    }

    let outgoing = OutgoingRequest::new(headers);
    let invalid = |()| Error::Url(request.url.clone());
    outgoing
        .set_method(&method(&request.method))
        .map_err(|()| Error::Failed("the method is not valid".into()))?;
    outgoing.set_scheme(Some(&if target.https { Scheme::Https } else { Scheme::Http })).map_err(invalid)?;
    outgoing.set_authority(Some(target.authority)).map_err(invalid)?;
    outgoing.set_path_with_query(Some(&target.path_with_query)).map_err(invalid)?;

    let options = request.timeout.map(|timeout| {
        let options = RequestOptions::new();
        let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        // A host that does not support one of them keeps its own limit, which is never longer.
        let _ = options.set_connect_timeout(Some(nanoseconds));
        let _ = options.set_first_byte_timeout(Some(nanoseconds));
        let _ = options.set_between_bytes_timeout(Some(nanoseconds));
        options
    });

    let body = outgoing.body().map_err(|()| Error::Failed("the request has no body".into()))?;
    let failed = |code| failure(code, &request.url);
    let future = handle(outgoing, options).map_err(failed)?;
    write(body, &request.body, failed)?;

    let ready = future.subscribe();
    ready.block();
    drop(ready);
    let response = match future.get() {
        Some(Ok(result)) => result.map_err(failed)?,
        _ => return Err(Error::Failed("the host gave no answer".into())),
    };
    read(&response, request.max_body)
}

fn write(body: OutgoingBody, bytes: &[u8], failed: impl FnOnce(ErrorCode) -> Error) -> Result<(), Error> {
    if !bytes.is_empty() {
        let stream = body.write().map_err(|()| Error::Failed("the body cannot be written".into()))?;
        for chunk in bytes.chunks(WRITE_AT_ONCE) {
            if stream.blocking_write_and_flush(chunk).is_err() {
                // The server has stopped reading; its answer says why.
                break;
            }
        }
    }
    OutgoingBody::finish(body, None).map_err(failed)
}

fn read(response: &IncomingResponse, limit: usize) -> Result<Response, Error> {
    let headers = response.headers().entries();
    let incoming = response.consume().map_err(|()| Error::Failed("the answer has no body".into()))?;
    let stream = incoming.stream().map_err(|()| Error::Failed("the answer cannot be read".into()))?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(READ_AT_ONCE) {
            Ok(chunk) => {
                if body.len() + chunk.len() > limit {
                    return Err(Error::TooLarge { limit });
                }
                body.extend_from_slice(&chunk);
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(Error::Failed(error.to_debug_string()));
            }
        }
    }
    Ok(Response { status: response.status(), headers, body })
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn failure(code: ErrorCode, url: &str) -> Error {
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => Error::Denied(url.to_owned()),
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout
        | ErrorCode::DnsTimeout => Error::Timeout,
        other => Error::Failed(format!("{other:?}")),
    }
}
