"""Working time: named days, clock changes, and the laws that `add` and `between` keep."""

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.calendar import HORIZON_YEARS, Calendar, CalendarPolicy, DayOverride, calendar

OFFICE: dict[str, Any] = {"timezone": "Asia/Shanghai", "region": None, "weekdays": (0, 1, 2, 3, 4)}
OFFICE |= {"opens": time(9), "closes": time(18), "overrides": ()}


def policy(timezone: str = "Asia/Shanghai", **fields: Any) -> CalendarPolicy:
    return CalendarPolicy(**{**OFFICE, "timezone": timezone, **fields})


def closed(*days: date) -> tuple[DayOverride, ...]:
    return tuple(DayOverride(day=day, working=False, note="closed") for day in days)


def at(zone: str, wall: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def china(wall: str) -> datetime:
    return at("Asia/Shanghai", wall)


CHINA = calendar(policy(region="CN"))
PLAIN = calendar(policy())
BERLIN = calendar(policy("Europe/Berlin"))
NEW_YORK = calendar(policy("America/New_York", region="US", closes=time(17)))
NIGHT = calendar(policy("Europe/Berlin", weekdays=(0, 1, 2, 3, 4, 5, 6), opens=time(1), closes=time(5)))


# Days


@pytest.mark.parametrize(
    ("day", "working"),
    [
        (date(2026, 2, 13), True),
        (date(2026, 2, 14), True),  # Saturday, made up for the Spring Festival
        (date(2026, 2, 15), False),
        (date(2026, 2, 20), False),  # Friday, exchanged for that Saturday
        (date(2026, 2, 28), True),
        (date(2026, 10, 1), False),
        (date(2026, 10, 10), True),
        (date(2026, 10, 17), False),
    ],
)
def test_china_knows_holidays_and_make_up_days(day: date, working: bool) -> None:
    assert CHINA.is_working_day(day) is working


def test_a_make_up_day_is_known_without_having_asked_for_its_year_before() -> None:
    assert Calendar(policy(region="CN")).is_working_day(date(2011, 12, 31))


def test_without_a_region_only_the_weekday_counts() -> None:
    assert PLAIN.is_working_day(date(2026, 10, 1))
    assert not PLAIN.is_working_day(date(2026, 2, 14))


def test_a_make_up_saturday_is_worked_and_the_festival_is_not() -> None:
    assert CHINA.add(china("2026-02-13 17:00"), 120) == china("2026-02-14 10:00")
    assert CHINA.add_days(china("2026-02-14 10:00"), 1) == china("2026-02-24 10:00")
    assert CHINA.between(china("2026-02-14 00:00"), china("2026-02-15 00:00")) == 540
    assert CHINA.between(china("2026-10-01 00:00"), china("2026-10-08 00:00")) == 0


def test_overrides_win_over_region_and_weekday() -> None:
    worked = DayOverride(day=date(2026, 10, 1), working=True, note="release")
    changed = calendar(policy(region="CN", overrides=(worked, *closed(date(2026, 2, 14)))))
    assert changed.is_working_day(date(2026, 10, 1))
    assert not changed.is_working_day(date(2026, 2, 14))
    assert changed.add_days(china("2026-02-13 10:00"), 1) == china("2026-02-24 10:00")
    assert changed.add_days(china("2026-09-30 10:00"), 1) == china("2026-10-01 10:00")


def test_a_leap_day_is_a_day_like_others() -> None:
    assert PLAIN.add_days(china("2028-02-28 10:00"), 1) == china("2028-02-29 10:00")
    assert PLAIN.add_days(china("2028-02-28 10:00"), 2) == china("2028-03-01 10:00")
    assert PLAIN.add_days(china("2027-02-26 10:00"), 1) == china("2027-03-01 10:00")


def test_the_end_of_the_year_is_crossed() -> None:
    assert NEW_YORK.add_days(at("America/New_York", "2026-12-31 10:00"), 1) == at(
        "America/New_York", "2027-01-04 10:00"
    )
    assert PLAIN.add(china("2026-12-31 17:30"), 60) == china("2027-01-01 09:30")
    # New Year's Day has begun in Shanghai while the year is still the old one in UTC.
    assert PLAIN.between(china("2027-01-01 00:30"), china("2027-01-01 10:00")) == 60


# Hours


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        ("2026-06-02 10:30", 0, "2026-06-02 10:30"),
        ("2026-06-02 09:00", 540, "2026-06-02 18:00"),  # exactly at closing stays there
        ("2026-06-02 09:00", 541, "2026-06-03 09:01"),
        ("2026-06-02 09:00", 1080, "2026-06-03 18:00"),
        ("2026-06-02 18:00", 0, "2026-06-02 18:00"),
        ("2026-06-02 18:00", 1, "2026-06-03 09:01"),
        ("2026-06-02 18:01", 0, "2026-06-03 09:00"),
        ("2026-06-02 07:00", 30, "2026-06-02 09:30"),
        ("2026-06-05 17:59", 2, "2026-06-08 09:01"),
        ("2026-06-06 12:00", 0, "2026-06-08 09:00"),
        ("2026-06-02 10:30:40", 10, "2026-06-02 10:40:40"),
    ],
)
def test_add_counts_working_minutes(start: str, minutes: int, end: str) -> None:
    assert PLAIN.add(china(start), minutes) == china(end)


def test_days_keep_the_time_of_day_and_fractions_round_down() -> None:
    assert PLAIN.add_days(china("2026-06-02 10:30"), 2) == china("2026-06-04 10:30")
    assert PLAIN.add_days(china("2026-06-02 09:00"), Fraction(1, 2)) == china("2026-06-02 13:30")
    assert PLAIN.add_days(china("2026-06-02 09:00"), Fraction(1, 7)) == china("2026-06-02 10:17")


def test_between_is_whole_minutes_rounded_down() -> None:
    start = china("2026-06-02 10:00")
    assert PLAIN.between(start, start + timedelta(seconds=59)) == 0
    assert PLAIN.between(start, start + timedelta(seconds=61)) == 1
    assert PLAIN.between(start, start) == 0
    assert PLAIN.between(start, start - timedelta(days=3)) == 0


@pytest.mark.parametrize(
    ("instant", "opening"),
    [
        ("2026-06-02 08:00", "2026-06-02 09:00"),
        ("2026-06-02 09:00", "2026-06-02 09:00"),
        ("2026-06-02 12:34", "2026-06-02 12:34"),
        ("2026-06-02 18:00", "2026-06-03 09:00"),
        ("2026-06-05 18:00", "2026-06-08 09:00"),
        ("2026-06-07 11:00", "2026-06-08 09:00"),
    ],
)
def test_next_opening(instant: str, opening: str) -> None:
    assert PLAIN.next_opening(china(instant)) == china(opening)


# Clock changes


@pytest.mark.parametrize("friday", ["2026-03-27", "2026-10-23"])
def test_berlin_opens_at_nine_on_both_sides_of_a_change(friday: str) -> None:
    start = at("Europe/Berlin", f"{friday} 17:00")
    monday = date.fromisoformat(friday) + timedelta(days=3)
    assert BERLIN.add(start, 120) == at("Europe/Berlin", f"{monday} 10:00")
    assert BERLIN.add_days(start, 1) == at("Europe/Berlin", f"{monday} 17:00")
    assert BERLIN.between(start, at("Europe/Berlin", f"{monday} 10:00")) == 120


@pytest.mark.parametrize("friday", ["2026-03-06", "2026-10-30"])
def test_new_york_opens_at_nine_on_both_sides_of_a_change(friday: str) -> None:
    start = at("America/New_York", f"{friday} 16:30")
    monday = date.fromisoformat(friday) + timedelta(days=3)
    assert NEW_YORK.add(start, 60) == at("America/New_York", f"{monday} 09:30")
    assert NEW_YORK.next_opening(start + timedelta(days=1)) == at("America/New_York", f"{monday} 09:00")


def test_a_skipped_hour_passes_at_once() -> None:
    opening, change = at("Europe/Berlin", "2026-03-29 01:00"), datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert NIGHT.between(opening, at("Europe/Berlin", "2026-03-29 05:00")) == 240
    assert NIGHT.add(opening, 60) == change
    assert NIGHT.add(opening, 90) == change  # 02:30 is on no clock
    assert NIGHT.add(opening, 120) == change
    assert NIGHT.add(opening, 150) == at("Europe/Berlin", "2026-03-29 03:30")
    assert NIGHT.add_days(at("Europe/Berlin", "2026-03-28 03:30"), 1) == at("Europe/Berlin", "2026-03-29 03:30")


def test_a_repeated_hour_counts_once() -> None:
    opening = at("Europe/Berlin", "2026-10-25 01:00")
    first, second = (at("Europe/Berlin", "2026-10-25 02:30", fold) for fold in (0, 1))
    assert second - first == timedelta(hours=1)
    assert NIGHT.between(opening, at("Europe/Berlin", "2026-10-25 05:00")) == 240
    assert NIGHT.add(opening, 90) == first
    assert NIGHT.add(opening, 120) == at("Europe/Berlin", "2026-10-25 02:00", fold=1)
    assert NIGHT.between(opening, second) == 120
    assert NIGHT.add(second, 0) == second
    assert NIGHT.add(second, 1) == at("Europe/Berlin", "2026-10-25 03:01")


@pytest.mark.parametrize(
    ("opens", "closes", "first", "last"),
    [
        (time(2, 30), time(6), "2026-03-29 03:00", "2026-03-29 06:00"),
        (time(0), time(2, 30), "2026-03-29 00:00", "2026-03-29 03:00"),
    ],
)
def test_hours_that_open_or_close_in_a_skipped_hour(opens: time, closes: time, first: str, last: str) -> None:
    night = calendar(policy("Europe/Berlin", weekdays=(6,), opens=opens, closes=closes))
    opening = night.next_opening(at("Europe/Berlin", "2026-03-28 12:00"))
    assert opening == at("Europe/Berlin", first)
    assert night.add(at("Europe/Berlin", "2026-03-28 12:00"), night.minutes_per_day) == at("Europe/Berlin", last)


# The policy as data


def test_a_policy_survives_json() -> None:
    before = policy(region="CN", overrides=closed(date(2026, 5, 6)))
    after = CalendarPolicy.model_validate_json(before.model_dump_json())
    assert after == before
    assert calendar(after) is calendar(before)
    assert before.model_dump(mode="json") == {
        "timezone": "Asia/Shanghai",
        "region": "CN",
        "weekdays": [0, 1, 2, 3, 4],
        "opens": "09:00:00",
        "closes": "18:00:00",
        "overrides": [{"day": "2026-05-06", "working": False, "note": "closed"}],
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Mars/Olympus"),
        ("timezone", "../etc/passwd"),
        ("timezone", "Europe"),
        ("timezone", ""),
        ("region", "XX"),
        ("region", "China"),
        ("weekdays", ()),
        ("weekdays", (7,)),
        ("weekdays", (1, 0)),
        ("weekdays", (0, 0)),
        ("weekdays", [0, 1]),
        ("opens", time(18)),
        ("opens", time(9, 0, 1)),
        ("opens", time(9, tzinfo=UTC)),
        ("opens", "09:00"),
        ("overrides", closed(date(2026, 5, 6), date(2026, 5, 6))),
        ("holidays", ()),
    ],
)
def test_a_policy_that_means_nothing_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        CalendarPolicy(**{**OFFICE, field: value})


# Bounds


def test_a_calendar_whose_days_are_all_taken_away_ends_in_a_refusal() -> None:
    mondays = [date(2026, 1, 5) + timedelta(weeks=week) for week in range(53 * (HORIZON_YEARS + 1))]
    empty = Calendar(policy(weekdays=(0,), overrides=closed(*mondays)))
    start = china("2026-01-01 10:00")
    with pytest.raises(ValueError, match="no working day left"):
        empty.add(start, 1)
    with pytest.raises(ValueError, match="no working day left"):
        empty.next_opening(start)
    assert empty.between(china("2026-01-01 10:00"), china("2030-01-01 10:00")) == 0


@pytest.mark.parametrize("minutes", [-1, 10**18])
def test_minutes_out_of_bounds_are_refused(minutes: int) -> None:
    with pytest.raises(ValueError, match="working minutes must be"):
        PLAIN.add(china("2026-06-02 10:00"), minutes)


def test_only_instants_in_utc_are_taken() -> None:
    good = china("2026-06-02 10:00")
    for bad in (datetime(2026, 6, 2, 10), good.astimezone(ZoneInfo("Asia/Shanghai"))):  # noqa: DTZ001
        with pytest.raises(ValueError, match="in UTC"):
            PLAIN.add(bad, 1)
        with pytest.raises(ValueError, match="in UTC"):
            PLAIN.between(good, bad)
        with pytest.raises(ValueError, match="in UTC"):
            PLAIN.next_opening(bad)
    with pytest.raises(ValueError, match="years at most"):
        PLAIN.between(good, good.replace(year=2100))
    with pytest.raises(ValueError, match="no place for an offset"):
        PLAIN.add(datetime.max.replace(tzinfo=UTC), 1)


def test_years_of_working_days_are_added_in_a_blink() -> None:
    start = china("2026-01-05 10:30")
    assert CHINA.between(start, CHINA.add_days(start, 2000)) == 2000 * CHINA.minutes_per_day
    took = []
    for _ in range(20):
        begun = perf_counter()
        CHINA.add_days(start, 2000)
        took.append(perf_counter() - begun)
    assert min(took) < 0.005


# Laws, tried on the same examples every time.
# `ordinary` calendars have no clock change inside their hours; `any_calendar` may have one.

laws = settings(derandomize=True, deadline=None, max_examples=60)
near_a_change = st.builds(
    lambda change, minutes: datetime.fromisoformat(change).replace(tzinfo=UTC) + timedelta(minutes=minutes),
    st.sampled_from(["2026-03-29 01:00", "2026-10-25 01:00", "2026-03-08 07:00", "2026-11-01 06:00"]),
    st.integers(-300, 300),
)
instants = near_a_change | st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
whole_instants = instants.map(lambda moment: moment.replace(second=0, microsecond=0))
amounts = st.integers(0, 2_000)
zones = st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
days = st.dates(date(2024, 1, 1), date(2031, 1, 1))
overrides = st.dictionaries(days, st.booleans(), max_size=8).map(
    lambda chosen: tuple(DayOverride(day=day, working=works, note="") for day, works in chosen.items())
)


@st.composite
def calendars(draw: st.DrawFn, earliest: int) -> Calendar:
    opens = draw(st.integers(earliest, 23 * 60))
    closes = draw(st.integers(opens + 15, 24 * 60 - 1))
    return calendar(
        policy(
            draw(zones),
            region=draw(st.sampled_from([None, "CN", "DE", "US"])),
            weekdays=tuple(sorted(draw(st.sets(st.integers(0, 6), min_size=1)))),
            opens=time(*divmod(opens, 60)),
            closes=time(*divmod(closes, 60)),
            overrides=draw(overrides),
        )
    )


ordinary = calendars(earliest=4 * 60)
any_calendar = calendars(earliest=0)


@laws
@given(ordinary, instants, amounts)
def test_between_counts_what_add_added(cal: Calendar, start: datetime, minutes: int) -> None:
    assert cal.between(start, cal.add(start, minutes)) == minutes


@laws
@given(ordinary, instants, amounts, amounts)
def test_adding_twice_is_adding_the_sum(cal: Calendar, start: datetime, some: int, more: int) -> None:
    assert cal.add(cal.add(start, some), more) == cal.add(start, some + more)


@laws
@given(ordinary, instants, amounts)
def test_a_result_lies_in_working_time(cal: Calendar, start: datetime, minutes: int) -> None:
    wall = cal.add(start, minutes).astimezone(ZoneInfo(cal.policy.timezone)).replace(tzinfo=None)
    assert cal.is_working_day(wall.date())
    assert cal.policy.opens <= wall.time() <= cal.policy.closes


@laws
@given(any_calendar, instants, instants, amounts, amounts)
def test_add_is_monotone(cal: Calendar, one: datetime, two: datetime, some: int, more: int) -> None:
    early, late = sorted((one, two))
    assert early <= cal.add(early, some) <= cal.add(late, some) <= cal.add(late, some + more)


@laws
@given(any_calendar, whole_instants, whole_instants, whole_instants)
def test_between_is_additive(cal: Calendar, one: datetime, two: datetime, three: datetime) -> None:
    first, second, third = sorted((one, two, three))
    assert cal.between(first, second) + cal.between(second, third) == cal.between(first, third)


@laws
@given(any_calendar, whole_instants, st.integers(1, 2_000))
def test_add_is_the_earliest_instant_by_which_enough_has_passed(cal: Calendar, start: datetime, minutes: int) -> None:
    end = cal.add(start, minutes)
    assert cal.between(start, end) >= minutes
    assert cal.between(start, end - timedelta(microseconds=1)) < minutes


@laws
@given(any_calendar, instants)
def test_next_opening_is_open_and_loses_no_working_time(cal: Calendar, moment: datetime) -> None:
    opening = cal.next_opening(moment)
    assert cal.between(moment, opening) == 0
    assert cal.next_opening(opening) == opening


@laws
@given(any_calendar, days)
def test_every_working_day_is_worth_the_same(cal: Calendar, day: date) -> None:
    assume(cal.is_working_day(day))
    zone = ZoneInfo(cal.policy.timezone)
    midnights = (datetime.combine(d, time(), zone).astimezone(UTC) for d in (day, day + timedelta(days=1)))
    assert cal.between(*midnights) == cal.minutes_per_day
