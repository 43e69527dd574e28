"""Plugins for luckystack-host in Python: decorate a function, and it answers.

    from dataclasses import dataclass
    from luckystack import Ctx, api

    @dataclass
    class Greet:
        name: str

    @api
    def greet(ctx: Ctx, input: Greet) -> str:
        return f"hello, {input.name}"

Importing this package imports nothing that needs a grant. `luckystack.keyvalue`, `luckystack.http`,
`luckystack.accounts` and `luckystack.uploads` do: import them only where they are used.
"""

from ._call import Caller, Ctx, ErrorEvent, Recipient, Session
from ._errors import DefinitionError, HandlerError
from ._fields import Field, camel_case
from ._outcome import Flat, Replace, Response, Stop
from ._registry import api, error_formatter, function, hook, sync_client, sync_server
from ._throttle import StreamThrottle
from .functions import call_function

__version__ = "0.1.0"

__all__ = [
    "Caller",
    "Ctx",
    "DefinitionError",
    "ErrorEvent",
    "Field",
    "Flat",
    "HandlerError",
    "Recipient",
    "Replace",
    "Response",
    "Session",
    "Stop",
    "StreamThrottle",
    "api",
    "call_function",
    "camel_case",
    "error_formatter",
    "function",
    "hook",
    "sync_client",
    "sync_server",
]
