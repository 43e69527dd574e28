"""The decorators. They leave the function as it is and write down what was said of it; what follows from its
types is found out when its module has been loaded."""

import inspect
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from . import _names, _signature
from ._errors import DefinitionError

DEFINITIONS = []


@dataclass(eq=False)
class Definition:
    """A decorated function."""

    kind: str
    function: Any
    options: dict = field(default_factory=dict)
    name: str | None = None
    """Leaf name of a route; full name of a function or hook."""
    version: int = 1
    page: str | None = None

    @cached_property
    def signature(self):
        """What it takes and gives. Raises DefinitionError."""
        return _signature.read(self.kind, self.function)

    @property
    def description(self):
        """What was said, else the first paragraph of the docstring."""
        if self.options.get("description"):
            return self.options["description"]
        text = inspect.cleandoc(self.function.__doc__ or "")
        return " ".join(text.split("\n\n")[0].split())[:2000]

    def route(self, service):
        """The full name of a route."""
        transport = "api" if self.kind == "api" else "sync"
        return f"{transport}/{self.page or service}/{self.name}/v{self.version}"


def api(
    function=None,
    /,
    *,
    name=None,
    version=None,
    page=None,
    method=None,
    login=None,
    additional=None,
    rate_limit=None,
    validation=None,
    error_formatter=None,
    stream=None,
    description=None,
):
    """Makes an API handler of a function `(ctx: Ctx, input: T) -> R`; either parameter may be left out.

    `name` is the function's in camelCase, or the file's in `_api/`; `version` is 1, `page` the service. `method` is
    the HTTP method, inferred from the name when absent. `login` asks for a session, `additional` for more of it
    (`[{"key": "role", "value": "editor"}]`). `rate_limit` is a number of calls per window, or False for none.
    `validation` is "strict" or "relaxed". `stream` is the type of the chunks.
    """
    return _route("api", function, locals())


def sync_server(
    function=None,
    /,
    *,
    name=None,
    version=None,
    page=None,
    login=None,
    additional=None,
    rate_limit=None,
    validation=None,
    error_formatter=None,
    stream=None,
    description=None,
):
    """Makes the server half of a sync handler of a function `(ctx: Ctx, input: T) -> R`. Options as of `api`."""
    return _route("sync-server", function, locals())


def sync_client(function=None, /, *, name=None, version=None, page=None, description=None):
    """Makes the client half of a sync handler of a function `(to: Recipient, input: T, server: S) -> R`, called
    for each recipient. `server` is the `result` of the server half."""
    return _route("sync-client", function, locals())


def hook(name, /, *, payload=None, routes=None, order=None):
    """Subscribes a function `(event: E)` to a hook such as `preApiExecute`.

    `payload` lists the fields that it reads; without it, those of the event's dataclass or TypedDict, else all.
    `routes` limits it to full route names, or prefixes that end in `/`. It returns nothing, `Stop` or `Replace`, or
    raises HandlerError to stop.
    """
    _check(isinstance(name, str), f"name the hook: `@hook(\"preApiExecute\")`, not {name!r}")
    _check_list("payload", payload)
    _check_list("routes", routes)
    for route in routes or ():
        _check(
            _names.is_route(route),
            f"routes: {route!r} is neither a full route (`api/vehicles/getAll/v1`) nor a prefix ending in `/` "
            "(`api/vehicles/`)",
        )
    if order is not None:
        _check(_is_int(order) and -1000 <= order <= 1000, f"order is a number from -1000 to 1000, not {order!r}")
    options = {"payload": payload, "routes": routes, "order": order}
    return lambda function: _define(Definition("hook", function, options, name=name))


def function(name, /, *, description=None):
    """Offers a function `(args: T) -> R` to other plugins, under a full name such as `geo/distance`."""
    _check(
        isinstance(name, str) and _names.is_path(name, 2),
        f"{name!r} is not a function's name: `group/name`, where each part {_names.LEAF_RULE}",
    )
    return lambda function: _define(Definition("function", function, {"description": description}, name=name))


def error_formatter(function=None, /, *, everywhere=False):
    """Makes a function `(event: ErrorEvent) -> dict | None` rewrite error answers: of the routes that say
    `error_formatter=True`, or `everywhere`. None leaves an error as it is."""
    _check(isinstance(everywhere, bool), f"everywhere is True or False, not {everywhere!r}")

    def define(function):
        return _define(Definition("error-formatter", function, {"everywhere": everywhere}))

    return define if function is None else define(function)


def _route(kind, function, options):
    options.pop("function", None)
    name, version, page = options.pop("name"), options.pop("version"), options.pop("page")
    if name is not None:
        _check(isinstance(name, str) and _names.is_leaf(name), f"name: {name!r} is not a name: it {_names.LEAF_RULE}")
    if version is not None:
        _check(_is_int(version) and 0 <= version <= 1_000_000, f"version is a number such as 1, not {version!r}")
    if page is not None:
        _check(
            isinstance(page, str) and _names.is_path(page),
            f"page: {page!r} is not a page: parts divided by `/`, each of which {_names.LEAF_RULE}",
        )
    _check_options(options)
    options["named"] = name is not None or version is not None or page is not None

    def define(function):
        _check(callable(function), f"a decorator's argument is written with its name, not {function!r}")
        leaf = name or _names.camel_case(function.__name__)
        _check(_names.is_leaf(leaf), f"{leaf!r} is not a route's name: it {_names.LEAF_RULE}; give it one: name=…")
        return _define(Definition(kind, function, options, leaf, 1 if version is None else version, page))

    return define if function is None else define(function)


def _check_options(options):
    method = options.get("method")
    methods = ("GET", "POST", "PUT", "DELETE")
    _check(method is None or method in methods, f"method is one of {', '.join(methods)}, not {method!r}")
    for name in ("login", "error_formatter"):
        _check(options.get(name) in (None, True, False), f"{name} is True or False, not {options.get(name)!r}")
    limit = options.get("rate_limit")
    _check(
        limit is None or limit is False or _is_int(limit) and limit > 0,
        f"rate_limit is a number of calls, or False for none, not {limit!r}",
    )
    validation = options.get("validation")
    allowed = (None, "strict", "relaxed", {"input": "strict"}, {"input": "skip"})
    _check(validation in allowed, f'validation is "strict", "relaxed" or {{"input": "skip"}}, not {validation!r}')
    additional = options.get("additional")
    if additional is not None:
        known = {"key", "value", "type", "nullish", "mustBeFalsy"}
        _check(isinstance(additional, (list, tuple)), f"additional is a list, not {additional!r}")
        for predicate in additional:
            fits = isinstance(predicate, dict) and "key" in predicate and predicate.keys() <= known
            others = ", ".join(sorted(known - {"key"}))
            _check(fits, f"additional: {predicate!r} is not a dict of `key` and any of {others}")


def _check_list(name, value):
    fits = value is None or isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
    _check(fits, f"{name} is a list of strings, not {value!r}")


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _check(holds, message):
    if not holds:
        raise DefinitionError(message)


def _define(definition):
    function = definition.function
    _check(inspect.isfunction(function), f"decorate a function, not {function!r}")
    _check(not hasattr(function, "__luckystack__"), f"{function.__name__} is decorated twice; write two functions")
    function.__luckystack__ = definition
    DEFINITIONS.append(definition)
    return function
