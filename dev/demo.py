"""One realistic project, played over HTTP by four people from kickoff to its close, a line a step."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx2
from rich.console import Console
from rich.markup import escape
from rich.table import Table

SPONSOR, PMO, PRODUCT, TESTER = "sun.lei", "pei.min", "pan.mei", "tao.yun"
SIGNERS = (PMO, PRODUCT, SPONSOR)
TITLES = {SPONSOR: "sponsor", PMO: "PMO", PRODUCT: "product manager", TESTER: "test lead"}
ZONE = ZoneInfo("Asia/Shanghai")
"""Where the standard template's calendar keeps its days."""
PATIENCE = 30
"""Seconds that the lifecycle gets for what it does by itself."""


def in_days(days: int) -> str:
    """The day so many days from now, as the API writes it."""
    return (datetime.now(ZONE) + timedelta(days=days)).date().isoformat()


class StoryBroken(Exception):
    """The demo did not go as it should; the message says where."""


@dataclass
class Play:
    """A project being played; every step goes over HTTP as a named person."""

    client: httpx2.AsyncClient
    console: Console
    project: str = ""

    async def ask(self, person: str, path: str, body: dict[str, Any]) -> httpx2.Response:
        """Send one command. 202 and refusals come back as they are."""
        headers = {"Authorization": f"Bearer dev:{person}", "Idempotency-Key": str(uuid4())}
        return await self.client.post(path, json=body, headers=headers)

    async def do(self, person: str, says: str, command: str, **body: Any) -> dict[str, Any]:
        """A step that must succeed, told in plain words."""
        path = f"/v1/projects/{self.project}/{command}" if self.project else "/v1/projects"
        answer = await self.ask(person, path, body)
        if answer.is_error:
            raise StoryBroken(f"{person} could not {command}: {answer.text}")
        self.tell(person, says)
        outcome: dict[str, Any] = answer.json()
        return outcome

    async def is_refused(self, person: str, says: str, command: str, **body: Any) -> None:
        """A step that the rules must refuse."""
        answer = await self.ask(person, f"/v1/projects/{self.project}/{command}", body)
        problem = answer.json()
        if not answer.is_client_error:
            raise StoryBroken(f"{command} by {person} should have been refused")
        self.tell(person, says)
        self.console.print(f"    [red]refused[/] [dim]{problem.get('rule', '')}[/] {escape(problem['detail'])}")

    def tell(self, person: str, says: str) -> None:
        """One line of the story."""
        self.console.print(f"  [bold]{person}[/] [dim]{TITLES[person]}[/]  {escape(says)}")

    def chapter(self, title: str) -> None:
        """A stage of the project begins."""
        self.console.print(f"\n[bold cyan]{title}[/]")

    async def state(self) -> dict[str, Any]:
        """The project as the product manager sees it."""
        return await self.read(f"/v1/projects/{self.project}")

    async def read(self, path: str) -> dict[str, Any]:
        answer = await self.client.get(path, headers={"Authorization": f"Bearer dev:{PRODUCT}"})
        if answer.is_error:
            raise StoryBroken(f"{path} could not be read: {answer.text}")
        found: dict[str, Any] = answer.json()
        return found

    async def sign(self, kind: str, people: Sequence[str]) -> None:
        """These people approve the open decision of this kind, each for exactly its content."""
        decision = await self.open_decision(kind)
        for person in people:
            await self.do(person, f"signs {decision['id']}: {decision['title']}", "vote", **ballot(decision))

    async def open_decision(self, kind: str) -> dict[str, Any]:
        decisions: list[dict[str, Any]] = (await self.state())["decisions"]
        return next(d for d in decisions if d["kind"] == kind and d["state"] == "OPEN")

    async def lifecycle(self, event: str, says: str) -> dict[str, Any]:
        """Wait for something that nobody did: the workflow."""
        for _ in range(PATIENCE * 10):
            found = (await self.read(f"/v1/projects/{self.project}/events?type={event}"))["items"]
            if found:
                self.console.print(f"  [bold green]Tandem[/]  {escape(says)}")
                last: dict[str, Any] = found[-1]
                return last
            await asyncio.sleep(0.1)
        raise StoryBroken(f"the lifecycle did not record {event} within {PATIENCE} s")


def ballot(decision: dict[str, Any]) -> dict[str, Any]:
    """A vote for exactly what stands there."""
    subject = decision["subject"]
    return {
        "decision": decision["id"],
        "value": "APPROVE",
        "revision": subject["revision"],
        "content_hash": subject["content_hash"],
    }


async def play(url: str, console: Console) -> None:
    """Play the project at this Tandem, show its history, prove it. Raises StoryBroken."""
    from dev.demo_proof import prove

    async with httpx2.AsyncClient(base_url=url, timeout=15) as client:
        story = Play(client, console)
        for part in (_kickoff, _agreement, _execution, _change, _review, _retrospective):
            await part(story)
        await _history(story)
        await prove(story)


async def _kickoff(story: Play) -> None:
    story.chapter("Kickoff")
    people = {"sponsor": SPONSOR, "pmo": PMO, "product_manager": PRODUCT, "members": [TESTER]}
    frame = {
        "purpose": "Members renew online instead of by phone",
        "budget": {"amount": "80000", "currency": "CNY"},
        "starts_on": in_days(7),
        "finish_by": in_days(180),
    }
    started = await story.do(PMO, "starts the project Member portal", "", title="Member portal", people=people, **frame)
    story.project = started["id"]
    await story.lifecycle("PeopleInvited", "invites both sides to draft the charter and starts the stage's clock")
    roles = {"SPONSOR": SPONSOR, "PMO": PMO, "PRODUCT_MANAGER": PRODUCT, "MEMBER": TESTER}
    charter = {
        **frame,
        "scope": ["Renewal", "Payment"],
        "out_of_scope": ["New memberships"],
        "assignments": [{"person": person, "role": role} for role, person in roles.items()],
        "raci": [
            {"activity": activity, "role": role, "letter": letter}
            for activity, role, letter in (
                ("Plan", "PMO", "A"),
                ("Plan", "MEMBER", "R"),
                ("Scope", "PRODUCT_MANAGER", "A"),
                ("Scope", "PRODUCT_MANAGER", "R"),
            )
        ],
        "risks": ["The payment provider is late"],
    }
    await story.do(PMO, "drafts the charter: scope, roles, RACI, budget, dates", "draft-charter", content=charter)
    await story.do(PMO, "asks for the signatures under it", "propose-charter", revision=1)
    await story.sign("CHARTER", SIGNERS)


def _kpi(name: str, category: str, weight: int, **figures: str) -> dict[str, Any]:
    fixed = {"unit": "%", "direction": "up", "baseline": "60", "target": "90", "owner": PRODUCT}
    return {
        "id": name,
        "name": name.replace("-", " ").capitalize(),
        "category": category,
        "weight_bp": weight,
        "source": "Monthly report",
        **fixed,
        **figures,
    }


def _goals(weights: Sequence[int]) -> dict[str, Any]:
    kpis = [
        _kpi("online-share", "quality", weights[0]),
        _kpi("on-time", "schedule", weights[1], baseline="0", target="100"),
        _kpi("budget-kept", "cost", weights[2], baseline="0", target="100"),
        _kpi("satisfied", "satisfaction", weights[3], baseline="70", target="85"),
    ]
    goal = {
        "id": "renew-online",
        "statement": "Nine of ten members renew online",
        "kind": "functional",
        "owner": PRODUCT,
        "kpis": ["online-share"],
    }
    return {"goals": [goal], "kpis": kpis}


async def _agreement(story: Play) -> None:
    story.chapter("KPI agreement")
    await story.do(
        PRODUCT, "proposes goals and four KPIs", "propose-agreement", content=_goals([4000, 2000, 2000, 2000])
    )
    await story.sign("AGREEMENT", [PRODUCT])
    first = await story.open_decision("AGREEMENT")
    await story.do(
        PMO,
        "counters with other weights: the signature given so far is void",
        "propose-agreement",
        content=_goals([3000, 3000, 2000, 2000]),
    )
    old = {**ballot(first), "decision": (await story.open_decision("AGREEMENT"))["id"]}
    await story.is_refused(PMO, "signs what stood there before, by mistake", "vote", **old)
    await story.sign("AGREEMENT", [PRODUCT, PMO])


async def _execution(story: Play) -> None:
    story.chapter("Execution")
    await story.lifecycle("CheckInScheduled", "sets the cadence of check-ins and watches the KPIs")
    plan = {
        "milestones": [
            {"id": "M1", "name": "Design agreed", "due": in_days(60)},
            {"id": "M2", "name": "Launch", "due": in_days(150)},
        ],
        "budget": {"amount": "76000", "currency": "CNY"},
    }
    await story.do(PMO, "proposes the plan: two milestones, 76000 CNY", "propose-plan", content=plan)
    await story.sign("BASELINE", [PMO, PRODUCT])
    await story.do(
        PMO,
        "holds the first check-in with the product manager",
        "hold-check-in",
        check_in="K-1",
        attendees=[PMO, PRODUCT],
        outcomes=["The provider's contract is signed"],
    )
    await story.do(
        PRODUCT,
        "measures the first KPI: 75 % renew online",
        "record-measurement",
        kpi="online-share",
        value="75",
        effective_on=in_days(0),
        source="Monthly report",
        evidence="Pilot group, page 3",
    )
    await story.do(
        TESTER,
        "records that the first milestone is reached",
        "reach-milestone",
        milestone="M1",
        reached_on=in_days(0),
        evidence="Design signed by both sides",
    )


async def _change(story: Play) -> None:
    await story.do(
        PRODUCT,
        "asks for a change: card payment as well",
        "submit-change",
        title="Add card payment",
        reason="update",
        description="The pilot group asks for it",
        options=["Do nothing", "Add it before the launch"],
    )
    await story.do(PMO, "triages it as a normal change", "triage-change", change="C-1", change_class="NORMAL")
    impact = {"scope": "One more payment method", "user_impact": "Fewer calls"}
    await story.do(
        PRODUCT,
        "assesses what it does to the product",
        "assess-product-impact",
        change="C-1",
        base_plan_version=1,
        impact=impact,
    )
    launch = in_days(157)
    plan = {
        "milestones": [{"milestone": "M2", "due": launch}],
        "cost": {"amount": "4000", "currency": "CNY"},
        "note": "One more week",
    }
    await story.do(
        PMO,
        "assesses what it does to the plan: a week, 4000 CNY",
        "assess-plan-impact",
        change="C-1",
        base_plan_version=1,
        impact=plan,
    )
    await story.do(PMO, "opens the decision on it", "open-change-decision", change="C-1")
    decision = await story.open_decision("CHANGE")
    await story.is_refused(PRODUCT, "tries to approve the own change", "vote", **ballot(decision))
    await story.sign("CHANGE", [PMO, SPONSOR])
    baseline = (await story.state())["plan"]["baseline"]
    budget = baseline["budget"]["amount"]
    story.console.print(f"  [bold green]Tandem[/]  adjusts the plan by exactly that: {budget} CNY, launch {launch}")


async def _review(story: Play) -> None:
    await story.do(
        PMO, "says that the work is done", "propose-completion", summary="Portal launched", deliverables=["Portal"]
    )
    await story.sign("COMPLETION", [PMO, PRODUCT])
    story.chapter("Change review")
    await story.do(
        PRODUCT,
        "asks for acceptance: every change is settled",
        "propose-acceptance",
        accepted=["Portal"],
        reconciliation="Within the changed budget",
    )
    await story.sign("ACCEPTANCE", SIGNERS)


async def _retrospective(story: Play) -> None:
    story.chapter("Retrospective")
    good = dict.fromkeys(("goals", "kpis", "resources", "risk", "schedule", "cost", "quality", "cooperation"), 4)
    await story.do(PMO, "evaluates, blind to the other side", "submit-evaluation", scores=good, comment="Well kept")
    await story.do(
        PRODUCT, "evaluates, and both are revealed", "submit-evaluation", scores=good, comment="Quick decisions"
    )
    await story.do(
        TESTER,
        "writes down a lesson",
        "capture-lesson",
        text="Test the provider's sandbox early",
        evidence="Four days lost before the pilot",
    )
    await story.do(PRODUCT, "confirms it", "validate-lesson", lesson="L-1")
    await story.do(
        PMO,
        "proposes to close, with a summary",
        "propose-closing",
        results="Nine of ten members renew online",
        problems="The provider was late",
        improvements="Test sandboxes early",
    )
    await story.sign("CLOSING", SIGNERS)
    await story.lifecycle("ProjectClosed", "closes the project")


async def _history(story: Play) -> None:
    """The whole story again, as an auditor reads it."""
    events = (await story.read(f"/v1/projects/{story.project}/events?limit=200"))["items"]
    table = Table(title="Its history", title_justify="left", box=None, header_style="dim")
    for heading in ("no.", "when", "what happened"):
        table.add_column(heading)
    for event in events:
        table.add_row(str(event["version"]), event["recorded_at"][11:19], escape(event["sentence"]))
    story.console.print()
    story.console.print(table)
    story.console.print(
        f"\n  {len(events)} events, none of which can be changed: GET /v1/projects/{story.project}/events"
    )
