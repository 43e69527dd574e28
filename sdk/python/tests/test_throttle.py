"""Text in crumbs: by length, by time, at the end."""

import unittest
from unittest import mock

from luckystack import Ctx, StreamThrottle, api, sync_server, testing


@api
def tell(ctx: Ctx) -> None:
    with StreamThrottle(ctx.stream, flush_at_chars=5, field="delta") as throttle:
        for piece in ("Hel", "lo", ", ", "you"):
            throttle.push(piece)
        throttle.push("!")


@sync_server
def tell_room(ctx: Ctx) -> bool:
    throttle = StreamThrottle(ctx.broadcast)
    throttle.push("all of you")
    return throttle.flush()


class Throttles(unittest.TestCase):
    def test_text_goes_out_when_enough_is_there_and_at_the_end(self):
        chunks = [{"delta": "Hello"}, {"delta": ", you"}, {"delta": "!"}]
        self.assertEqual(testing.call(tell).streamed, chunks)

    def test_it_sends_where_it_is_told_to_and_says_whether_anybody_listens(self):
        answer = testing.call(tell_room, room="r1")
        self.assertEqual((answer.streamed, answer.result), ([{"chunk": "all of you"}], True))
        self.assertIs(testing.call(tell_room, room="r1", listening=False).result, False)

    def test_text_that_has_waited_goes_out_with_the_next_piece(self):
        sent = []
        with mock.patch("time.monotonic") as clock:
            clock.return_value = 100.0
            throttle = StreamThrottle(sent.append)
            throttle.push("a")
            clock.return_value = 100.049
            throttle.push("b")
            self.assertEqual(sent, [])
            clock.return_value = 100.051
            throttle.push("")
            self.assertEqual(sent, [{"chunk": "ab"}])
            # The time begins with what waits, not with what was sent.
            clock.return_value = 200.0
            throttle.push("c")
            self.assertEqual(len(sent), 1)
            untimed = StreamThrottle(sent.append, flush_every_ms=None)
            untimed.push("x" * 31)
            clock.return_value = 300.0
            untimed.push("")
            self.assertEqual(len(sent), 1)

    def test_what_is_left_can_be_forgotten(self):
        sent = []
        throttle = StreamThrottle(sent.append)
        throttle.push("a")
        throttle.reset()
        self.assertTrue(throttle.flush())
        self.assertEqual(sent, [])


if __name__ == "__main__":
    unittest.main()
