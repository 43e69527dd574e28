"""What handlers and hooks return when a plain value does not say it all."""

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass
class Response(Generic[T]):
    """A result with an HTTP status, or with further keys beside `result`.

    Annotate it as `Response[Vehicle]`.
    """

    result: T
    status: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Flat(Generic[T]):
    """An object whose keys stand beside `status` in the answer, instead of being its `result`."""

    value: T


@dataclass
class Stop:
    """Returned by a hook: end here with this code. Raising a HandlerError does the same.

    `override_output` is for `preSyncRecipient` only: deliver this instead of skipping the recipient.
    """

    code: str
    status: int | None = None
    override_output: Any = None


@dataclass
class Replace:
    """Returned by `preApiRespond` and `transformApiResponse`: go on with this response."""

    response: Any
