"""Live sessions by their token."""

from . import _host


def get(token):
    """The session behind `token`; None when it has ended, or is another user's and the service was not granted
    to read it (`sessions = true`). The caller's own is `ctx.session`."""
    return _host.current.session(token)
