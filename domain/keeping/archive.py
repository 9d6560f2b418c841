"""An ended project's events, moved out to a pack and brought back; kept in place while a legal hold is in force.

Source: docs/governance.md, K11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from domain.keeping.record import KeepingCommand, KeepingEvent, Record, _KeepingEvent
from domain.messages import Happened
from domain.refusals import wrong_state
from domain.values import Hash, Line

PREFIX = "archive-"
Version = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class ArchiveRecord(Record):
    """Where one project's events are."""

    digest: str | None = None
    """SHA-256 of the pack that was recorded last."""
    file: str | None = None
    archived: bool = False


class PackRecorded(_KeepingEvent):
    """A pack of all events of an ended project was written and verified. Only such a pack may take their place."""

    allowed_by = "K11"
    en = "{actor} packed the {events} events of {stream}: SHA-256 {digest}"
    zh = "{actor} 将 {stream} 的 {events} 个事件打包:SHA-256 {digest}"
    stream: str
    digest: str
    file: str
    events: int

    def turn(self, record: ArchiveRecord, happened: Happened) -> ArchiveRecord:
        return record.but(digest=self.digest, file=self.file)


class StreamArchived(_KeepingEvent):
    """The events' content is in the pack alone; their places and hashes stay."""

    allowed_by = "K11"
    en = "{actor} archived {stream} to the pack {digest}"
    zh = "{actor} 将 {stream} 归档至 {digest}"
    stream: str
    digest: str

    def turn(self, record: ArchiveRecord, happened: Happened) -> ArchiveRecord:
        return record.but(archived=True)


class StreamRestored(_KeepingEvent):
    """The events' content is back, each checked against its hash."""

    allowed_by = "K11"
    en = "{actor} restored {stream} from the pack {digest}"
    zh = "{actor} 从 {digest} 恢复 {stream}"
    stream: str
    digest: str

    def turn(self, record: ArchiveRecord, happened: Happened) -> ArchiveRecord:
        return record.but(archived=False)


class ArchiveHeld(_KeepingEvent):
    """A legal hold: the project's events stay where they are."""

    allowed_by = "K11"
    en = "{actor} put a legal hold on {stream}"
    zh = "{actor} 对 {stream} 设置法律保留"
    stream: str

    def turn(self, record: ArchiveRecord, happened: Happened) -> ArchiveRecord:
        return record.but(held="held")


class ArchiveReleased(_KeepingEvent):
    """The legal hold is over."""

    allowed_by = "K11"
    en = "{actor} lifted the legal hold on {stream}"
    zh = "{actor} 解除了对 {stream} 的法律保留"
    stream: str

    def turn(self, record: ArchiveRecord, happened: Happened) -> ArchiveRecord:
        return record.but(held=None)


class RecordPack(KeepingCommand):
    """Record a pack before it takes the events' place."""

    digest: Hash
    file: Line
    events: Version

    def decide(self, record: ArchiveRecord, person: str) -> list[KeepingEvent]:
        _check_free(record)
        return [PackRecorded(stream=record.id, digest=self.digest, file=self.file, events=self.events)]


class RecordArchived(KeepingCommand):
    """Record that the events' content was moved out."""

    digest: Hash

    def decide(self, record: ArchiveRecord, person: str) -> list[KeepingEvent]:
        return [] if record.archived else [StreamArchived(stream=record.id, digest=self.digest)]


class RecordRestored(KeepingCommand):
    """Record that the events' content is back."""

    digest: Hash

    def decide(self, record: ArchiveRecord, person: str) -> list[KeepingEvent]:
        return [StreamRestored(stream=record.id, digest=self.digest)] if record.archived else []


class HoldArchive(KeepingCommand):
    """Put a legal hold on a project: its events are not moved out."""

    def decide(self, record: ArchiveRecord, person: str) -> list[KeepingEvent]:
        return [] if record.held else [ArchiveHeld(stream=record.id)]


class ReleaseArchive(KeepingCommand):
    """Lift the legal hold on a project."""

    def decide(self, record: ArchiveRecord, person: str) -> list[KeepingEvent]:
        return [ArchiveReleased(stream=record.id)] if record.held else []


def _check_free(record: ArchiveRecord) -> None:
    if record.held:
        raise wrong_state(
            "HeldByLaw",
            f"{record.id} is under a legal hold.",
            rule="K11",
            next_step="Lift the hold first, once its reason is gone.",
        )
    if record.archived:
        raise wrong_state(
            "AlreadyArchived", f"{record.id} is archived.", rule="K11", next_step="Nothing is to be done."
        )
