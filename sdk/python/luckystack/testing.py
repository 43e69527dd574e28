"""Testing handlers on the machine, without a host. Not for use in a component.

    from luckystack import testing

    def test_greets(self):
        answer = testing.call(greet, {"name": "Ada"}, session={"id": "u1"})
        self.assertEqual(answer.result, "hello, Ada")

A handler is called as the host calls it: JSON in, checked against its schema, JSON out. What it raises for its
client, HandlerError, is raised; what else it raises is raised as it is. `greet(ctx, Greet("Ada"))` works too,
with a `ctx` of `testing.context()`.
"""

import contextlib
import json
import logging
from dataclasses import dataclass, field
from typing import Any

from . import _dispatch, _host, _validate
from ._call import Caller, Ctx, Session
from ._errors import INVALID_INPUT, HandlerError, InvalidValue
from ._json import dumps
from ._plugin import Plugin

__all__ = ["Answer", "FakeHost", "call", "call_function", "call_hook", "call_sync_client", "context", "manifest"]


@dataclass
class Answer:
    """What came of a call."""

    body: dict
    """The whole success object."""
    streamed: list = field(default_factory=list)
    """The chunks, in order."""
    logs: list = field(default_factory=list)
    """What was logged: pairs of level and message."""

    @property
    def result(self):
        """The `result` in the success object."""
        return self.body.get("result")

    @property
    def status(self):
        """The HTTP status."""
        return self.body.get("httpStatus", 200)


_TOKEN = "test-token"
# Fields of a session that no service may set: the framework's, and the account's.
_FRAMEWORK = {
    *("id", "token", "csrfToken", "roomCodes", "location", "email", "provider", "lastLogin", "previousLogin"),
    *("code", "codes", "password", "totpSecret", "recoveryCodes"),
}


class FakeHost:
    """Answers what a handler asks of its host."""

    def __init__(
        self,
        *,
        functions=None,
        config=None,
        sessions=None,
        session_fields=None,
        http=None,
        accounts=None,
        uploads=None,
        listening=True,
    ):
        self.functions = functions or {}
        self.config = config or {}
        self.sessions = sessions or {}
        self.session_fields = session_fields
        self.answer_accounts = accounts
        self.files = {} if uploads is None else uploads
        self.answer_http = http
        self.listening = listening
        self.streamed = []
        self.store = {}

    def emit(self, chunk):
        chunk = json.loads(chunk)
        if not isinstance(chunk, dict):
            raise TypeError(f"a chunk is an object, not {chunk!r}")
        if self.listening:
            self.streamed.append(chunk)
        return self.listening

    def broadcast(self, chunk):
        return self.emit(chunk)

    def send_to(self, _tokens, chunk):
        return self.emit(chunk)

    def send_to_recipient(self, _recipient, chunk):
        return self.emit(chunk)

    def aborted(self):
        return not self.listening

    def call_function(self, name, args):
        if name not in self.functions:
            raise HandlerError("functions.notFound", name=name, status=404)
        known = self.functions[name]
        return dumps(known(json.loads(args)) if callable(known) else known)

    def session(self, token):
        user = self.sessions.get(token)
        return None if user is None else Session(token, user)

    def session_update(self, token, fields):
        if token not in self.sessions:
            raise HandlerError("session.notFound", status=404)
        fields = json.loads(fields)
        for key in fields:
            if key in _FRAMEWORK or (self.session_fields is not None and key not in self.session_fields):
                raise HandlerError("session.fieldNotAllowed", field=key, status=403)
        merged = {**self.sessions[token], **fields}
        self.sessions[token] = {key: value for key, value in merged.items() if value is not None or key not in fields}
        return Session(token, dict(self.sessions[token]))

    def session_end(self, token):
        return self.sessions.pop(token, None) is not None

    def accounts(self, name, *arguments):
        if self.answer_accounts is None:
            raise AssertionError(
                f"the handler asks for accounts.{name}: give `accounts=` an object with functions of these names"
            )
        answer = getattr(self.answer_accounts, name)(
            *(json.loads(argument) if isinstance(argument, bytes) else argument for argument in arguments)
        )
        return dumps(answer) if name in ("get", "update") and answer is not None else None

    def uploads(self, name, *arguments):
        if name == "put":
            self.files[arguments[0]] = arguments[1]
            return None
        return self.files.pop(arguments[0], None) is not None

    def config_get(self, key):
        return self.config.get(key)

    def config_all(self):
        return list(self.config.items())

    def open_store(self, _name):
        return _Bucket(self.store)

    def http(self, request):
        if self.answer_http is None:
            raise AssertionError("the handler sends a request: give `http=` a function from it to an http.Response")
        return self.answer_http(request)


class _Bucket:
    def __init__(self, values):
        self.values = values

    def get(self, key):
        return self.values.get(key)

    def set(self, key, value):
        self.values[key] = value

    def delete(self, key):
        self.values.pop(key, None)

    def exists(self, key):
        return key in self.values

    def list_keys(self, _cursor):
        return sorted(self.values), None

    def increment(self, key, by):
        total = int(self.values.get(key, b"0")) + by
        self.values[key] = str(total).encode()
        return total


def context(*, session=None, ip="127.0.0.1", language="en", route="api/test/test/v1", room=None):
    """A `Ctx` by a client; `session` is the session object when it is signed in. The token is `test-token`."""
    signed_in = None if session is None else Session(_TOKEN, session)
    return Ctx(route, Caller(signed_in, ip, language, "test"), room)


@contextlib.contextmanager
def hosted(host):
    """Lets a FakeHost answer within a block; yields the list of what is logged in it."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append((record.levelname.lower(), record.getMessage()))
    logger = logging.getLogger("luckystack")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    before = _host.use(host)
    try:
        yield lines
    finally:
        _host.use(before)
        logger.removeHandler(handler)
        logger.setLevel(level)


def call(handler, input=None, /, *, session=None, ip="127.0.0.1", language="en", room=None, host=None, **options):
    """Calls an API handler, or the server half of a sync handler, and answers with its Answer.

    `host` is a FakeHost, or its options are given here: `functions` by name (values, or functions of their
    arguments), `config`, `sessions` by token with `session_fields` (those that may be set; any when not given),
    `http`, `accounts` (an object with functions named as those of `luckystack.accounts`), `uploads` (a dict of files
    by name), and `listening=False` for a client that has gone. `session` is in `sessions` as `test-token`.
    """
    definition = _definition(handler, "api", "sync-server")
    host = host or FakeHost(**options)
    if session is not None:
        host.sessions.setdefault(_TOKEN, session)
    text = dumps({} if input is None else input)
    relaxed = definition.options.get("validation") not in (None, "strict", {"input": "strict"})
    schema = definition.signature.input_schema
    if schema is not None and not relaxed:
        try:
            _validate.check(schema, json.loads(text))
        except InvalidValue as error:
            raise HandlerError(INVALID_INPUT, status=400) from error
    ctx = context(session=session, ip=ip, language=language, route=definition.route("test"), room=room)
    seen = len(host.streamed)
    with hosted(host) as logs, _exceptions_as_they_are():
        body = _dispatch.call_route(definition, ctx, text)
    return Answer(json.loads(body), host.streamed[seen:], logs)


def call_sync_client(handler, input, server_output, /, *, recipients=(("test-token", "en"),), room="room", **options):
    """Calls the client half of a sync handler; a list of bodies and HandlerErrors, one for each recipient."""
    definition = _definition(handler, "sync-client")
    plugin = _plugin(handler)
    output = dumps({"status": "success", "result": server_output})
    with hosted(FakeHost(**options)), _exceptions_as_they_are():
        answers = _dispatch.call_sync_client(
            plugin, definition.route("test"), room, dumps(input), output, list(recipients)
        )
    return [answer if isinstance(answer, HandlerError) else json.loads(answer) for answer in answers]


def call_function(function, args=None, /, **options):
    """Calls a `@function` with JSON arguments and answers with its result as JSON."""
    definition = _definition(function, "function")
    with hosted(FakeHost(**options)), _exceptions_as_they_are():
        return json.loads(_dispatch.call_function(_plugin(function), definition.name, dumps(args)))


def call_hook(handler, payload, /, **options):
    """Calls a `@hook` and answers with None, Stop or Replace. What it raises is logged, as by the host."""
    definition = _definition(handler, "hook")
    with hosted(FakeHost(**options)):
        return _dispatch.call_hook(_plugin(handler), definition.name, dumps(payload))


def manifest(*handlers, service="test"):
    """What the host reads of these functions, as a dict."""
    plugin = Plugin(service, "test")
    for handler in handlers:
        plugin.add(handler.__luckystack__)
    plugin.check()
    return plugin.manifest()


def _definition(handler, *kinds) -> Any:
    definition = getattr(handler, "__luckystack__", None)
    if definition is None or definition.kind not in kinds:
        raise TypeError(f"{getattr(handler, '__name__', handler)!r} is not decorated as one of: {', '.join(kinds)}")
    return definition


def _plugin(handler):
    plugin = Plugin("test", "test")
    plugin.add(handler.__luckystack__)
    return plugin


@contextlib.contextmanager
def _exceptions_as_they_are():
    """A test wants to see the exception itself, not the code that a client gets for it."""
    guarded = _dispatch._guarded
    _dispatch._guarded = lambda _kind, run: run()
    try:
        yield
    finally:
        _dispatch._guarded = guarded
