"""Groups by SCIM: teams of the directory, and groups that give an organisation role."""

from typing import Any

import pytest

from api.parts import Parts
from api.scim_groups import read_roles, slug
from domain.directory.granting import GrantOrganisationRole
from domain.directory.people import FoundDirectory
from domain.directory.record import OrganisationRole
from domain.directory.teams import AddToTeam, MakeTeam
from domain.messages import Actor
from tests.api.asking import Api
from tests.api.scimming import Scim, at, done, refused

ADMINISTRATOR = "root.admin"
PEOPLE = ("an.jing", "li.na", "li.wei", "pan.mei")


@pytest.fixture
async def scim(api: Api, behind: Parts) -> Scim:
    behind.__dict__["scim_roles"] = read_roles("Tandem-Auditors=AUDITOR, tandem-pmo=PMO")
    await behind.administration.submit(FoundDirectory(), Actor(ADMINISTRATOR), "found")
    asked = Scim(api.client)
    for person in PEOPLE:
        await asked.user(person)
    return asked


async def members(behind: Parts, team: str) -> set[str]:
    return set((await behind.roster.directory()).teams[team].members)


async def role(behind: Parts, person: str) -> set[str]:
    return {found.value for found in (await behind.roster.directory()).roles(person)}


def values(shown: dict[str, Any]) -> list[str]:
    return [member["value"] for member in shown["members"]]


async def test_entra_makes_a_group_and_lets_people_in_and_out(scim: Scim, behind: Parts) -> None:
    assert await scim.found("/Groups", 'displayName eq "Sales & Marketing"') == []
    made = await scim.group("Sales & Marketing", externalId="8aa1a0c0")
    assert (made["id"], made["displayName"]) == ("Sales-Marketing", "Sales & Marketing")
    path = f"/Groups/{made['id']}"
    people = [{"value": person} for person in ("li.wei", "li.na", "pan.mei")]
    await scim.patch(path, {"op": "Add", "path": "members", "value": people})
    await scim.patch(path, {"op": "Remove", "path": "members", "value": [{"value": "li.na"}]})
    assert await members(behind, "Sales-Marketing") == {"li.wei", "pan.mei"}
    renamed = await scim.patch(path, {"op": "Replace", "path": "displayName", "value": "Sales"})
    assert (renamed["id"], renamed["displayName"]) == ("Sales-Marketing", "Sales")
    [found] = (await scim.get("/Groups", filter='displayName eq "sales"', excludedAttributes="members"))["Resources"]
    assert "members" not in found
    assert found["externalId"] == "8aa1a0c0"
    assert [group["value"] for group in (await scim.get(at("li.wei")))["groups"]] == ["Sales-Marketing"]


async def test_okta_pushes_a_group(scim: Scim, behind: Parts) -> None:
    made = await scim.group("engineering", "li.wei")
    path = f"/Groups/{made['id']}"
    await scim.patch(path, {"op": "add", "path": "members", "value": [{"value": "li.na", "display": "li.na"}]})
    await scim.patch(path, {"op": "remove", "path": 'members[value eq "li.wei"]'})
    assert await members(behind, "engineering") == {"li.na"}
    await scim.patch(path, {"op": "replace", "value": {"id": made["id"], "displayName": "Engineers"}})
    whole = {"displayName": "Engineers", "members": [{"value": "pan.mei"}, {"value": "li.wei"}]}
    assert values(done(await scim.ask("PUT", path, whole))) == ["li.wei", "pan.mei"]
    assert (await scim.ask("DELETE", path)).status_code == 204
    refused(await scim.ask("GET", path), 404)
    assert "engineering" not in (await behind.roster.directory()).teams
    assert values(await scim.group("Engineers", "li.na")) == ["li.na"]


async def test_a_mapped_group_gives_its_role_and_takes_it(scim: Scim, behind: Parts) -> None:
    made = await scim.group("Tandem-Auditors", "an.jing")
    assert await role(behind, "an.jing") == {"AUDITOR"}
    assert made["id"] not in (await behind.roster.directory()).teams
    path = f"/Groups/{made['id']}"
    await scim.patch(path, {"op": "add", "path": "members", "value": [{"value": "li.na"}]})
    assert values(await scim.get(path)) == ["an.jing", "li.na"]
    await scim.patch(path, {"op": "remove", "path": 'members[value eq "an.jing"]'})
    assert await role(behind, "an.jing") == set()
    await scim.patch(at("li.na"), {"op": "replace", "path": "active", "value": False})
    assert values(await scim.get(path)) == [], "whoever was deactivated has lost the role"
    await scim.group("tandem-pmo", "pan.mei")
    clash = {"Operations": [{"op": "add", "path": "members", "value": [{"value": "pan.mei"}]}]}
    refused(await scim.ask("PATCH", path, clash), 400)
    assert (await scim.ask("DELETE", "/Groups/tandem-pmo")).status_code == 204
    assert await role(behind, "pan.mei") == set()


async def test_a_role_given_by_people_is_left_alone(scim: Scim, behind: Parts) -> None:
    grant = GrantOrganisationRole(person="li.wei", role=OrganisationRole.PMO)
    await behind.administration.submit(grant, Actor(ADMINISTRATOR), "grant")
    made = await scim.group("tandem-pmo", "li.wei")
    assert values(made) == []
    assert done(await scim.ask("PUT", f"/Groups/{made['id']}", {"displayName": "tandem-pmo"}))["members"] == []
    assert await role(behind, "li.wei") == {"PMO"}


async def test_a_team_that_the_directory_has_is_found_and_taken_over(scim: Scim, behind: Parts) -> None:
    for command in (MakeTeam(team="sales"), AddToTeam(team="sales", people=("li.wei",))):
        await behind.administration.submit(command, Actor(ADMINISTRATOR), type(command).__name__)
    [known] = await scim.found("/Groups", 'displayName eq "Sales"')
    assert values(known) == ["li.wei"]
    taken = await scim.group("sales", "li.wei", "li.na")
    assert taken["id"] == "sales"
    assert await members(behind, "sales") == {"li.wei", "li.na"}
    refused(await scim.ask("POST", "/Groups", {"displayName": "SALES"}), 409, "uniqueness")


async def test_two_titles_never_share_a_team(scim: Scim) -> None:
    assert [(await scim.group(title))["id"] for title in ("A B", "A+B", "销售", "市场")] == [
        "A-B",
        "A-B-2",
        slug("销售"),
        slug("市场"),
    ]
    change = {"Operations": [{"op": "replace", "path": "displayName", "value": "A B"}]}
    refused(await scim.ask("PATCH", "/Groups/A-B-2", change), 409, "uniqueness")


async def test_what_cannot_be_is_refused(scim: Scim) -> None:
    await scim.group("sales")
    stranger = {"displayName": "x", "members": [{"value": "nobody.here"}]}
    assert "nobody.here" in refused(await scim.ask("POST", "/Groups", stranger), 400, "invalidValue")
    assert [group["id"] for group in (await scim.get("/Groups"))["Resources"]] == ["sales"]
    refused(await scim.ask("POST", "/Groups", {"displayName": " "}), 400, "invalidValue")
    refused(await scim.ask("PUT", "/Groups/sales", {"displayName": "x", "members": ["li.wei"]}), 400, "invalidValue")
    turned = {"Operations": [{"op": "replace", "path": "displayName", "value": "tandem-pmo"}]}
    refused(await scim.ask("PATCH", "/Groups/sales", turned), 400, "mutability")
    refused(await scim.ask("DELETE", "/Groups/nothing"), 404)


@pytest.mark.parametrize("text", ["tandem-pmo", "=PMO", "tandem-pmo=", "tandem-pmo=BOSS"])
def test_a_mapping_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="scim_roles"):
        read_roles(text)
