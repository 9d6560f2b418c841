"""Pages' tables: what appends write, what a replay writes again, and how they are read."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg

from activities.messages import NoticeMessage
from activities.ports import Append, Page, VerdictKind
from domain.sight import Reader
from projections import duties, project
from projections.deliveries import Deliveries
from projections.messages import Messages
from store.postgres import PostgresStore
from tests.conftest import Database
from tests.store.building import START, after, append, duty, page

TABLES = {
    "project": "SELECT * FROM tandem.project ORDER BY id",
    "membership": "SELECT * FROM tandem.membership ORDER BY 1, 2, 3",
    "duty": "SELECT * FROM tandem.duty ORDER BY project_id, person, kind, ref",
}


def life(stream: str) -> list[tuple[Append, Page]]:
    """The appends of a project, each with its whole page (duties included) for a replay."""
    pages = [
        page(stream, duties=[duty(), duty("pei.min"), duty("pei.min")]),
        page(stream, stage="KPI_AGREEMENT", people={"SPONSOR": ["li.wei"], "PMO": ["pei.min", "li.wei"]}),
        page(stream, people={"PMO": ["tao.yun"]}, duties=[duty("tao.yun", "plan", START + timedelta(days=3))]),
        page(stream, people={"PMO": ["tao.yun"]}, held=True, next_due=START + timedelta(days=2)),
        page(stream, people={}, ended=True, duties=[]),
    ]
    told: list[tuple[Append, Page]] = []
    standing = pages[0].duties
    for number, shown in enumerate(pages, 1):
        standing = shown.duties if shown.duties is not None else standing
        made = (
            append(stream, facts=2, page=shown)
            if not told
            else after(told[-1][0], f"c-{number}", facts=number, page=shown)
        )
        told.append((made, replace(shown, duties=standing)))
    return told


async def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    connection = await asyncpg.connect(database.admin)
    try:
        return {name: [tuple(row) for row in await connection.fetch(sql)] for name, sql in TABLES.items()}
    finally:
        await connection.close()


async def test_a_page_changes_with_each_append(store: PostgresStore, database: Database) -> None:
    seen = []
    for made, _ in life("p1"):
        await store.append(made)
        found = await rows(database)
        seen.append(
            (
                found["project"][0][0],
                [(row[1], row[2]) for row in found["membership"]],
                [(row[3], row[5]) for row in found["duty"]],
            )
        )
    asked = [("li.wei", "charter"), ("pei.min", "charter")]
    assert seen == [
        (2, [("li.wei", "SPONSOR")], asked),
        (4, [("li.wei", "PMO"), ("li.wei", "SPONSOR"), ("pei.min", "PMO")], asked),
        (7, [("tao.yun", "PMO")], [("tao.yun", "plan")]),
        (11, [("tao.yun", "PMO")], [("tao.yun", "plan")]),
        (16, [], []),
    ]


async def test_duties_that_are_over_go_and_the_rest_stays(store: PostgresStore, database: Database) -> None:
    first = append("p1", page=page("p1", duties=[duty(), duty("pei.min"), duty("tao.yun")]))
    other = append("p2", page=page("p2", duties=[duty("pei.min")]))
    moved = page(
        "p1", duties=[duty("tao.yun", due_at=START)], over=[(who, "sign", "charter") for who in ("pei.min", "tao.yun")]
    )
    none = page("p1", duties=[duty("an.jing")], over=[])
    second = after(first, "c-2", page=moved)
    for made in (first, other, second, after(second, "c-3", page=none)):
        assert (await store.append(made)).kind is VerdictKind.OK
    found = [(row[2], row[3], row[1]) for row in (await rows(database))["duty"]]
    assert found == [("p1", "an.jing", None), ("p1", "li.wei", None), ("p1", "tao.yun", START), ("p2", "pei.min", None)]


async def test_a_brief_page_changes_what_it_says_and_leaves_its_heading(
    store: PostgresStore, database: Database
) -> None:
    first = append("p1", facts=3, page=page("p1", duties=[duty(), duty("pei.min"), duty("tao.yun")]))
    due = START + timedelta(days=2)
    moved = page(
        "p1",
        title="not written",
        people={},
        next_due=due,
        duties=[duty("tao.yun", due_at=due), duty("an.jing")],
        over=[(who, "sign", "charter") for who in ("pei.min", "tao.yun")],
        brief=True,
    )
    second = after(first, "c-2", facts=2, page=moved)
    third = after(second, "c-3", page=page("p1", brief=True))
    for made in (first, second, append("p2", page=page("p2", duties=[duty("pei.min")])), third):
        assert (await store.append(made)).kind is VerdictKind.OK
    found = await project.one(store.pool, [], "p1")
    assert found is not None
    assert (found.title, found.people, found.next_due) == ("示例 sample", {"SPONSOR": ["li.wei"]}, None)
    assert (found.version, found.position, found.changed_at) == (6, 6, third.facts[-1].recorded_at)
    owed = [(row[2], row[3], row[1]) for row in (await rows(database))["duty"]]
    assert owed == [("p1", "an.jing", None), ("p1", "li.wei", None), ("p1", "tao.yun", due), ("p2", "pei.min", None)]


async def test_a_brief_page_says_nothing_of_a_row_that_is_not_as_of_the_version_before(
    store: PostgresStore, database: Database
) -> None:
    first = append("p1", page=page("p1"))
    await store.append(first)
    admin = await asyncpg.connect(database.admin)
    await admin.execute("TRUNCATE tandem.project, tandem.membership, tandem.duty")
    await admin.close()
    verdict = await store.append(after(first, "c-2", page=page("p1", brief=True)))
    assert verdict.kind is VerdictKind.OK
    assert await project.one(store.pool, [], "p1") is None


async def test_whole_and_brief_pages_go_together_and_a_refused_one_says_nothing(
    store: PostgresStore, database: Database
) -> None:
    firsts = [append(f"p{no}", page=page(f"p{no}", duties=[duty()])) for no in range(4)]
    await asyncio.gather(*(store.append(first) for first in firsts))
    due = START + timedelta(days=1)
    seconds = [
        after(first, "c-2", facts=1 + no, page=page(first.stream, title="new", next_due=due, brief=no % 2 == 0))
        for no, first in enumerate(firsts)
    ]
    late = append("p0", command_id="late", page=page("p0", next_due=START, duties=[], over=[], brief=True))
    verdicts = await asyncio.gather(*(store.append(second) for second in seconds))
    assert [verdict.kind for verdict in verdicts] == [VerdictKind.OK] * 4
    assert (await store.append(late)).kind is VerdictKind.CONFLICT
    found = [await project.one(store.pool, [], f"p{no}") for no in range(4)]
    shown = [(row.title, row.version, row.next_due) for row in found if row is not None]
    assert shown == [("示例 sample", 2, due), ("new", 3, due), ("示例 sample", 4, due), ("new", 5, due)]
    assert [row[2] for row in (await rows(database))["duty"]] == ["p0", "p1", "p2", "p3"]


async def test_replay_equals_live(store: PostgresStore, database: Database) -> None:
    told = {stream: life(stream)[: 3 + no] for no, stream in enumerate(("p1", "p2", "p3"))}
    for history in told.values():
        for made, _ in history:
            await store.append(made)
    live = await rows(database)
    admin = await asyncpg.connect(database.admin)
    await admin.execute("TRUNCATE tandem.project, tandem.membership, tandem.duty")
    await admin.close()
    for stream, history in told.items():
        made, shown = history[-1]
        await project.rebuild(store.pool, stream, made.facts[-1].version, shown)
    assert await rows(database) == live


async def test_a_replay_beside_a_running_system_never_goes_back(store: PostgresStore, database: Database) -> None:
    told = life("p1")
    for made, _ in told:
        await store.append(made)
    live = await rows(database)
    for made, shown in told:
        await project.rebuild(store.pool, "p1", made.facts[-1].version, shown)
    assert await rows(database) == live


async def test_a_refused_append_shows_nothing(store: PostgresStore, database: Database) -> None:
    first = append("p1", page=page("p1"))
    await store.append(first)
    before = await rows(database)
    await store.append(append("p1", command_id="c-2", page=page("p1", title="late")))
    await store.append(replace(first, page=page("p1", title="again")))
    assert await rows(database) == before


async def test_one_project(store: PostgresStore) -> None:
    made, _ = life("p1")[0]
    await store.append(made)
    found = await project.one(store.pool, [], "p1")
    assert found is not None
    assert found == await project.one(store.pool, [], "P-p1")
    assert (found.id, found.version, found.position, found.people) == ("p1", 2, 1, {"SPONSOR": ["li.wei"]})
    assert (found.started_at, found.changed_at) == (made.facts[0].recorded_at, made.facts[1].recorded_at)
    assert await project.one(store.pool, [], "p2") is None
    assert await project.roles(store.pool, "p1", "li.wei") == ["SPONSOR"]


async def test_the_list_goes_on_where_it_ended(store: PostgresStore) -> None:
    for no in range(7):
        shown = page(f"p{no}", stage="KICKOFF" if no % 2 else "EXECUTION", people={"PMO": [f"person-{no % 3}"]})
        await store.append(append(f"p{no}", facts=1 + no // 3, page=shown))
    seen: list[str] = []
    cursor = None
    while True:
        part, cursor = await project.listed(store.pool, [], 3, cursor)
        seen += [row.id for row in part]
        if cursor is None:
            break
    assert seen == ["p6", "p5", "p4", "p3", "p2", "p1", "p0"]
    narrowed, end = await project.listed(store.pool, [], 10, stage="KICKOFF")
    assert ([row.id for row in narrowed], end) == (["p5", "p3", "p1"], None)
    narrowed, _ = await project.listed(store.pool, [], 10, person="person-0")
    assert [row.id for row in narrowed] == ["p6", "p3", "p0"]
    assert await project.listed(store.pool, [], 10, person="nobody") == ([], None)


async def test_the_inbox_shows_what_is_overdue_first(store: PostgresStore) -> None:
    waits = [
        duty(ref="some day"),
        duty(ref="soon", due_at=START + timedelta(days=2)),
        duty(ref="late", due_at=START - timedelta(days=1)),
        duty(ref="very late", due_at=START - timedelta(days=5)),
        duty("pei.min", ref="not mine"),
    ]
    await store.append(append("p1", page=page("p1", duties=waits)))
    await store.append(append("p2", page=page("p2", held=True, duties=[duty(ref="now", due_at=START)])))
    found = await duties.waiting(store.pool, "li.wei", START)
    assert [line.ref for line in found] == ["very late", "late", "now", "soon", "some day"]
    assert (found[2].code, found[2].project_title, found[2].held) == ("P-p2", "示例 sample", True)
    assert len(await duties.waiting(store.pool, "li.wei", START, limit=2)) == 2
    assert await duties.count(store.pool, "li.wei") == 5
    assert [line[:3] for line in await duties.of_project(store.pool, "p2")] == [("li.wei", "sign", "now")]


def notice(recipient: str = "li.wei", event_id: str | None = None) -> NoticeMessage:
    return NoticeMessage(
        event_id=event_id or str(uuid4()),
        project_id="p1",
        code="P-1",
        kind="invitation",
        recipient=recipient,
        en="Please sign",
        zh="请签署",
        ref="D-1",
        due_at=START,
    )


async def test_a_message_is_kept_once_and_read_once(store: PostgresStore) -> None:
    messages = Messages(store.pool)
    first, second = notice(), notice()
    assert [await messages.put(each) for each in (first, first, second)] == [True, False, True]
    assert await messages.put(notice("pei.min", first.event_id))
    newest, oldest = await messages.of("li.wei")
    assert (oldest.event_id, oldest.text_en, oldest.text_zh, oldest.due_at) == (
        UUID(first.event_id),
        "Please sign",
        "请签署",
        START,
    )
    assert await messages.of("li.wei", before=newest.id) == [oldest]
    assert not await messages.mark_read("pei.min", newest.id), "it is not theirs"
    assert await messages.mark_read("li.wei", newest.id)
    assert await messages.of("li.wei", unread=True) == [oldest]
    read_at = (await messages.of("li.wei", limit=1))[0].read_at
    assert await messages.mark_read("li.wei", newest.id)
    assert (await messages.of("li.wei", limit=1))[0].read_at == read_at is not None
    assert (await messages.mark_all_read("li.wei"), await messages.unread("li.wei")) == (1, 0)
    assert await messages.unread("pei.min") == 1


async def test_what_was_delivered_stays_delivered(store: PostgresStore) -> None:
    deliveries, told = Deliveries(store.pool), notice()
    await deliveries.record(told, "mail", "failed", 3, "refused")
    await deliveries.record(told, "inbox", "delivered", 1, "")
    assert [(row.channel, row.attempts) for row in await deliveries.failed(Reader("an.jing"), 10)] == [("mail", 3)]
    await deliveries.record(told, "mail", "delivered", 5, "")
    await deliveries.record(told, "mail", "failed", 0, "gave up")
    found = await deliveries.of_event(UUID(told.event_id))
    assert [(row.channel, row.state, row.attempts) for row in found] == [
        ("inbox", "delivered", 1),
        ("mail", "delivered", 5),
    ]
