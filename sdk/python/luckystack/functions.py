"""Functions of other plugins, and of the host."""

import json

from . import _host
from ._json import dumps


def call_function(name, args=None, *, returns=None):
    """Calls a function by its full name, such as `geo/distance`, and answers with its result: JSON, or an
    instance of the type `returns`.

    Raises HandlerError: the function's own, or `functions.notFound` when nobody provides it. Left alone, it
    reaches the client as it is.
    """
    result = json.loads(_host.current.call_function(name, dumps(args)))
    if returns is None:
        return result
    from ._convert import decoder

    return decoder(returns)(result)
