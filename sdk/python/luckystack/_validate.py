"""The host's check of input, for tests on the machine: the same subset of JSON Schema, the same three rules
(objects are closed, nothing is coerced, absent is not null)."""

import datetime
import json
import re
import uuid
from fractions import Fraction

from ._convert import parse_datetime
from ._errors import InvalidValue

_TYPES = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and Fraction(value).denominator == 1,
    "number": lambda value: _is_number(value),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_FORMATS = {
    "date-time": parse_datetime,
    "date": datetime.date.fromisoformat,
    "uuid": uuid.UUID,
}


def check(schema, value):
    """Raises InvalidValue when `value`, of JSON, breaks `schema`."""
    _Checker(schema).check(schema, value, "")


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class _Checker:
    def __init__(self, root):
        self.root = root

    def check(self, schema, value, path):
        if schema in (True, {}):
            return
        if "$ref" in schema:
            self.check(self.root["$defs"][schema["$ref"].rsplit("/", 1)[1]], value, path)
        if "type" in schema:
            types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            if not any(_TYPES[name](value) for name in types):
                raise InvalidValue(path, " or ".join(types), value)
        allowed = [schema["const"]] if "const" in schema else schema.get("enum")
        if allowed is not None and json.dumps(value) not in map(json.dumps, allowed):
            raise InvalidValue(path, " or ".join(map(repr, allowed)), value)
        if "anyOf" in schema:
            self.any_of(schema["anyOf"], value, path)
        if _is_number(value):
            self.number(schema, value, path)
        elif isinstance(value, str):
            self.string(schema, value, path)
        elif isinstance(value, list):
            self.array(schema, value, path)
        elif isinstance(value, dict):
            self.object(schema, value, path)

    def any_of(self, schemas, value, path):
        failed = None
        for schema in schemas:
            try:
                return self.check(schema, value, path)
            except InvalidValue as error:
                failed = error
        raise failed

    def number(self, schema, value, path):
        for keyword, words, holds in (
            ("minimum", "at least", lambda limit: value >= limit),
            ("maximum", "at most", lambda limit: value <= limit),
            ("exclusiveMinimum", "more than", lambda limit: value > limit),
            ("exclusiveMaximum", "less than", lambda limit: value < limit),
            ("multipleOf", "a multiple of", lambda limit: Fraction(str(value)) % Fraction(str(limit)) == 0),
        ):
            if keyword in schema and not holds(schema[keyword]):
                raise InvalidValue(path, f"{words} {schema[keyword]}", value)

    def string(self, schema, value, path):
        self.size(schema, len(value), value, path, ("minLength", "maxLength"))
        if "pattern" in schema and not re.search(schema["pattern"], value):
            raise InvalidValue(path, f"a string like {schema['pattern']}", value)
        read = _FORMATS.get(schema.get("format"))
        if read is not None:
            try:
                read(value)
            except ValueError:
                raise InvalidValue(path, f"a string of the format {schema['format']}", value) from None

    def array(self, schema, value, path):
        self.size(schema, len(value), value, path, ("minItems", "maxItems"))
        if schema.get("uniqueItems") and len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
            raise InvalidValue(path, "no item twice", value)
        for index, item in enumerate(value):
            self.check(schema.get("items", True), item, f"{path}[{index}]")

    def object(self, schema, value, path):
        self.size(schema, len(value), value, path, ("minProperties", "maxProperties"))
        for key in schema.get("required", ()):
            if key not in value:
                raise InvalidValue(path, f"the key {key!r}", value)
        # A schema that only refers or chooses says nothing of keys itself.
        if "type" not in schema:
            return
        members, others = schema.get("properties", {}), schema.get("additionalProperties", False)
        for key, inner in value.items():
            if key in ("__proto__", "constructor", "prototype") or key not in members and others is False:
                raise InvalidValue(f"{path}.{key}", "no such key", inner)
            self.check(members.get(key, others), inner, f"{path}.{key}")
            self.check(schema.get("propertyNames", True), key, f"{path}.{key}")

    def size(self, schema, size, value, path, keywords):
        least, most = (schema.get(keyword) for keyword in keywords)
        if least is not None and size < least or most is not None and size > most:
            wanted = f"at least {least}" if least is not None and size < least else f"at most {most}"
            raise InvalidValue(path, f"{wanted} in length", value)
