"""The first channel: a line in the recipient's inbox, and in the log."""

from typing import Protocol

import structlog

from activities.messages import NoticeMessage

log = structlog.get_logger("tandem.notice")


class Box(Protocol):
    """Where the inbox keeps its lines."""

    async def put(self, notice: NoticeMessage) -> bool:
        """Keep the notice once; False where it was there already."""
        ...


class Inbox:
    """Delivers by writing down: needs no address and cannot be refused."""

    def __init__(self, box: Box) -> None:
        self._box = box

    async def deliver(self, notice: NoticeMessage) -> None:
        """Deliver once, however often it is called."""
        if await self._box.put(notice):
            log.info("notice", to=notice.recipient, kind=notice.kind, project=notice.code, text=notice.en)
