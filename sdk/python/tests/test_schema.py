"""What type hints become: schemas, decoders, and refusals."""

import datetime
import enum
import json
import unittest
import uuid
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NewType, Optional, TypedDict, Union

from luckystack import Field, camel_case
from luckystack._convert import decoder
from luckystack._errors import InvalidValue
from luckystack._hints import UnsupportedHint
from luckystack._json import dumps
from luckystack._schema import schema_of
from luckystack._validate import check


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Engine:
    power: Annotated[int, Field(min=1, description="In kW.")]


@dataclass
class Vehicle:
    """A vehicle of the fleet."""

    id: str
    engine: Engine
    colour: Colour = Colour.RED
    tags: list[str] = field(default_factory=list)


@dataclass
class Node:
    value: int
    next: Optional["Node"] = None


@camel_case
@dataclass
class Trip:
    from_: str
    vehicle_id: str
    started_at: datetime.datetime


class Partial(TypedDict, total=False):
    a: int


class Whole(Partial):
    b: str


@dataclass
class Holder:
    odd: complex


UserId = NewType("UserId", str)

CASES = [
    (str, {"type": "string"}),
    (Any, {}),
    (None, {"type": "null"}),
    (UserId, {"type": "string"}),
    (Optional[int], {"type": ["integer", "null"]}),
    (Union[int, list[str]], {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "string"}}]}),
    (Literal["a", 1, None], {"enum": ["a", 1, None]}),
    (Literal["a"], {"const": "a"}),
    (Optional[Literal["a", "b"]], {"enum": ["a", "b", None]}),
    (Colour, {"enum": ["red", "blue"]}),
    (list, {"type": "array", "items": {}}),
    (set[int], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
    (tuple[float, float], {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
    (tuple[str, ...], {"type": "array", "items": {"type": "string"}}),
    (dict, {"type": "object", "additionalProperties": True}),
    (dict[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
    (
        dict[Literal["x", "y"], int],
        {"type": "object", "additionalProperties": {"type": "integer"}, "propertyNames": {"enum": ["x", "y"]}},
    ),
    (datetime.datetime, {"type": "string", "format": "date-time"}),
    (datetime.date, {"type": "string", "format": "date"}),
    (uuid.UUID, {"type": "string", "format": "uuid"}),
    (Annotated[int, Field(max=0)], {"type": "integer", "maximum": 0}),
    (Annotated[int, Field(min=0, max=10)], {"type": "integer", "minimum": 0, "maximum": 10}),
    (Annotated[float, Field(above=0, multiple_of=0.5)], {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5}),
    (Annotated[str, Field(min_length=1, pattern="^a")], {"type": "string", "minLength": 1, "pattern": "^a"}),
    (
        Annotated[list[int], Field(max_length=3, unique=True)],
        {"type": "array", "items": {"type": "integer"}, "maxItems": 3, "uniqueItems": True},
    ),
    (Optional[Annotated[int, Field(min=1)]], {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}),
    (Annotated[Optional[int], Field(min=1)], {"type": ["integer", "null"], "minimum": 1}),
    (
        Whole,
        {
            "type": "object",
            "title": "Whole",
            "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
            "required": ["b"],
            "additionalProperties": False,
        },
    ),
]

REFUSED = [
    (complex, "the type complex is not supported; write two floats"),
    (bytes, "write a str, such as base64"),
    (tuple[int, str], "the items of an array have one type"),
    (dict[int, str], "the keys of an object are str"),
    (Annotated[str, Field(min=1)], "Field(min=…) is for numbers"),
    (Annotated[int, Field(min_length=1)], "Field(min_length=…) is for strings, lists and dicts"),
    (Holder, "Holder.odd: the type complex is not supported"),
]


class Schemas(unittest.TestCase):
    def test_every_supported_hint_has_its_schema(self):
        for hint, schema in CASES:
            with self.subTest(hint=hint):
                self.assertEqual(schema_of(hint, of_input=True), schema)

    def test_what_cannot_be_enforced_is_refused_with_the_remedy(self):
        for hint, message in REFUSED:
            with self.subTest(hint=hint), self.assertRaises(UnsupportedHint) as caught:
                schema_of(hint, of_input=True)
            self.assertIn(message, str(caught.exception))

    def test_defaults_make_keys_optional_in_input_and_not_in_output(self):
        read, written = (schema_of(Vehicle, of_input=of_input) for of_input in (True, False))
        self.assertEqual(read["required"], ["id", "engine"])
        self.assertEqual(written["required"], ["id", "engine", "colour", "tags"])
        self.assertEqual(read["description"], "A vehicle of the fleet.")
        self.assertEqual(read["$defs"]["Engine"]["properties"]["power"]["description"], "In kW.")

    def test_recursive_types_refer_to_themselves(self):
        schema = schema_of(Node, of_input=True)
        self.assertEqual(schema["$ref"], "#/$defs/Node")
        check(schema, {"value": 1, "next": {"value": 2, "next": None}})
        node = decoder(Node)({"value": 1, "next": {"value": 2}})
        self.assertEqual(node, Node(1, Node(2)))
        with self.assertRaises(InvalidValue):
            check(schema, {"value": 1, "next": {"value": "2"}})

    def test_required_and_not_required_are_read_under_postponed_annotations(self):
        try:
            from typing import NotRequired
        except ImportError:
            self.skipTest("NotRequired came with Python 3.11")
        postponed = TypedDict("postponed", {"a": "NotRequired[int]", "b": int})
        postponed.__module__ = __name__
        globals()["NotRequired"] = NotRequired
        self.assertEqual(schema_of(postponed, of_input=True)["required"], ["b"])


class Conversion(unittest.TestCase):
    def test_json_becomes_instances_and_instances_json(self):
        given = {"id": "v1", "engine": {"power": 5}, "colour": "blue"}
        vehicle = decoder(Vehicle)(given)
        self.assertEqual(vehicle, Vehicle("v1", Engine(5), Colour.BLUE, []))
        self.assertEqual(json.loads(dumps(vehicle)), given | {"tags": []})

    def test_camel_case_and_names_that_are_keywords(self):
        text = {"from": "a", "vehicleId": "v", "startedAt": "2026-01-02T03:04:05.678Z"}
        trip = decoder(Trip)(text)
        self.assertEqual(trip.from_, "a")
        self.assertEqual(trip.started_at.microsecond, 678000)
        self.assertEqual(json.loads(dumps(trip))["startedAt"], "2026-01-02T03:04:05.678000+00:00")
        self.assertEqual(list(schema_of(Trip, of_input=True)["properties"]), ["from", "vehicleId", "startedAt"])

    def test_nothing_is_coerced(self):
        for hint, value in [(int, "7"), (int, True), (int, 1.5), (float, "1"), (str, 1), (bool, 1), (Literal[1], True)]:
            with self.subTest(hint=hint, value=value), self.assertRaises(InvalidValue):
                decoder(hint)(value)
        self.assertEqual(decoder(int)(1.0), 1)
        self.assertIsInstance(decoder(float)(1), float)
        self.assertIsInstance(decoder(Union[float, int])(1), int)

    def test_an_error_names_the_place(self):
        with self.assertRaises(InvalidValue) as caught:
            decoder(dict[str, list[Engine]])({"a": [{"power": 1}, {"power": "x"}]})
        self.assertEqual(str(caught.exception), "$.a[1].power: expected an integer, found the string 'x'")
        with self.assertRaises(InvalidValue) as caught:
            decoder(Engine)({"power": 1, "colour": 1})
        self.assertEqual(str(caught.exception), "$.colour: expected no such key, found the number 1")

    def test_open_decoders_leave_out_keys_that_are_not_named(self):
        self.assertEqual(decoder(Engine, closed=False)({"power": 1, "more": 2}), Engine(1))

    def test_what_has_no_json_form_is_an_error(self):
        for value in (float("nan"), object(), b"bytes"):
            with self.subTest(value=value), self.assertRaises((TypeError, ValueError)):
                dumps(value)
        text = dumps({"a": {1}, "b": Colour.RED, "c": "é\ud800"})
        self.assertEqual(text, b'{"a": [1], "b": "red", "c": "\\u00e9\\ud800"}')


if __name__ == "__main__":
    unittest.main()
