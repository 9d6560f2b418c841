"""Which ports to listen on: the usual ones where they are free, else the next that are."""

import socket
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

API = 8400
TEMPORAL = 7233
TEMPORAL_PAGE = 8233
_REACH = 200


class NoFreePort(Exception):
    """Every port that was tried is taken."""


@dataclass(frozen=True)
class Port:
    """A port that was free a moment ago, and the one that was wished for."""

    number: int
    wished: int

    @property
    def remark(self) -> str:
        """In words, where the wish could not be met; else empty."""
        return "" if self.number == self.wished else f"({self.wished} was taken)"


def free_port(wished: int, besides: Collection[int] = ()) -> Port:
    """`wished` or the next free port after it, none of `besides`. Raises NoFreePort."""
    for number in range(wished, min(wished + _REACH, 65536)):
        if number not in besides and is_free(number):
            return Port(number, wished)
    raise NoFreePort(f"no free port between {wished} and {wished + _REACH - 1}")


def any_port() -> int:
    """Some free port, for what nobody needs to remember."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(number: int) -> bool:
    """Whether nobody listens on this port of the loopback interface, be it by all interfaces at once.

    Some systems let two programs bind what overlaps; so besides binding we knock.
    """
    with socket.socket() as probe:
        probe.settimeout(0.5)
        with suppress(OSError):
            probe.connect(("127.0.0.1", number))
            return False
    with socket.socket() as probe:
        # Without this, connections of a server that has just stopped would count as a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True
