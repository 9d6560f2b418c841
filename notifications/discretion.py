"""What waits to be sent is not sent where its reader may not know of it any more (docs/governance.md, V4).

Hours may lie between: quiet hours, a server that is away.
"""

from collections.abc import Awaitable, Callable

from activities.folding import stream_of
from activities.messages import NoticeMessage
from activities.notify import Channel, Undeliverable


class Discreet:
    """A channel to people; `sees` says whether a person sees what a stream tells."""

    def __init__(self, channel: Channel, sees: Callable[[str, str], Awaitable[bool]]) -> None:
        self._channel = channel
        self._sees = sees

    async def deliver(self, notice: NoticeMessage) -> str | None:
        """As the channel does. Raises Undeliverable, too, where the project has closed itself to the reader."""
        if notice.project_id and not await self._sees(notice.recipient, stream_of(notice.project_id)):
            raise Undeliverable("its reader does not see the project any more")
        return await self._channel.deliver(notice)
