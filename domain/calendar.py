"""Working time: which days and minutes count, and when a limit of working time ends.

Measured by the wall clock of the policy's time zone: every working day is worth `minutes_per_day`, also the
day on which the clocks change. Where the working window itself contains the change, the hour that the clock
repeats counts once (its second pass stands still), and the hour that it skips passes at once. So `add` gives
the earliest instant by which `between` has counted the wanted minutes; they differ only for an end inside a
skipped hour, which exists on no clock: it falls on the instant of the change.

A limit that is used up exactly at closing ends at closing, not at the next opening.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files
from math import floor
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

HORIZON_YEARS: Final = 50
"""How far working time is looked for: a calendar whose days ran out ends in a refusal, not in a loop."""

_MINUTE: Final = timedelta(minutes=1)
_HORIZON_MINUTES: Final = HORIZON_YEARS * 366 * 24 * 60


@cache
def _zone_names() -> frozenset[str]:
    return frozenset((files("tzdata") / "zones").read_text(encoding="utf-8").split())


@cache
def _regions() -> frozenset[str]:
    from holidays import list_supported_countries  # a quarter of a second, paid by those who need it

    return frozenset(list_supported_countries(include_aliases=False))


@lru_cache(maxsize=4096)
def _exceptions(region: str, year: int) -> tuple[frozenset[date], frozenset[date]]:
    """The public holidays of a year, and the weekend days that are worked to make up for some of them."""
    from holidays import country_holidays

    calendar_of_year = country_holidays(region, years=year)
    made_up = frozenset(day for day in calendar_of_year.weekend_workdays if day.year == year)
    return frozenset(calendar_of_year) - made_up, made_up


def _known_zone(name: str) -> str:
    if name not in _zone_names():
        raise ValueError("not a time zone of the IANA database")
    return name


def _known_region(code: str) -> str:
    if code not in _regions():
        raise ValueError("not a country whose public holidays are known")
    return code


def _whole_minute(value: time) -> time:
    if value.tzinfo is not None or value.second or value.microsecond:
        raise ValueError("a wall clock time of whole minutes, without an offset")
    return value.replace(fold=0)


def _ascending(weekdays: tuple[int, ...]) -> tuple[int, ...]:
    if list(weekdays) != sorted(set(weekdays)):
        raise ValueError("weekdays ascend, each named once")
    return weekdays


WallTime = Annotated[time, AfterValidator(_whole_minute)]
Weekday = Annotated[int, Field(ge=0, le=6)]


class DayOverride(BaseModel):
    """One day that is, or is not, worked, whatever the region and the weekday say."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    day: date
    working: bool
    note: str = Field(max_length=500)


class CalendarPolicy(BaseModel):
    """Working days and hours as data: part of a process template, stored in events as JSON."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    timezone: Annotated[str, AfterValidator(_known_zone)]
    """IANA name, for instance `Asia/Shanghai`."""
    region: Annotated[str, AfterValidator(_known_region)] | None
    """ISO 3166 country code whose public holidays and make-up days hold; None: no public holidays."""
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1), AfterValidator(_ascending)]
    """Working days of the week, 0 is Monday."""
    opens: WallTime
    closes: WallTime
    overrides: tuple[DayOverride, ...]
    """Win over region and weekday; at most one a day."""

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.closes <= self.opens:
            raise ValueError("closes must be later than opens")
        if len({override.day for override in self.overrides}) < len(self.overrides):
            raise ValueError("at most one override a day")
        return self


@dataclass(frozen=True, slots=True)
class _Window:
    """The working hours of one day: how its wall clock and the instants belong together."""

    opens: datetime
    closes: datetime
    """Wall clock, without zone."""
    change: datetime
    """The instant (UTC) at which the offset turns from `before` to `after`; equal offsets: no change."""
    before: timedelta
    after: timedelta

    def instant(self, wall: datetime) -> datetime:
        """The earliest instant by which the wall clock has shown `wall`."""
        first = (wall - self.before).replace(tzinfo=UTC)
        if first <= self.change:
            return first
        return max(self.change, (wall - self.after).replace(tzinfo=UTC))

    def worked(self, at: datetime) -> timedelta:
        """Working time of this day before the instant."""
        naive = at.replace(tzinfo=None)
        shown = naive + self.before
        if at >= self.change:
            shown = max(naive + self.after, self.change.replace(tzinfo=None) + self.before)
        return min(max(shown, self.opens), self.closes) - self.opens


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


@lru_cache(maxsize=8192)
def _window(zone: ZoneInfo, day: date, opens: time, closes: time) -> _Window:
    """The window of a day; a clock change is looked for between its earliest and latest readings."""
    first, last = datetime.combine(day, opens), datetime.combine(day, closes)
    start = min(first.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    end = max(last.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    before, after = _offset(zone, start), _offset(zone, end)
    change = start if before == after else _change(zone, start, end)
    return _Window(opens=first, closes=last, change=change, before=before, after=after)


def _change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime:
    """The first second in (start, end] at which the offset of `end` holds."""
    after = _offset(zone, end)
    seconds = range(round((end - start).total_seconds()))
    found = bisect_left(seconds, True, key=lambda second: _offset(zone, start + timedelta(seconds=second)) == after)
    return start + timedelta(seconds=found)


def _instant(at: datetime) -> datetime:
    if at.utcoffset() != timedelta():
        raise ValueError("instants are aware and in UTC")
    if not MINYEAR < at.year < MAXYEAR:
        raise ValueError("the first and the last year have no place for an offset")
    return at.astimezone(UTC)


class Calendar:
    """Working time under one policy. Instants are aware and in UTC, going in and coming out."""

    def __init__(self, policy: CalendarPolicy) -> None:
        self.policy = policy
        self._zone = ZoneInfo(policy.timezone)
        self._overrides = {override.day: override.working for override in policy.overrides}
        self._years: dict[int, tuple[date, ...]] = {}
        span = datetime.combine(date.min, policy.closes) - datetime.combine(date.min, policy.opens)
        self._length = span

    @property
    def minutes_per_day(self) -> int:
        """Working minutes of one working day: closes − opens."""
        return self._length // _MINUTE

    def is_working_day(self, day: date) -> bool:
        """Whether the day is worked: an override decides, then the region's exceptions, then the weekday."""
        if day in self._overrides:
            return self._overrides[day]
        if self.policy.region is not None:
            closed, made_up = _exceptions(self.policy.region, day.year)
            if day in closed or day in made_up:
                return day in made_up
        return day.weekday() in self.policy.weekdays

    def add(self, start: datetime, working_minutes: int) -> datetime:
        """The earliest instant by which so many working minutes have passed since `start`.

        A start outside working time counts from the next opening; closing still belongs to its day.
        Raises ValueError for a negative number, for an instant that is not in UTC, and where no working
        time is left within HORIZON_YEARS.
        """
        if not 0 <= working_minutes <= _HORIZON_MINUTES:
            raise ValueError(f"working minutes must be from 0 to {_HORIZON_MINUTES}")
        start = _instant(start)
        day, done = self._position(start)
        days, rest = divmod(done + working_minutes * _MINUTE, self._length)
        if days and not rest:
            days, rest = days - 1, self._length
        window = self._window(self._working_day(day, days))
        return max(window.instant(window.opens + rest), start)

    def add_days(self, start: datetime, days: Fraction | int) -> datetime:
        """`add` in working days of `minutes_per_day`; a fraction is rounded down to whole minutes."""
        return self.add(start, floor(days * self.minutes_per_day))

    def between(self, start: datetime, end: datetime) -> int:
        """Whole working minutes in [start, end), rounded down; 0 unless start < end.

        Raises ValueError for instants that are not in UTC or more than HORIZON_YEARS apart.
        """
        start, end = _instant(start), _instant(end)
        if end <= start:
            return 0
        if end.year - start.year > HORIZON_YEARS:
            raise ValueError(f"working time is counted over {HORIZON_YEARS} years at most")
        origin = min(start.year, self._local_day(start).year)
        return (self._worked(origin, end) - self._worked(origin, start)) // _MINUTE

    def next_opening(self, at: datetime) -> datetime:
        """The first instant at or after `at` that is in working time: `at` itself while open.

        At closing it is the opening of the next working day. Raises ValueError like `add`.
        """
        at = _instant(at)
        day = self._working_day(self._local_day(at), 0)
        window = self._window(day)
        if at >= window.instant(window.closes):
            window = self._window(self._working_day(day, 1))
        return max(window.instant(window.opens), at)

    def _local_day(self, at: datetime) -> date:
        return at.astimezone(self._zone).date()

    def _window(self, day: date) -> _Window:
        return _window(self._zone, day, self.policy.opens, self.policy.closes)

    def _position(self, at: datetime) -> tuple[date, timedelta]:
        """The working day that the instant belongs to, and how much of it is used up."""
        day = self._working_day(self._local_day(at), 0)
        window = self._window(day)
        if at > window.instant(window.closes):
            return self._working_day(day, 1), timedelta()
        return day, window.worked(at)

    def _worked(self, origin: int, at: datetime) -> timedelta:
        """Working time from the start of the year `origin` to the instant."""
        day = self._local_day(at)
        days = sum(len(self._days(year)) for year in range(origin, day.year))
        days += bisect_left(self._days(day.year), day)
        today = self._window(day).worked(at) if self.is_working_day(day) else timedelta()
        return days * self._length + today

    def _working_day(self, day: date, steps: int) -> date:
        """The first working day at or after `day`, and so many working days further."""
        index = bisect_left(self._days(day.year), day) + steps
        for year in range(day.year, min(day.year + HORIZON_YEARS, MAXYEAR - 1) + 1):
            days = self._days(year)
            if index < len(days):
                return days[index]
            index -= len(days)
        raise ValueError(f"the calendar has no working day left within {HORIZON_YEARS} years of {day}")

    def _days(self, year: int) -> tuple[date, ...]:
        """The working days of a year, in order; remembered, because every question is asked of them."""
        if year not in self._years:
            self._years[year] = tuple(day for day in _days_of(year) if self.is_working_day(day))
        return self._years[year]


def _days_of(year: int) -> Iterator[date]:
    first = date(year, 1, 1).toordinal()
    return map(date.fromordinal, range(first, date(year, 12, 31).toordinal() + 1))


@lru_cache(maxsize=256)
def calendar(policy: CalendarPolicy) -> Calendar:
    """The calendar of a policy; the same object for an equal policy."""
    return Calendar(policy)
