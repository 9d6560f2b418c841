"""Who may: the one table of rights. Commands on projects by role and stage, every other operation by a named right.

What a decision asks for on top (slots, turn, separation of duties) is in the rules of the command itself.
Source: docs/governance.md, P1, P5, K8, V1 to V4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.directory.record import OrganisationRole
from domain.messages import COMMANDS, Command
from domain.values import Role, Stage

START = "StartProject"
"""The one command that finds no project: whoever it names starts it."""


class Bar(StrEnum):
    """Why somebody may not, by the code that the answer carries; the first that applies, in this order."""

    UNAUTHENTICATED = "Unauthenticated"
    NO_PROJECT = "NoProject"
    SYSTEM_ONLY = "SystemOnly"
    WRONG_ROLE = "WrongRole"
    ENDED = "ProjectEnded"
    ON_HOLD = "OnHold"
    WRONG_STAGE = "WrongStage"


@dataclass(frozen=True, slots=True)
class Right:
    """Whom an operation is for that is no command on a project."""

    en: str
    zh: str
    strangers: bool = False
    """Whether one need not be signed in."""
    sees: bool = False
    """Whether one must see the project that it is about."""
    themselves: bool = False
    """Whether the person that it is about has it too."""
    organisation: frozenset[OrganisationRole] | None = None
    """Organisation roles of which one is needed; None: none is."""
    anywhere: frozenset[Role] = frozenset()
    """Roles that do in whatever project they are held, as long as nobody in the organisation has one of those."""
    code: str = "NotAllowed"
    """What whoever lacks it is answered with."""
    by_rule: bool = False
    """Whether the command asks for it itself, so that its refusal is noted; else the door asks."""


ANYBODY = Right("everybody, also without signing in", "所有人,无需登录", strangers=True)
SIGNED_IN = Right("whoever is signed in; lists hold what they see", "已登录者;列表只含其可见内容")
SEES = Right("whoever sees the project", "可见该项目者", sees=True)
OWN = Right("whoever is signed in, for what is their own", "已登录者,仅限本人的内容")
STARTER = Right(
    "whoever the project names as PMO or product manager",
    "立项时指定的 PMO 或产品经理",
    themselves=True,
    organisation=frozenset(),
    code="NotAStarter",
    by_rule=True,
)
OFFICERS = Right(
    "PMO officers",
    "PMO 人员",
    organisation=frozenset({OrganisationRole.PMO}),
    anywhere=frozenset({Role.PMO}),
    code="ForOfficers",
)
KEEPERS = replace(OFFICERS, code="NotPrivileged", by_rule=True)
THEMSELVES = replace(KEEPERS, en="the person, and PMO officers", zh="本人及 PMO 人员", themselves=True)
AUDITORS = Right(
    "auditors of the organisation",
    "组织审计员",
    organisation=frozenset({OrganisationRole.AUDITOR}),
    code="ForAuditors",
)
ADMINISTRATORS = Right(
    "administrators",
    "管理员",
    organisation=frozenset({OrganisationRole.ADMINISTRATOR}),
    code="NotAdministrator",
    by_rule=True,
)
NOBODY = Right("nobody", "无人", organisation=frozenset())
FOUNDER = Right(
    "the owner, while nobody has founded it; on a development machine anybody",
    "尚未建立时的首位所有者;开发模式下任何人",
    by_rule=True,
)

_BY_RIGHT: tuple[tuple[Right, str], ...] = (
    (
        ANYBODY,
        "isAlive isReady readVersion readMetrics readContract readEventContract readDocs readDocsFile readProblem",
    ),
    (STARTER, "startProject"),
    (SIGNED_IN, "readPermissions submitBulk listProjects readFeed"),
    (SEES, "readProject readDecisions readDecision readKpis readPlan readDiff readHistory exportProject"),
    (SIGNED_IN, "readAuditEvents readRefusals readAuditReads"),
    (SIGNED_IN, "readCheckpoint listCheckpoints listKeys proveInclusion proveConsistency cosign"),
    (AUDITORS, "exportLog"),
    (SIGNED_IN, "listPeople readEntry listTeams listRoles exportDirectory"),
    (FOUNDER, "foundDirectory"),
    (ADMINISTRATORS, "addPerson deactivatePerson reactivatePerson importPeople importDirectory invitePerson"),
    (ADMINISTRATORS, "makeTeam addToTeam removeFromTeam dissolveTeam"),
    (ADMINISTRATORS, "grantOrganisationRole confirmOrganisationRole endOrganisationRole"),
    (OWN, "readInbox markMessageRead readMe readPreferences changePreferences confirmAddress"),
    (OWN, "listTokens makeToken endToken listSessions endSession changePassword"),
    (OWN, "listConsumers putConsumer readConsumer deleteConsumer readBatch acknowledgeBatch resetConsumer"),
    (OWN, "createWebhook listWebhooks readWebhook changeWebhook deleteWebhook rotateWebhookSecret"),
    (OWN, "sendTest resendEvents readDeliveries readDelivery"),
    (THEMSELVES, "readPerson"),
    (KEEPERS, "requestErasure confirmErasure withdrawErasure holdPerson releasePerson"),
    (OWN, "readOutbox readLetter listDeliveries readCalendar makeCalendar endCalendar"),
    (SEES, "listProjectDeliveries"),
    (ANYBODY, "readCalendarFeed"),
)
RIGHTS: dict[str, Right] = {name: right for right, names in _BY_RIGHT for name in names.split()}
"""Every operation that is no command on a project. What is not here is denied to everybody."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody is, towards one project and in the organisation."""

    project: frozenset[Role] = frozenset()
    anywhere: frozenset[Role] = frozenset()
    """Roles in any project, where they count for more than it."""
    organisation: frozenset[OrganisationRole] = frozenset()
    known: bool = True
    """Whether they are signed in, and have not left."""
    sees: bool = True
    """Whether the project exists for them."""
    themselves: bool = False
    """Whether it is about the person who asks."""


STRANGER = Standing(known=False, sees=False)


def bar(kind: type[Command], roles: frozenset[Role], stage: Stage, *, held: bool = False) -> Bar | None:
    """Why holders of these roles may not ask for this command now; None where they may."""
    if not roles & kind.roles:
        return Bar.SYSTEM_ONLY if Role.SYSTEM in kind.roles else Bar.WRONG_ROLE
    if stage is Stage.CLOSED:
        return Bar.ENDED
    if held and not kind.while_held:
        return Bar.ON_HOLD
    return None if stage in kind.stages else Bar.WRONG_STAGE


def barred(name: str, standing: Standing, stage: Stage, *, held: bool = False) -> Bar | None:
    """The same for somebody who may not be known, or not see the project at all; the command by its name."""
    if not standing.known:
        return Bar.UNAUTHENTICATED
    if not standing.sees:
        return Bar.NO_PROJECT
    return bar(COMMANDS[name], standing.project, stage, held=held)


def lacking(operation: str, standing: Standing) -> str | None:
    """The code for somebody who may not ask for an operation that is no command on a project; None where they may."""
    right = RIGHTS.get(operation, NOBODY)
    if right.strangers:
        return None
    if not standing.known:
        return Bar.UNAUTHENTICATED
    if right.sees and not standing.sees:
        return Bar.NO_PROJECT
    return None if holds(right, standing) else right.code


def holds(right: Right, standing: Standing) -> bool:
    """Whether somebody has the roles that a right asks for."""
    if right.organisation is None or (right.themselves and standing.themselves):
        return True
    return bool(standing.organisation & right.organisation or standing.anywhere & right.anywhere)


def commands() -> Iterator[tuple[str, type[Command]]]:
    """The rows of the table that are commands people may give to a project."""
    return ((name, kind) for name, kind in COMMANDS.items() if Role.SYSTEM not in kind.roles and name != START)
