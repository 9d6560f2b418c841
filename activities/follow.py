"""The steps of a project's lifecycle: look at the facts, act, carry a person's signal to the rules."""

from collections.abc import Sequence
from datetime import UTC, datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.causes import cause_of
from activities.decide import Step
from activities.envelopes import EnvelopeCheck
from activities.folding import Folded, States, advance, event_of, stream_of
from activities.keys import persons_key
from activities.messages import Act, Done, Follow, NoticeMessage, Seen, Situation, Submitted
from activities.outages import patient
from activities.ports import Recorded, Store
from activities.roster import Roster, StoredRoster
from domain.directory.asking import has_left
from domain.messages import Actor, Envelope
from domain.project.aggregate import Project
from domain.project.passing import next_due
from domain.refusals import Refused

MOST_FACTS = 200
"""Facts looked at in one call; a project far behind is caught up in several."""
LIFECYCLE = Actor("lifecycle", client="workflow", system=True)


class ProjectSteps:
    """What a project's workflow asks of the world. Every method may run twice."""

    def __init__(
        self,
        store: Store,
        step: Step,
        envelopes: EnvelopeCheck | None = None,
        cache: int = 1000,
        roster: Roster | None = None,
    ) -> None:
        self._store = store
        self._envelopes = envelopes or EnvelopeCheck(())
        self._roster = roster or StoredRoster(store)
        self._step = step
        self._cursors = States(store, cache)

    @activity.defn(name="follow")
    @patient
    async def follow(self, asked: Follow) -> Situation:
        """Where the project stands after the facts that follow on `seen`, and whom that owes a notice.

        Facts that owe nothing at all are marked as seen here: nobody has to act on them first.
        """
        stream = stream_of(asked.project_id)
        seen = asked.seen if asked.seen is not None else await self._store.seen(stream)
        cursor = await self._cursor(asked.project_id, seen)
        facts = await self._store.read(stream, after=seen, limit=MOST_FACTS + 1)
        notices, reached = _walk(cursor, facts[:MOST_FACTS])
        self._cursors.keep(reached)
        found = _situation(reached.project, notices, more=len(facts) > MOST_FACTS)
        if notices or found.more or not found.settled(asked.begun):
            return found
        await self._store.mark_seen(stream, found.version)
        return found.model_copy(update={"marked": True})

    async def _cursor(self, project_id: str, seen: int) -> Folded:
        """The project as it was at `seen`."""
        kept = self._cursors.remembered(project_id)
        if kept is None or kept.version > seen:
            kept = Folded(Project(project_id))
        if kept.version == seen:
            return kept
        missing = await self._store.read(stream_of(project_id), after=kept.version, limit=seen - kept.version)
        cursor = advance(kept, missing)
        if cursor.version < seen:
            raise ApplicationError(
                f"{project_id} was seen at version {seen}, the store has {cursor.version}: "
                "the database is older than what the lifecycle has acted on",
                type="StreamRewound",
            )
        return cursor

    @activity.defn(name="act")
    @patient
    async def act(self, asked: Act) -> Done:
        """Decide one of the lifecycle's own commands; a refusal is an answer, not a failure."""
        folded = await self._step.states.current(asked.project_id)
        cause = await cause_of(self._store, asked, stream_of(asked.project_id), folded.project)
        return await self._submit(
            Envelope(
                asked.command_id,
                asked.project_id,
                asked.command,
                LIFECYCLE,
                datetime.now(UTC),
                asked.data,
                correlation_id=cause.correlation_id if cause else None,
                causation_id=cause.event_id if cause else None,
            )
        )

    @activity.defn(name="submit")
    @patient
    async def submit(self, asked: Submitted) -> Done:
        """Decide a person's command that came as a signal with the API's signature; never as the lifecycle itself."""
        sent = asked.submission
        now = datetime.now(UTC)
        named = (sent.principal, sent.on_behalf_of, sent.delegation)
        actor = Actor(*named, client="signal", confirmed_at=sent.confirmed_at)
        key = persons_key(sent.command_id)
        envelope = Envelope(key, asked.project_id, sent.type, actor, now, sent.data, sent.expected_version)
        try:
            self._envelopes.check(asked.project_id, sent, now)
            # What they had signed before is good for an hour; they are not, from the moment they are deactivated (D5).
            if (await self._roster.directory()).left(sent.principal):
                raise has_left(sent.principal)
        except Refused as refusal:
            await self._step.note(envelope, refusal)
            return _refused(envelope, refusal)
        return await self._submit(envelope)

    async def _submit(self, envelope: Envelope) -> Done:
        try:
            outcome = await self._step.submit(envelope)
        except Refused as refusal:
            return _refused(envelope, refusal)
        return Done(version=outcome.version)

    @activity.defn(name="mark_seen")
    @patient
    async def mark_seen(self, asked: Seen) -> None:
        """Note up to where the lifecycle has acted; never goes backwards."""
        await self._store.mark_seen(stream_of(asked.project_id), asked.version)


def _refused(envelope: Envelope, refusal: Refused) -> Done:
    activity.logger.info("refused %s: %s", envelope.type, refusal.code)
    return Done(refused=refusal.code)


def _walk(cursor: Folded, facts: Sequence[Recorded]) -> tuple[list[NoticeMessage], Folded]:
    """Every notice that these facts owe, each told from the state right after its event."""
    notices: list[NoticeMessage] = []
    for fact in facts:
        cursor = advance(cursor, [fact])
        notices.extend(_owed(fact, cursor.project))
    return notices, cursor


def _owed(fact: Recorded, project: Project) -> list[NoticeMessage]:
    """One notice per recipient and event: the identity under which it is delivered once. None to who has left."""
    told = event_of(fact).tells(project)
    owed = {notice.recipient: notice for notice in told if notice.recipient not in project.team.away}
    return [
        NoticeMessage(
            event_id=str(fact.event_id),
            project_id=project.id,
            code=project.code,
            kind=fact.type,
            recipient=recipient,
            en=notice.en,
            zh=notice.zh,
            ref=notice.ref,
            due_at=notice.due_at,
            revision=_revision(project, notice.ref),
            told_at=fact.recorded_at,
        )
        for recipient, notice in owed.items()
    ]


def _revision(project: Project, ref: str) -> int | None:
    decision = project.decisions.get(ref)
    return decision.subject.revision if decision and decision.is_open else None


def _situation(project: Project, notices: Sequence[NoticeMessage], *, more: bool) -> Situation:
    life = project.lifecycle
    return Situation(
        exists=project.exists,
        version=project.version,
        stage=life.stage.value,
        visit=life.visit,
        invited=life.invited_visit == life.visit,
        clocked=life.clocked_visit == life.visit,
        held=project.held,
        closing_approved=life.closing_approved,
        ended=project.ended,
        ending=life.ending,
        code=project.code,
        title=project.title,
        next_due=next_due(project),
        notices=tuple(notices),
        more=more,
    )
