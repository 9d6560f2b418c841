"""Who is who in a project: charter, RACI, second persons, solo exceptions, vacancies."""

from typing import Any

import pytest

from domain.project.decision import State
from domain.project.decision_events import DecisionBlocked, DecisionOpened, DecisionUnblocked
from domain.project.team import RoleAssigned, RoleConfirmed, RoleEnded, SoloExceptionGranted
from domain.values import Role, Stage
from tests.plays import changing, chartering, evaluate, finish, looking_back, planned, started
from tests.spec import AUDITOR, MEMBER, MONDAY, PMO, PRODUCT, SPONSOR, Outcome, Play, agreement, charter, given, plan

LI = "li.wei"
ONE = [
    {"person": SPONSOR, "role": "SPONSOR"},
    {"person": LI, "role": "PMO"},
    {"person": LI, "role": "PRODUCT_MANAGER"},
]


def propose(**changes: Any) -> Outcome:
    play = started().do("DraftCharter", PMO, content=charter(**changes))
    return given(play).when("ProposeCharter", PMO, revision=1)


def raci(*rows: tuple[str, str, str]) -> list[dict[str, str]]:
    return [{"activity": a, "role": r, "letter": letter} for a, r, letter in rows]


class TestR1OneAccountable:
    @pytest.mark.parametrize(
        "rows",
        [
            raci(("Plan", "PMO", "A"), ("Plan", "PMO", "C")),
            raci(("Plan", "PMO", "R"), ("Plan", "MEMBER", "R")),
            raci(("Plan", "PMO", "A"), ("Plan", "SPONSOR", "A"), ("Plan", "PMO", "R")),
        ],
        ids=["no R", "no A", "two A"],
    )
    def test_each_activity_has_exactly_one_a_and_an_r(self, rows: list[dict[str, str]]) -> None:
        propose(raci=rows).then_refused("RaciIncomplete", "R1")

    def test_every_role_that_decides_is_filled(self) -> None:
        named = [a for a in charter()["assignments"] if a["role"] != "SPONSOR"]
        propose(assignments=named).then_refused("RoleVacant", "R1")


class TestR2MembersAreNotAccountable:
    @pytest.mark.parametrize("role", ["MEMBER", "AUDITOR"])
    def test_neither_members_nor_auditors_hold_an_a(self, role: str) -> None:
        propose(raci=raci(("Plan", role, "A"), ("Plan", "PMO", "R"))).then_refused("NotAccountable", "R2")


def alone() -> Play:
    """Li is PMO and product manager from the start; the sponsor is another person."""
    people = {"sponsor": SPONSOR, "pmo": LI, "product_manager": LI, "members": [MEMBER]}
    play = Play(planned().policy)
    example: dict[str, Any] = {
        "title": "Solo",
        "purpose": "One rides",
        "budget": {"amount": "10000", "currency": "CNY"},
    }
    dates = {"starts_on": "2026-03-02", "finish_by": "2026-09-30"}
    return play.do("StartProject", LI, people=people, **example, **dates).begin()


def excepted(until: str = "2026-05-29") -> Play:
    """Li on both sides, with the sponsor's exception, the charter open for signature."""
    play = alone().do("GrantSoloException", SPONSOR, until=until, reason="The post is vacant")
    play.do("DraftCharter", LI, content=charter(assignments=[*ONE, {"person": MEMBER, "role": "MEMBER"}]))
    return play.do("ProposeCharter", LI, revision=1)


class TestR3TwoSides:
    def test_one_person_on_both_sides_is_refused(self) -> None:
        play = alone().do("DraftCharter", LI, content=charter(assignments=ONE))
        given(play).when("ProposeCharter", LI, revision=1).then_refused("SamePersonOnBothSides", "R3")

    def test_also_when_a_role_is_confirmed_later(self) -> None:
        play = started().do("AssignRole", SPONSOR, person=PMO, role="PRODUCT_MANAGER", reason="Vacancy")
        given(play).when("ConfirmRole", PRODUCT, grant="G-6").then_refused("SamePersonOnBothSides", "R3")

    def test_a_solo_exception_lets_one_person_sign_for_both_sides(self) -> None:
        play = excepted()
        assert play.decision().state is State.OPEN
        assert play.duties(LI) == ["sign D-1"]
        play.sign(LI)
        assert play.decision().state is State.OPEN
        assert play.duties(LI) == ["sign D-1"]
        assert play.sign(LI, SPONSOR).project.stage is Stage.KPI_AGREEMENT

    def test_a_whole_life_under_an_exception(self) -> None:
        play = excepted().sign(LI, LI, SPONSOR).begin()
        content = agreement(
            kpis=[k | {"owner": LI} for k in agreement()["kpis"]], goals=[agreement()["goals"][0] | {"owner": LI}]
        )
        play.do("ProposeAgreement", LI, content=content).sign(LI, LI).begin()
        play.do("ProposePlan", LI, content=plan(budget={"amount": "9000", "currency": "CNY"})).sign(LI, LI)
        assert play.project.plan.baseline_version == 1
        play.do("HoldCheckIn", LI, check_in="K-1", attendees=[LI])
        play.do("ProposeCancellation", LI, reason="Enough").sign(LI, LI, SPONSOR)
        for _ in range(2):
            play.do("SubmitEvaluation", LI, scores=dict.fromkeys(SCORES, 4), comment="Fine")
        closing = {"results": "None", "problems": "Many", "improvements": "Two people", "no_lessons_because": "Obvious"}
        play.do("ProposeClosing", LI, **closing).sign(LI, LI, SPONSOR)
        assert play.project.lifecycle.closing_approved

    def test_dr2_it_is_for_the_two_sides_alone(self) -> None:
        play = excepted().do("AddCoSigner", SPONSOR, decision="D-1", person=MEMBER, place="AFTER", reason="Check")
        play.sign(LI)
        given(play).when_vote(LI, slot="co-signer-1").then_refused("NotEligible", "DR6")
        given(play).when_vote(LI, slot="sponsor").then_refused("NotEligible", "DR6")

    def test_t03_without_it_the_second_vote_is_refused_and_the_decision_blocked(self) -> None:
        play = excepted(until="2026-03-03").sign(LI)
        play.pass_time(play.calendar.add_days(MONDAY, 3))
        given(play).when_vote(LI, decision="D-1", slot="product-manager").then_refused("OneSlotEach", "DR2")
        play.do("EndRole", SPONSOR, person=MEMBER, role="MEMBER", reason="Leaves")
        assert play.decision("D-1").state is State.BLOCKED
        again = given(play).when("GrantSoloException", SPONSOR, until="2026-04-01", reason="Still vacant")
        again.then(SoloExceptionGranted, DecisionUnblocked)
        assert again.play.sign(LI, decision="D-1").sign(SPONSOR, decision="D-1").project.stage is Stage.KPI_AGREEMENT

    @pytest.mark.parametrize("until", ["2026-03-01", "2026-06-01", "2030-01-01"])
    def test_ninety_days_at_most_and_not_in_the_past(self, until: str) -> None:
        given(alone()).when("GrantSoloException", SPONSOR, until=until, reason="x").then_refused(
            "ExceptionTooLong", "R3"
        )

    def test_the_sponsor_grants_it(self) -> None:
        given(alone()).when("GrantSoloException", LI, until="2026-03-31", reason="x").then_refused("WrongRole")


SCORES = ["goals", "kpis", "resources", "risk", "schedule", "cost", "quality", "cooperation"]


class TestR4AuditorsStandApart:
    @pytest.mark.parametrize(("person", "role"), [(AUDITOR, "MEMBER"), (AUDITOR, "PMO"), (MEMBER, "AUDITOR")])
    def test_an_auditor_never_holds_another_role(self, person: str, role: str) -> None:
        given(started()).when("AssignRole", PMO, person=person, role=role, reason="x").then_refused(
            "AuditorNotApart", "R4"
        )

    def test_not_even_after_the_other_role_has_ended(self) -> None:
        play = started().do("EndRole", PMO, person=MEMBER, role="MEMBER", reason="Leaves")
        given(play).when("AssignRole", PMO, person=MEMBER, role="AUDITOR", reason="x").then_refused(
            "AuditorNotApart", "R4"
        )

    def test_neither_by_the_charter(self) -> None:
        named = [*charter()["assignments"], {"person": AUDITOR, "role": "MEMBER"}]
        propose(assignments=named).then_refused("AuditorNotApart", "R4")

    def test_nor_by_a_charter_that_was_signed_before_the_auditor_was_named(self) -> None:
        named = [*charter()["assignments"], {"person": "zhao.min", "role": "MEMBER"}]
        play = chartering(assignments=named).do("AssignRole", PMO, person="zhao.min", role="AUDITOR", reason="x")
        play.sign(PMO, PRODUCT, SPONSOR)
        assert play.kinds()[-1] == "DecisionEffectFailed"
        assert play.project.stage is Stage.KICKOFF
        play.do("DraftCharter", PMO, content=charter(remarks="Without zhao.min")).do("ProposeCharter", PMO, revision=2)
        assert play.decision("D-1").state is State.SUPERSEDED
        assert play.sign(PMO, PRODUCT, SPONSOR).project.stage is Stage.KPI_AGREEMENT


class TestR5Vacancies:
    def test_a_slot_that_nobody_can_fill_is_blocked_visibly(self) -> None:
        outcome = given(chartering()).when("EndRole", PMO, person=SPONSOR, role="SPONSOR", reason="Leaves")
        outcome.then(RoleEnded, DecisionBlocked).told(PMO)
        play = outcome.play
        assert play.sign(PMO, PRODUCT).project.stage is Stage.KICKOFF
        play.do("AssignRole", PMO, person="zhao.min", role="SPONSOR", reason="Successor")
        play.do("ConfirmRole", PRODUCT, grant="G-6")
        assert play.sign("zhao.min").project.stage is Stage.KPI_AGREEMENT

    def test_somebody_must_be_left_who_can_repair_it(self) -> None:
        play = started().do("EndRole", PMO, person=SPONSOR, role="SPONSOR", reason="Leaves")
        for person, role in ((PRODUCT, "PRODUCT_MANAGER"), (PMO, "PMO")):
            given(play).when("EndRole", PMO, person=person, role=role, reason="x").then_refused("TooFewDeciders", "R6")

    def test_only_what_is_held_ends(self) -> None:
        given(started()).when("EndRole", PMO, person=MEMBER, role="PMO", reason="x").then_refused("NotHeld")

    def test_nothing_waits_for_people_who_have_left(self) -> None:
        play = planned().later(days=24)
        play.do("AssignRole", PMO, person="zhao.min", role="PRODUCT_MANAGER", reason="Successor")
        play.do("ConfirmRole", SPONSOR, grant="G-6")
        play.do("EndRole", PMO, person=PRODUCT, role="PRODUCT_MANAGER", reason="Leaves")
        assert play.duties(PRODUCT) == []
        assert "measure on-time" in play.duties(PMO)


class TestR6SecondPerson:
    def test_a_role_that_decides_waits_for_a_second_person(self) -> None:
        outcome = given(started()).when("AssignRole", PMO, person="zhao.min", role="SPONSOR", reason="Deputy")
        outcome.then(RoleAssigned).told(SPONSOR, PMO)
        play = outcome.play
        assert play.project.team.holders(Role.SPONSOR) == (SPONSOR,)
        assert play.duties(PRODUCT) == ["confirm-role G-6"]
        assert play.duties(PMO) == []
        given(play).when("ConfirmRole", PRODUCT, grant="G-6").then(RoleConfirmed).told("zhao.min")

    def test_nobody_promotes_themselves(self) -> None:
        play = started().do("AssignRole", PMO, person=PMO, role="SPONSOR", reason="Me")
        given(play).when("ConfirmRole", PMO, grant="G-6").then_refused("SecondPersonNeeded", "R6")
        given(started()).when("AssignRole", MEMBER, person=MEMBER, role="PMO", reason="Me").then_refused("WrongRole")

    def test_members_and_auditors_need_none(self) -> None:
        given(started()).when("AssignRole", PMO, person="zhao.min", role="MEMBER", reason="Joins").told("zhao.min")

    def test_what_waits_can_be_taken_back_and_is_asked_once(self) -> None:
        play = started().do("AssignRole", PMO, person="zhao.min", role="SPONSOR", reason="Deputy")
        again = {"person": "zhao.min", "role": "SPONSOR", "reason": "x"}
        given(play).when("AssignRole", PMO, **again).then_refused("AlreadyAssigned", "R6")
        outcome = given(play).when("EndRole", PMO, **again).then(RoleEnded)
        given(outcome.play).when("ConfirmRole", PRODUCT, grant="G-6").then_refused("NotPending", "R6")
        given(play).when("ConfirmRole", PRODUCT, grant="G-99").then_refused("NoGrant")

    def test_a_role_is_held_once(self) -> None:
        given(started()).when("AssignRole", PMO, person=MEMBER, role="MEMBER", reason="x").then_refused("AlreadyHeld")


class TestCharterAssignments:
    def test_the_charter_puts_people_in_their_roles(self) -> None:
        named = [a for a in charter()["assignments"] if a["role"] != "MEMBER"] + [
            {"person": "zhao.min", "role": "MEMBER"}
        ]
        play = chartering(assignments=named).sign(PMO, PRODUCT, SPONSOR)
        assert play.project.team.holders(Role.MEMBER) == ("zhao.min",)
        assert play.project.charter.adopted_revision == 1

    def test_one_charter_is_signed_at_a_time(self) -> None:
        given(chartering()).when("ProposeCharter", PMO, revision=1).then_refused("AlreadyProposed")
        given(started()).when("ProposeCharter", PMO, revision=1).then_refused("NoDraft")
        given(chartering()).when("DraftCharter", PMO, content=charter()).then_refused("NothingChanged")

    def test_a_proposal_asks_pmo_product_manager_and_sponsor(self) -> None:
        play = started().do("DraftCharter", PMO, content=charter())
        given(play).when("ProposeCharter", PMO, revision=1).then(DecisionOpened).told(PMO, PRODUCT, SPONSOR)


def test_a_whole_life_with_changes_of_people() -> None:
    play = changing().do("AssignRole", SPONSOR, person="zhao.min", role="PMO", reason="Successor")
    play.do("ConfirmRole", PRODUCT, grant="G-6").do("EndRole", SPONSOR, person=PMO, role="PMO", reason="Leaves")
    play.sign("zhao.min", PRODUCT)
    assert play.project.plan.baseline_version == 2
    play.do("ProposeCancellation", "zhao.min", reason="Enough").sign("zhao.min", PRODUCT, SPONSOR)
    evaluation: dict[str, Any] = {"scores": dict.fromkeys(SCORES, 3), "comment": "Fine"}
    play.do("SubmitEvaluation", "zhao.min", **evaluation).do("SubmitEvaluation", PRODUCT, **evaluation)
    play.do("ProposeClosing", "zhao.min", results="R", problems="P", improvements="I", no_lessons_because="None")
    assert play.sign("zhao.min", PRODUCT, SPONSOR).project.lifecycle.closing_approved


def test_the_plays_end_well() -> None:
    play = evaluate(looking_back()).do("ProposeClosing", PRODUCT, results="R", problems="P", improvements="I")
    assert finish(play).project.ended
