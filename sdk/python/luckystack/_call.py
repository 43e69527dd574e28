"""What a handler knows of the call that it answers."""

import json
import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import _host, config, sessions
from ._json import dumps
from .functions import call_function

log = logging.getLogger("luckystack")


class Session:
    """The session of a signed-in caller. The token is a secret: do not log it."""

    def __init__(self, token, user):
        self.token = token
        self._user = user

    @cached_property
    def user(self):
        """The session object (user record and framework fields), without the token."""
        return json.loads(self._user) if isinstance(self._user, bytes) else self._user

    def as_(self, type_):
        """The session object as a dataclass or TypedDict of your own; keys that it does not name are left out."""
        from ._convert import decoder

        return decoder(type_, closed=False)(self.user)

    def update(self, fields):
        """Sets fields of the session object until the session ends; None removes one. This object, and `ctx.user`,
        are then as the session is. Raises HandlerError; see `luckystack.sessions.update`."""
        self._user = sessions.update(self.token, fields)._user
        self.__dict__.pop("user", None)

    def end(self):
        """Ends the session: a logout. Whether there was one to end."""
        return sessions.end(self.token)

    def __repr__(self):
        return f"Session(user={self.user!r})"


@dataclass
class Caller:
    """Who calls, and how the call can be followed through logs."""

    session: Session | None = None
    ip: str = "unknown"
    language: str = "en"
    request_id: str = ""
    traceparent: str | None = None
    transport: str = "http"


class Ctx:
    """The call that a handler answers: who calls, and what can be sent while it runs."""

    __slots__ = ("route", "room", "caller")

    log = log
    config = config

    def __init__(self, route, caller, room=None):
        self.route = route
        self.room = room
        self.caller = caller

    @property
    def session(self):
        """The caller's session; None when anonymous."""
        return self.caller.session

    @property
    def user(self):
        """The caller's session object as a dict; None when anonymous."""
        return self.caller.session.user if self.caller.session else None

    @property
    def ip(self):
        """Address of the client; `unknown` when there is none."""
        return self.caller.ip

    @property
    def language(self):
        """Language chosen for the caller, such as `en`."""
        return self.caller.language

    @property
    def request_id(self):
        """Identifies the call in logs and in the `X-Request-Id` header."""
        return self.caller.request_id

    @property
    def aborted(self):
        """Whether the call was cancelled or its client has gone: stop early then."""
        return _host.current.aborted()

    def stream(self, chunk):
        """Sends a chunk, an object, to the caller. False when nobody listens any more: stop then."""
        return _host.current.emit(dumps(chunk))

    def broadcast(self, chunk):
        """Sync handlers: sends a chunk to everybody in the room, the caller included."""
        return _host.current.broadcast(dumps(chunk))

    def stream_to(self, tokens, chunk):
        """Sync handlers: sends a chunk to the sockets of these session tokens."""
        return _host.current.send_to(list(tokens), dumps(chunk))

    def call_function(self, name, args=None, *, returns=None):
        """The same as `luckystack.call_function`."""
        return call_function(name, args, returns=returns)


@dataclass
class Recipient:
    """One receiver of a fanout."""

    token: str | None
    language: str
    room: str
    server_output: Any
    """The server half's whole success object."""
    index: int = 0
    """Its place in the fanout that is being served."""

    def stream(self, chunk):
        """Sends a chunk, an object, to this recipient alone. False when it cannot be reached."""
        return _host.current.send_to_recipient(self.index, dumps(chunk))

    def __repr__(self):
        return f"Recipient(signed_in={self.token is not None}, language={self.language!r}, room={self.room!r})"


@dataclass
class ErrorEvent:
    """An error answer on its way to the client."""

    route: str
    transport: str
    user_id: str | None
    envelope: dict
    """The normalised error: `status`, `message`, `errorCode`, `errorParams`, `httpStatus`."""
