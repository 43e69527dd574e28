"""JSON values to typed ones: dataclasses, enums, dates, sets; everything else is checked and kept.

A decoder is made once for each type, while the plugin is built; calls only run it. It checks what the schema
says of types, because arguments of functions, payloads of hooks and input of relaxed routes come unchecked.
Constraints (`Field`) are the host's.
"""

import datetime
import functools
import math

from ._errors import InvalidValue
from ._hints import (
    Anything,
    Constants,
    Either,
    Formatted,
    Items,
    Limited,
    Mapping,
    Object,
    Scalar,
    node_of,
)


def decoder(hint, *, closed=True):
    """A function from a JSON value to an instance of `hint`. It raises InvalidValue.

    With `closed=False`, keys that a class does not name are left out; otherwise they are refused.
    """
    try:
        return _decoder(hint, closed)
    except TypeError:  # a hint that cannot be hashed
        return _make(hint, closed)


@functools.lru_cache(maxsize=512)
def _decoder(hint, closed):
    return _make(hint, closed)


def _make(hint, closed):
    decode = _Maker(closed).make(node_of(hint))
    return lambda value: decode(value, "")


class _Maker:
    def __init__(self, closed):
        self.closed = closed
        self.objects = {}

    def make(self, node):
        match node:
            case Anything():
                return lambda value, path: value
            case Scalar(type):
                return _SCALARS[type]
            case Formatted(format, type):
                return _formatted(format, type)
            case Constants(values, enum):
                return _constants(values, enum)
            case Items(item, make, length):
                return self.items(item, make, length)
            case Mapping(value, keys):
                return self.mapping(value, keys)
            case Either(members):
                return self.either(members)
            case Limited(inner, _):
                return self.make(inner)
            case Object():
                return self.object(node)
        raise AssertionError(node)

    def items(self, item, make, length):
        decode = self.make(item)
        expected = "an array" if length is None else f"an array of {length}"

        def items(value, path):
            if not isinstance(value, list) or length is not None and len(value) != length:
                raise InvalidValue(path, expected, value)
            return make([decode(inner, f"{path}[{index}]") for index, inner in enumerate(value)])

        return items

    def mapping(self, value, keys):
        decode = self.make(value)
        key_of = self.make(keys) if keys is not None else None

        def mapping(given, path):
            if not isinstance(given, dict):
                raise InvalidValue(path, "an object", given)
            if key_of is None:
                return {key: decode(inner, f"{path}.{key}") for key, inner in given.items()}
            return {key_of(key, path): decode(inner, f"{path}.{key}") for key, inner in given.items()}

        return mapping

    def either(self, members):
        decoders = [self.make(member) for member in members]
        # `float | int`: the more exact of two that both fit comes first.
        order = sorted(range(len(members)), key=lambda index: members[index] == Scalar("number"))
        decoders = [decoders[index] for index in order]

        def either(value, path):
            failed = None
            for decode in decoders:
                try:
                    return decode(value, path)
                except InvalidValue as error:
                    # The error that got furthest is the one that its author wants to read.
                    if failed is None or len(str(error)) > len(str(failed)):
                        failed = error
            raise failed

        return either

    def object(self, node):
        if node.cls in self.objects:
            return lambda value, path: self.objects[node.cls](value, path)
        self.objects[node.cls] = None
        members = [(member.attribute, member.key, self.make(member.node), member.required) for member in node.members]
        known = {member.key for member in node.members}
        closed = self.closed
        cls = node.cls if node.is_dataclass else dict

        def decode(value, path):
            if not isinstance(value, dict):
                raise InvalidValue(path, "an object", value)
            if closed and not value.keys() <= known:
                extra = next(key for key in value if key not in known)
                raise InvalidValue(f"{path}.{extra}", "no such key", value[extra])
            found = {}
            for attribute, key, decode_member, required in members:
                if key in value:
                    found[attribute] = decode_member(value[key], f"{path}.{key}")
                elif required:
                    raise InvalidValue(path, f"the key {key!r}", value)
            return cls(**found)

        self.objects[node.cls] = decode
        return decode


def _boolean(value, path):
    if not isinstance(value, bool):
        raise InvalidValue(path, "a boolean", value)
    return value


def _integer(value, path):
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    # 1.0 is an integer in JSON Schema.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise InvalidValue(path, "an integer", value)


def _number(value, path):
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise InvalidValue(path, "a number", value)


def _string(value, path):
    if not isinstance(value, str):
        raise InvalidValue(path, "a string", value)
    return value


def _null(value, path):
    if value is not None:
        raise InvalidValue(path, "null", value)
    return None


_SCALARS = {"boolean": _boolean, "integer": _integer, "number": _number, "string": _string, "null": _null}


def _formatted(format, type):
    def read(value, path):
        try:
            if type is datetime.datetime and isinstance(value, str):
                return parse_datetime(value)
            if isinstance(value, str):
                return type.fromisoformat(value) if type is datetime.date else type(value)
        except ValueError:
            pass
        raise InvalidValue(path, f"a string of the format {format}", value)

    return read


def parse_datetime(text):
    """RFC 3339, in Python 3.10 too."""
    text = text.upper().replace(" ", "T")
    text = text[:-1] + "+00:00" if text.endswith("Z") else text
    date, dot, rest = text.partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{date}.{rest[:digits][:6]:0<6}{rest[digits:]}"
    return datetime.datetime.fromisoformat(text)


def _constants(values, enum):
    # 1 and True are equal in Python, and not in JSON.
    known = {(isinstance(value, bool), value): value if enum is None else enum(value) for value in values}
    expected = " or ".join(repr(value) for value in values)

    def constant(value, path):
        if isinstance(value, (list, dict)) or (isinstance(value, bool), value) not in known:
            raise InvalidValue(path, expected, value)
        return known[isinstance(value, bool), value]

    return constant
