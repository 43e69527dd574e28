"""Values to JSON: dataclasses, enums, dates and sets included.

Hot: every answer and chunk passes here. The C encoder does the walking and asks back only for what JSON does
not know.
"""

import dataclasses
import datetime
import json
import uuid
from enum import Enum


_names = {}


def _field_names(cls):
    """Attribute and JSON key of the fields of a dataclass, looked up once."""
    found = _names.get(cls)
    if found is None:
        from ._hints import dataclass_fields

        found = _names[cls] = dataclass_fields(cls)
    return found


def _default(value):
    cls = type(value)
    if dataclasses.is_dataclass(cls):
        return {key: getattr(value, attribute) for attribute, key in _field_names(cls)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime.datetime):
        # A component's local time is UTC.
        return value.isoformat() if value.tzinfo else value.isoformat() + "Z"
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return list(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{cls.__module__}.{cls.__qualname__} has no JSON form")


_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default, check_circular=True
).encode


def dumps(value):
    """The JSON text as bytes. Raises TypeError or ValueError for what has none (NaN, cycles, other types)."""
    # Lone surrogates have no UTF-8; they are written as the escapes that JSON has for them.
    text = _encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(json.loads(text)).encode()
