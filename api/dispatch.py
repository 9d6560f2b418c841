"""The door: the only way from outside to a command. Pages, programs and bulk go through it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from activities.decide import Outcome, Step
from activities.envelopes import EnvelopeSigner
from activities.folding import stream_of
from activities.keys import persons_key
from activities.messages import Submission
from activities.roster import Roster, StoredRoster
from activities.sight import Sight
from api.ids import uuid7
from api.problems import Problem
from api.wakes import Waker, Wakes
from auth.identity import Identity
from domain.canonical import NotCanonical
from domain.decider import read_strictly
from domain.messages import Actor, Envelope
from domain.permissions import START
from domain.refusals import Refused, malformed, no_project
from store.batch import UnfitAppend
from store.postgres import PostgresStore
from store.sight import Unseen

__all__ = ["Asked", "Door", "Waker"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One command as somebody sent it."""

    command: str
    data: Mapping[str, Any]
    key: str | None = None
    """Idempotency-Key."""
    expected_version: int | None = None
    """From If-Match."""
    client: str | None = None
    """The channel, where it is not the identity's own, e.g. `bulk`."""
    request_id: str | None = None
    """The request that it came with: kept with what it leads to."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A signed command, and which workflow it is for."""

    workflow_id: str
    submission: Submission


def command_id(key: str | None) -> str:
    """The key, out of the lifecycle's way, or a fresh UUIDv7."""
    return str(uuid7()) if key is None else persons_key(key)


class Door:
    """Builds the envelope, runs the step, and after the commit tells the project's workflow."""

    def __init__(
        self,
        step: Step,
        store: PostgresStore,
        wakes: Wakes,
        *,
        signer: EnvelopeSigner | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        roster: Roster | None = None,
    ) -> None:
        self.wakes = wakes
        self.sight = Sight(step.states, roster or StoredRoster(store), Unseen(store.pool))
        self._step = step
        self._store = store
        self._signer = signer
        self._now = now

    async def submit(self, who: Identity, project_id: str, asked: Asked) -> Outcome:
        """Raises Refused, Contended, StoreUnavailable, StreamRewound."""
        if not await self.sight.may_ask(who.principal, project_id):
            raise await self._step.refuse_unseen(self._envelope(who, project_id, asked))
        try:
            outcome = await self._submit(who, project_id, asked)
        except Refused:
            await self._check_still_sees(who, project_id)
            raise
        if outcome.repeated:
            await self._check_still_sees(who, project_id)
        return outcome

    async def _check_still_sees(self, who: Identity, project_id: str) -> None:
        """Whoever may ask by what was remembered may not see the project any more: then they are told nothing."""
        if not await self.sight.still_sees(who.principal, project_id):
            raise no_project(project_id) from None

    async def _submit(self, who: Identity, project_id: str, asked: Asked, code: str = "") -> Outcome:
        envelope = self._envelope(who, project_id, asked)
        try:
            outcome = await self._step.submit(envelope, code)
        except (UnfitAppend, NotCanonical) as unfit:
            raise malformed(f"This cannot be stored: {unfit}.") from unfit
        if outcome.events and not outcome.repeated and not self._ended(project_id):
            self.wakes.tell(project_id, outcome.version)
        return outcome

    def sign(self, who: Identity, project_id: str, asked: Asked) -> Carried:
        """The command with our signature instead of its effect: whether it may be done is told when it arrives.

        Raises Refused where it cannot be read, Problem where this installation signs nothing.
        """
        if self._signer is None:
            raise Problem("NothingSigned")
        read_strictly(asked.command, asked.data)
        wanted = Submission(
            command_id=command_id(asked.key),
            type=asked.command,
            principal=who.principal,
            confirmed_at=who.confirmed_at,
            data=dict(asked.data),
            expected_version=asked.expected_version,
        )
        try:
            signed = self._signer.sign(project_id, wanted, self._now())
        except NotCanonical as unfit:
            raise malformed(f"This cannot be signed: {unfit}.") from unfit
        return Carried(stream_of(project_id), signed)

    async def start(self, who: Identity, asked: Asked) -> Outcome:
        """Start a project: the same principal with the same key gets the same project. Raises as `submit`."""
        if not _readable(asked):
            return await self._submit(who, str(uuid7()), asked)
        key = command_id(asked.key)
        reserved = await self._store.reserve(who.principal, key, str(uuid7()))
        return await self._submit(who, reserved.project_id, asked, f"P-{reserved.number:05d}")

    async def refuse_unreadable(
        self, who: Identity, project_id: str, asked: Asked, wrong: Mapping[str, str]
    ) -> Refused:
        """The refusal of a body that is no JSON object, noted in the refusal log like every other."""
        envelope = self._envelope(who, project_id, asked)
        if asked.command != START and not await self.sight.may_ask(who.principal, project_id):
            return await self._step.refuse_unseen(envelope)
        try:
            await self._step.submit(envelope)
        except Refused as noted:
            return malformed(noted.detail, (dict(wrong),))
        raise AssertionError("no command has a field for what is unreadable")

    def _envelope(self, who: Identity, project_id: str, asked: Asked) -> Envelope:
        return Envelope(
            command_id=command_id(asked.key),
            project_id=project_id,
            type=asked.command,
            actor=Actor(who.principal, client=asked.client or who.client, confirmed_at=who.confirmed_at),
            at=self._now(),
            data=asked.data,
            expected_version=asked.expected_version,
            request_id=asked.request_id,
        )

    def _ended(self, project_id: str) -> bool:
        folded = self._step.states.remembered(project_id)
        return folded is not None and folded.project.ended


def _readable(asked: Asked) -> bool:
    try:
        read_strictly(asked.command, asked.data)
    except Refused:
        return False
    return True
