"""What happens to a change request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Literal

from domain.messages import Event, Happened
from domain.notice import Notice
from domain.project.changes import Assessed, ChangeRequest, ChangeState
from domain.project.impacts import PlanImpact, ProductImpact
from domain.values import Role
from domain.words import word

if TYPE_CHECKING:
    from domain.project.aggregate import Project

CONCEPT = "change"


class ChangeSubmitted(Event):
    """Somebody asks for something other than what was agreed or planned."""

    allowed_by = "X9"
    en = "{actor} submitted {change}: {title}"
    zh = "{actor} 提交变更 {change}:{title}"
    change: str
    title: str
    reason: str
    description: str
    options: tuple[str, ...]
    content_hash: str
    new_evidence: str | None = None

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_change(
            ChangeRequest(
                self.change,
                self.title,
                self.reason,
                self.description,
                self.options,
                happened.by,
                self.content_hash,
                happened.at,
            )
        )

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.holders(Role.PMO):
            yield Notice(
                person,
                f"{project.code}: triage {self.change}: {self.title}",
                f"{project.code}:请分类变更 {self.change}:{self.title}",
                self.change,
            )


class ChangeTriaged(Event):
    """The PMO has said what class of change it is."""

    allowed_by = "X1"
    en = "{actor} triaged {change} as {change_class}"
    zh = "{actor} 将 {change} 归类为{change_class}"
    change: str
    change_class: Literal["NORMAL", "DUPLICATE"]
    duplicate_of: str | None = None

    def apply(self, project: Project, happened: Happened) -> Project:
        change = project.changes[self.change]
        if self.change_class == "DUPLICATE":
            outcome = f"duplicate of {self.duplicate_of}"
            return project.with_change(change.ended(ChangeState.DUPLICATE, outcome, happened.at))
        return project.with_change(replace(change, state=ChangeState.ASSESSING))

    def tells(self, project: Project) -> Iterable[Notice]:
        if self.change_class == "NORMAL":
            for role in (Role.PRODUCT_MANAGER, Role.PMO):
                for person in project.team.holders(role):
                    yield Notice(
                        person,
                        f"{project.code}: assess the impact of {self.change}.",
                        f"{project.code}:请评估 {self.change} 的影响。",
                        self.change,
                    )


class ProductImpactAssessed(Event):
    """The product side says what the change does to scope and KPIs."""

    allowed_by = "X1"
    en = "{actor} assessed what {change} does to the product"
    zh = "{actor} 评估了 {change} 对产品的影响"
    change: str
    base_plan_version: int
    impact: ProductImpact

    def apply(self, project: Project, happened: Happened) -> Project:
        assessed = Assessed(self.impact, self.base_plan_version, happened.by, happened.at)
        return project.with_change(replace(project.changes[self.change], product=assessed))


class PlanImpactAssessed(Event):
    """The PMO says what the change does to dates and budget."""

    allowed_by = "X1"
    en = "{actor} assessed what {change} does to the plan"
    zh = "{actor} 评估了 {change} 对计划的影响"
    change: str
    base_plan_version: int
    impact: PlanImpact

    def apply(self, project: Project, happened: Happened) -> Project:
        assessed = Assessed(self.impact, self.base_plan_version, happened.by, happened.at)
        return project.with_change(replace(project.changes[self.change], plan=assessed))


class ChangeReady(Event):
    """Both impacts are assessed on the same plan version (X1)."""

    allowed_by = "X1"
    en = "{change} is ready to be decided"
    zh = "{change} 可以表决"
    change: str
    base_plan_version: int

    def apply(self, project: Project, happened: Happened) -> Project:
        return project.with_change(replace(project.changes[self.change], state=ChangeState.READY))

    def tells(self, project: Project) -> Iterable[Notice]:
        for person in project.team.holders(Role.PMO):
            yield Notice(
                person,
                f"{project.code}: {self.change} is ready, open its decision.",
                f"{project.code}:{self.change} 已就绪,请发起表决。",
                self.change,
            )


class ChangeDecisionOpened(Event):
    """The change is put to its decision, by the authority row that its impact asks for (X3)."""

    allowed_by = "X3"
    en = "{change} is decided by {decision}, authority row {row}"
    zh = "{change} 由 {decision} 表决,授权级别 {row}"
    change: str
    decision: str
    row: str

    def apply(self, project: Project, happened: Happened) -> Project:
        deciding = replace(
            project.changes[self.change],
            state=ChangeState.DECIDING,
            decision=self.decision,
            authority_row=self.row,
        )
        return project.with_change(deciding)


class ChangeBecameStale(Event):
    """What it was assessed on has moved: it has to be assessed anew (X2)."""

    allowed_by = "X2"
    en = "{change} has to be assessed anew on plan version {base_to}: {reason}"
    zh = "{change} 须按计划第 {base_to} 版重新评估:{reason}"
    change: str
    base_from: int
    base_to: int
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        change = replace(project.changes[self.change], state=ChangeState.STALE, product=None, plan=None, decision=None)
        return project.with_change(change)

    def tells(self, project: Project) -> Iterable[Notice]:
        for role in (Role.PRODUCT_MANAGER, Role.PMO):
            for person in project.team.holders(role):
                yield Notice(
                    person,
                    f"{project.code}: assess {self.change} again: {self.reason}.",
                    f"{project.code}:请重新评估 {self.change}:{self.reason}。",
                    self.change,
                )


class _ChangeEnded(Event):
    """Shared by the events that close a change: the author hears of it (X10)."""

    en = ""
    zh = ""
    change: str
    reason: str

    def tells(self, project: Project) -> Iterable[Notice]:
        change = project.changes[self.change]
        if change.author in project.team.members():
            yield Notice(
                change.author,
                f"{project.code}: {change.id} is {word(change.state, 'en')}: {change.title}. Reason: {self.reason}",
                f"{project.code}:{change.id} {word(change.state, 'zh')}:{change.title}。原因:{self.reason}",
                change.id,
            )


class ChangeApplied(_ChangeEnded):
    """Approved, and plan and KPIs adjusted by exactly the approved delta."""

    allowed_by = "X6"
    en = "{change} was applied: plan version {plan_version}"
    zh = "{change} 已实施:计划第 {plan_version} 版"
    plan_version: int

    def apply(self, project: Project, happened: Happened) -> Project:
        change = project.changes[self.change]
        return project.with_change(change.ended(ChangeState.APPLIED, self.reason, happened.at))


class ChangeRejected(_ChangeEnded):
    """Decided against; the reasons stay (X9)."""

    allowed_by = "X9"
    en = "{change} was rejected: {reason}"
    zh = "{change} 被否决:{reason}"

    def apply(self, project: Project, happened: Happened) -> Project:
        change = project.changes[self.change]
        return project.with_change(change.ended(ChangeState.REJECTED, self.reason, happened.at))


class ChangeDropped(_ChangeEnded):
    """The project was cancelled before the change had an outcome."""

    allowed_by = "P3"
    en = "{change} is dropped: {reason}"
    zh = "{change} 不再处理:{reason}"

    def apply(self, project: Project, happened: Happened) -> Project:
        change = project.changes[self.change]
        return project.with_change(change.ended(ChangeState.DROPPED, self.reason, happened.at))


class ChangeReopened(Event):
    """Its decision ended without a verdict: it can be put to a decision again."""

    allowed_by = "X10"
    en = "{change} can be decided again: {reason}"
    zh = "{change} 可再次表决:{reason}"
    change: str
    reason: str

    def apply(self, project: Project, happened: Happened) -> Project:
        again = replace(project.changes[self.change], state=ChangeState.READY, decision=None)
        return project.with_change(again)


class ChangeDeferred(_ChangeEnded):
    """Carried over beyond this project; the reasons stay (X9)."""

    allowed_by = "X9"
    en = "{actor} deferred {change} until {until}: {reason}"
    zh = "{actor} 将 {change} 推迟至 {until}:{reason}"
    until: date

    def apply(self, project: Project, happened: Happened) -> Project:
        change = project.changes[self.change]
        return project.with_change(change.ended(ChangeState.DEFERRED, self.reason, happened.at))


class ChangeWithdrawn(_ChangeEnded):
    """The author took it back."""

    allowed_by = "X10"
    en = "{actor} withdrew {change}: {reason}"
    zh = "{actor} 撤回变更 {change}:{reason}"

    def apply(self, project: Project, happened: Happened) -> Project:
        change = project.changes[self.change]
        return project.with_change(change.ended(ChangeState.WITHDRAWN, self.reason, happened.at))
