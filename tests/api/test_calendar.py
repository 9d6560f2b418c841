"""A calendar of due dates behind a secret URL, as calendar programs read it."""

from typing import Any

from icalendar import Calendar

from api.limits import Limits
from api.parts import Parts, Surroundings
from domain.decider import COMMANDS
from projections.preferences import Preference, Preferences
from store.postgres import PostgresStore
from tests.api.asking import MEMBER, PMO, PRODUCT, SPONSOR, Api, named, problem
from tests.api.journey import to_execution
from tests.rosters import FixedRoster, directory_of

PATH = "/v1/me/calendar"


async def made(api: Api, who: str = PRODUCT) -> str:
    answer = await api.client.post(PATH, headers=named(who))
    assert answer.status_code == 201
    assert answer.json()["url"].endswith(answer.json()["path"])
    return str(answer.json()["path"])


async def entries(api: Api, path: str) -> dict[str, Any]:
    """Summaries by uid, as a program without any credential reads them."""
    answer = await api.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    return {str(entry["UID"]): entry for entry in Calendar.from_ical(answer.content).walk("VEVENT")}


async def proposed(api: Api) -> str:
    project = await api.start()
    await api.do(project, "draft-charter", COMMANDS["DraftCharter"].example)
    await api.do(project, "propose-charter", {"revision": 1})
    return project


async def test_what_waits_stands_there_until_it_is_done(api: Api) -> None:
    project, path = await proposed(api), await made(api)
    uid = f"sign-D-1-{project}@tandem"
    entry = (await entries(api, path))[uid]
    state = await api.state(project)
    assert entry["DTEND"].dt.isoformat()[:19] == state["decisions"][0]["due_at"][:19]
    assert (int(entry["SEQUENCE"]), entry["TRANSP"]) == (state["version"], "TRANSPARENT")
    assert "Sign: Charter of" in entry["SUMMARY"]
    await api.sign(project, PMO)
    later = (await entries(api, path))[uid]
    assert int(later["SEQUENCE"]) > int(entry["SEQUENCE"])
    assert later["LAST-MODIFIED"].dt >= entry["LAST-MODIFIED"].dt
    await api.sign(project, PRODUCT)
    assert uid not in await entries(api, path)


async def test_milestones_are_days_and_titles_are_in_the_reader_s_language(api: Api, store: PostgresStore) -> None:
    project = await to_execution(api)
    await api.do(project, "propose-plan", COMMANDS["ProposePlan"].example)
    await api.sign(project, PMO, PRODUCT)
    await Preferences(store.pool).keep(Preference(MEMBER, "zh"))
    found = await entries(api, await made(api, MEMBER))
    plan = COMMANDS["ProposePlan"].example["content"]["milestones"]
    days = {str(e["SUMMARY"]): e["DTSTART"].dt.isoformat() for uid, e in found.items() if uid.startswith("milestone-")}
    code = (await api.state(project))["code"]
    assert days == {f"[{code}] 里程碑: {one['name']}": one["due"] for one in plan}


async def test_nobody_reads_of_projects_in_which_they_have_no_role(api: Api) -> None:
    await to_execution(api)
    assert await entries(api, await made(api, "out.sider")) == {}


async def test_what_has_not_changed_is_not_sent_again(api: Api) -> None:
    await proposed(api)
    path = await made(api)
    first = await api.client.get(path)
    again = await api.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await api.client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_the_secret_is_kept_as_a_hash_shown_once_and_ends(api: Api, store: PostgresStore) -> None:
    assert (await api.get(PATH, PRODUCT)).json() == {"made_at": None, "read_at": None}
    old, new = await made(api), await made(api)
    problem(await api.client.get(old), 404, "NotFound")
    assert (await api.client.get(new)).status_code == 200
    secret = new.removeprefix("/calendar/").removesuffix(".ics")
    assert secret not in str(await store.pool.fetch("SELECT * FROM tandem.calendar_feed"))
    shown = (await api.get(PATH, PRODUCT)).text
    assert secret not in shown
    assert '"read_at":null' not in shown
    assert (await api.client.delete(PATH, headers=named(PMO))).status_code == 204
    assert (await api.client.get(new)).status_code == 200
    assert (await api.client.delete(PATH, headers=named(PRODUCT))).status_code == 204
    gone, wrong = await api.client.get(new), await api.client.get("/calendar/tdm_cal_x.ics")
    problem(gone, 404, "NotFound")
    problem(wrong, 404, "NotFound")
    for odd in ("/calendar/%00.ics", "/calendar/%ff%fe.ics", f"/calendar/{'x' * 5000}.ics", "/calendar/.ics"):
        assert (await api.client.get(odd)).status_code == 404


async def test_whoever_has_left_has_no_calendar(api: Api, behind: Parts) -> None:
    path = await made(api, SPONSOR)
    behind.door.sight.roster = FixedRoster(directory_of({}, left=[SPONSOR]))
    problem(await api.client.get(path), 404, "NotFound")


async def test_asking_for_it_is_counted_by_address(api: Api, around: Surroundings) -> None:
    path, around.limits = await made(api), Limits(requests=2)
    assert [(await api.client.get(path)).status_code for _ in range(3)] == [200, 200, 429]
