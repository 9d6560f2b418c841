"""What can be counted or named in a project, in both languages, and which of it differs between two states."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from api.plain import plain
from domain.project.aggregate import Project
from domain.project.checkins import CheckInState
from domain.project.kpi import score
from domain.project.kpi import shown as rate
from domain.values import Role
from domain.words import word

HELD = {CheckInState.HELD, CheckInState.HELD_LATE}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a state; `value` is None where it has none."""

    name: str
    en: str
    zh: str
    value: str | None


def differing(before: Project, after: Project) -> list[dict[str, Any]]:
    """Every figure that is another one after: its name, both values, and a line in each language."""
    first, last = _by_name(before), _by_name(after)
    values = {name: tuple(f[name].value if name in f else None for f in (first, last)) for name in {**first, **last}}
    return [_line(last.get(name) or first[name], *pair) for name, pair in values.items() if pair[0] != pair[1]]


def _line(figure: Figure, before: str | None, after: str | None) -> dict[str, Any]:
    return {
        "name": figure.name,
        "before": before,
        "after": after,
        "en": f"{figure.en}: {_said(before, 'en')} → {_said(after, 'en')}",
        "zh": f"{figure.zh}:{_said(before, 'zh')} → {_said(after, 'zh')}",
    }


def _said(value: str | None, language: str) -> str:
    return "–" if value is None else word(value, language)


def _by_name(project: Project) -> dict[str, Figure]:
    sources = (_course, _people, _kpis, _plan, _work)
    return {figure.name: figure for source in sources for figure in source(project)}


def _course(project: Project) -> Iterator[Figure]:
    yield Figure("stage", "Stage", "阶段", project.stage.value)
    yield Figure("hold", "On hold because", "暂停原因", project.lifecycle.hold_reason if project.held else None)
    yield Figure("ending", "Ended", "结束方式", project.lifecycle.ending)


def _people(project: Project) -> Iterator[Figure]:
    for role in Role:
        if people := project.team.holders(role):
            who = ", ".join(people)
            yield Figure(f"people/{role}", f"Role {word(role, 'en')}", f"角色 {word(role, 'zh')}", who)


def _kpis(project: Project) -> Iterator[Figure]:
    agreement = project.agreement
    if agreement.active is None:
        return
    total, covered = score(agreement.measured_kpis(), project.rules.agreement.cap_bp)
    yield Figure("agreement", "Agreement in force, revision", "生效协议版次", str(agreement.active_revision))
    yield Figure("score", "KPI score", "KPI 得分", rate(total))
    yield Figure("coverage", "Weight that is measured", "已测量权重", rate(covered))
    for kpi, value in agreement.measured_kpis():
        shown = None if value is None else f"{plain(value)} {kpi.unit}"
        yield Figure(f"kpi/{kpi.id}", kpi.name, kpi.name, shown)
        yield Figure(
            f"kpi/{kpi.id}/target", f"{kpi.name}, target", f"{kpi.name},目标", f"{plain(kpi.target)} {kpi.unit}"
        )


def _plan(project: Project) -> Iterator[Figure]:
    baseline, reached = project.plan.baseline, project.plan.reached
    if baseline is None:
        return
    yield Figure("baseline", "Plan baseline, version", "计划基线版本", str(project.plan.baseline_version))
    yield Figure("budget", "Budget", "预算", f"{plain(baseline.budget.amount)} {baseline.budget.currency}")
    for one in baseline.milestones:
        yield Figure(f"milestone/{one.id}/due", f"{one.name}, due", f"{one.name},计划日期", str(one.due))
        day = str(reached[one.id]) if one.id in reached else None
        yield Figure(f"milestone/{one.id}/reached", f"{one.name}, reached", f"{one.name},达成日期", day)


def _work(project: Project) -> Iterator[Figure]:
    series = project.check_ins.series.values()
    held, missed = (c for c in series if c.state in HELD), (c for c in series if c.state is CheckInState.MISSED)
    counted = {
        "decisions": ("Decisions", "决定", len(project.decisions)),
        "decisions/open": ("Open decisions", "待决事项", len(project.open_decisions())),
        "changes": ("Change requests", "变更申请", len(project.changes)),
        "measurements": ("Measurements", "测量次数", project.agreement.measured),
        "check-ins/held": ("Check-ins held", "已召开例会", len(list(held))),
        "check-ins/missed": ("Check-ins missed", "未召开例会", len(list(missed))),
        "lessons": ("Lessons", "经验教训", len(project.retrospective.lessons)),
    }
    for name, (en, zh, number) in counted.items():
        yield Figure(name, en, zh, str(number))
