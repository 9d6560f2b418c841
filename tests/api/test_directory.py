"""The directory over HTTP: founding, commands, lists, invitations; and whoever has left is refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.keeping import Keeping
from activities.ports import StoreUnavailable
from api import events
from api.parts import Parts, Surroundings
from auth.accounts import Accounts
from auth.credentials import Credentials
from auth.development import DevelopmentAuthenticator
from auth.identity import Scope
from auth.links import Links
from auth.sessions import Sessions
from auth.tokens import Tokens
from domain.directory.catalog import COMMANDS
from domain.directory.people import DeactivatePerson
from domain.directory.record import STREAM
from domain.messages import Actor, dashed
from tests.api.asking import START, Api, problem

ROOT, SECOND, WEI, JING = "root.admin", "second.admin", "li.wei", "an.jing"


async def done(api: Api, command: str, data: Any = None, who: str = ROOT, **headers: str) -> dict[str, Any]:
    answer = await api.post(f"/v1/directory/{command}", data or {}, who, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
async def founded(api: Api) -> Api:
    """With one administrator."""
    await done(api, "found")
    return api


class TestFounding:
    async def test_on_a_development_machine_the_first_to_ask_founds(self, api: Api) -> None:
        assert await done(api, "found", who=WEI) == {"version": 1, "events": ["DirectoryFounded"]}
        problem(await api.post("/v1/directory/found", {}, ROOT), 409, "AlreadyFounded")
        assert (await api.get("/v1/directory/people/li.wei", ROOT)).json()["roles"] == ["ADMINISTRATOR"]

    async def test_elsewhere_only_the_owner_does(self, api: Api, around: Surroundings, behind: Parts) -> None:
        pool = behind.store.pool
        around.authenticator = Credentials(Tokens(pool), Sessions(pool))
        await Accounts(pool).make(ROOT)
        await Accounts(pool).make(WEI)
        for person, status in ((WEI, 403), (ROOT, 200)):
            secret, _ = await Sessions(pool).open(person, "link")
            headers = {"Cookie": f"tandem_session={secret}"}
            assert (await api.post("/v1/directory/found", {}, None, headers=headers)).status_code == status


class TestCommands:
    async def test_nobody_else_gives_them_and_the_refusals_are_noted(self, founded: Api, behind: Parts) -> None:
        for kind in COMMANDS:
            path, body = f"/v1/directory/{dashed(kind.__name__)}", kind.example
            problem(await founded.post(path, body, WEI), 403, "NotAdministrator")
            problem(await founded.post(path, body, "provider.scim"), 403, "ScopeMissing")
            problem(await founded.post(path, {**body, "why": "x"}, ROOT), 422, "Malformed")
            problem(await founded.post(path, body, None), 401)
        noted = [(line.type, line.code) for _, line in await behind.store.refusals(20)]
        assert sorted(noted) == sorted((kind.__name__, "NotAdministrator") for kind in COMMANDS)

    async def test_what_is_asked_is_done_and_shown(self, founded: Api) -> None:
        for person in (WEI, JING):
            await done(founded, "add-person", {"person": person})
        await done(founded, "make-team", {"team": "sales"})
        await done(founded, "add-to-team", {"team": "sales", "people": [WEI, JING]})
        given = await done(founded, "grant-organisation-role", {"person": JING, "role": "AUDITOR"})
        assert given["grant"] == {
            "grant": "R-2",
            "person": JING,
            "role": "AUDITOR",
            "by": ROOT,
            "since": given["grant"]["since"],
            "in_force": True,
            "ended_at": None,
        }
        assert (await founded.get("/v1/directory/teams", WEI)).json()["items"] == [
            {"team": "sales", "members": [JING, WEI]}
        ]
        jing = (await founded.get(f"/v1/directory/people/{JING}", WEI)).json()
        assert (jing["teams"], jing["roles"], jing["active"]) == (["sales"], ["AUDITOR"], True)
        me = (await founded.get("/v1/me", JING)).json()
        assert (me["teams"], me["roles"]) == (["sales"], ["AUDITOR"])
        problem(await founded.get("/v1/directory/people/nobody", WEI), 404)

    async def test_a_second_administrator_confirms(self, founded: Api) -> None:
        for person in (SECOND, WEI):
            await done(founded, "add-person", {"person": person})
        await done(founded, "grant-organisation-role", {"person": SECOND, "role": "ADMINISTRATOR"})
        given = (await done(founded, "grant-organisation-role", {"person": WEI, "role": "PMO"}))["grant"]
        assert not given["in_force"]
        answer = await founded.post("/v1/directory/confirm-organisation-role", {"grant": given["grant"]}, ROOT)
        assert problem(answer, 403, "SecondPersonNeeded")["rule"] == "D2"
        await done(founded, "confirm-organisation-role", {"grant": given["grant"]}, SECOND)
        shown = (await founded.get("/v1/directory/roles", WEI)).json()["items"]
        assert [(g["person"], g["role"], g["in_force"]) for g in shown] == [
            (ROOT, "ADMINISTRATOR", True),
            (SECOND, "ADMINISTRATOR", True),
            (WEI, "PMO", True),
        ]

    async def test_the_same_key_counts_once(self, founded: Api) -> None:
        first = await done(founded, "add-person", {"person": WEI}, **{"Idempotency-Key": "k"})
        again = await founded.post("/v1/directory/add-person", {"person": WEI}, ROOT, headers={"Idempotency-Key": "k"})
        assert (again.json(), again.headers["Idempotent-Replayed"]) == (first, "true")
        other = await founded.post("/v1/directory/add-person", {"person": JING}, ROOT, headers={"Idempotency-Key": "k"})
        problem(other, 422, "IdReused")

    async def test_a_token_needs_the_scope_that_administers(
        self, founded: Api, around: Surroundings, behind: Parts
    ) -> None:
        pool = behind.store.pool
        around.authenticator = Credentials(Tokens(pool), Sessions(pool), DevelopmentAuthenticator())
        for scope, status in (("act", 403), ("administer", 200)):
            made = await founded.post("/v1/me/tokens", {"name": scope, "scopes": [scope]}, ROOT)
            headers = {"Authorization": f"Bearer {made.json()['secret']}"}
            answer = await founded.post("/v1/directory/add-person", {"person": WEI}, None, headers=headers)
            assert answer.status_code == status

    async def test_lists_go_on_where_they_stopped(self, founded: Api) -> None:
        for person in ("a", "b", "c"):
            await done(founded, "add-person", {"person": person})
        await done(founded, "deactivate-person", {"person": "b", "basis": "long absence"})
        shown = (await founded.get("/v1/directory/people", WEI, params={"limit": 2})).json()
        assert [p["person"] for p in shown["items"]] == ["a", "b"]
        rest = (await founded.get("/v1/directory/people", WEI, params={"limit": 2, "cursor": shown["next"]})).json()
        assert ([p["person"] for p in rest["items"]], rest["next"]) == (["c", ROOT], None)
        gone = (await founded.get("/v1/directory/people", WEI, params={"active": False})).json()["items"]
        assert [p["person"] for p in gone] == ["b"]
        problem(await founded.get("/v1/directory/roles", WEI, params={"cursor": "x"}), 422, "Invalid")


class TestLeaving:
    async def test_whoever_has_left_is_refused_whatever_they_bring(
        self, founded: Api, around: Surroundings, behind: Parts
    ) -> None:
        pool = behind.store.pool
        around.authenticator = Credentials(Tokens(pool), Sessions(pool), DevelopmentAuthenticator())
        await done(founded, "add-person", {"person": WEI})
        await Accounts(pool).make(WEI)
        secret, _ = await Sessions(pool).open(WEI, "link")
        cookie = {"Cookie": f"tandem_session={secret}"}
        token = (await founded.post("/v1/me/tokens", {"name": "script"}, WEI)).json()["secret"]
        ways: list[tuple[str | None, dict[str, str]]] = [
            (WEI, {}),
            (None, cookie),
            (None, {"Authorization": f"Bearer {token}"}),
        ]
        for who, headers in ways:
            assert (await founded.get("/v1/me", who, headers=headers)).status_code == 200
        await done(founded, "deactivate-person", {"person": WEI, "basis": "left the organisation"})
        for who, headers in ways:
            problem(await founded.get("/v1/me", who, headers=headers), 401)
        assert not await Accounts(pool).living(WEI)
        await done(founded, "reactivate-person", {"person": WEI})
        assert await Accounts(pool).living(WEI)
        assert (await founded.get("/v1/me", WEI)).status_code == 200
        for who, headers in ways[1:]:
            problem(await founded.get("/v1/me", who, headers=headers), 401)

    async def test_a_live_feed_ends_by_its_next_heartbeat(self, founded: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)
        await done(founded, "add-person", {"person": WEI})
        headers = {"Accept": "text/event-stream"}
        listening = asyncio.create_task(founded.get("/v1/events", WEI, headers=headers))
        await asyncio.sleep(0.5)
        assert not listening.done()
        await done(founded, "deactivate-person", {"person": WEI, "basis": "account at risk"})
        assert "PersonAdded" in (await asyncio.wait_for(listening, 10)).text

    async def test_a_live_feed_ends_with_the_token_that_asked_for_it(
        self, founded: Api, around: Surroundings, behind: Parts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)
        tokens = Tokens(behind.store.pool)
        around.authenticator = known = Credentials(tokens, Sessions(behind.store.pool))
        soon = datetime.now(UTC) + timedelta(days=1)
        secret, token = await tokens.make(WEI, "personal", "script", [Scope.READ], soon, WEI)
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {secret}"}
        listening = asyncio.create_task(founded.get("/v1/events", None, headers=headers))
        await asyncio.sleep(0.5)
        assert not listening.done()
        assert await tokens.end(WEI, token.id)
        known.forget()
        await asyncio.wait_for(listening, 10)

    async def test_accounts_follow_what_another_process_or_a_crash_has_left_undone(
        self, founded: Api, behind: Parts
    ) -> None:
        """The event is there, the account still open: first of all the person is refused, then the account closes."""
        accounts, elsewhere = Accounts(behind.store.pool), Keeping(behind.store)
        await done(founded, "add-person", {"person": WEI})
        await accounts.make(WEI)
        gone = DeactivatePerson(person=WEI, basis="account at risk")
        await elsewhere.submit(STREAM, gone, Actor("provider.scim", client="scim"), "scim-1")
        await asyncio.sleep(1.1)
        problem(await founded.get("/v1/me", WEI), 401)
        assert await accounts.living(WEI)
        minding = asyncio.create_task(behind.administration.mind())
        for _ in range(200):
            if not await accounts.living(WEI):
                break
            await asyncio.sleep(0.05)
        minding.cancel()
        assert not await accounts.living(WEI)

    async def test_sent_again_after_an_outage_it_makes_up_for_what_was_left_undone(
        self, founded: Api, behind: Parts
    ) -> None:
        accounts, key = Accounts(behind.store.pool), {"Idempotency-Key": "k"}
        await done(founded, "add-person", {"person": WEI})
        await accounts.make(WEI)
        body = {"person": WEI, "basis": "long absence"}

        async def away(people: object) -> None:
            raise StoreUnavailable("gone")

        disable, behind.administration._accounts.disable = behind.administration._accounts.disable, away  # type: ignore[method-assign]  # an outage at this one moment
        problem(await founded.post("/v1/directory/deactivate-person", body, ROOT, headers=key), 503)
        behind.administration._accounts.disable = disable  # type: ignore[method-assign]  # over again
        assert await accounts.living(WEI)
        assert (await done(founded, "deactivate-person", body, **key))["events"] == ["PersonDeactivated"]
        assert not await accounts.living(WEI)

    async def test_an_account_that_it_does_not_know_stays_as_it_is(self, founded: Api, behind: Parts) -> None:
        accounts = Accounts(behind.store.pool)
        await accounts.make("stranger")
        await accounts.disable(["stranger"])
        await done(founded, "add-person", {"person": WEI})
        assert await accounts.disabled() == ["stranger"]


class TestInviting:
    async def test_the_link_signs_in_once(self, founded: Api, behind: Parts) -> None:
        answer = await founded.post("/v1/directory/invite", {"person": WEI, "language": "zh"}, ROOT)
        assert answer.status_code == 201, answer.text
        secret = answer.json()["link"].rsplit("/", 1)[1]
        used = await Links(behind.store.pool).use(secret)
        assert used
        assert (used.person, used.made_by) == (WEI, ROOT)
        noted = [fact.type for fact in await behind.store.read(STREAM)]
        assert noted == ["DirectoryFounded", "PersonAdded", "PersonInvited"]
        assert (await founded.get("/v1/me/preferences", WEI)).json()["language"] == "zh"
        assert (await founded.get(f"/v1/directory/people/{WEI}", JING)).json()["active"]

    async def test_nobody_gets_a_link_to_an_account_in_use(self, founded: Api, behind: Parts) -> None:
        await Sessions(behind.store.pool).open(WEI, "link")
        problem(await founded.post("/v1/directory/invite", {"person": WEI}, ROOT), 409, "SignedInBefore")

    async def test_only_administrators_invite(self, founded: Api, behind: Parts) -> None:
        problem(await founded.post("/v1/directory/invite", {"person": JING}, WEI), 403, "NotAdministrator")
        assert not await Accounts(behind.store.pool).living(JING)

    async def test_who_has_left_is_not_invited(self, founded: Api) -> None:
        await done(founded, "add-person", {"person": WEI})
        await done(founded, "deactivate-person", {"person": WEI, "basis": "long absence"})
        problem(await founded.post("/v1/directory/invite", {"person": WEI}, ROOT), 409, "PersonLeft")


async def test_projects_go_on_beside_it(founded: Api) -> None:
    """The directory is one more stream, nothing of a project."""
    await founded.start()
    feed = (await founded.get("/v1/events", START["people"]["pmo"])).json()["items"]
    assert "ProjectStarted" in [event["type"] for event in feed]
