"""Nodes to JSON Schema, in the subset that the host enforces."""

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
    innermost,
    node_of,
)


def schema_of(hint, *, of_input):
    """The schema of a type hint. Members with a default may be absent from input; output always has them.

    Raises UnsupportedHint.
    """
    return _Writer(of_input).root(node_of(hint))


class _Writer:
    def __init__(self, of_input):
        self.of_input = of_input
        self.definitions = {}
        self.names = {}

    def root(self, node):
        inner = innermost(node)
        schema = self.write(node)
        # The outermost object stands for itself unless something refers to it.
        if isinstance(inner, Object) and schema.get("$ref") and not self.is_recursive(inner):
            definition = self.definitions.pop(self.names[inner.cls])
            schema = {**definition, **{key: value for key, value in schema.items() if key != "$ref"}}
        if self.definitions:
            schema = {**schema, "$defs": self.definitions}
        return schema

    def is_recursive(self, node):
        reference = f"#/$defs/{self.names[node.cls]}"

        def refers(value):
            if isinstance(value, dict):
                return value.get("$ref") == reference or any(refers(inner) for inner in value.values())
            return isinstance(value, list) and any(refers(inner) for inner in value)

        return any(refers(definition) for definition in self.definitions.values())

    def write(self, node):
        match node:
            case Anything():
                return {}
            case Scalar(type):
                return {"type": type}
            case Formatted(format):
                return {"type": "string", "format": format}
            case Constants(values):
                return {"const": values[0]} if len(values) == 1 else {"enum": values}
            case Items(item, make, length):
                schema = {"type": "array", "items": self.write(item)}
                if make in (set, frozenset):
                    schema["uniqueItems"] = True
                if length is not None:
                    schema |= {"minItems": length, "maxItems": length}
                return schema
            case Mapping(value, keys):
                schema = {"type": "object", "additionalProperties": self.write(value) or True}
                if keys is not None:
                    schema["propertyNames"] = {"enum": keys.values}
                return schema
            case Either(members):
                return self.either(members)
            case Limited(inner, field):
                return self.limited(inner, field)
            case Object():
                return self.object(node)
        raise AssertionError(node)

    def either(self, members):
        written = [self.write(member) for member in members]
        if any(schema == {} for schema in written):
            return {}
        if all(list(schema) == ["type"] for schema in written):
            return {"type": [schema["type"] for schema in written]}
        if all(list(schema) in (["enum"], ["const"]) or schema == {"type": "null"} for schema in written):
            values = [None if "type" in schema else schema.get("enum", [schema.get("const")]) for schema in written]
            return {"enum": [item for value in values for item in (value if isinstance(value, list) else [value])]}
        return {"anyOf": written}

    def limited(self, inner, field):
        schema = dict(self.write(inner))
        target = schema
        if "anyOf" in schema:
            # The constraint belongs to the member that it is about, and not to `null`.
            members = [dict(member) for member in schema["anyOf"]]
            schema["anyOf"] = members
            for node, member in zip(innermost(inner).members, members):
                member |= _constraints(field, innermost(node))
        elif isinstance(innermost(inner), Either):
            for node in innermost(inner).members:
                target |= _constraints(field, innermost(node))
        else:
            target |= _constraints(field, innermost(inner))
        for key in ("title", "description"):
            if getattr(field, key) is not None:
                schema[key] = getattr(field, key)
        if field.examples is not None:
            schema["examples"] = list(field.examples)
        if field.deprecated:
            schema["deprecated"] = True
        return schema

    def object(self, node):
        name = self.names.get(node.cls)
        if name is None:
            name = node.cls.__name__
            while name in self.definitions:
                name += "_"
            self.names[node.cls] = name
            schema = self.definitions[name] = {"type": "object", "title": node.cls.__name__}
            description = _first_paragraph(node.cls)
            if description:
                schema["description"] = description
            members = node.members
            schema["properties"] = {member.key: self.write(member.node) for member in members}
            always = not self.of_input and node.is_dataclass
            required = [member.key for member in members if member.required or always]
            if required:
                schema["required"] = required
            schema["additionalProperties"] = False
        return {"$ref": f"#/$defs/{name}"}


def _constraints(field, node):
    """The keywords of a field that are about this node."""
    if isinstance(node, Items):
        known = {"min_length": "minItems", "max_length": "maxItems", "unique": "uniqueItems"}
    elif isinstance(node, Mapping):
        known = {"min_length": "minProperties", "max_length": "maxProperties"}
    elif node == Scalar("string"):
        known = {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern", "format": "format"}
    elif node in (Scalar("integer"), Scalar("number")):
        known = {
            "min": "minimum",
            "max": "maximum",
            "above": "exclusiveMinimum",
            "below": "exclusiveMaximum",
            "multiple_of": "multipleOf",
        }
    else:
        known = {}
    given = ((keyword, getattr(field, name)) for name, keyword in known.items())
    # 0 is a limit, and equal to False.
    return {keyword: value for keyword, value in given if value is not None and value is not False}


def _first_paragraph(cls):
    """A class's own docstring; not the one that `dataclass` writes."""
    text = vars(cls).get("__doc__") or ""
    if text.startswith(f"{cls.__name__}("):
        return ""
    return " ".join(text.strip().split("\n\n")[0].split())
