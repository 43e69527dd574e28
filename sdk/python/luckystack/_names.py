"""Names of routes, pages, functions and hooks, and the rules that they keep."""

import re

_LEAF = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def camel_case(name):
    """`get_all` → `getAll`. What has no underscore stays as it is."""
    head, *rest = [part for part in name.split("_") if part] or [name]
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def is_leaf(name):
    """Whether a string can be the last part of a route's name."""
    return bool(_LEAF.fullmatch(name)) and len(name) <= 128


def is_path(name, least=1):
    """Whether a string is a page (`admin/users`) or, with `least=2`, a function (`geo/distance`)."""
    parts = name.split("/")
    return len(parts) >= least and len(name) <= 128 and all(_LEAF.fullmatch(part) for part in parts)


def is_route(name):
    """Whether a string is a full route (`api/vehicles/getAll/v1`) or a prefix ending in `/`."""
    kind, _, rest = name.partition("/")
    if kind not in ("api", "sync"):
        return False
    if name.endswith("/"):
        return rest == "" or is_path(rest[:-1])
    return re.search(r"/v\d+$", name) is not None and is_path(rest.rsplit("/", 1)[0], 2)


LEAF_RULE = "begins with a letter and holds letters, digits, `_` and `-`"
