"""Tracebacks without the SDK's own frames, and with the paths that the author knows."""

import linecache
import os
import sys
import traceback

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep
_HIDDEN = ("<frozen importlib", "<frozen runpy")

# From folders as they are here to what is shown for them.
shown = {}


def current():
    """The exception that is being handled."""
    return render(sys.exception() if sys.version_info >= (3, 11) else sys.exc_info()[1])


def render(error, colour=False):
    """An exception as Python prints it."""
    trace = traceback.TracebackException.from_exception(error, compact=True)
    _strip(trace)
    try:
        text = "".join(trace.format(colorize=colour))
    except TypeError:  # before Python 3.13
        text = "".join(trace.format())
    for folder, name in shown.items():
        text = text.replace(folder, name)
    return text.rstrip("\n")


def _strip(trace):
    while trace is not None:
        frames = [frame for frame in trace.stack if not _hidden(frame.filename)]
        trace.stack[:] = frames
        for inner in getattr(trace, "exceptions", None) or ():
            _strip(inner)
        if trace.__cause__ is not None:
            _strip(trace.__cause__)
        trace = trace.__context__


def _hidden(filename):
    return filename.startswith(_OWN) or filename.startswith(_HIDDEN)


def keep_source(filename):
    """Keeps the lines of a file for tracebacks: in a component there are no files to read them from."""
    lines = linecache.getlines(filename)
    # Without a time, the entry is not compared with the file.
    linecache.cache[filename] = (sum(map(len, lines)), None, lines, filename)
