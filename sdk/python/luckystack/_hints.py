"""Type hints to a small tree of nodes, which schema and conversion are made of.

The rule: a hint that cannot be enforced by the host and converted here is an error that says where it stands
and what to write instead; it is never taken for `Any`.
"""

import collections.abc
import dataclasses
import datetime
import types
import typing
import uuid
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ._fields import Field, json_name


class UnsupportedHint(Exception):
    """A hint that has no place in a plugin's interface; the message says where and what instead."""


@dataclass
class Anything:
    """Any JSON value."""


@dataclass
class Scalar:
    """`null`, `boolean`, `integer`, `number` or `string`."""

    type: str


@dataclass
class Formatted:
    """A string that is read as another type."""

    format: str
    type: type


@dataclass
class Constants:
    """One of some values: a Literal, or an Enum's members."""

    values: list
    enum: type | None = None


@dataclass
class Items:
    """An array."""

    item: Any
    make: type = list
    length: int | None = None


@dataclass
class Mapping:
    """An object with any keys, or those of `keys`."""

    value: Any
    keys: Any = None


@dataclass
class Either:
    """Any of several."""

    members: list


@dataclass
class Limited:
    """Another node with constraints."""

    node: Any
    field: Field


@dataclass
class Member:
    """One key of an object."""

    attribute: str
    key: str
    node: Any
    required: bool


@dataclass
class Object:
    """A dataclass or a TypedDict. Members are filled in after the node exists: types may be recursive."""

    cls: type
    is_dataclass: bool
    members: list = field(default_factory=list)


_SCALARS = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null", None: "null"}
_FORMATS = {datetime.datetime: "date-time", datetime.date: "date", uuid.UUID: "uuid"}
_LISTS = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_INSTEAD = {
    "bytes": "a str, such as base64",
    "Decimal": "a str, or a float",
    "complex": "two floats",
    "time": "a str",
    "timedelta": "a number of seconds",
    "Path": "a str",
}


def node_of(hint):
    """The node of a type hint. Raises UnsupportedHint."""
    return _Reader().read(hint, "")


def hints_of(function):
    """The resolved annotations of a function; names that cannot be resolved raise as Python says it."""
    return typing.get_type_hints(function, include_extras=True)


class _Reader:
    def __init__(self):
        self.objects = {}

    def read(self, hint, where):
        if hint in (Any, object):
            return Anything()
        if isinstance(hint, type) and not typing.get_origin(hint):
            return self.plain(hint, where)
        if hint is None:
            return Scalar("null")
        origin = typing.get_origin(hint)
        if origin is typing.Annotated:
            return self.annotated(hint, where)
        if origin in (typing.Union, types.UnionType):
            return Either([self.read(member, where) for member in typing.get_args(hint)])
        if origin is typing.Literal:
            return self.literal(hint, where)
        if isinstance(hint, typing.NewType):
            return self.read(hint.__supertype__, where)
        if type(hint).__name__ == "TypeAliasType":
            return self.read(hint.__value__, where)
        if getattr(origin, "_name", None) in ("Required", "NotRequired", "ReadOnly"):
            return self.read(typing.get_args(hint)[0], where)
        if origin is tuple:
            return self.tuple(hint, where)
        if origin in _LISTS:
            return Items(self.read(typing.get_args(hint)[0], where + "[]"), _LISTS[origin])
        if origin in _MAPPINGS:
            return self.mapping(hint, where)
        # `typing.List` and the like without parameters.
        if origin is not None and not typing.get_args(hint):
            return self.plain(origin, where)
        raise self.unsupported(hint, where)

    def plain(self, cls, where):
        if cls in _SCALARS:
            return Scalar(_SCALARS[cls])
        if cls in _FORMATS:
            return Formatted(_FORMATS[cls], cls)
        if cls is tuple:
            return Items(Anything(), tuple)
        if cls in _LISTS:
            return Items(Anything(), _LISTS[cls])
        if cls in _MAPPINGS:
            return Mapping(Anything())
        if issubclass(cls, Enum):
            return self.constants([member.value for member in cls], cls, where)
        if cls in self.objects:
            return self.objects[cls]
        if getattr(cls, "__parameters__", ()):
            raise UnsupportedHint(
                f"{_at(where)}{_name(cls)} is generic, which is not supported; write a class without type parameters"
            )
        if dataclasses.is_dataclass(cls):
            return self.dataclass(cls, where)
        if issubclass(cls, dict) and hasattr(cls, "__required_keys__"):
            return self.typed_dict(cls, where)
        raise self.unsupported(cls, where)

    def annotated(self, hint, where):
        inner, *extras = typing.get_args(hint)
        node = self.read(inner, where)
        for extra in extras:
            if isinstance(extra, Field):
                check_field(extra, node, where)
                node = Limited(node, extra)
        return node

    def literal(self, hint, where):
        values = typing.get_args(hint)
        enums = {type(value) for value in values if isinstance(value, Enum)}
        if enums:
            if len(enums) > 1 or not all(isinstance(value, Enum) for value in values):
                raise UnsupportedHint(f"{_at(where)}a Literal of members of one Enum, or of none")
            return self.constants([value.value for value in values], enums.pop(), where)
        return self.constants(list(values), None, where)

    def constants(self, values, enum, where):
        for value in values:
            if value is not None and not isinstance(value, (str, int, float, bool)):
                raise UnsupportedHint(
                    f"{_at(where)}the constant {value!r} is not supported; "
                    "write strings, numbers, booleans or None"
                )
        return Constants(values, enum)

    def tuple(self, hint, where):
        arguments = typing.get_args(hint)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return Items(self.read(arguments[0], where + "[]"), tuple)
        if not arguments or len(set(arguments)) != 1:
            raise UnsupportedHint(
                f"{_at(where)}{_name(hint)} is not supported: the items of an array have one type; "
                "write a dataclass"
            )
        return Items(self.read(arguments[0], where + "[]"), tuple, len(arguments))

    def mapping(self, hint, where):
        key, value = typing.get_args(hint)
        keys = self.read(key, where + " (keys)")
        texts = isinstance(keys, Constants) and all(isinstance(value, str) for value in keys.values)
        if not texts and keys != Scalar("string"):
            raise UnsupportedHint(f"{_at(where)}{_name(hint)} is not supported: the keys of an object are str")
        return Mapping(self.read(value, where + ".*"), keys if texts else None)

    def dataclass(self, cls, where):
        node = self.objects[cls] = Object(cls, True)
        hints = typing.get_type_hints(cls, include_extras=True)
        for attribute, key in dataclass_fields(cls):
            given = next(field for field in dataclasses.fields(cls) if field.name == attribute)
            required = given.default is dataclasses.MISSING and given.default_factory is dataclasses.MISSING
            inner = self.read(hints[attribute], f"{where or _name(cls)}.{attribute}")
            node.members.append(Member(attribute, key, inner, required))
        keys = [member.key for member in node.members]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise UnsupportedHint(f"{_at(where)}{_name(cls)} has the key {twice!r} twice")
        return node

    def typed_dict(self, cls, where):
        node = self.objects[cls] = Object(cls, False)
        for key, hint in typing.get_type_hints(cls, include_extras=True).items():
            # Asked of the hint first: under `from __future__ import annotations` the class does not know.
            marker = getattr(typing.get_origin(hint), "_name", None)
            required = key in cls.__required_keys__ if marker not in _MARKERS else marker == "Required"
            inner = self.read(hint, f"{where or _name(cls)}.{key}")
            if isinstance(inner, Limited) and inner.field.name is not None:
                raise UnsupportedHint(f"{_at(where)}{_name(cls)}.{key}: a key of a TypedDict is its name in JSON")
            node.members.append(Member(key, key, inner, required))
        return node

    def unsupported(self, hint, where):
        name = _name(hint)
        instead = _INSTEAD.get(name)
        if instead is None:
            instead = (
                "a dataclass, a TypedDict, an Enum, Literal, Optional, list, dict, tuple of one type, str, int, "
                "float, bool, None, datetime, date, UUID or Any"
            )
        return UnsupportedHint(f"{_at(where)}the type {name} is not supported; write {instead}")


_MARKERS = ("Required", "NotRequired")


def dataclass_fields(cls):
    """Attribute and JSON key of the fields of a dataclass; those with `init=False` are not part of its JSON."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found = []
    for given in dataclasses.fields(cls):
        if not given.init:
            continue
        extras = getattr(hints[given.name], "__metadata__", ())
        named = [extra for extra in extras if isinstance(extra, Field) and extra.name is not None]
        found.append((given.name, json_name(cls, given.name, named[0] if named else None)))
    return found


def innermost(node):
    """The node below its constraints."""
    while isinstance(node, Limited):
        node = node.node
    return node


def check_field(limits, node, where):
    """Raises UnsupportedHint for constraints that do not belong to the type: they would hold nothing."""
    node = innermost(node)
    members = [innermost(member) for member in node.members] if isinstance(node, Either) else [node]
    for names, kinds, fits in (
        (("min", "max", "above", "below", "multiple_of"), "numbers", _is_number),
        (("min_length", "max_length"), "strings, lists and dicts", _has_length),
        (("pattern", "format"), "strings", lambda node: node == Scalar("string")),
        (("unique",), "lists", lambda node: isinstance(node, Items)),
    ):
        given = [name for name in names if getattr(limits, name) is not None and getattr(limits, name) is not False]
        if given and not any(fits(member) for member in members):
            raise UnsupportedHint(f"{_at(where)}Field({given[0]}=…) is for {kinds}")


def _is_number(node):
    return node in (Scalar("integer"), Scalar("number"))


def _has_length(node):
    return node == Scalar("string") or isinstance(node, (Items, Mapping))


def _at(where):
    return f"{where}: " if where else ""


def _name(hint):
    is_class = isinstance(hint, type) and not typing.get_origin(hint)
    return hint.__name__ if is_class else str(hint).replace("typing.", "")
