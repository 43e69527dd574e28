"""Which files of a plugin's folder hold handlers, and loading them.

    weather/
      *.py                          decorated functions, named after themselves
      _api/getAll_v1.py             `main`, decorated with a bare @api, is named after the file
      _sync/move_server_v1.py       the same with @sync_server
      _sync/move_client_v1.py       and @sync_client
      _hooks/*.py, _functions/*.py  decorated functions
      reports/_api/list_v1.py       of the nested page `weather/reports`
"""

import importlib
import importlib.util
import os
import re
import sys
from dataclasses import dataclass

from . import _names, _registry
from ._errors import DefinitionError

MARKERS = ("_api", "_sync", "_hooks", "_functions")
IGNORED = ("target", "node_modules", "__pycache__", "dist", "build")
MAX_DEPTH = 8

_FILE_NAMES = {
    "_api": (re.compile(r"(?P<name>.+)_v(?P<version>\d+)"), "`<name>_v<N>.py`, such as `getAll_v1.py`"),
    "_sync": (
        re.compile(r"(?P<name>.+)_(?P<half>server|client)_v(?P<version>\d+)"),
        "`<name>_server_v<N>.py` or `<name>_client_v<N>.py`, such as `move_server_v1.py`",
    ),
}


@dataclass(frozen=True)
class Source:
    """A file of handlers."""

    path: str
    """Relative to the plugin's folder, with `/`."""
    marker: str | None
    """The marker folder that it is in."""
    page: str | None
    """The nested page, relative to the service."""

    @property
    def module(self):
        """The name that it is imported under."""
        return self.path.removesuffix(".py").replace("/", ".")


def sources(root, *, plain, nested):
    """The files of handlers in a folder. `plain`: modules at its top are among them; `nested`: so are pages."""
    found = []
    if plain:
        found += [Source(name, None, None) for name in _python_files(root)]
    _pages(root, "", MAX_DEPTH if nested else 0, found)
    return found


def _pages(root, page, depth, found):
    folder = os.path.join(root, page)
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if not os.path.isdir(path):
            continue
        below = f"{page}/{name}" if page else name
        if name in MARKERS:
            found += [Source(f"{below}/{file}", name, page or None) for file in _python_files(path)]
        elif depth > 0 and not name.startswith(("_", ".")) and name not in IGNORED:
            _pages(root, below, depth - 1, found)


def _python_files(folder):
    def is_handler(name):
        is_test = name.startswith("test_") or name.endswith("_test.py") or name in ("conftest.py", "setup.py")
        return name.endswith(".py") and not name.startswith(("_", ".")) and not is_test

    names = sorted(name for name in os.listdir(folder) if is_handler(name))
    return [name for name in names if os.path.isfile(os.path.join(folder, name))]


def load(root, source, service):
    """Imports a file and answers with its definitions, named. Raises whatever importing it raises, and
    DefinitionError."""
    before = len(_registry.DEFINITIONS)
    if source.marker is None:
        module = importlib.import_module(source.module)
        path = os.path.join(root, source.path)
        if not os.path.samefile(getattr(module, "__file__", None) or os.devnull, path):
            raise DefinitionError(
                f"{source.path}: the name `{source.module}` is taken by a module of Python; rename the file"
            )
    else:
        module = _import_file(source.module, os.path.join(root, source.path))
    found = [
        definition
        for definition in _registry.DEFINITIONS
        if definition.function.__module__ == module.__name__
        or definition in _registry.DEFINITIONS[before:] and source.marker is not None
    ]
    if source.marker is not None:
        _name_after_file(source, found, service)
    return found


def _import_file(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _name_after_file(source, found, service):
    page = f"{service}/{source.page}" if source.page else None
    for definition in found:
        if definition.page is None and page is not None and definition.kind in ("api", "sync-server", "sync-client"):
            definition.page = page
    if source.marker not in _FILE_NAMES:
        return
    pattern, expected = _FILE_NAMES[source.marker]
    stem = source.path.rsplit("/", 1)[-1].removesuffix(".py")
    match = pattern.fullmatch(stem)
    if match is None or not _names.is_leaf(match["name"]):
        raise DefinitionError(
            f"{source.path}: a file in `{source.marker}` is called {expected}; the name {_names.LEAF_RULE}"
        )
    kind = "api" if source.marker == "_api" else f"sync-{match['half']}"
    main = [definition for definition in found if definition.function.__name__ == "main"]
    decorator = "@" + kind.replace("-", "_")
    if not main:
        raise DefinitionError(f"{source.path}: it has no function `main` that is decorated with {decorator}")
    if main[0].kind != kind:
        raise DefinitionError(f"`main` of this file is decorated with {decorator}", main[0].function)
    if main[0].options["named"]:
        raise DefinitionError("`main` is named after its file; take name, version and page out", main[0].function)
    main[0].name, main[0].version = match["name"], int(match["version"])
