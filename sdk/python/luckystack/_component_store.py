"""The key-value store, through the imports of the contract. Only imported in components that use it."""

from componentize_py_types import Err
from wit_world.imports import atomics, wasi_keyvalue_store

from .keyvalue import StoreError


def _asked(function, *arguments):
    try:
        return function(*arguments)
    except Err as error:
        raise StoreError(_words(error.value)) from None


def _words(error):
    if isinstance(error, wasi_keyvalue_store.Error_NoSuchStore):
        return "there is no store of this name; the service's own is called `default`"
    if isinstance(error, wasi_keyvalue_store.Error_AccessDenied):
        return "the service may not use this store"
    return error.value


class _Bucket:
    def __init__(self, bucket):
        self._bucket = bucket

    def get(self, key):
        return _asked(self._bucket.get, key)

    def set(self, key, value):
        _asked(self._bucket.set, key, value)

    def delete(self, key):
        _asked(self._bucket.delete, key)

    def exists(self, key):
        return _asked(self._bucket.exists, key)

    def list_keys(self, cursor):
        page = _asked(self._bucket.list_keys, cursor)
        return page.keys, page.cursor

    def increment(self, key, by):
        return _asked(atomics.increment, self._bucket, key, by)


def open_store(name):
    """Opens a store."""
    return _Bucket(_asked(wasi_keyvalue_store.open, name))
