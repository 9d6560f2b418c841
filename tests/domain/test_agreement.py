"""Goals and KPIs that both sides sign; what is measured; what it all scores."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from domain.project.agreement import AgreementCountered, AgreementProposed
from domain.project.decision import State
from domain.project.decision_events import DecisionOpened, DecisionSuperseded, SubjectAnnotated
from domain.project.kpi import Kpi, attainment, score, shown
from domain.project.measurements import KpiMeasured
from domain.values import NotApplicable, Stage
from tests.plays import agreeing, change_data, changing, executing, planned, proposed, submit
from tests.spec import MEMBER, PMO, PRODUCT, SPONSOR, Outcome, Play, agreement, given, kpi, policy


def propose(content: dict[str, Any]) -> Outcome:
    return given(agreeing()).when("ProposeAgreement", PMO, content=content)


class TestGL1Weights:
    @pytest.mark.parametrize("weight", [2499, 2501, 0])
    def test_they_sum_to_ten_thousand_exactly(self, weight: int) -> None:
        propose(kpi(agreement(), "on-time", weight_bp=weight)).then_refused("WeightsDoNotSum", "GL1")

    def test_t02_three_thirds_are_one_basis_point_short(self) -> None:
        thirds = [k | {"weight_bp": 3333} for k in agreement()["kpis"][:3]]
        propose(agreement(kpis=thirds)).then_refused("WeightsDoNotSum", "GL1")

    def test_names_differ(self) -> None:
        twice = [k | {"id": "same"} for k in agreement()["kpis"]]
        propose(agreement(kpis=twice, goals=[agreement()["goals"][0] | {"kpis": []}])).then_refused("NameTwice", "GL1")


class TestGL2Categories:
    def test_each_category_of_the_template_has_a_kpi(self) -> None:
        outcome = propose(kpi(agreement(), "on-time", category="quality")).then_refused("CategoryMissing", "GL2")
        assert outcome.refusal
        assert "schedule" in outcome.refusal.detail

    def test_a_template_may_demand_others(self) -> None:
        play = agreeing(policy(agreement={"categories": ["quality"], "cap_bp": 12000}))
        content = kpi(agreement(), "on-time", category="quality")
        given(play).when("ProposeAgreement", PMO, content=content).then(AgreementProposed, DecisionOpened)

    def test_goals_name_kpis_and_owners_that_exist(self) -> None:
        goal = agreement()["goals"][0]
        propose(agreement(goals=[goal | {"kpis": ["nonesuch"]}])).then_refused("NoKpi")
        propose(kpi(agreement(), "on-time", owner="stranger")).then_refused("NoMember")


class TestGL3WhoSigns:
    def test_both_sides_sign_the_same_hash(self) -> None:
        play = proposed()
        assert [s.name for s in play.decision().slots] == ["pmo", "product-manager"]
        assert play.sign(PMO).project.stage is Stage.KPI_AGREEMENT
        assert play.sign(PRODUCT).project.agreement.active_revision == 1

    @pytest.mark.parametrize(
        ("amount", "currency", "slots"), [("100000", "CNY", 2), ("100000.01", "CNY", 3), ("10", "EUR", 3)]
    )
    def test_above_the_threshold_the_sponsor_signs_too(self, amount: str, currency: str, slots: int) -> None:
        play = agreeing(None, budget={"amount": amount, "currency": currency})
        assert len(play.do("ProposeAgreement", PMO, content=agreement()).decision().slots) == slots


class TestGL4EditsVoidSignatures:
    def test_t01_signed_by_one_edited_by_the_other(self) -> None:
        play = proposed().sign(PRODUCT)
        edited = kpi(kpi(agreement(), "on-time", weight_bp=3000), "satisfied", weight_bp=2000)
        outcome = given(play).when("ProposeAgreement", PMO, content=edited)
        outcome.then(AgreementCountered, DecisionSuperseded, DecisionOpened).told(PMO, PRODUCT)
        words = [n.en for n in outcome.play.told(len(play.facts)) if n.recipient == PRODUCT]
        assert "kpis.on-time.weight_bp: 2500 → 3000; kpis.satisfied.weight_bp: 2500 → 2000" in words[0]
        after = outcome.play.sign(PMO)
        assert after.project.stage is Stage.KPI_AGREEMENT
        assert after.project.agreement.revision == 2
        assert after.decision("D-2").state is State.SUPERSEDED
        assert after.sign(PRODUCT).project.agreement.active_revision == 2

    def test_remarks_leave_them_standing(self) -> None:
        play = proposed().sign(PRODUCT)
        outcome = given(play).when("ProposeAgreement", PMO, content=agreement(remarks="See minutes"))
        outcome.then(AgreementCountered, SubjectAnnotated)
        assert outcome.play.sign(PMO).project.stage is Stage.EXECUTION

    def test_the_same_again_is_no_counter_proposal(self) -> None:
        given(proposed()).when("ProposeAgreement", PMO, content=agreement()).then_refused("NothingChanged")

    def test_a_rejected_one_may_be_proposed_again(self) -> None:
        play = proposed().vote(PMO, "REJECT")
        given(play).when("ProposeAgreement", PRODUCT, content=agreement()).then(AgreementProposed, DecisionOpened)


class TestGL5OnlyAChangeMovesTargets:
    def test_no_proposal_once_it_is_in_force(self) -> None:
        given(executing()).when("ProposeAgreement", PMO, content=agreement()).then_refused("WrongStage", "P1")

    def test_an_approved_change_amends_exactly_its_targets(self) -> None:
        play = changing(kpis=[{"kpi": "on-time", "target": "95"}])
        before = play.project.agreement
        play.sign(PMO, PRODUCT, SPONSOR)
        after = play.project.agreement
        assert after.active_revision == before.active_revision + 1
        targets = {k.id: k.target for k, _ in after.measured_kpis()}
        assert targets == {k.id: k.target for k, _ in before.measured_kpis()} | {"on-time": Decimal(95)}

    def test_a_target_never_equals_its_baseline(self) -> None:
        product, _ = change_data(kpis=[{"kpi": "on-time", "target": "60"}])
        given(submit(planned())).when("AssessProductImpact", PRODUCT, **product).then_refused("TargetIsBaseline", "GL5")


MEASURED: dict[str, Any] = {
    "kpi": "on-time",
    "value": "75",
    "effective_on": "2026-03-10",
    "source": "Monthly report",
    "evidence": "Page 3",
}


def measure(play: Play, by: str = PRODUCT, **changes: Any) -> Outcome:
    return given(play).when("RecordMeasurement", by, **(MEASURED | changes))


class TestGL6Measurements:
    def test_by_the_owner_or_the_pmo_with_source_and_evidence(self) -> None:
        play = planned().later(days=10)
        measure(play).then(KpiMeasured)
        measure(play, PMO).then(KpiMeasured)
        measure(play, MEMBER).then_refused("NotTheOwner", "GL6")
        measure(play, evidence=" ").then_refused("Malformed", "DR14")
        measure(play, kpi="nonesuch").then_refused("NoKpi")

    def test_of_two_days_the_later_one_counts(self) -> None:
        play = measure(planned().later(days=10)).play
        assert measure(play, value="60", effective_on="2026-03-09").play.project.agreement.latest["on-time"].value == 75
        assert measure(play, value="60").play.project.agreement.latest["on-time"].value == 60


class TestGL7Days:
    def test_the_day_is_a_day_where_the_project_is(self) -> None:
        play = planned().later(days=10)
        assert str(play.now) == "2026-03-13 10:00:00+00:00"
        measure(play, effective_on="2026-03-13").then(KpiMeasured)
        measure(play, effective_on="2026-03-14").then_refused("DayOutOfRange", "GL7")
        measure(play, effective_on="2026-03-01").then_refused("DayOutOfRange", "GL7")
        late = play.later(hours=7)
        measure(late, effective_on="2026-03-14").then(KpiMeasured)

    def test_a_correction_names_what_it_corrects_and_why(self) -> None:
        play = measure(planned().later(days=10)).play
        measure(play, corrects="ME-9", reason="x").then_refused("NoMeasurement")
        measure(play, corrects="ME-1").then_refused("ReasonMissing", "GL7")
        outcome = measure(play, corrects="ME-1", reason="Typo", value="57", effective_on="2026-03-05")
        assert outcome.then(KpiMeasured).project.agreement.latest["on-time"].value == 57


def figure(**fields: Any) -> Kpi:
    data = agreement()["kpis"][0] | fields
    return Kpi.model_validate(data, strict=False)


class TestAttainment:
    @pytest.mark.parametrize(
        ("fields", "actual", "expected"),
        [
            ({"baseline": "60", "target": "90"}, "75", Fraction(1, 2)),
            ({"baseline": "60", "target": "90"}, "100", Fraction(4, 3)),
            ({"baseline": "60", "target": "90"}, "50", Fraction(-1, 3)),
            ({"direction": "down", "baseline": "10", "target": "4"}, "7", Fraction(1, 2)),
            ({"direction": "maintain", "target": "5", "tolerance": "0.5"}, "5.5", Fraction(1)),
            ({"direction": "maintain", "target": "5", "tolerance": "0.5"}, "5.51", Fraction(0)),
            ({"direction": "band", "band_low": "10", "band_high": "20"}, "15", Fraction(1)),
            ({"direction": "band", "band_low": "10", "band_high": "20"}, "22.5", Fraction(3, 4)),
            ({"direction": "band", "band_low": "10", "band_high": "20"}, "5", Fraction(1, 2)),
            ({"direction": "band", "band_low": "10", "band_high": "20"}, "99", Fraction(0)),
        ],
    )
    def test_golden_numbers(self, fields: dict[str, Any], actual: str, expected: Fraction) -> None:
        assert attainment(figure(**fields), Decimal(actual)) == expected

    @pytest.mark.parametrize(
        "fields",
        [
            {"target": "60"},
            {"direction": "band"},
            {"direction": "band", "band_low": "2", "band_high": "2"},
            {"direction": "maintain", "tolerance": "-1"},
        ],
        ids=str,
    )
    def test_what_cannot_be_computed_is_refused(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            figure(**fields)


class TestScore:
    def measured(self, *actual: tuple[int, str | None]) -> list[tuple[Kpi, Decimal | None]]:
        return [(figure(weight_bp=weight), Decimal(value) if value else None) for weight, value in actual]

    def test_half_attained_at_forty_percent_of_the_weight(self) -> None:
        rate, coverage = score(self.measured((4000, "75"), (6000, "90")), 12_000)
        assert (rate, coverage) == (Fraction(4, 5), Fraction(1))
        assert shown(rate) == "0.8000"

    def test_no_kpi_counts_for_more_than_the_cap_or_less_than_nothing(self) -> None:
        assert score(self.measured((5000, "900"), (5000, "0")), 12_000)[0] == Fraction(3, 5)

    def test_over_what_is_measured_and_how_much_that_is(self) -> None:
        rate, coverage = score(self.measured((2500, "75"), (7500, None)), 12_000)
        assert (rate, coverage) == (Fraction(1, 2), Fraction(1, 4))

    def test_nothing_measured_is_not_applicable_with_its_reason(self) -> None:
        rate, coverage = score(self.measured((10_000, None)), 12_000)
        assert rate == NotApplicable(reason="no KPI is measured yet")
        assert coverage == 0
        assert shown(rate) == "N/A (no KPI is measured yet)"

    @pytest.mark.parametrize(
        ("rate", "words"),
        [
            (Fraction(2, 3), "0.6667"),
            (Fraction(1, 20_000), "0.0000"),
            (Fraction(3, 20_000), "0.0002"),
            (Fraction(-1, 3), "-0.3333"),
            (Fraction(10**21), "1000000000000000000000.0000"),
        ],
    )
    def test_rates_are_rounded_half_to_even_where_they_are_shown(self, rate: Fraction, words: str) -> None:
        assert shown(rate) == words


def test_a_kpi_with_another_unit_starts_anew() -> None:
    play = measure(planned().later(days=10)).play
    play.do("ProposeRecycle", PMO, to="KPI_AGREEMENT", reason="Other figures").sign(PMO, PRODUCT)
    play.do("ProposeAgreement", PMO, content=kpi(agreement(), "on-time", unit="days")).sign(PMO, PRODUCT)
    assert play.project.agreement.latest == {}
    again = measure(planned().later(days=10)).play
    again.do("ProposeRecycle", PMO, to="KPI_AGREEMENT", reason="Other figures").sign(PMO, PRODUCT)
    again.do("ProposeAgreement", PMO, content=kpi(agreement(), "on-time", target="95")).sign(PMO, PRODUCT)
    assert set(again.project.agreement.latest) == {"on-time"}
