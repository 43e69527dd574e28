"""The host as the SDK sees it. Inside a component it is the imports of the contract; in a test it is
`luckystack.testing`'s; while a plugin is built there is none."""


class NoHost:
    """Answers while there is no call: modules that are being loaded can reach nothing."""

    def __getattr__(self, name):
        raise RuntimeError(
            "the host cannot be reached here: it answers only while a handler, hook or function runs. "
            "In tests, call handlers through luckystack.testing"
        )


current = NoHost()


def use(host):
    """Makes `host` the one that answers; returns the one before."""
    global current
    before, current = current, host
    return before
