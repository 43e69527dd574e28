"""Fewer, larger chunks for text that arrives in crumbs (wire protocol §4.8)."""

import time


class StreamThrottle:
    """Gathers text and sends it as `{field: text}` whenever enough has come together.

        with StreamThrottle(ctx.stream) as throttle:
            for piece in answer:
                throttle.push(piece)

    `emit` is what sends a chunk: `ctx.stream`, `ctx.broadcast`, or a function. Text is sent when
    `flush_at_chars` characters are there, or what waits has waited `flush_every_ms` milliseconds (None: for
    as long as it takes). A handler runs alone, so nothing is sent behind its back: the time is looked at
    when the next piece comes, and what is left goes out at the end of the block, or with `flush`.
    """

    def __init__(self, emit, *, flush_at_chars=32, flush_every_ms=50, field="chunk"):
        self._emit = emit
        self._flush_at_chars = flush_at_chars
        self._flush_every = None if flush_every_ms is None else flush_every_ms / 1000
        self._field = field
        self._pieces = []
        self._length = 0
        self._since = 0.0
        self._listening = True

    def push(self, text):
        """Adds text. False when nobody listens any more."""
        if not self._length and self._flush_every is not None:
            self._since = time.monotonic()
        self._pieces.append(text)
        self._length += len(text)
        return self.flush() if self._is_due() else self._listening

    def _is_due(self):
        if self._length >= self._flush_at_chars:
            return True
        return self._flush_every is not None and time.monotonic() - self._since >= self._flush_every

    def flush(self):
        """Sends what is left. False when nobody listens any more."""
        if self._length:
            text = "".join(self._pieces)
            self.reset()
            # An emitter that answers nothing is one that always listens.
            self._listening = self._emit({self._field: text}) is not False
        return self._listening

    def reset(self):
        """Forgets what is left."""
        self._pieces = []
        self._length = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.flush()
