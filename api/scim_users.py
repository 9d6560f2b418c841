"""SCIM users are the people of the directory. What is personal of them is in the vault, and nowhere else."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from api.scim_asking import Provider
from api.scim_errors import ScimError, missing, wrong
from api.scim_reading import (
    BASE,
    Change,
    Condition,
    body,
    changes,
    check_version,
    condition,
    external,
    field,
    line,
    listing,
    page,
    resource,
    said,
    trimmed,
    truth,
)
from domain.directory.people import AddPerson, DeactivatePerson, ReactivatePerson
from domain.directory.record import Directory
from domain.values import Person
from projections.profiles import MAILBOX
from store.scim import Resource

DISPLAY, GIVEN, FAMILY, MAIL, USER_NAME = "name", "given", "family", "provider_mail", "user_name"
"""Where the vault's profile of a person has what the provider says of them, beside the mailbox."""
LONGEST = 254
_person = TypeAdapter(Person)
_ADDRESS = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,189}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the provider wants a person to be."""

    user_name: str
    display: str | None = None
    given: str | None = None
    family: str | None = None
    mail: str | None = None
    external_id: str | None = None
    active: bool = True

    @property
    def profile(self) -> dict[str, str | None]:
        """What of it is kept in the vault."""
        return {
            USER_NAME: self.user_name,
            DISPLAY: self.display,
            GIVEN: self.given,
            FAMILY: self.family,
            MAIL: self.mail,
        }


def person_of(user_name: Any) -> str:
    """The person whom a userName stands for: itself, or what is before the @. Raises ScimError with the reason."""
    if not isinstance(user_name, str) or not user_name.strip() or len(user_name) > LONGEST:
        raise wrong(f"userName is a text of 1 to {LONGEST} characters.")
    name = user_name.strip().partition("@")[0].lower()
    try:
        return _person.validate_python(name)
    except ValidationError:
        raise wrong(
            f"{name[:64]!r} cannot be a person's name here: it begins with one of a-z and has at most 64 characters "
            "of a-z, 0-9, dot, dash and underscore. Map userName to something like li.wei or li.wei@example.com."
        ) from None


async def list_users(request: Request) -> Response:
    """People by name; with a filter the one whom it means, if there is one."""
    provider = Provider.of(request)
    directory, wanted, part = await provider.directory(), condition(request), page(request)
    kept = await provider.resources("User").every()
    names = sorted(name for name in directory.people if _visible(kept.get(name)))
    if wanted is not None:
        names = await _meant(provider, wanted, names, kept)
    chosen = part.of(names)
    profiles = await provider.profiles(chosen)
    shown = [_shown(directory, name, profiles.get(name, {}), kept.get(name)) for name in chosen]
    return listing([trimmed(request, user) for user in shown], len(names), part.start)


async def _meant(
    provider: Provider, wanted: Condition, names: Iterable[str], kept: Mapping[str, Resource]
) -> list[str]:
    if wanted.attribute == "externalid":
        return [name for name in names if name in kept and kept[name].external_id == wanted.value]
    if wanted.attribute == "id":
        return [name for name in names if name == wanted.value]
    if wanted.attribute != "username":
        raise wrong("People are found by userName, externalId or id.", "invalidFilter")
    try:
        name = person_of(wanted.value)
    except ScimError:
        return []
    if name not in names:
        return []
    known = (await provider.profiles([name])).get(name, {}).get(USER_NAME)
    return [name] if known is None or known.casefold() == wanted.value.strip().casefold() else []


async def read_user(request: Request) -> Response:
    """One person."""
    provider = Provider.of(request)
    return said(trimmed(request, (await _found(provider, request))[1]))


async def create_user(request: Request) -> Response:
    """Add a person, or take over one whom the directory knows already; whoever was deleted comes back."""
    provider, read = Provider.of(request), await body(request)
    name = person_of(field(read, "userName"))
    known = await provider.resources("User").find(name)
    if known is not None and known.removed_at is None:
        raise ScimError(409, f"There is a User {name} already.", "uniqueness")
    wish = _wished(Wish(str(field(read, "userName")).strip()), _whole(read), name)
    return said(await _brought_about(provider, name, wish), 201)


async def replace_user(request: Request) -> Response:
    """The person as the body says; what it does not name is taken away, but for `active`."""
    provider = Provider.of(request)
    before, shown = await _found(provider, request)
    check_version(request, shown)
    read, name = await body(request), shown["id"]
    if field(read, "userName") is None:
        raise wrong("userName is needed.")
    wish = _wished(Wish(before.user_name, active=before.active), _whole(read), name)
    return said(await _brought_about(provider, name, wish))


async def change_user(request: Request) -> Response:
    """Some attributes of a person; such as are kept nowhere here are passed over."""
    provider = Provider.of(request)
    before, shown = await _found(provider, request)
    check_version(request, shown)
    wish = _wished(before, changes(await body(request)), shown["id"])
    return said(trimmed(request, await _brought_about(provider, shown["id"], wish)))


async def delete_user(request: Request) -> Response:
    """Deactivate a person; what they did stays, and their open seats go to others."""
    provider = Provider.of(request)
    _, shown = await _found(provider, request)
    check_version(request, shown)
    await provider.submit(DeactivatePerson(person=shown["id"], basis="told by the provider"))
    await provider.resources("User").remove(shown["id"])
    return Response(status_code=204)


def _visible(kept: Resource | None) -> bool:
    return kept is None or kept.removed_at is None


async def _found(provider: Provider, request: Request) -> tuple[Wish, dict[str, Any]]:
    """The person in the path, as the provider has it and as it is shown. Raises ScimError (404)."""
    name, directory = request.path_params["id"], await provider.directory()
    kept = (await provider.resources("User").find(name)) if name in directory.people else None
    if name not in directory.people or not _visible(kept):
        raise missing("User", name)
    profile = (await provider.profiles([name])).get(name, {})
    before = Wish(
        profile.get(USER_NAME, name),
        display=profile.get(DISPLAY),
        given=profile.get(GIVEN),
        family=profile.get(FAMILY),
        mail=profile.get(MAIL),
        external_id=kept.external_id if kept else None,
        active=not directory.left(name),
    )
    return before, _shown(directory, name, profile, kept)


async def _brought_about(provider: Provider, name: str, wish: Wish) -> dict[str, Any]:
    """Let it be so: who belongs first, so that somebody let go is shut out even where the rest fails."""
    directory = await provider.directory()
    if name not in directory.people:
        directory = await provider.submit(AddPerson(person=name))
    if wish.active and directory.left(name):
        directory = await provider.submit(ReactivatePerson(person=name))
    elif not wish.active and not directory.left(name):
        directory = await provider.submit(DeactivatePerson(person=name, basis="told by the provider"))
    await provider.keep_profile(name, wish.profile | await _mailbox(provider, name, wish.mail))
    resources = provider.resources("User")
    await resources.keep(name, None, wish.external_id)
    profile = {key: value for key, value in wish.profile.items() if value is not None}
    return _shown(directory, name, profile, await resources.find(name))


async def _mailbox(provider: Provider, name: str, mail: str | None) -> dict[str, str | None]:
    """Where mails go follows the provider, unless the person has named an address of their own."""
    profile = (await provider.profiles([name])).get(name, {})
    return {MAILBOX: mail} if profile.get(MAILBOX) in {None, profile.get(MAIL)} else {}


def _shown(directory: Directory, name: str, profile: Mapping[str, str], kept: Resource | None) -> dict[str, Any]:
    entry = directory.people[name]
    latest = max(at for at in (entry.since, entry.left_at, kept and kept.changed_at) if at)
    parts = {"formatted": profile.get(DISPLAY), "givenName": profile.get(GIVEN), "familyName": profile.get(FAMILY)}
    mail = profile.get(MAIL)
    teams = sorted(directory.teams_of(name))
    return resource(
        "User",
        name,
        entry.since,
        latest,
        userName=profile.get(USER_NAME, name),
        externalId=kept.external_id if kept else None,
        displayName=profile.get(DISPLAY),
        name={key: value for key, value in parts.items() if value} or None,
        emails=[{"value": mail, "type": "work", "primary": True}] if mail else None,
        active=entry.left_at is None,
        groups=[{"value": team, "type": "direct", "$ref": f"{BASE}/Groups/{team}"} for team in teams] or None,
    )


def _whole(read: Mapping[str, Any]) -> list[Change]:
    """A whole resource as the changes that make it."""
    return [Change("replace", name.lower(), value) for name, value in read.items()]


def _wished(before: Wish, wanted: Iterable[Change], name: str) -> Wish:
    """The wish after these changes; `name` is the person, who stays the same. Raises ScimError."""
    for change in wanted:
        value = None if change.op == "remove" else change.value
        if take := TAKEN.get(change.attribute):
            before = take(before, change, value)
    if person_of(before.user_name) != name:
        raise wrong(
            f"{before.user_name!r} would be another person than {name}: names stay, since events hold them.",
            "mutability",
        )
    return before


def _user_name(wish: Wish, change: Change, value: Any) -> Wish:
    person_of(value)
    return replace(wish, user_name=str(value).strip())


def _active(wish: Wish, change: Change, value: Any) -> Wish:
    return wish if value is None else replace(wish, active=truth(value, "active"))


def _display(wish: Wish, change: Change, value: Any) -> Wish:
    return replace(wish, display=line(value, "displayName"))


def _name(wish: Wish, change: Change, value: Any) -> Wish:
    parts = {change.sub: value} if change.sub else value
    if parts is None:
        return replace(wish, given=None, family=None)
    if not isinstance(parts, dict):
        raise wrong("name is an object with givenName and familyName.")
    wish = replace(wish, display=wish.display or line(field(parts, "formatted"), "name.formatted"))
    named = {key.lower() for key in parts}
    if "givenname" in named:
        wish = replace(wish, given=line(field(parts, "givenName"), "name.givenName"))
    if "familyname" in named:
        wish = replace(wish, family=line(field(parts, "familyName"), "name.familyName"))
    return wish


def _emails(wish: Wish, change: Change, value: Any) -> Wish:
    """The primary address, else the first: one is kept."""
    if change.chosen not in {None, "work", "true"} or change.sub not in {None, "value"}:
        return wish
    given = [{"value": value}] if change.sub or isinstance(value, str) else value
    listed = [given] if isinstance(given, dict) else given or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise wrong("emails is a list of objects with a value.")
    best = next((one for one in listed if field(one, "primary") is True), listed[0] if listed else {})
    return replace(wish, mail=_address(field(best, "value")))


def _address(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > LONGEST or not _ADDRESS.fullmatch(value):
        raise wrong("An address in emails is like li.wei@example.com.")
    return value


def _external(wish: Wish, change: Change, value: Any) -> Wish:
    return replace(wish, external_id=external(value))


TAKEN: dict[str, Callable[[Wish, Change, Any], Wish]] = {
    "username": _user_name,
    "active": _active,
    "displayname": _display,
    "name": _name,
    "emails": _emails,
    "externalid": _external,
}
"""The attributes that are kept; whatever else a provider sends is passed over."""
