"""HTTP requests, through the imports of the contract. Only imported in components that use it."""

from urllib.parse import urlsplit

from componentize_py_types import Err
from wit_world.imports import outgoing_handler
from wit_world.imports import streams
from wit_world.imports import wasi_http_types as types

from .http import HttpError, Response

# As much as one write may carry.
_CHUNK = 4096
_METHODS = {
    "GET": types.Method_Get,
    "HEAD": types.Method_Head,
    "POST": types.Method_Post,
    "PUT": types.Method_Put,
    "DELETE": types.Method_Delete,
    "CONNECT": types.Method_Connect,
    "OPTIONS": types.Method_Options,
    "TRACE": types.Method_Trace,
    "PATCH": types.Method_Patch,
}


def send(request):
    """Sends a request and reads the whole answer. Raises HttpError."""
    try:
        return _send(request)
    except Err as error:
        raise HttpError(_words(request, error.value)) from None


def _send(request):
    parts = urlsplit(request.url)
    outgoing = types.OutgoingRequest(types.Fields.from_list(request.headers))
    method = _METHODS.get(request.method)
    outgoing.set_method(method() if method else types.Method_Other(request.method))
    outgoing.set_scheme(types.Scheme_Https() if parts.scheme == "https" else types.Scheme_Http())
    outgoing.set_authority(parts.netloc.rsplit("@", 1)[-1])
    outgoing.set_path_with_query((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    options = None
    if request.timeout is not None:
        options = types.RequestOptions()
        nanoseconds = max(1, int(request.timeout * 1_000_000_000))
        options.set_connect_timeout(nanoseconds)
        options.set_first_byte_timeout(nanoseconds)
        options.set_between_bytes_timeout(nanoseconds)
    body = outgoing.body()
    future = outgoing_handler.handle(outgoing, options)
    if request.body:
        with body.write() as sink:
            for start in range(0, len(request.body), _CHUNK):
                sink.blocking_write_and_flush(request.body[start : start + _CHUNK])
    types.OutgoingBody.finish(body, None)
    with future:
        with future.subscribe() as ready:
            ready.block()
        outcome = future.get()
        # A result within a result: the outer one only says that it was not asked for twice.
        answer = outcome.value
        if isinstance(answer, Err):
            raise answer
        with answer.value as response:
            return _read(request, response)


def _read(request, response):
    with response.headers() as fields:
        headers = fields.entries()
    status = response.status()
    parts, size = [], 0
    with response.consume() as body, body.stream() as source:
        while True:
            try:
                part = source.blocking_read(65536)
            except Err as error:
                if isinstance(error.value, streams.StreamError_Closed):
                    break
                with error.value.value as failed:
                    raise HttpError(f"{request.url}: the answer broke off: {failed.to_debug_string()}") from None
            size += len(part)
            if size > request.max_body:
                raise HttpError(f"{request.url}: the answer is larger than {request.max_body} bytes")
            parts.append(part)
    return Response(status, headers, b"".join(parts))


def _words(request, error):
    name = type(error).__name__.removeprefix("ErrorCode_").removeprefix("HeaderError_")
    if name == "HttpRequestDenied":
        remedy = "add it to `http` under its grants in the preset"
        return f"{request.url}: the service was not granted this address; {remedy}"
    detail = getattr(error, "value", None)
    return f"{request.url}: {name}" + (f" ({detail})" if detail is not None else "")
