"""Whole projects at the door, with texts that speak of people, and closed by the lifecycle."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from activities.follow import LIFECYCLE
from api.parts import Parts
from domain.decider import COMMANDS
from domain.messages import Envelope
from tests.api.asking import MEMBER, PMO, PRODUCT, SPONSOR, Api
from tests.api.journey import to_retrospective

SECRETS = {
    "comment": "小潘常常迟到 and shouts at suppliers",
    "other": "Pei never answers mail after noon",
    "illness": "On sick leave since March",
    "joins": "Joins us after her divorce",
    "outcome": "We both drank too much at the kickoff",
}
"""What nobody may read any more once its persons are erased."""


@dataclass(frozen=True)
class Closed:
    """A database in which one whole project was played, closed and sealed."""

    database: str
    project: str


async def to_the_end(api: Api, behind: Parts) -> str:
    """A closed project; PMO, product manager and a member have said things about each other."""
    project = await to_retrospective(api)
    await api.do(project, "assign-role", {"person": "chen.yu", "role": "MEMBER", "reason": SECRETS["joins"]})
    await api.do(project, "end-role", {"person": MEMBER, "role": "MEMBER", "reason": SECRETS["illness"]})
    scores: dict[str, Any] = COMMANDS["SubmitEvaluation"].example["scores"]
    await api.do(project, "submit-evaluation", {"scores": scores, "comment": SECRETS["comment"]}, PMO)
    apart = {**scores, "cooperation": 1}
    await api.do(project, "submit-evaluation", {"scores": apart, "comment": SECRETS["other"]}, PRODUCT)
    await api.do(project, "reconcile-evaluation", {"outcome": SECRETS["outcome"]}, PMO)
    closing = {**COMMANDS["ProposeClosing"].example, "no_lessons_because": "Nothing new"}
    await api.do(project, "propose-closing", closing)
    await api.sign(project, PMO, PRODUCT, SPONSOR)
    await behind.step.submit(Envelope(str(uuid4()), project, "CloseProject", LIFECYCLE, datetime.now(UTC), {}))
    assert (await api.state(project))["ended"]
    return project
