"""The service's own values, from `[service.NAME.config]` of its preset."""

from . import _host


def get(key, default=None):
    """The value of `key`, a str; `default` when the preset does not set it."""
    value = _host.current.config_get(key)
    return default if value is None else value


def all():
    """All values, as a dict."""
    return dict(_host.current.config_all())
