"""What a decorated function takes and gives: which parameter is what, by its annotation."""

import inspect
import typing
from dataclasses import dataclass
from typing import Any

from ._call import Ctx, ErrorEvent, Recipient
from ._convert import decoder
from ._errors import DefinitionError
from ._hints import UnsupportedHint, hints_of
from ._outcome import Flat, Replace, Response, Stop
from ._schema import schema_of

NOTHING = {"type": "object", "additionalProperties": False}

# The parameter that the SDK itself fills, for each kind of function, and how many others there may be.
_GIVEN = {
    "api": (Ctx, 1),
    "sync-server": (Ctx, 1),
    "sync-client": (Recipient, 2),
    "hook": (None, 1),
    "function": (None, 1),
    "error-formatter": (ErrorEvent, 0),
}
_SHAPES = {
    "api": "(ctx: Ctx, input: T) -> R, either parameter of which may be left out",
    "sync-server": "(ctx: Ctx, input: T) -> R, either parameter of which may be left out",
    "sync-client": "(to: Recipient, input: T, server: S) -> R",
    "hook": "(event: E), or no parameter",
    "function": "(args: T) -> R, or no parameter",
    "error-formatter": "(event: ErrorEvent) -> dict | None",
}


@dataclass
class Signature:
    """How to call a function."""

    arrange: Any
    """From what the SDK fills and a list of decoded values to the arguments."""
    decoders: list
    """For each decoded parameter, in order."""
    input_schema: dict | None
    output_schema: dict | None
    input_hint: Any


def read(kind, function):
    """The signature of a function. Raises DefinitionError."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        message = "`async def` is not supported: calls to the host wait by themselves; write `def`"
        raise DefinitionError(message, function)
    if inspect.isgeneratorfunction(function):
        message = "a handler returns its result and does not yield; send chunks with `ctx.stream`"
        raise DefinitionError(message, function)
    hints = hints_of(function)
    given, most = _GIVEN[kind]
    places, names = [], []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            raise DefinitionError(f"parameter `{parameter.name}`: a function of this kind is {_SHAPES[kind]}", function)
        hint = hints.get(parameter.name, Any)
        if given is not None and hint is given:
            places.append(None)
            continue
        if hint in (Ctx, Recipient, ErrorEvent):
            raise DefinitionError(f"parameter `{parameter.name}`: a function of this kind is {_SHAPES[kind]}", function)
        places.append(len(names))
        names.append(parameter.name)
    if len(names) > most or places.count(None) > 1:
        message = f"it has parameters {', '.join(names)}; a function of this kind is {_SHAPES[kind]}"
        raise DefinitionError(message, function)
    if "ctx" in names and given is Ctx and "ctx" not in hints:
        raise DefinitionError("annotate the parameter: `ctx: Ctx`", function)

    of_hook = kind == "hook"
    decoders = []
    for name in names:
        with _blamed(function, f"parameter `{name}`"):
            decoders.append(decoder(hints.get(name, Any), closed=not of_hook))
    input_schema = None
    if kind in ("api", "sync-server", "function"):
        input_schema = _input(kind, function, names, hints)
    return Signature(
        arrange=_arrange(places),
        decoders=decoders,
        input_schema=input_schema,
        output_schema=_output(kind, function, hints),
        input_hint=hints.get(names[0]) if names else None,
    )


def _arrange(places):
    return lambda given, decoded: [given if place is None else decoded[place] for place in places]


def _input(kind, function, names, hints):
    if not names:
        return NOTHING
    if names[0] not in hints:
        return None
    with _blamed(function, f"parameter `{names[0]}`"):
        schema = schema_of(hints[names[0]], of_input=True)
        if kind != "function" and schema and schema.get("type", "object") != "object":
            raise UnsupportedHint("the input of a handler is an object; write a dataclass, a TypedDict or a dict")
    return schema or None


def _output(kind, function, hints):
    """The schema of the result; None where it is not known."""
    hint = hints.get("return", Any)
    if kind in ("hook", "error-formatter") or hint in (Flat, Response, Any, typing.NoReturn):
        return None
    origin = typing.get_origin(hint)
    if origin is Flat:
        return None
    if origin is Response:
        hint = typing.get_args(hint)[0]
    if hint in (Stop, Replace):
        raise DefinitionError("only hooks return Stop or Replace", function)
    with _blamed(function, "the return type"):
        return schema_of(hint, of_input=False) or None


class _blamed:
    """Turns an UnsupportedHint into a DefinitionError of a function."""

    def __init__(self, function, part):
        self.function = function
        self.part = part

    def __enter__(self):
        return self

    def __exit__(self, _type, error, _traceback):
        if isinstance(error, UnsupportedHint):
            raise DefinitionError(f"{self.part}: {error}", self.function) from None


def stream_schema(function, hint):
    """The schema of a handler's chunks."""
    with _blamed(function, "`stream`"):
        return schema_of(hint, of_input=False)


def members_of(hint):
    """The keys that a hook's event type names; None when it is no class of keys."""
    schema = schema_of(hint, of_input=True)
    return list(schema["properties"]) if "properties" in schema else None
