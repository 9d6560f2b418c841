"""One project in every state that the table of rights tells apart, and somebody in every standing towards it."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx2

from activities.roster import StoredRoster
from api.parts import Parts
from dev.embedded import EmbeddedPostgres
from domain.decider import COMMANDS
from domain.directory.importing import ImportPeople, ImportRow
from domain.directory.people import DeactivatePerson, FoundDirectory
from domain.directory.record import STREAM, OrganisationRole
from domain.keeping.record import KeepingCommand
from domain.messages import Actor, Envelope
from domain.permissions import STRANGER, Standing
from domain.sight import Reader, Visibility, sees
from domain.values import Role, Stage
from tests.api.asking import AUDITOR, MEMBER, PMO, PRODUCT, SPONSOR, START, Api
from tests.api.conftest import served
from tests.api.journey import to_execution, to_kpi_agreement, to_retrospective
from tests.rosters import directory_of

NEVER = {"If-Match": '"999999"'}
"""A version that no project has: looked at when the command was decided and before it is stored."""
TEAM = "finance"
CAST = {
    Role.SPONSOR: (SPONSOR, "sun.two"),
    Role.PMO: (PMO, "pei.two"),
    Role.PRODUCT_MANAGER: (PRODUCT, "pan.two"),
    Role.MEMBER: (MEMBER, "tao.two"),
    Role.AUDITOR: (AUDITOR, "an.two"),
}
"""Who holds which role in every project but the last."""
OFFICE, REVIEWER, ADMINISTRATOR, TEAMMATE = "bao.lan", "shen.ji", "guan.li", "cai.wu"
GONE, STRANGE, ELSEWHERE = "qu.zhi", "mo.sheng", "bie.chu"
DIRECTORY = directory_of(
    {OFFICE: ["PMO"], REVIEWER: ["AUDITOR"], ADMINISTRATOR: ["ADMINISTRATOR"], STRANGE: []}, {TEAM: [TEAMMATE]}, [GONE]
)


@dataclass(frozen=True)
class Place:
    """A project in one state."""

    name: str
    id: str
    stage: Stage
    held: bool = False
    visibility: Visibility = Visibility.OPEN


@dataclass(frozen=True)
class Person:
    """Somebody in one standing; several people hold each role of a project."""

    name: str
    people: tuple[str | None, ...]
    roles: frozenset[Role] = frozenset()

    def towards(self, place: Place | None) -> Standing:
        """What the table is asked with."""
        who = self.people[0]
        if who is None or DIRECTORY.left(who):
            return STRANGER
        roles, reader = DIRECTORY.roles(who), Reader(who, DIRECTORY.roles(who), DIRECTORY.teams_of(who))
        there = place is None or sees(reader, place.visibility, (TEAM,), holds_role=bool(self.roles))
        return Standing(self.roles, organisation=roles, sees=there)


PEOPLE = (
    *(Person(role, people, frozenset({role})) for role, people in CAST.items()),
    Person("anonymous", (None,)),
    Person("a stranger", (STRANGE, "not.in.directory")),
    Person("PMO of another project", (ELSEWHERE,)),
    Person("in the team", (TEAMMATE,)),
    Person("the office", (OFFICE,)),
    Person("auditor of the organisation", (REVIEWER,)),
    Person("administrator", (ADMINISTRATOR,)),
    Person("deactivated", (GONE,)),
)
"""In the order of the table that a failure prints."""


@dataclass
class World:
    """The projects, and how to ask."""

    api: Api
    behind: Parts
    places: dict[str, Place] = field(default_factory=dict)

    async def versions(self) -> dict[str, int]:
        """At which version each project is."""
        return {p.name: (await self.behind.step.states.current(p.id)).version for p in self.places.values()}

    async def build(self) -> None:
        """Found the directory, and play every project up to its state."""
        await self.found()
        await self._another_project()
        await self._keep("kickoff", await self.api.start())
        await self._keep("KPI agreement", await to_kpi_agreement(self.api))
        await self._keep("execution", await to_execution(self.api))
        await self._keep("change review", await self._to_change_review())
        await self._keep("retrospective", await to_retrospective(self.api))
        held = await to_execution(self.api)
        await self._fill(held)
        await self.api.do(held, "hold-project", {"reason": "The provider is bankrupt"})
        await self._keep("on hold", held)
        await self._keep("closed", await self._to_the_end())
        for visibility in (Visibility.TEAM, Visibility.CONFIDENTIAL):
            hidden = await to_execution(self.api)
            teams = [TEAM] if visibility is Visibility.TEAM else []
            change = {"visibility": visibility, "teams": teams, "reason": "Of the few"}
            await self.api.do(hidden, "change-visibility", change)
            await self._keep(visibility.lower(), hidden)
        await self._change_directory(DeactivatePerson(person=GONE, basis="left the organisation"))

    async def found(self) -> None:
        """The directory, with everybody in it."""
        roles = {OFFICE: OrganisationRole.PMO, REVIEWER: OrganisationRole.AUDITOR}
        rows = [ImportRow(person=person, role=roles.get(person)) for person in (STRANGE, GONE, *roles)]
        rows.append(ImportRow(person=TEAMMATE, team=TEAM))
        for command in (FoundDirectory(), ImportPeople(rows=tuple(rows))):
            await self._change_directory(command)

    async def _change_directory(self, command: KeepingCommand) -> None:
        await self.behind.keeping.submit(STREAM, command, Actor(ADMINISTRATOR), str(uuid4()))
        assert isinstance(self.behind.roster, StoredRoster)
        self.behind.roster.forget()

    async def _keep(self, name: str, project: str) -> None:
        current = (await self.behind.step.states.current(project)).project
        if not current.held and not current.ended:
            await self._fill(project)
        self.places[name] = Place(name, project, current.stage, current.held, current.visibility)

    async def _fill(self, project: str) -> None:
        """A second person in every role, and somebody who was deactivated since."""
        for role, (_, second) in CAST.items():
            await self._assign(project, second, role)
        await self._assign(project, GONE, Role.MEMBER)

    async def _assign(self, project: str, person: str, role: Role) -> None:
        await self.api.do(project, "assign-role", {"person": person, "role": role, "reason": "More hands"})
        grant = (await self.behind.step.states.current(project)).project.team.grants[-1]
        if not grant.confirmed:
            await self.api.do(project, "confirm-role", {"grant": grant.id}, SPONSOR)

    async def _another_project(self) -> None:
        people = {"sponsor": "a.sponsor", "pmo": ELSEWHERE, "product_manager": "a.product"}
        answer = await self.api.post("/v1/projects", {**START, "people": people}, ELSEWHERE)
        assert answer.status_code == 201, answer.text

    async def _to_change_review(self) -> str:
        project = await to_execution(self.api)
        await self.api.do(project, "propose-plan", COMMANDS["ProposePlan"].example)
        await self.api.sign(project, PMO, PRODUCT)
        await self.api.do(project, "propose-completion", COMMANDS["ProposeCompletion"].example)
        await self.api.sign(project, PMO, PRODUCT)
        return project

    async def _to_the_end(self) -> str:
        project = await to_retrospective(self.api)
        for side in (PMO, PRODUCT):
            await self.api.do(project, "submit-evaluation", COMMANDS["SubmitEvaluation"].example, side)
        await self._fill(project)
        none_learnt = {"no_lessons_because": "It was the fourth project of its kind"}
        await self.api.do(project, "propose-closing", COMMANDS["ProposeClosing"].example | none_learnt)
        await self.api.sign(project, PMO, PRODUCT, SPONSOR)
        lifecycle = Actor("system", system=True)
        closing = Envelope(str(uuid4()), project, "CloseProject", lifecycle, datetime.now(UTC), {})
        await self.behind.step.submit(closing)
        return project


@asynccontextmanager
async def world(template: str, postgres: EmbeddedPostgres) -> AsyncIterator[World]:
    """The whole API over one database in which everything is prepared."""
    async with served(template, postgres) as here:
        made = World(here.api, here.behind)
        await made.build()
        yield made


def told(answer: httpx2.Response) -> str | None:
    """The code of a problem; None for an answer that is none."""
    if answer.headers.get("content-type") != "application/problem+json":
        return None
    fields: Mapping[str, Any] = answer.json()
    return str(fields["code"])


def listed(wrong: Iterable[str]) -> str:
    """What differs, one a line."""
    return "\n".join(("", *wrong))
