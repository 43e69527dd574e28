"""Live sessions by their token.

    from luckystack import sessions

    ctx.session.update({"theme": "dark"})       # the caller's own
    sessions.update(token, {"theme": "dark"})
"""

from . import _host
from ._json import dumps


def get(token):
    """The session behind `token`; None when it has ended, or is another user's and the service was not granted
    to read it (`sessions = true`). The caller's own is `ctx.session`."""
    return _host.current.session(token)


def update(token, fields):
    """Sets fields of the session object until the session ends; None removes one. Answers with the session as it
    is then.

    Raises HandlerError: `session.fieldNotAllowed` for a field that is not in the service's `session_fields`, and
    `session.notFound` when there is no such session, or it is another user's and not granted.
    """
    if not isinstance(fields, dict):
        raise TypeError(f"the fields of a session are a dict, not {fields!r}")
    return _host.current.session_update(token, dumps(fields))


def end(token):
    """Ends the session: a logout, with its hooks. Whether there was one to end."""
    return _host.current.session_end(token)
