"""The exports of a component. Only imported inside one, while it is made: what is loaded here is in its memory
from the first instant on."""

import gc
import logging
import os
import sys
import traceback

import luckystack_plan
import wit_world.imports as _imports  # noqa: F401
from componentize_py_types import Err
from wit_world.imports import function_call, session_api, stream
from wit_world.imports import logging as wasi_logging

from . import _dispatch, _host, _load, _trace
from ._call import Caller, Ctx, ErrorEvent, Session
from ._errors import HandlerError
from ._outcome import Replace
from ._plugin import Plugin as Definitions

try:
    from wit_world.imports import luckystack_plugin_types as types
except ImportError:
    from wit_world.imports import types
try:
    from wit_world.imports import wasi_config_store as config_store
except ImportError:
    from wit_world.imports import store as config_store

PLAN = luckystack_plan.PLAN


def _asked(function, *arguments):
    """Calls an import. The error of the contract that it raises is raised on as a HandlerError."""
    try:
        return function(*arguments)
    except Err as error:
        raise _from_record(error.value) from None


def _session(found):
    return Session(found.token, found.user)


class Imports:
    """The host, through the imports of the contract."""

    emit = staticmethod(stream.emit)
    broadcast = staticmethod(stream.broadcast)
    send_to = staticmethod(stream.to)
    send_to_recipient = staticmethod(stream.to_recipient)
    aborted = staticmethod(stream.aborted)

    @staticmethod
    def call_function(name, args):
        return _asked(function_call.call, name, args)

    @staticmethod
    def session(token):
        found = session_api.get(token)
        return None if found is None else _session(found)

    @staticmethod
    def session_update(token, fields):
        return _session(_asked(session_api.update, token, fields))

    session_end = staticmethod(session_api.end)

    @staticmethod
    def config_get(key):
        return config_store.get(key)

    @staticmethod
    def config_all():
        return config_store.get_all()


if "luckystack.keyvalue" in PLAN["capabilities"]:
    from ._component_store import open_store

    Imports.open_store = staticmethod(open_store)
if "luckystack.http" in PLAN["capabilities"]:
    from ._component_http import send

    Imports.http = staticmethod(send)
if "luckystack.accounts" in PLAN["capabilities"]:
    from ._component_accounts import ask as ask_accounts

    Imports.accounts = staticmethod(lambda name, *arguments: _asked(ask_accounts, name, *arguments))
if "luckystack.uploads" in PLAN["capabilities"]:
    from ._component_uploads import ask as ask_uploads

    Imports.uploads = staticmethod(lambda name, *arguments: _asked(ask_uploads, name, *arguments))


class _ToHost(logging.Handler):
    """Python's logging into the host's log."""

    def emit(self, record):
        level = wasi_logging.Level.CRITICAL
        for limit, known in _LEVELS:
            if record.levelno < limit:
                level = known
                break
        try:
            wasi_logging.log(level, "" if record.name in ("luckystack", "root") else record.name, self.format(record))
        except Exception:
            self.handleError(record)


_LEVELS = (
    (logging.DEBUG, wasi_logging.Level.TRACE),
    (logging.INFO, wasi_logging.Level.DEBUG),
    (logging.WARNING, wasi_logging.Level.INFO),
    (logging.ERROR, wasi_logging.Level.WARN),
    (logging.CRITICAL, wasi_logging.Level.ERROR),
)


def _load_plugin():
    # The folder of the sources is the author's.
    sys.dont_write_bytecode = True
    logging.root.addHandler(_ToHost())
    logging.root.setLevel(logging.INFO)
    logging.getLogger("luckystack").setLevel(logging.DEBUG)
    plugin = Definitions(PLAN["service"])
    sources = [_load.Source(*source) for source in PLAN["sources"]]
    root = next(folder for folder in sys.path if os.path.isfile(os.path.join(folder, sources[0].path)))
    for source in sources:
        for definition in _load.load(root, source, plugin.service):
            plugin.add(definition)
    for name in PLAN["late"]:
        try:
            __import__(name)
        except (Exception, SystemExit):
            # This Python may lack what the machine's has; using it fails then, and says so.
            continue
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(root + os.sep):
            _trace.keep_source(file)
    _trace.shown[root + os.sep] = f"{PLAN['service']}/"
    return plugin


try:
    PLUGIN = _load_plugin()
except BaseException:
    traceback.print_exc()
    raise

_host.use(Imports)
sys.stdout.reconfigure(line_buffering=True)
sys.stderr.reconfigure(line_buffering=True)
# What is here stays: the collector need not look at it, nor touch its pages, in each instance.
gc.collect()
gc.freeze()

_is_seeded = False


def _enter():
    """Every instance begins with the same memory, `random`'s state in it."""
    global _is_seeded
    if not _is_seeded:
        _is_seeded = True
        import random

        random.seed()


def _flush():
    # What was printed without a line end.
    sys.stdout.flush()
    sys.stderr.flush()


def _record(error):
    """A HandlerError as the contract has it."""
    params = [types.ErrorParam(key, _dispatch.dumps(value)) for key, value in error.params.items()]
    return types.HandlerError(error.code, params, error.status)


def _from_record(record):
    import json

    error = HandlerError(record.error_code, status=record.http_status)
    for param in record.error_params:
        error.param(param.key, json.loads(param.value))
    return error


def _answer(run):
    """Runs an export whose result is `result<json, handler-error>`."""
    _enter()
    try:
        return run()
    except HandlerError as error:
        raise Err(_record(error)) from None
    finally:
        _flush()


def _ctx(route, caller, room=None):
    session = caller.session and Session(caller.session.token, caller.session.user)
    transport = caller.transport.name.lower()
    known = Caller(session, caller.ip, caller.language, caller.request_id, caller.traceparent, transport)
    return Ctx(route, known, room)


class Plugin:
    def describe(self):
        return PLAN["manifest"]


class Api:
    def call(self, route, caller, input):
        return _answer(lambda: _dispatch.call_api(PLUGIN, _ctx(route, caller), input))


class SyncServer:
    def call(self, route, caller, room, input):
        return _answer(lambda: _dispatch.call_sync_server(PLUGIN, _ctx(route, caller, room), input))


class SyncClient:
    def call(self, route, room, input, server_output, recipients):
        from componentize_py_types import Ok

        pairs = [(to.token, to.language) for to in recipients]
        answers = _answer(lambda: _dispatch.call_sync_client(PLUGIN, route, room, input, server_output, pairs))
        return [Err(_record(answer)) if isinstance(answer, HandlerError) else Ok(answer) for answer in answers]


class Hooks:
    def handle(self, hook, payload):
        from wit_world.exports import hooks

        outcome = _answer(lambda: _dispatch.call_hook(PLUGIN, hook, payload))
        if outcome is None:
            return hooks.Outcome_Proceed()
        if isinstance(outcome, Replace):
            return hooks.Outcome_Replace(_dispatch.dumps(outcome.response))
        override = outcome.override_output
        override = None if override is None else _dispatch.dumps(override)
        return hooks.Outcome_Stop(hooks.Stop(outcome.code, outcome.status, override))


class Functions:
    def call(self, name, args):
        return _answer(lambda: _dispatch.call_function(PLUGIN, name, args))


class ErrorFormatter:
    def format(self, route, transport, user_id, envelope):
        import json

        event = ErrorEvent(route, transport.name.lower(), user_id, json.loads(envelope))
        return _answer(lambda: _dispatch.format_error(PLUGIN, event))
