"""A person's data: erased when two people say so, kept while a legal hold is in force.

Source: docs/governance.md, K8.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domain.keeping.record import KeepingCommand, KeepingEvent, Record, _KeepingEvent
from domain.messages import Happened
from domain.refusals import not_allowed, wrong_state

PREFIX = "person-"
Basis = Literal["asked by the person", "purpose ended", "ordered by an authority"]
"""Why somebody is erased; words to choose from, since a reason in free words would be personal itself."""
Hold = Literal["dispute", "audit", "ordered by an authority"]


@dataclass(frozen=True, slots=True)
class PersonRecord(Record):
    """How it stands with one person's data."""

    requested_by: str | None = None
    basis: Basis | None = None
    erased_at: datetime | None = None


class ErasureRequested(_KeepingEvent):
    """Somebody asked that a person be erased; a second person has to confirm it."""

    allowed_by = "K8"
    en = "{actor} asked that {person} be erased ({basis})"
    zh = "{actor} 申请删除 {person} 的个人数据({basis})"
    person: str
    basis: Basis

    def turn(self, record: PersonRecord, happened: Happened) -> PersonRecord:
        return record.but(requested_by=happened.by, basis=self.basis)


class ErasureWithdrawn(_KeepingEvent):
    """The request to erase a person was taken back, or refused by the second person."""

    allowed_by = "K8"
    en = "{actor} took back that {person} be erased"
    zh = "{actor} 撤回了删除 {person} 的申请"
    person: str

    def turn(self, record: PersonRecord, happened: Happened) -> PersonRecord:
        return record.but(requested_by=None, basis=None)


class PersonErased(_KeepingEvent):
    """A second person confirmed: the key is destroyed, and nobody can read the person's texts any more."""

    allowed_by = "K8"
    en = "{actor} confirmed that {person} be erased, as {requester} asked ({basis})"
    zh = "{actor} 确认删除 {person} 的个人数据(申请人 {requester},{basis})"
    person: str
    requester: str
    basis: Basis

    def turn(self, record: PersonRecord, happened: Happened) -> PersonRecord:
        return record.but(requested_by=None, basis=self.basis, erased_at=happened.at)


class PersonHeld(_KeepingEvent):
    """A legal hold: the person must not be erased."""

    allowed_by = "K8"
    en = "{actor} put a legal hold on the data of {person} ({basis})"
    zh = "{actor} 对 {person} 的数据设置法律保留({basis})"
    person: str
    basis: Hold

    def turn(self, record: PersonRecord, happened: Happened) -> PersonRecord:
        return record.but(held=self.basis)


class PersonReleased(_KeepingEvent):
    """The legal hold is over."""

    allowed_by = "K8"
    en = "{actor} lifted the legal hold on the data of {person}"
    zh = "{actor} 解除了对 {person} 数据的法律保留"
    person: str

    def turn(self, record: PersonRecord, happened: Happened) -> PersonRecord:
        return record.but(held=None)


class RequestErasure(KeepingCommand):
    """Ask that a person be erased. Somebody else has to confirm it."""

    example = {"basis": "asked by the person"}
    basis: Basis

    def decide(self, record: PersonRecord, person: str) -> list[KeepingEvent]:
        _check_erasable(record, person)
        if record.requested_by:
            raise wrong_state(
                "AlreadyRequested",
                f"{record.requested_by} asked for it already.",
                rule="K8",
                next_step="Confirm it, if you are somebody else; or take it back.",
            )
        return [ErasureRequested(person=record.id, basis=self.basis)]


class ConfirmErasure(KeepingCommand):
    """Confirm, as a second person, that somebody be erased: the key is destroyed for ever."""

    def decide(self, record: PersonRecord, person: str) -> list[KeepingEvent]:
        _check_erasable(record, person)
        if record.requested_by is None or record.basis is None:
            raise _nothing_requested(record)
        if person == record.requested_by:
            raise not_allowed(
                "Whoever asked for it cannot be the second person who confirms it.",
                code="SecondPersonNeeded",
                rule="K8",
                next_step="Ask another PMO officer to confirm it.",
            )
        return [PersonErased(person=record.id, requester=record.requested_by, basis=record.basis)]


class WithdrawErasure(KeepingCommand):
    """Take back a request to erase somebody, or refuse it as the second person."""

    def decide(self, record: PersonRecord, person: str) -> list[KeepingEvent]:
        if record.requested_by is None:
            raise _nothing_requested(record)
        return [ErasureWithdrawn(person=record.id)]


class HoldPerson(KeepingCommand):
    """Put a legal hold on a person's data: it cannot be erased until the hold is lifted."""

    example = {"basis": "audit"}
    basis: Hold

    def decide(self, record: PersonRecord, person: str) -> list[KeepingEvent]:
        if record.erased_at:
            raise _erased(record)
        if record.held:
            raise wrong_state("AlreadyHeld", f"A hold is in force ({record.held}).", next_step="Nothing is to be done.")
        return [PersonHeld(person=record.id, basis=self.basis)]


class ReleasePerson(KeepingCommand):
    """Lift the legal hold on a person's data."""

    def decide(self, record: PersonRecord, person: str) -> list[KeepingEvent]:
        if not record.held:
            raise wrong_state("NotHeld", "No legal hold is in force.", next_step="Nothing is to be done.")
        return [PersonReleased(person=record.id)]


def _check_erasable(record: PersonRecord, person: str) -> None:
    if record.erased_at:
        raise _erased(record)
    if person == record.id:
        raise not_allowed(
            "Nobody erases themselves: whoever is erased could hide what they did.",
            code="NotYourself",
            rule="K8",
            next_step="Ask a PMO officer to ask for it.",
        )
    if record.held:
        raise wrong_state(
            "HeldByLaw",
            f"{record.id} is under a legal hold ({record.held}).",
            rule="K8",
            next_step="Lift the hold first, once its reason is gone: release.",
        )


def _erased(record: PersonRecord) -> Exception:
    return wrong_state("AlreadyErased", f"{record.id} was erased.", rule="K8", next_step="Nothing is to be done.")


def _nothing_requested(record: PersonRecord) -> Exception:
    return wrong_state(
        "NothingRequested", f"Nobody asks that {record.id} be erased.", rule="K8", next_step="Ask for it first: erase."
    )
