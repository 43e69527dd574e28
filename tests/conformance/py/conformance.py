"""The handlers that every language implements; the host's tests drive them."""

import logging
import os
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from luckystack import Ctx, HandlerError, api, function, hook


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


@function("conformance/double")
def double(args: Number) -> Number:
    return Number(args.n * 2)


@hook("postApiExecute", routes=["api/conformance/echo/v1"])
def echoed(event: Executed):
    logging.info("echo was called")
