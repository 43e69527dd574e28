"""The handlers that every language implements; the host's tests drive them."""

import logging
import os
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from luckystack import (
    Ctx,
    HandlerError,
    Recipient,
    accounts,
    api,
    function,
    hook,
    sessions,
    sync_client,
    sync_server,
    uploads,
)


@dataclass
class Echo:
    value: Any


@dataclass
class Typed:
    name: str
    count: int | float
    mode: Literal["fast", "slow"]
    tags: list[str] = field(default_factory=list)


@dataclass
class Summary:
    text: str
    tags: int


@dataclass
class ById:
    id: str


@dataclass
class Count:
    to: float


@dataclass
class Step:
    step: float


@dataclass
class Sent:
    sent: float


@dataclass
class Who:
    userId: str | None
    language: str


@dataclass
class Token:
    token: str


@dataclass
class SessionSeen:
    userId: str | None
    theme: Any
    own: Any


@dataclass
class Setting:
    key: str
    value: Any


@dataclass
class Theme:
    theme: Any


@dataclass
class Ended:
    ended: bool
    again: bool


@dataclass
class Credentials:
    password: str
    newPassword: str
    name: str


@dataclass
class Names:
    updated: str
    name: str
    nobody: str | None


@dataclass
class File:
    name: str
    text: str


@dataclass
class FileName:
    name: str


@dataclass
class Removed:
    removed: bool
    again: bool


@dataclass
class Distance:
    from_: tuple[float, float]
    to: tuple[float, float]


@dataclass
class Kilometres:
    km: float


@dataclass
class Text:
    text: str


@dataclass
class Number:
    n: int | float


class Executed(TypedDict):
    routeName: str


@api
def echo(input: Echo) -> Any:
    return input.value


@api
def typed(input: Typed) -> Summary:
    return Summary(f"{input.name} x{input.count} {input.mode}", len(input.tags))


@api
def fail(input: ById) -> None:
    raise HandlerError("conformance.notFound", id=input.id, status=404)


@api(stream=Step)
def count(ctx: Ctx, input: Count) -> Sent:
    for step in range(1, int(input.to) + 1):
        ctx.stream(Step(step))
    return Sent(int(input.to))


@api(method="GET")
def whoami(ctx: Ctx) -> Who:
    return Who(ctx.user["id"] if ctx.user else None, ctx.language)


@api(method="POST", name="readSession")
def read_session(ctx: Ctx, input: Token) -> SessionSeen:
    session = sessions.get(input.token)
    user = session.user if session else {}
    return SessionSeen(user.get("id"), user.get("theme"), ctx.user.get("theme") if ctx.user else None)


@api(method="POST", name="setSession", login=True)
def set_session(ctx: Ctx, input: Setting) -> Theme:
    ctx.session.update({input.key: input.value})
    return Theme(ctx.user.get("theme"))


@api(method="POST", name="endSession", login=True)
def end_session(ctx: Ctx) -> Ended:
    return Ended(ctx.session.end(), ctx.session.end())


@api(method="POST", login=True)
def account(ctx: Ctx, input: Credentials) -> Names:
    id = ctx.user["id"]
    accounts.change_password(id, input.password, input.newPassword, keep=ctx.session.token)
    accounts.check_password(id, input.newPassword)
    updated = accounts.update(id, {"name": input.name})
    nobody = accounts.get("nobody")
    return Names(updated["name"], accounts.get(id)["name"], nobody and nobody["id"])


@api(method="POST", login=True)
def upload(input: File) -> None:
    uploads.put(input.name, input.text.encode())


@api(method="POST", name="removeUpload", login=True)
def remove_upload(input: FileName) -> Removed:
    return Removed(uploads.remove(input.name), uploads.remove(input.name))


@api
def distance(ctx: Ctx, input: Distance) -> Kilometres:
    return Kilometres(ctx.call_function("geo/distance", input))


@api
def crash():
    # An exception would be answered with an error; this ends the instance.
    os.abort()


@api
def spin():
    while True:
        pass


@api
def log(input: Text) -> None:
    logging.info(input.text)


@dataclass
class Whisper:
    text: str
    secret: str
    steps: int
    aside: list[str]
    reader: str | None = None
    refused: str | None = None


@dataclass
class Whispered:
    text: str
    room: str
    userId: str | None


@dataclass
class Heard:
    text: str
    secret: str | None


@dataclass
class Lingered:
    aborted: bool


@sync_server(stream=Step)
def whisper(ctx: Ctx, input: Whisper) -> Whispered:
    """Tells the caller how far it is, the room what is said and some sessions what they alone hear."""
    for step in range(1, input.steps + 1):
        ctx.stream(Step(step))
    ctx.broadcast({"heard": input.text})
    ctx.stream_to(input.aside, {"aside": input.text})
    return Whispered(input.text, ctx.room, ctx.user["id"] if ctx.user else None)


@sync_client(name="whisper")
def whisper_client(to: Recipient, input: Whisper, server: Whispered) -> Heard:
    """Keeps the secret from everybody but the reader."""
    if to.token is not None and to.token == input.refused:
        raise HandlerError("conformance.refused", text=input.text, status=403)
    is_reader = to.token is not None and to.token == input.reader
    if is_reader:
        to.stream({"ahead": server.text})
    return Heard(server.text, input.secret if is_reader else None)


@sync_server
def linger(ctx: Ctx) -> Lingered:
    """Runs until it is cancelled."""
    ctx.stream({"ready": True})
    while not ctx.aborted:
        pass
    return Lingered(True)


@function("conformance/double")
def double(args: Number) -> Number:
    return Number(args.n * 2)


@hook("postApiExecute", routes=["api/conformance/echo/v1"])
def echoed(event: Executed):
    logging.info("echo was called")
