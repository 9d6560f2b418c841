"""SCIM groups are the teams of the directory; those that the setting `scim_roles` names give an organisation role."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count
from typing import Any

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
)
from domain.directory.granting import EndOrganisationRole, GrantOrganisationRole, open_grants
from domain.directory.record import Directory, OrganisationGrant, OrganisationRole
from domain.directory.teams import AddToTeam, DissolveTeam, MakeTeam, RemoveFromTeam
from store.scim import Resource, TitleTaken

AT_ONCE = 200
"""People whom one command adds to a team."""
LONGEST_SLUG = 40


@dataclass(frozen=True, slots=True)
class Wish:
    """What the provider wants a group to be."""

    title: str
    members: frozenset[str]
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """Every group as it stands: teams, and groups that give a role."""

    directory: Directory
    kept: Mapping[str, Resource]
    roles: Mapping[str, OrganisationRole]
    """By title, in lower case."""
    provider: str

    @classmethod
    async def of(cls, provider: Provider) -> "Groups":
        """As they are now."""
        kept = {name: r for name, r in (await provider.resources("Group").every()).items() if r.removed_at is None}
        return cls(await provider.directory(), kept, provider.behind.scim_roles, provider.name)

    def role(self, title: str) -> OrganisationRole | None:
        """The role that a group of this title gives; None: it is a team."""
        return self.roles.get(title.lower())

    def names(self) -> list[str]:
        """The ids of all."""
        mapped = (name for name, known in self.kept.items() if self.role(known.title or name))
        return sorted({*self.directory.teams, *mapped})

    def title(self, name: str) -> str:
        """What people call the group."""
        known = self.kept.get(name)
        return (known.title if known else None) or name

    def grants(self, role: OrganisationRole) -> dict[str, OrganisationGrant]:
        """By person, the living grants of the role that this provider gave."""
        return {g.person: g for g in self.directory.grants if (g.role, g.by, g.ended_at) == (role, self.provider, None)}

    def members(self, name: str) -> frozenset[str]:
        """Who is in the group, those who left included."""
        if role := self.role(self.title(name)):
            return frozenset(self.grants(role))
        return self.directory.teams[name].members

    def name_for(self, title: str) -> str:
        """The id of a new group. Raises ScimError where a group has this title."""
        present = self.kept.keys() & set(self.names())
        if any(self.title(name).lower() == title.lower() for name in present):
            raise ScimError(409, f"There is a Group {title!r} already.", "uniqueness")
        stem = slug(title)
        endings = (f"-{number}" if number > 1 else "" for number in count(1))
        names = (stem[: LONGEST_SLUG - len(ending)] + ending for ending in endings)
        return next(name for name in names if self._is_free(name, title))

    def _is_free(self, name: str, title: str) -> bool:
        """Whether no other group has the id; a team that only the directory knows is taken over."""
        if name in self.directory.teams and self.role(title):
            return False
        return name not in self.kept or self.title(name).lower() == title.lower()

    def shown(self, name: str) -> dict[str, Any]:
        """The group as SCIM writes it."""
        known = self.kept.get(name)
        people = [{"value": p, "type": "User", "$ref": f"{BASE}/Users/{p}"} for p in sorted(self.members(name))]
        return resource(
            "Group",
            name,
            known.created_at if known else None,
            known.changed_at if known else None,
            displayName=self.title(name),
            externalId=known.external_id if known else None,
            members=people,
        )


def slug(title: str) -> str:
    """`Vertrieb & Marketing` → `Vertrieb-Marketing`; a title without latin letters gets a name made of its hash."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    found = re.sub(r"[^A-Za-z0-9_]+", "-", plain).strip("-_")
    if not re.match(r"[A-Za-z]", found):
        return f"g-{sha256(title.lower().encode()).hexdigest()[:12]}"
    return found[:LONGEST_SLUG]


async def list_groups(request: Request) -> Response:
    """Groups by id; with a filter the one that it means, if there is one."""
    provider = Provider.of(request)
    wanted, part, groups = condition(request), page(request), await Groups.of(provider)
    if wanted is not None and wanted.attribute not in {"displayname", "externalid", "id"}:
        raise wrong("Groups are found by displayName, externalId or id.", "invalidFilter")
    names = [name for name in groups.names() if wanted is None or _meant(groups, name, wanted)]
    shown = [trimmed(request, groups.shown(name)) for name in part.of(names)]
    return listing(shown, len(names), part.start)


def _meant(groups: Groups, name: str, wanted: Condition) -> bool:
    known = groups.kept.get(name)
    if wanted.attribute == "displayname":
        return groups.title(name).lower() == wanted.value.lower()
    if wanted.attribute == "externalid":
        return known is not None and known.external_id == wanted.value
    return name == wanted.value


async def read_group(request: Request) -> Response:
    """One group."""
    groups = await Groups.of(Provider.of(request))
    return said(trimmed(request, groups.shown(_name(request, groups))))


async def create_group(request: Request) -> Response:
    """Make a team, or take over one that the directory has; of a title that is mapped, a group that gives the role."""
    provider, read = Provider.of(request), await body(request)
    groups = await Groups.of(provider)
    title = _title(field(read, "displayName"))
    name = groups.name_for(title)
    wish = _wished(Wish(title, frozenset()), _whole(read))
    return said(await _brought_about(provider, name, wish), 201)


async def replace_group(request: Request) -> Response:
    """The group as the body says: those whom it does not name are members no longer."""
    provider = Provider.of(request)
    groups = await Groups.of(provider)
    name = _name(request, groups)
    check_version(request, groups.shown(name))
    read = await body(request)
    wish = _wished(Wish(_title(field(read, "displayName")), frozenset()), _whole(read))
    _check_same_kind(groups, name, wish)
    return said(await _brought_about(provider, name, wish))


async def change_group(request: Request) -> Response:
    """Let people in or out, or change how the group is called."""
    provider = Provider.of(request)
    groups = await Groups.of(provider)
    name = _name(request, groups)
    check_version(request, groups.shown(name))
    known = groups.kept.get(name)
    before = Wish(groups.title(name), groups.members(name), known.external_id if known else None)
    wish = _wished(before, changes(await body(request)))
    _check_same_kind(groups, name, wish)
    return said(trimmed(request, await _brought_about(provider, name, wish)))


async def delete_group(request: Request) -> Response:
    """Dissolve the team, or end the roles that the group gave. Its people stay."""
    provider = Provider.of(request)
    groups = await Groups.of(provider)
    name = _name(request, groups)
    check_version(request, groups.shown(name))
    if role := groups.role(groups.title(name)):
        await _give_role(provider, groups, role, frozenset())
    else:
        await provider.submit(DissolveTeam(team=name))
    await provider.resources("Group").remove(name)
    return Response(status_code=204)


def _name(request: Request, groups: Groups) -> str:
    name: str = request.path_params["id"]
    if name not in groups.names():
        raise missing("Group", name)
    return name


def _title(value: Any) -> str:
    title = line(value, "displayName")
    if title is None:
        raise wrong("displayName is needed.")
    return title


def _check_same_kind(groups: Groups, name: str, wish: Wish) -> None:
    if groups.role(groups.title(name)) is not groups.role(wish.title):
        raise wrong("A group that gives a role cannot become another one by its name: make a new one.", "mutability")


async def _brought_about(provider: Provider, name: str, wish: Wish) -> dict[str, Any]:
    """Let it be so. Raises ScimError where a member is unknown, or another group has the title."""
    groups = await Groups.of(provider)
    if unknown := sorted(wish.members - groups.directory.people.keys()):
        raise wrong(f"There is no User {', '.join(name[:64] for name in unknown[:5])}.")
    role = groups.role(wish.title)
    if role is None and name not in groups.directory.teams:
        await provider.submit(MakeTeam(team=name))
    try:
        await provider.resources("Group").keep(name, wish.title, wish.external_id)
    except TitleTaken:
        raise ScimError(409, f"There is a Group {wish.title!r} already.", "uniqueness") from None
    if role is None:
        known = groups.directory.teams.get(name)
        await _fill_team(provider, name, known.members if known else frozenset(), wish.members)
    else:
        await _give_role(provider, groups, role, wish.members)
    return (await Groups.of(provider)).shown(name)


async def _fill_team(provider: Provider, team: str, now: frozenset[str], wanted: frozenset[str]) -> None:
    for people in _parts(wanted - now):
        await provider.submit(AddToTeam(team=team, people=people))
    for people in _parts(now - wanted):
        await provider.submit(RemoveFromTeam(team=team, people=people))


def _parts(people: Iterable[str]) -> Iterable[tuple[str, ...]]:
    whole = sorted(people)
    return (tuple(whole[i : i + AT_ONCE]) for i in range(0, len(whole), AT_ONCE))


async def _give_role(provider: Provider, groups: Groups, role: OrganisationRole, wanted: frozenset[str]) -> None:
    """Whoever has the role from somebody else keeps it so: a provider ends only what it has granted (D2)."""
    given = groups.grants(role)
    for person in sorted(wanted - given.keys()):
        if not any(g.role is role for g in open_grants(groups.directory, person)):
            await provider.submit(GrantOrganisationRole(person=person, role=role))
    for person in sorted(given.keys() - wanted):
        await provider.submit(EndOrganisationRole(grant=given[person].id))


def _whole(read: Mapping[str, Any]) -> list[Change]:
    return [Change("replace", name.lower(), value) for name, value in read.items()]


def _wished(before: Wish, wanted: Iterable[Change]) -> Wish:
    """The wish after these changes; attributes that are kept nowhere here are passed over. Raises ScimError."""
    for change in wanted:
        value = None if change.op == "remove" else change.value
        if change.attribute == "displayname":
            before = replace(before, title=_title(value))
        elif change.attribute == "externalid":
            before = replace(before, external_id=external(value))
        elif change.attribute == "members":
            before = replace(before, members=_members(before.members, change))
    return before


def _members(now: frozenset[str], change: Change) -> frozenset[str]:
    if change.chosen is not None:
        named = frozenset({change.chosen})
        return now - named if change.op == "remove" else now | named
    named = _named(change.value)
    if change.op == "remove":
        return now - named if change.value is not None else frozenset()
    return now | named if change.op == "add" else named


def _named(value: Any) -> frozenset[str]:
    """The people in a list of members, each `{"value": "li.wei"}`."""
    listed = [value] if isinstance(value, dict) else value or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise wrong("members is a list of objects with a value.")
    people = [field(one, "value") for one in listed]
    if not all(isinstance(person, str) for person in people):
        raise wrong("The value of a member is the id of a User.")
    return frozenset(people)


def read_roles(text: str, setting: str = "scim_roles") -> dict[str, OrganisationRole]:
    """`tandem-auditors=AUDITOR,tandem-pmo=PMO` → by title in lower case. Raises ValueError."""
    found = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        title, sign, role = (part.strip() for part in pair.rpartition("="))
        if not title or not sign or role not in set(OrganisationRole):
            raise ValueError(f"{setting}: {pair!r} is not like tandem-auditors=AUDITOR")
        found[title.lower()] = OrganisationRole(role)
    return found
