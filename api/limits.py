"""How many requests one person, or one address, may send in a minute. Counted in this process, forgotten with it.

Counted is what asks for something below /v1 or for a page. Health, the documents and the files that pages need are not:
they come from memory.
"""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from limits import RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from starlette.types import Scope

from api.problems import Problem
from auth.identity import Identity

SIGN_IN = ("/sign-in", "/start")
"""Where people prove who they are: what is sent there is counted by address, and much less of it is taken."""
MOST_COUNTED = 50_000
"""Windows kept at once; the oldest are forgotten first."""


class Windows(Storage):
    """Counters of windows in memory, at most MOST_COUNTED of them.

    The storage that the library brings starts a thread to forget what has ended; one event loop needs none.
    """

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._windows: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception]:
        """None of its own."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a window that begins with its first request."""
        count, ends = self._windows.get(key, (0, 0.0))
        now = time.time()
        if ends <= now:
            self._windows.pop(key, None)
            count, ends = 0, now + expiry
            if len(self._windows) >= MOST_COUNTED:
                self._windows.popitem(last=False)
        self._windows[key] = (count + amount, ends)
        return count + amount

    def get(self, key: str) -> int:
        """What was counted in the present window."""
        count, ends = self._windows.get(key, (0, 0.0))
        return count if ends > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """When the window ends, as a Unix time."""
        return self._windows.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        """It is always there."""
        return True

    def reset(self) -> int:
        """Forget everything; how many windows there were."""
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget one window."""
        self._windows.pop(key, None)


@dataclass(frozen=True)
class Limits:
    """What one person and one address may ask for in a minute; 0: as much as they like."""

    requests: int = 0
    sign_in_attempts: int = 0
    _limiter: FixedWindowRateLimiter = field(default_factory=lambda: FixedWindowRateLimiter(Windows()))

    def person(self, who: Identity, more: int = 1) -> None:
        """That many more requests of somebody who is known: a browser and tokens of each kind count apart.

        Raises Problem.
        """
        if self.requests and more:
            self._count("person", self.requests, f"{who.principal} {who.client}", more)

    def stranger(self, scope: Scope, *, tried: bool = False) -> None:
        """One more request of somebody who is not known; `tried`: with a credential that is worth nothing.

        Raises Problem.
        """
        sends_form = scope["method"] == "POST" and scope["path"].startswith(SIGN_IN)
        policy, most = ("attempts", self.sign_in_attempts) if tried or sends_form else ("address", self.requests)
        if most:
            self._count(policy, most, _address(scope))

    def _count(self, policy: str, most: int, key: str, more: int = 1) -> None:
        item = RateLimitItemPerMinute(most)
        if self._limiter.hit(item, policy, key, cost=more):
            return
        left = max(1, math.ceil(self._limiter.get_window_stats(item, policy, key).reset_time - time.time()))
        told = {
            "Retry-After": str(left),
            "RateLimit-Policy": f'"{policy}";q={most};w=60',
            "RateLimit": f'"{policy}";r=0;t={left}',
        }
        raise Problem("TooManyRequests", f"At most {most} a minute; ask again in {left} s.", headers=told)


def _address(scope: Scope) -> str:
    """Where the request comes from: the peer, or whom a trusted proxy names; the server has looked at that."""
    client = scope.get("client")
    return client[0] if client else "nowhere"
