"""People by SCIM: what Okta and Entra ID send, what is kept where, and how wrong requests are answered."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.ports import Recorded
from api.parts import Parts
from domain.directory.people import FoundDirectory
from domain.directory.record import STREAM
from domain.messages import Actor
from store.postgres import PostgresStore
from tests.api.asking import Api
from tests.api.scimming import PROVIDER, Scim, at, done, refused

ADMINISTRATOR = "root.admin"
OKTA: dict[str, Any] = {
    "userName": "Li.Wei@example.com",
    "name": {"givenName": "Wei", "familyName": "Li"},
    "emails": [{"primary": True, "value": "li.wei@example.com", "type": "work"}],
    "displayName": "Li Wei",
    "locale": "en-US",
    "externalId": "00ujl29u0le5T6Aj10h7",
    "groups": [],
    "password": "1mz050nq",
    "active": True,
}


@pytest.fixture
async def scim(api: Api, behind: Parts) -> Scim:
    await behind.administration.submit(FoundDirectory(), Actor(ADMINISTRATOR), "found")
    return Scim(api.client)


async def events(store: PostgresStore) -> list[Recorded]:
    return list(await store.read(STREAM))


async def active(behind: Parts, person: str = "li.wei") -> bool:
    directory = await behind.roster.directory()
    return person in directory.people and not directory.left(person)


async def test_okta_provisions_renames_deactivates_and_reactivates(
    scim: Scim, behind: Parts, store: PostgresStore
) -> None:
    assert await scim.found("/Users", 'userName eq "Li.Wei@example.com"') == []
    made = done(await scim.ask("POST", "/Users", OKTA), 201)
    assert made["id"] == "li.wei"
    assert {made[name] for name in ("userName", "displayName", "externalId")} == {
        OKTA[name] for name in ("userName", "displayName", "externalId")
    }
    assert await scim.get(at("li.wei")) == made
    assert await scim.found("/Users", 'userName eq "li.wei@EXAMPLE.com"') == [made]

    renamed = {**OKTA, "displayName": "Li W.", "id": "li.wei"}
    assert done(await scim.ask("PUT", at("li.wei"), renamed))["displayName"] == "Li W."
    gone = await scim.patch(at("li.wei"), {"op": "replace", "value": {"active": False}})
    assert gone["active"] is False
    assert not await active(behind)
    assert done(await scim.ask("PUT", at("li.wei"), {**renamed, "active": True}))["active"] is True
    assert await active(behind)
    assert [fact.type for fact in await events(store)] == [
        "DirectoryFounded",
        "PersonAdded",
        "PersonDeactivated",
        "PersonReactivated",
    ]


async def test_entra_provisions_renames_deactivates_and_reactivates(scim: Scim, behind: Parts) -> None:
    assert await scim.found("/Users", 'externalId eq "58342554"') == []
    enterprise = {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Sales"}}
    mails = [{"primary": True, "type": "work", "value": "pan.mei@example.com"}]
    made = await scim.user("pan.mei@example.com", externalId="58342554", emails=mails, title="Head", **enterprise)
    assert [made] == await scim.found("/Users", 'externalId eq "58342554"')
    department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
    changed = await scim.patch(
        at("pan.mei"),
        {"op": "Replace", "path": "displayName", "value": "Pan Mei"},
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "p.mei@example.com"},
        {"op": "Add", "path": "name.givenName", "value": "Mei"},
        {"op": "Replace", "path": department, "value": "Marketing"},
        {"op": "Replace", "path": 'phoneNumbers[type eq "work"].value', "value": "123"},
    )
    assert changed["displayName"] == "Pan Mei"
    assert changed["emails"][0]["value"] == "p.mei@example.com"
    assert changed["name"] == {"formatted": "Pan Mei", "givenName": "Mei"}
    for value in (False, True):
        operation = {"op": "Replace", "path": "active", "value": str(value)}
        assert (await scim.patch(at("pan.mei"), operation))["active"] is value
        assert await active(behind, "pan.mei") is value
    gone = await scim.patch(at("pan.mei"), {"op": "Remove", "path": "displayName"})
    assert "displayName" not in gone
    assert gone["externalId"] == "58342554"


async def test_deleting_deactivates_and_the_same_person_can_come_back(scim: Scim, behind: Parts) -> None:
    await scim.user("li.wei")
    assert (await scim.ask("DELETE", at("li.wei"))).status_code == 204
    assert not await active(behind)
    for method in ("GET", "DELETE"):
        refused(await scim.ask(method, at("li.wei")), 404)
    assert await scim.found("/Users", 'userName eq "li.wei"') == []
    assert (await scim.user("li.wei"))["active"] is True
    assert await active(behind)


async def test_what_is_personal_is_in_the_vault_and_in_no_event(
    scim: Scim, behind: Parts, store: PostgresStore
) -> None:
    done(await scim.ask("POST", "/Users", OKTA), 201)
    told = str([(fact.data, fact.metadata) for fact in await events(store)])
    assert not any(word in told for word in ("Li Wei", "example.com", "00ujl29"))
    rows = await store.pool.fetch("SELECT to_jsonb(r)::text FROM tandem.scim_resource r")
    assert not any("example.com" in row[0] or "Li Wei" in row[0] for row in rows)
    assert behind.keys
    profile = (await behind.keys.profiles(["li.wei"]))["li.wei"]
    assert (profile["name"], profile["mail"]) == ("Li Wei", "li.wei@example.com")
    assert [f.metadata["actor"]["principal"] for f in await events(store)] == [ADMINISTRATOR, PROVIDER]


async def test_an_address_that_the_person_has_named_stays(scim: Scim, behind: Parts) -> None:
    done(await scim.ask("POST", "/Users", OKTA), 201)
    assert behind.keys
    profile = (await behind.keys.profiles(["li.wei"]))["li.wei"]
    await behind.keys.put_profile("li.wei", profile | {"mail": "own@example.org"})
    operation = {"op": "replace", "path": 'emails[type eq "work"].value', "value": "new@example.com"}
    assert (await scim.patch(at("li.wei"), operation))["emails"][0]["value"] == "new@example.com"
    assert (await behind.keys.profiles(["li.wei"]))["li.wei"]["mail"] == "own@example.org"


async def test_a_person_whom_the_directory_knows_is_found_and_taken_over(scim: Scim) -> None:
    [known] = await scim.found("/Users", f'userName eq "{ADMINISTRATOR}@example.com"')
    assert known["userName"] == ADMINISTRATOR
    taken = await scim.user(f"{ADMINISTRATOR}@example.com", externalId="x-1")
    assert (taken["id"], taken["externalId"]) == (ADMINISTRATOR, "x-1")
    again = {"userName": f"{ADMINISTRATOR}@other.org"}
    refused(await scim.ask("POST", "/Users", again), 409, "uniqueness")


async def test_the_last_administrator_is_not_deactivated(scim: Scim) -> None:
    said = refused(await scim.ask("DELETE", at(ADMINISTRATOR)), 400)
    assert "last administrator" in said


NAMELESS: list[Any] = ["李伟@example.com", "1abc", "@example.com", "a" * 65, "", None, 7, {}, "x" * 300]


async def test_a_name_that_can_be_no_persons_is_refused_with_the_reason(scim: Scim) -> None:
    for user_name in NAMELESS:
        said = refused(await scim.ask("POST", "/Users", {"userName": user_name}), 400, "invalidValue")
        assert "userName" in said


async def test_nobody_becomes_another_person(scim: Scim) -> None:
    await scim.user("li.wei")
    other = {"Operations": [{"op": "replace", "path": "userName", "value": "li.na"}]}
    refused(await scim.ask("PATCH", at("li.wei"), other), 400, "mutability")
    refused(await scim.ask("PUT", at("li.wei"), {"userName": "li.na"}), 400, "mutability")
    moved = await scim.patch(at("li.wei"), {"op": "replace", "path": "userName", "value": "li.wei@new.example"})
    assert moved["userName"] == "li.wei@new.example"


async def test_lists_come_in_pages_counted_from_one(scim: Scim) -> None:
    for name in ("li.na", "li.wei", "pan.mei"):
        await scim.user(name)
    listed = await scim.get("/Users", startIndex=2, count=2)
    assert [user["id"] for user in listed["Resources"]] == ["li.wei", "pan.mei"]
    assert (listed["totalResults"], listed["startIndex"], listed["itemsPerPage"]) == (4, 2, 2)
    assert (await scim.get("/Users", count=0))["Resources"] == []
    assert len((await scim.get("/Users", startIndex=-5, count=999))["Resources"]) == 4
    refused(await scim.ask("GET", "/Users", params={"count": "many"}), 400, "invalidValue")
    narrow = await scim.get(at("li.wei"), attributes="userName")
    assert set(narrow) == {"schemas", "id", "meta", "userName"}


async def test_other_filters_are_refused(scim: Scim) -> None:
    for text in ('title eq "x"', "userName", 'userName co "x"', 'userName eq x or active eq "y"', '"'):
        refused(await scim.ask("GET", "/Users", params={"filter": text}), 400, "invalidFilter")
    refused(await scim.ask("GET", "/Groups", params={"filter": 'members eq "x"'}), 400, "invalidFilter")


UNREADABLE: list[tuple[Any, str]] = [
    (None, "invalidSyntax"),
    ([], "invalidSyntax"),
    (["x"], "invalidSyntax"),
    ([{"op": "move", "path": "active"}], "invalidSyntax"),
    ([{"op": "remove"}], "noTarget"),
    ([{"op": "replace", "value": 7}], "invalidValue"),
    ([{"op": "replace", "path": "active", "value": "maybe"}], "invalidValue"),
    ([{"op": "replace", "path": "emails[type eq", "value": "x"}], "invalidPath"),
    ([{"op": "replace", "path": "emails", "value": [{"value": "no address"}]}], "invalidValue"),
    ([{"op": "replace", "path": "displayName", "value": "x" * 300}], "invalidValue"),
    ([{"op": "replace", "path": "name", "value": "Li"}], "invalidValue"),
]


async def test_a_patch_that_cannot_be_read_is_refused(scim: Scim) -> None:
    for operations, scim_type in UNREADABLE:
        answer = await scim.ask("PATCH", at(ADMINISTRATOR), {"Operations": operations})
        refused(answer, 400, scim_type)


async def test_a_change_of_another_version_than_was_read_is_refused(scim: Scim) -> None:
    made = await scim.user("li.wei")
    change = {"Operations": [{"op": "replace", "path": "displayName", "value": "Li Wei"}]}
    match = {"If-Match": made["meta"]["version"]}
    assert done(await scim.ask("PATCH", at("li.wei"), change, headers=match))["meta"] != made["meta"]
    refused(await scim.ask("PATCH", at("li.wei"), change, headers=match), 412)
    refused(await scim.ask("DELETE", at("li.wei"), headers=match), 412)


async def test_strangers_and_people_get_nothing(scim: Scim) -> None:
    for path in ("/Users", "/ServiceProviderConfig", "/nothing", ""):
        answer = await scim.ask("GET", path, who=None)
        refused(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    for path in ("/Users", "/Groups", "/Schemas", "/ServiceProviderConfig"):
        refused(await scim.ask("GET", path, who=ADMINISTRATOR), 403)


async def test_it_says_what_it_can_do(scim: Scim) -> None:
    config = await scim.get("/ServiceProviderConfig")
    assert config["patch"] == {"supported": True}
    for path, names in (("/ResourceTypes", {"User", "Group"}), ("/Schemas", {"User", "Group"})):
        listed = await scim.get(path)
        assert {one["name"] for one in listed["Resources"]} == names
        for one in listed["Resources"]:
            assert await scim.get(f"{path}/{one['id']}") == one
    refused(await scim.ask("GET", "/Schemas/x"), 404)
    refused(await scim.ask("GET", "/nothing"), 404)
    refused(await scim.ask("PUT", "/Users", {}), 405)
    refused(await scim.ask("POST", "/Users", content=b"{"), 400, "invalidSyntax")
    refused(await scim.ask("POST", "/Users", content=b"[]"), 400, "invalidSyntax")
    refused(await scim.ask("POST", "/Users", content=b"x", headers={"Content-Type": "text/plain"}), 415)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["userName", "active", "displayName", "name", "emails", "externalId", "members", "id", "schemas"]
PATHS = [*NAMES, "name.givenName", 'members[value eq "li.wei"]', 'emails[type eq "work"].value', "urn:x:y", "[", ""]
BODIES = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=5)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "Replace", "remove"])},
    optional={"path": st.sampled_from(PATHS) | JSON, "value": JSON | BODIES},
)
WRITES = [("POST", "/Users"), ("POST", "/Groups"), ("PUT", at("li.wei")), ("PUT", "/Groups/sales")]
CHANGES = [("PATCH", at("li.wei")), ("PATCH", "/Groups/sales")]


async def test_nothing_that_can_be_sent_breaks_it(scim: Scim) -> None:
    await scim.user("li.wei")
    await scim.group("sales", "li.wei")
    sent: list[tuple[str, str, Any]] = []

    @settings(max_examples=120, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def gather(data: st.DataObject) -> None:
        if data.draw(st.booleans()):
            method, path = data.draw(st.sampled_from(WRITES))
            sent.append((method, path, data.draw(BODIES | JSON)))
        else:
            method, path = data.draw(st.sampled_from(CHANGES))
            sent.append((method, path, {"Operations": data.draw(st.lists(OPERATIONS, max_size=3) | JSON)}))

    gather()
    for method, path, body in sent:
        answer = await scim.ask(method, path, body)
        assert answer.status_code < 500, (method, path, body, answer.text)
        if answer.status_code >= 400:
            refused(answer, answer.status_code, answer.json().get("scimType"))
