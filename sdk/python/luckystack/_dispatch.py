"""The way from an export to the function that answers: decode, run, encode.

The same in a component and in a test. The rule: an error leaves with a code of the pipeline it came through
(wire protocol §1.10), and what the author did not choose goes to the log only.
"""

import json

from . import _trace
from ._call import Recipient, log
from ._errors import INTERNAL, INVALID_INPUT, HandlerError, InvalidValue
from ._json import dumps
from ._outcome import Flat, Replace, Response, Stop

_SYNC_CLIENT = "sync.clientExecutionFailed"
# For each kind: code and status of an exception, and of an input that does not fit.
_CODES = {
    "api": ((INTERNAL, 500), (INVALID_INPUT, 400)),
    "function": ((INTERNAL, 500), (INVALID_INPUT, 400)),
    "sync-server": (("sync.serverExecutionFailed", 400), ("sync.invalidInputType", 400)),
    "sync-client": ((_SYNC_CLIENT, 400), (_SYNC_CLIENT, 400)),
}


def call_api(plugin, ctx, input):
    """Answers `api.call`: the whole success object as bytes. Raises HandlerError."""
    definition = plugin.routes.get(("api", ctx.route))
    if definition is None:
        raise HandlerError("api.notFound", name=ctx.route, status=404)
    return call_route(definition, ctx, input)


def call_sync_server(plugin, ctx, input):
    """Answers `sync-server.call`."""
    definition = plugin.routes.get(("sync-server", ctx.route))
    if definition is None:
        raise HandlerError("sync.notFound", name=ctx.route, status=400)
    return call_route(definition, ctx, input)


def call_route(definition, ctx, input):
    """Runs an API handler or the server half of a sync handler."""
    signature = definition.signature
    arguments = _decode(definition.kind, signature.decoders, [input])
    return _guarded(definition.kind, lambda: success(definition.function(*signature.arrange(ctx, arguments))))


def call_sync_client(plugin, route, room, input, server_output, recipients):
    """Answers `sync-client.call`: for each recipient bytes or a HandlerError."""
    definition = plugin.routes.get(("sync-client", route))
    if definition is None:
        return [HandlerError("sync.notFound", name=route, status=400) for _ in recipients]
    signature = definition.signature
    output = json.loads(server_output)
    try:
        given = [input] if len(signature.decoders) < 2 else [input, dumps(output.get("result"))]
        arguments = _decode("sync-client", signature.decoders, given)
    except HandlerError as error:
        return [error for _ in recipients]
    answers = []
    for index, (token, language) in enumerate(recipients):
        to = Recipient(token, language, room, output, index)
        try:
            run = lambda: success(definition.function(*signature.arrange(to, arguments)))  # noqa: B023, E731
            answers.append(_guarded("sync-client", run))
        except HandlerError as error:
            answers.append(error)
    return answers


def call_function(plugin, name, args):
    """Answers `functions.call`: the bare result as bytes. Raises HandlerError."""
    definition = plugin.functions.get(name)
    if definition is None:
        raise HandlerError("functions.notFound", name=name, status=404)
    arguments = _decode("function", definition.signature.decoders, [args])
    return _guarded("function", lambda: dumps(definition.function(*arguments)))


def call_hook(plugin, name, payload):
    """Answers `hooks.handle`: None, Replace or Stop. What fails is logged, and the call goes on."""
    definition = plugin.hooks.get(name)
    if definition is None:
        return None
    try:
        arguments = [decode(json.loads(payload)) for decode in definition.signature.decoders]
        outcome = definition.function(*arguments)
        if outcome is not None and not isinstance(outcome, (Replace, Stop)):
            raise TypeError(f"a hook returns None, Stop or Replace, not {type(outcome).__name__}")
        return outcome
    except HandlerError as error:
        return Stop(error.code, error.status)
    except (Exception, SystemExit):
        log.error("the hook %s failed\n%s", name, _trace.current())
        return None


def format_error(plugin, event):
    """Answers `error-formatter.format`: bytes, or None to leave the error as it is."""
    signature = plugin.formatter.signature
    try:
        formatted = plugin.formatter.function(*signature.arrange(event, []))
        if formatted is not None and not isinstance(formatted, dict):
            raise TypeError(f"an error formatter returns a dict or None, not {type(formatted).__name__}")
        return None if formatted is None else dumps(formatted)
    except (Exception, SystemExit):
        log.error("the error formatter failed\n%s", _trace.current())
        return None


def success(value):
    """The success object for what a handler returned (wire protocol §1.7)."""
    if isinstance(value, Response):
        answer = {"status": "success"}
        if value.status is not None:
            answer["httpStatus"] = value.status
        answer["result"] = value.result
        taken = value.extra.keys() & {"status", "httpStatus", "result"}
        if taken:
            raise ValueError(f"the answer already has the key {taken.pop()!r}; name the extra one otherwise")
        return dumps(answer | value.extra)
    if isinstance(value, Flat):
        answer = json.loads(dumps(value.value))
        if not isinstance(answer, dict) or answer.keys() & {"status", "httpStatus"}:
            raise ValueError("Flat holds an object without the keys `status` and `httpStatus`")
        return dumps({"status": "success"} | answer)
    return b'{"status":"success","result":' + dumps(value) + b"}"


def _decode(kind, decoders, texts):
    """The arguments. The host has validated the input of most handlers already."""
    try:
        return [decode(json.loads(text)) for decode, text in zip(decoders, texts)]
    except (InvalidValue, ValueError) as error:
        code, status = _CODES[kind][1]
        log.error("%s: %s", code, error)
        raise HandlerError(code, status=status) from None


def _guarded(kind, run):
    """Runs a function of the author: any exception but HandlerError becomes the kind's internal error."""
    try:
        return run()
    except HandlerError:
        raise
    except (Exception, SystemExit):
        code, status = _CODES[kind][0]
        log.error("%s\n%s", code, _trace.current())
        raise HandlerError(code, status=status) from None
