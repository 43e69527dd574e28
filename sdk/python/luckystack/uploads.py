"""Files that everybody may read at `/uploads/<name>`. The preset must grant `uploads`.

    from luckystack import uploads

    uploads.put(f"{ctx.user['id']}.webp", data)
"""

from . import _host


def put(name, data):
    """Puts a file up, or replaces it, as a whole. The name is `<id>.<extension>`: an id of letters, digits, `-` and
    `_`, and an extension of the project's `uploads.formats`.

    The bytes are served as they are given: decode and re-encode what a user sent. Raises HandlerError:
    `uploads.invalidName`, `uploads.tooLarge`.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"the data of an upload are bytes, not {type(data).__name__}")
    _host.current.uploads("put", name, bytes(data))


def remove(name):
    """Takes a file down; whether it was there."""
    return _host.current.uploads("remove", name)
