"""The running system under measurement: projects on it, votes on them, and whether workflows have followed."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from temporalio.client import Client

from benchmarks.load import Connection, Lane, Load, Seen, put
from benchmarks.stories import PMO, VOTER, to_agreement, votes
from domain.decider import COMMANDS


class NotFollowed(Exception):
    """The workflows are still behind after a long time."""


@dataclass
class Ballot:
    """A project with an open decision on which one person changes their vote again and again."""

    project_id: str
    bodies: list[str]
    sent: int = 0
    """How many votes were sent so far; the next one must differ from the last."""

    @property
    def stream(self) -> str:
        return f"project-{self.project_id}"

    @property
    def lane(self) -> Lane:
        """A caller who votes here."""
        return Lane(f"/v1/projects/{self.project_id}/vote", VOTER, self.bodies, self.sent)


class HttpPlayer:
    """Plays one project over HTTP."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.project_id = ""

    async def do(self, person: str, command: str, **data: Any) -> None:
        path = f"/v1/projects/{self.project_id}/{COMMANDS[command].route()}" if self.project_id else "/v1/projects"
        answer = await self._connection.ask("POST", path, person, data)
        self.project_id = answer["id"]

    async def open_subject(self) -> dict[str, Any]:
        shown = await self._connection.ask("GET", f"/v1/projects/{self.project_id}", PMO)
        decision = next(d for d in reversed(shown["decisions"]) if d["open"])
        subject = decision["subject"]
        named = {name: subject[name] for name in ("revision", "content_hash")}
        return {"decision": decision["id"], **named}


@dataclass
class Tandem:
    """Where it is reached, and a connection of our own to look at its database."""

    port: int
    dsn: str
    client: Client
    connection: asyncpg.Connection
    _ballots: list[Ballot] = field(default_factory=list)

    async def ballots(self, count: int) -> list[Ballot]:
        """So many projects to vote on, their workflows running, with nothing left to do and nobody to tell."""
        while len(self._ballots) < count:
            self._ballots.append(await self.prepared())
        await self.quiet()
        return self._ballots[:count]

    async def prepared(self) -> Ballot:
        """A project brought from its start to an agreement that is being signed: seven commands."""
        connection = Connection(self.port)
        player = HttpPlayer(connection)
        await to_agreement(player)
        subject = await player.open_subject()
        await connection.close()
        return Ballot(player.project_id, [json.dumps(body) for body in votes(subject)])

    async def told(self) -> int:
        """How many messages people have got so far."""
        return int(await self.connection.fetchval("SELECT count(*) FROM tandem.message"))

    async def vote(self, ballots: list[Ballot], seconds: float = 60.0, most: int = 1_000_000) -> Seen:
        """One caller on each project; every answered vote must be in the log, else this raises AssertionError."""
        before = await self._stored()
        seen = await put(Load(self.port, [ballot.lane for ballot in ballots], seconds, most))
        for ballot, lane in zip(ballots, seen.lanes, strict=True):
            ballot.sent += len(lane)
        stored = await self._stored() - before
        assert stored == seen.count, f"{seen.count} votes were answered, {stored} are in the log"
        return seen

    async def followed(self, patience: float = 120) -> float:
        """Wait until every workflow has acted on everything; the seconds that took. Raises NotFollowed."""
        began = time.monotonic()
        while await self._busy():
            if time.monotonic() - began > patience:
                raise NotFollowed(f"after {patience:g} s")
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def quiet(self) -> None:
        """Wait until messages are delivered as well."""
        await self.followed()
        running = "WorkflowType = 'NotificationWorkflow' AND ExecutionStatus = 'Running'"
        for _ in range(600):
            if (await self.client.count_workflows(running)).count == 0:
                return
            await asyncio.sleep(0.2)
        raise NotFollowed("messages are still under way")

    async def close(self) -> None:
        await self.connection.close()

    async def _busy(self) -> bool:
        return bool(await self.connection.fetchval("SELECT EXISTS (SELECT FROM tandem.wake WHERE lagging)"))

    async def _stored(self) -> int:
        sql = "SELECT count(*) FROM tandem.event WHERE type IN ('VoteCast', 'VoteChanged')"
        return int(await self.connection.fetchval(sql))
