"""HTTP requests to other servers. The preset must allow them: `http = ["https://api.example.com"]`.

    from luckystack import http

    rate = http.get("https://api.example.com/rate").ok().json()["rate"]
"""

import json as _json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from . import _host
from ._json import dumps

MAX_BODY = 16 * 1024 * 1024


class HttpError(Exception):
    """There is no answer: refused, not reachable, too late, too large. An answer of any status is one."""


@dataclass
class Request:
    """What is sent."""

    method: str
    url: str
    headers: list[tuple[str, bytes]]
    body: bytes
    timeout: float | None
    max_body: int


@dataclass
class Response:
    """An answer, read to its end."""

    status: int
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name):
        """The first header of this name, in any case; None when there is none."""
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value.decode("latin-1")
        return None

    @property
    def text(self):
        """The body as UTF-8."""
        return self.body.decode()

    def json(self):
        """The body from JSON. Raises ValueError when it is none."""
        return _json.loads(self.body)

    def ok(self):
        """Itself, when the status is 2xx. Raises HttpError otherwise."""
        if not 200 <= self.status < 300:
            raise HttpError(f"the server answered with status {self.status}")
        return self


def request(method, url, *, headers=None, body=b"", json=None, timeout=None, max_body=MAX_BODY):
    """Sends a request and waits for the whole answer.

    `json` is a value to send as JSON, with its content type; `timeout`, in seconds, is for the connection, the
    first byte and between bytes; an answer larger than `max_body` bytes is an error.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HttpError(f"{url!r} is not an address: it begins with http:// or https:// and a host")
    listed = list((headers or {}).items())
    if json is not None:
        body = dumps(json)
        listed.append(("content-type", "application/json"))
    encoded = [(key, value if isinstance(value, bytes) else str(value).encode("latin-1")) for key, value in listed]
    body = body.encode() if isinstance(body, str) else bytes(body)
    return _host.current.http(Request(method.upper(), url, encoded, body, timeout, max_body))


def get(url, **options):
    """A GET request; options as of `request`."""
    return request("GET", url, **options)


def post(url, **options):
    """A POST request; options as of `request`."""
    return request("POST", url, **options)
