"""Errors: what a handler raises for its client, and what is wrong with a definition.

The rule: the client sees a stable code with parameters, chosen by the author. Any other exception becomes
`api.internalServerError`; its traceback goes to the log and never to the client.
"""

from enum import Enum

INTERNAL = "api.internalServerError"
INVALID_INPUT = "api.invalidInputType"


class HandlerError(Exception):
    """An error for the client: a translation key such as `vehicles.notFound`, values for the translation's
    placeholders, and an HTTP status (400 when none is given).

        raise HandlerError("vehicles.notFound", id=input.id, status=404)
    """

    def __init__(self, code, /, *, status=None, **params):
        if not isinstance(code, str):
            raise TypeError(f"the code of a HandlerError is a str, not {type(code).__name__}")
        if status is not None and (not isinstance(status, int) or isinstance(status, bool)):
            raise TypeError(f"the status of a HandlerError is an int, not {status!r}")
        super().__init__(code)
        self.code = code
        self.status = status
        self.params = {key: _placeholder(value) for key, value in params.items()}

    def param(self, key, value):
        """Adds a value for the placeholder `{{key}}`, for keys that are no Python name; answers with itself."""
        self.params[key] = _placeholder(value)
        return self

    def __str__(self):
        values = ", ".join(f"{key}={value!r}" for key, value in self.params.items())
        return f"{self.code} ({values})" if values else self.code


def _placeholder(value):
    """A string, number or boolean: the host drops all parameters of an error that has another value."""
    if isinstance(value, Enum):
        value = value.value
    return value if isinstance(value, (str, int, float)) else str(value)


class DefinitionError(Exception):
    """A decorated function, or one of its types, cannot be part of a plugin. Shown by the build with the
    file and line of the function."""

    def __init__(self, message, function=None):
        super().__init__(message)
        self.function = function


class InvalidValue(Exception):
    """A JSON value does not fit a type; says where."""

    def __init__(self, path, expected, value):
        super().__init__(f"${path}: expected {expected}, found {describe(value)}")


def describe(value):
    """A JSON value in a few words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return "a string" if len(value) > 40 else f"the string {value!r}"
    return "an array" if isinstance(value, list) else "an object"
