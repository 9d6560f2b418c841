"""How the reader wants to be told: language, time zone, quiet hours and channels, as the API has them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from zoneinfo import available_timezones

from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from api.preferences import AddressConfirmation, PreferenceChange, changed, confirmed, preferences_of
from api.problems import Problem
from domain.messages import wrong_fields
from web import language
from web.forms import Filling, fields_of, homeless, read
from web.page import Page

Model = TypeVar("Model", bound=BaseModel)
KEPT_SECRET = frozenset({"chat_address"})
"""Never shown again: left blank they stay as they are."""
ZONES = [(name, name) for name in sorted(available_timezones())]


async def show(page: Page) -> Response:
    """What the reader wants now."""
    return await _shown(page)


async def change(page: Page) -> Response:
    """Keep it as the form says, all of it: what is left blank is taken away."""
    blank = {name: field.default for name, field in PreferenceChange.model_fields.items() if name not in KEPT_SECRET}
    typed = blank | read(PreferenceChange, page.fields)
    if page.field("forget"):
        typed |= {"chat_address": None, "chat": False}
    try:
        after = await changed(page.behind, page.who.principal, _valid(PreferenceChange, typed))
    except Problem as problem:
        return await _shown(page, typed, problem)
    answer = page.go("/preferences?done=yes")
    page.set_cookie(answer, language.COOKIE, after["language"], 365 * 86400)
    return answer


async def confirm(page: Page) -> Response:
    """Give the code back that was mailed to the new address."""
    try:
        given = _valid(AddressConfirmation, read(AddressConfirmation, page.fields))
        await confirmed(page.behind, page.who.principal, given)
    except Problem as problem:
        return await _shown(page, None, problem)
    return page.go("/preferences?done=yes")


def _valid(kind: type[Model], typed: Mapping[str, Any]) -> Model:
    """Raises Problem."""
    try:
        return kind.model_validate(typed, strict=False)
    except ValidationError as wrong:
        raise Problem("Invalid", errors=wrong_fields(wrong)) from None


async def _shown(page: Page, typed: Mapping[str, Any] | None = None, problem: Problem | None = None) -> Response:
    known = await preferences_of(page.behind, page.who.principal)
    errors: Sequence[Mapping[str, str]] = () if problem is None else problem.errors
    fields = fields_of(PreferenceChange, Filling(known | dict(typed or {}), errors, offers={"time_zone": ZONES}))
    code = fields_of(AddressConfirmation, Filling(errors=errors))
    return page.show(
        "preferences.html",
        200 if problem is None else 422,
        known=known,
        fields=fields,
        code=code,
        errors=homeless((*fields, *code), errors),
        wrong=problem is not None,
    )
