"""A plugin: everything that its modules define, by the names that the host calls it by, and its manifest."""

import json
from dataclasses import dataclass, field

from . import _signature
from ._errors import DefinitionError


@dataclass
class Plugin:
    """The definitions of one plugin."""

    service: str
    name: str = "plugin"
    version: str = "0.0.0"
    description: str = ""
    routes: dict = field(default_factory=dict)
    """By kind and full name."""
    hooks: dict = field(default_factory=dict)
    functions: dict = field(default_factory=dict)
    formatter: object = None

    def add(self, definition):
        """Takes a definition in. Raises DefinitionError when it cannot be part of this plugin."""
        definition.signature  # noqa: B018 - raises what is wrong with it
        function = definition.function
        if definition.kind == "hook":
            self._once(self.hooks, definition.name, f"hook {definition.name}", definition)
        elif definition.kind == "function":
            self._once(self.functions, definition.name, f"function {definition.name}", definition)
        elif definition.kind == "error-formatter":
            if self.formatter is not None:
                raise DefinitionError("a plugin has one error formatter; this is a second one", function)
            self.formatter = definition
        else:
            page = definition.page
            if page is not None and page != self.service and not page.startswith(self.service + "/"):
                raise DefinitionError(
                    f"page {page!r} is not of this service: it is {self.service!r} or begins with `{self.service}/`",
                    function,
                )
            route = definition.route(self.service)
            self._once(self.routes, (definition.kind, route), f"{definition.kind} {route}", definition)

    def _once(self, known, key, what, definition):
        if key in known:
            code = known[key].function.__code__
            raise DefinitionError(
                f"{what} is defined twice; the other one is in {code.co_filename}, line {code.co_firstlineno}",
                definition.function,
            )
        known[key] = definition

    def check(self):
        """Raises DefinitionError for what only the whole can show."""
        if self.formatter is None:
            for definition in self.routes.values():
                if definition.options.get("error_formatter"):
                    raise DefinitionError(
                        "error_formatter=True, but no function of the plugin is decorated with @error_formatter",
                        definition.function,
                    )

    def exports(self):
        """Names of the interfaces that it exports, `plugin` aside."""
        kinds = {kind for kind, _ in self.routes}
        known = [kind for kind in ("api", "sync-server", "sync-client") if kind in kinds]
        known += ["hooks"] if self.hooks else []
        known += ["functions"] if self.functions else []
        return known + (["error-formatter"] if self.formatter else [])

    def manifest(self):
        """What `plugin.describe` returns (`wit/manifest.schema.json`). Raises DefinitionError."""
        manifest = {"name": self.name, "version": self.version, "service": self.service}
        if self.description:
            manifest["description"] = self.description
        if self.routes:
            manifest["routes"] = [_route(definition, self.service) for definition in self.routes.values()]
        if self.hooks:
            manifest["hooks"] = [_hook(definition) for definition in self.hooks.values()]
        if self.functions:
            manifest["functions"] = [_function(definition) for definition in self.functions.values()]
        if self.formatter is not None and self.formatter.options["everywhere"]:
            manifest["errorFormatter"] = "global"
        return manifest

    def describe(self):
        """The manifest as JSON text."""
        return json.dumps(self.manifest(), ensure_ascii=False, separators=(",", ":"))


def _route(definition, service):
    options = definition.options
    entry = {"kind": definition.kind, "name": definition.name, "version": definition.version}
    if definition.page not in (None, service):
        entry["page"] = definition.page
    if definition.description:
        entry["description"] = definition.description
    if options.get("method"):
        entry["method"] = options["method"]
    if options.get("login") is not None or options.get("additional"):
        entry["auth"] = {"login": bool(options.get("login"))}
        if options.get("additional"):
            entry["auth"]["additional"] = list(options["additional"])
    for option, key in (("rate_limit", "rateLimit"), ("validation", "validation")):
        if options.get(option) is not None:
            entry[key] = options[option]
    if options.get("error_formatter"):
        entry["errorFormatter"] = True
    signature = definition.signature
    stream = options.get("stream")
    schemas = {
        "input": signature.input_schema,
        "output": signature.output_schema,
        "stream": None if stream is None else _signature.stream_schema(definition.function, stream),
    }
    return entry | {key: schema for key, schema in schemas.items() if schema is not None}


def _hook(definition):
    options = definition.options
    entry = {"hook": definition.name}
    if options["order"] is not None:
        entry["order"] = options["order"]
    payload = options["payload"]
    hint = definition.signature.input_hint
    if payload is None and hint is not None:
        payload = _signature.members_of(hint)
    if payload is None and not definition.signature.decoders:
        payload = []
    if payload is not None:
        entry["payload"] = list(payload)
    if options["routes"] is not None:
        entry["routes"] = list(options["routes"])
    return entry


def _function(definition):
    entry = {"name": definition.name}
    if definition.description:
        entry["description"] = definition.description
    signature = definition.signature
    schemas = {"input": signature.input_schema, "output": signature.output_schema}
    return entry | {key: schema for key, schema in schemas.items() if schema is not None}
