"""Constraints of values, written into type hints: `Annotated[int, Field(min=1, max=10)]`."""

from dataclasses import dataclass

from ._names import camel_case as _camel_case


@dataclass(frozen=True, kw_only=True)
class Field:
    """What more is known of a value than its type. The host refuses input that breaks it.

    `min`, `max`, `above`, `below` and `multiple_of` are for numbers; `min_length` and `max_length` for strings,
    lists and dicts; `pattern` (ECMAScript, not anchored) and `format` for strings; `unique` for lists. `name`
    is the key in JSON where it differs from the field of the dataclass. `title`, `description`, `examples` and
    `deprecated` describe.
    """

    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None
    unique: bool = False
    name: str | None = None
    title: str | None = None
    description: str | None = None
    examples: tuple | list | None = None
    deprecated: bool = False


def camel_case(cls):
    """For dataclasses: keys in JSON are the fields' names in camelCase (`vehicle_id` → `vehicleId`)."""
    cls.__luckystack_camel_case__ = True
    return cls


def json_name(cls, attribute, field):
    """The key of a dataclass's field: its `Field(name=…)`, else its name, in camelCase where the class asks for
    it. The underscore that keeps a name from being a keyword (`from_`) is dropped."""
    import keyword

    if field is not None and field.name is not None:
        return field.name
    if attribute.endswith("_") and keyword.iskeyword(attribute[:-1]):
        attribute = attribute[:-1]
    return _camel_case(attribute) if "__luckystack_camel_case__" in vars(cls) else attribute
