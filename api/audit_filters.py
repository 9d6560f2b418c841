"""What may be asked of the audit view: filters, pages, formats; and how that becomes a search."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from starlette.requests import Request

from activities.folding import stream_of
from activities.searchwords import query
from api.parts import Parts
from api.past import Parameters
from api.problems import Problem, invalid
from domain.project.catalog import concepts
from domain.values import Stage
from projections.project import one
from store.auditing import WantedReadings
from store.searching import Wanted, Window

MOST = 2**53
PAGE = 50
FORMATS = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}
Form = Literal["json", "ndjson", "csv", "xlsx", "pdf"]
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CURSOR = re.compile(r"([ba])([0-9]{1,16})")
Person = Annotated[str | None, Field(pattern=r"^[a-z][a-z0-9._-]{0,63}$")]
Id = Annotated[str | None, Field(pattern=r"^[ -~]{1,200}$")]
Code = Annotated[str | None, Field(pattern=r"^[A-Za-z][A-Za-z0-9]{0,79}$")]
Moment = Annotated[
    str | None, Field(max_length=40, description="An instant such as `2026-03-02T09:00:00Z`, or a day (in UTC).")
]


def _known(asked: list[str]) -> list[str]:
    if unknown := set(asked) - set(concepts()):
        raise ValueError(f"{', '.join(sorted(unknown))}: not one of {', '.join(sorted(concepts()))}")
    return asked


Concepts = Annotated[
    list[Annotated[str, Field(json_schema_extra={"enum": sorted(concepts())})]],
    AfterValidator(_known),
    Field(max_length=20, description="Only events about these."),
]


class PageParameters(Parameters):
    """Which page, in which form, of which time."""

    since: Annotated[Moment, Field(alias="from", description="Recorded then or later; an instant or a day (UTC).")] = (
        None
    )
    until: Annotated[Moment, Field(alias="to", description="Recorded before then; a day counts whole (UTC).")] = None
    limit: Annotated[int | None, Field(ge=1, le=200, description="How many; 50 on a page, all in other forms.")] = None
    cursor: Annotated[str | None, Field(max_length=20, description="`next` or `previous` of a page.")] = None
    order: Annotated[Literal["newest", "oldest"], Field(description="What comes first.")] = "newest"
    format: Annotated[Form | None, Field(description="The form of the answer; `Accept` says the same.")] = None

    @property
    def newest(self) -> bool:
        """Whether the newest come first."""
        return self.order == "newest"

    def noted(self) -> dict[str, Any]:
        """What was asked, as it is kept."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"format"})


class SearchParameters(PageParameters):
    """What events and refusals are both found by."""

    project: Annotated[Id, Field(description="Only of this project: its id or its code.")] = None
    actor: Annotated[Person, Field(description="Only by this principal.")] = None
    on_behalf_of: Annotated[Person, Field(description="Only on behalf of this person.")] = None
    command_id: Annotated[Id, Field(description="Only by the command with this id.")] = None
    text: Annotated[
        str | None, Field(max_length=200, description="Words, Chinese too, that all have to be there, in any order.")
    ] = None


class EventParameters(SearchParameters):
    """Which events."""

    type: Annotated[
        list[Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]{0,79}$")]],
        Field(max_length=50, description="Only events of these types."),
    ] = []
    concept: Concepts = []
    stage: Annotated[Stage | None, Field(description="Only what left the project in this stage.")] = None
    correlation: Annotated[Id, Field(description="Only the chain with this id, from its cause to its last effect.")] = (
        None
    )
    request: Annotated[Id, Field(description="Only what came with this request.")] = None
    expand: Annotated[
        Literal["difference"] | None,
        Field(description="With the fields of the project that each event changed, before and after (JSON, NDJSON)."),
    ] = None

    async def wanted(self, behind: Parts, keys: Sequence[str]) -> Wanted:
        """The search. Raises Problem."""
        by_concept = concepts()
        types = [*self.type, *(name for concept in self.concept for name in by_concept[concept])]
        if self.type and self.concept:
            types = [name for name in self.type if any(name in by_concept[concept] for concept in self.concept)]
        return Wanted(
            **await searched(behind, self, keys),
            types=types if self.type or self.concept else None,
            stage=self.stage,
            correlation=self.correlation,
            request=self.request,
        )


class RefusalParameters(SearchParameters):
    """Which refusals."""

    type: Annotated[
        list[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]{0,79}$")]],
        Field(max_length=50, description="Only refusals of these commands."),
    ] = []
    code: Annotated[Code, Field(description="Only refusals with this code.")] = None
    rule: Annotated[Code, Field(description="Only refusals by this rule.")] = None

    async def wanted(self, behind: Parts, keys: Sequence[str]) -> Wanted:
        """The search. Raises Problem."""
        return Wanted(**await searched(behind, self, keys), types=self.type or None, code=self.code, rule=self.rule)


class ReadingParameters(PageParameters):
    """Which looks into the audit view."""

    reader: Annotated[Person, Field(description="Only by this principal.")] = None
    what: Annotated[Literal["events", "refusals", "reads"] | None, Field(description="Only looks at these.")] = None

    def wanted(self) -> WantedReadings:
        """The search. Raises Problem."""
        return WantedReadings(self.reader, self.what, *times(self))


async def searched(behind: Parts, asked: SearchParameters, keys: Sequence[str]) -> dict[str, Any]:
    """The conditions that every search has. `keys` are of whoever asks. Raises Problem."""
    since, until = times(asked)
    return {
        "stream": None if asked.project is None else await _stream(behind, asked.project, keys),
        "actor": asked.actor,
        "on_behalf_of": asked.on_behalf_of,
        "since": since,
        "until": until,
        "command": asked.command_id,
        "query": query(asked.text) if asked.text and not asked.text.isspace() else None,
    }


async def _stream(behind: Parts, project: str, keys: Sequence[str]) -> str:
    """Of an id without looking whether it exists: refusals may name one that never did."""
    if _ID.fullmatch(project):
        return stream_of(project.lower())
    row = await one(behind.store.pool, keys, project)
    if row is None:
        raise Problem("NoProject", "There is no project with this id or code.")
    return row.stream


def times(asked: PageParameters) -> tuple[datetime | None, datetime | None]:
    """From then on, and until before then. Raises Problem."""
    return _instant(asked.since, "from", 0), _instant(asked.until, "to", 1)


def _instant(wanted: str | None, name: str, days: int) -> datetime | None:
    """The instant; `days` is added to a day. Raises Problem."""
    if wanted is None:
        return None
    try:
        if _DAY.fullmatch(wanted):
            return datetime.combine(date.fromisoformat(wanted) + timedelta(days=days), time(), UTC)
        at = datetime.fromisoformat(wanted.replace(" ", "+"))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid(f"/query/{name}", "An instant such as 2026-03-02T09:00:00Z, or a day.") from None


def window_of(asked: PageParameters, limit: int) -> Window:
    """The window that a cursor opens, or the whole. Raises Problem for what is no cursor of ours."""
    whole = Window(0, MOST, asked.newest, limit)
    if asked.cursor is None:
        return whole
    found = _CURSOR.fullmatch(asked.cursor)
    if found is None or int(found[2]) > MOST:
        raise invalid("/query/cursor", "Give `next` or `previous` of a page, unchanged.")
    before, number = found[1] == "b", int(found[2])
    return Window(0 if before else number, number if before else MOST, before, limit)


def cursor_before(number: int) -> str:
    """Goes on with what is older than this number."""
    return f"b{number}"


def cursor_from(number: int) -> str:
    """Goes on with this number and what is newer."""
    return f"a{number}"


def form_of(request: Request, asked: PageParameters) -> Form:
    """The form of the answer: as the parameter says, else as `Accept` does, else JSON."""
    if asked.format is not None:
        return asked.format
    wanted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    named: list[Form] = ["ndjson", "csv", "xlsx", "pdf"]
    return next((form for form in named if FORMATS[form] in wanted), "json")
