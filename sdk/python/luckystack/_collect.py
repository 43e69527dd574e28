"""The first step of a build: loads a plugin's modules with the machine's Python, and writes down what the
component needs.

It takes a fraction of a second where making the component takes many, and so mistakes are reported early, as
Python prints them. Run by the host:

    python -m luckystack._collect --root DIR --service NAME --name NAME --out DIR [--nested] [--plain] …
"""

import argparse
import ast
import importlib
import json
import os
import sys

from . import _load, _registry, _trace
from ._errors import DefinitionError
from ._plugin import Plugin

# Interfaces that every component imports; they are always granted.
_ALWAYS = (
    "luckystack:plugin/%stream@0.1.0",
    "luckystack:plugin/function-call@0.1.0",
    "luckystack:plugin/session-api@0.1.0",
    "wasi:logging/logging@0.1.0-draft",
    "wasi:config/store@0.2.0-rc.1",
)
# Interfaces that importing a module of the SDK asks for; the preset has to grant them.
_ON_DEMAND = {
    "luckystack.accounts": ("luckystack:plugin/accounts@0.1.0",),
    "luckystack.keyvalue": ("wasi:keyvalue/store@0.2.0-draft", "wasi:keyvalue/atomics@0.2.0-draft"),
    "luckystack.http": ("wasi:http/outgoing-handler@0.2.12",),
    "luckystack.uploads": ("luckystack:plugin/uploads@0.1.0",),
}
_WORLDS = {
    "api": "api-handlers",
    "sync-server": "sync-server-handlers",
    "sync-client": "sync-client-handlers",
    "hooks": "hook-handlers",
    "functions": "function-provider",
    "error-formatter": "error-formatting",
}
# What the standard library imports when it is first needed: in a component it must be there before.
_LATE = (
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.utf_16",
    "encodings.utf_8_sig",
    "_strptime",
    "random",
    "unicodedata",
)


def main():
    options = _options()
    sys.dont_write_bytecode = True
    sys.path[:0] = [options.root, *options.path]
    plugin, loaded = _collect(options)
    if plugin is None:
        return 1
    late = _late_imports([options.root, *options.path])
    # Importing what is imported late may load more of the plugin.
    modules = set(sys.modules)
    os.makedirs(options.out, exist_ok=True)
    on_demand = sorted(name for name in _ON_DEMAND if name in modules)
    _write(options.out, "world.wit", _world(plugin, on_demand))
    plan = {
        "service": plugin.service,
        "manifest": plugin.describe(),
        "sources": [(source.path, source.marker, source.page) for source in loaded],
        "late": late,
        "capabilities": on_demand,
    }
    _write(options.out, "luckystack_plan.py", f"PLAN = {plan!r}\n")
    names = ["Plugin", *("".join(part.title() for part in name.split("-")) for name in plugin.exports())]
    _write(options.out, "luckystack_app.py", f"from luckystack._component import {', '.join(names)}  # noqa: F401\n")
    files = _files([options.root])
    _write(options.out, "inputs.json", json.dumps(files))
    return 0


def _options():
    parser = argparse.ArgumentParser(prog="luckystack._collect")
    for name in ("root", "service", "name", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--version", default="0.0.0")
    parser.add_argument("--description", default="")
    parser.add_argument("--path", action="append", default=[], help="a further folder of modules")
    for flag in ("nested", "plain", "colour"):
        parser.add_argument(f"--{flag}", action="store_true")
    return parser.parse_args()


def _collect(options):
    """The plugin and its sources; None after what is wrong with it was printed, all of it."""
    plugin = Plugin(options.service, options.name, options.version, options.description)
    loaded = _load.sources(options.root, plain=options.plain, nested=options.nested)
    failed = False

    def report(error):
        nonlocal failed
        if failed:
            print(file=sys.stderr)
        failed = True
        print(_explain(error, options.colour), file=sys.stderr)

    for source in loaded:
        try:
            found = _load.load(options.root, source, plugin.service)
        except (Exception, SystemExit) as error:
            report(error)
            continue
        for definition in found:
            try:
                plugin.add(definition)
            except Exception as error:
                report(error)
    if not failed:
        try:
            plugin.check()
            plugin.manifest()
        except Exception as error:
            report(error)
    if not failed and not plugin.exports():
        where = "its modules, or in `_api`, `_sync`, `_hooks` or `_functions`" if options.plain else "`_api` or `_sync`"
        report(DefinitionError(f"{options.root}: no decorated function was found in {where}"))
    return (None, loaded) if failed else (plugin, loaded)


def _explain(error, colour):
    text = _trace.render(error, colour)
    if isinstance(error, DefinitionError) and error.function is not None:
        # Raised about a function, not in it: show the function as a traceback shows a line.
        code = error.function.__code__
        lines = [f'  File "{code.co_filename}", line {code.co_firstlineno}, in {error.function.__name__}']
        lines += [f"    {line}" for line in _head(error.function)]
        return "\n".join([*lines, text.splitlines()[-1]])
    if isinstance(error, SyntaxError) and sys.version_info < (3, 14):
        version = ".".join(map(str, sys.version_info[:2]))
        text += f"\n(checked by Python {version}, which this machine has; components run Python 3.14)"
    return text


def _head(function):
    """The lines of a function from `def` to the colon."""
    import inspect

    lines = inspect.getsource(function).splitlines()
    start = next((index for index, line in enumerate(lines) if line.lstrip().startswith(("def ", "async def "))), 0)
    stop = next((index for index in range(start, len(lines)) if lines[index].rstrip().endswith(":")), start)
    return [line.rstrip() for line in lines[start : stop + 1]]


def _world(plugin, on_demand):
    lines = ["package luckystack:python-plugin;", "", "world component {"]
    lines.append("    include luckystack:plugin/manifest@0.1.0;")
    lines += [f"    include luckystack:plugin/{_WORLDS[name]}@0.1.0;" for name in plugin.exports()]
    imports = [*_ALWAYS, *(interface for name in on_demand for interface in _ON_DEMAND[name])]
    lines += [f"    import {interface};" for interface in imports]
    return "\n".join([*lines, "}", ""])


def _files(folders):
    """The files in these folders that were loaded."""
    found = set()
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file and any(os.path.realpath(file).startswith(os.path.realpath(folder) + os.sep) for folder in folders):
            found.add(os.path.abspath(file))
    return sorted(found)


def _late_imports(folders):
    """Names of modules that the plugin's code imports inside functions, as far as they exist."""
    wanted = set()
    for file in _files(folders):
        if not file.endswith(".py"):
            continue
        with open(file, "rb") as text:
            tree = ast.parse(text.read())
        loaded = list(sys.modules.values())
        package = next((module.__package__ for module in loaded if getattr(module, "__file__", None) == file), None)
        for node in ast.walk(tree):
            wanted.update(_names_of(node, package))
    late = []
    for name in [*_LATE, *sorted(wanted)]:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit):
            # An optional dependency, or a name that is no module: fails at run time as it does here.
            continue
        late.append(name)
    return late


def _names_of(node, package):
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            if not package:
                return
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
