"""The service's key-value store. The preset must grant `keyvalue`.

    from luckystack import keyvalue

    store = keyvalue.open()
    store.set_json("invoice/1", ["wheels", "paint"])
"""

import json

from . import _host
from ._json import dumps


class StoreError(Exception):
    """An operation on the store failed."""


class Store:
    """An open store. Values are bytes; the `_json` methods convert."""

    def __init__(self, bucket):
        self._bucket = bucket

    def get(self, key):
        """The bytes under `key`; None when there are none."""
        return self._bucket.get(key)

    def set(self, key, value):
        """Keeps bytes, or a str as UTF-8."""
        self._bucket.set(key, value.encode() if isinstance(value, str) else bytes(value))

    def get_json(self, key, default=None):
        """The value under `key`, from JSON."""
        found = self._bucket.get(key)
        return default if found is None else json.loads(found)

    def set_json(self, key, value):
        """Keeps a value as JSON."""
        self._bucket.set(key, dumps(value))

    def delete(self, key):
        """Forgets `key`; fine when it is not there."""
        self._bucket.delete(key)

    def exists(self, key):
        """Whether there is something under `key`."""
        return self._bucket.exists(key)

    def keys(self):
        """All keys, page by page."""
        cursor = None
        while True:
            page, cursor = self._bucket.list_keys(cursor)
            yield from page
            if cursor is None:
                return

    def increment(self, key, by=1):
        """Adds to the number under `key`, at once for everybody, and answers with the sum."""
        return self._bucket.increment(key, by)


def open(name="default"):
    """Opens the service's store. Raises StoreError when there is none."""
    return Store(_host.current.open_store(name))
