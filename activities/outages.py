"""Which failures end by themselves, and which are bugs: retried without end, and with one."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.decide import Contended
from activities.ports import StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")
OUTAGES = (StoreUnavailable, Contended, OSError)
"""What ends by itself."""
BUG_ATTEMPTS = 10
"""After so many attempts an unexpected error is final, so that a bug shows instead of looking like a hang."""


def patient(step: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """The step with its failures sorted: an outage is benign and tried for ever, a bug ends."""

    @wraps(step)
    async def sorted_out(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await step(*args, **kwargs)
        except ApplicationError:
            raise
        except OUTAGES as outage:
            raise ApplicationError(
                str(outage), type=type(outage).__name__, category=ApplicationErrorCategory.BENIGN
            ) from outage
        except Exception as bug:
            final = activity.info().attempt >= BUG_ATTEMPTS
            raise ApplicationError(str(bug), type=type(bug).__name__, non_retryable=final) from bug

    return sorted_out
