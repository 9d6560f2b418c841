"""A project that is nobody's business, played far enough that there is much to leak; and what would tell of it."""

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from activities.indexing import Indexer
from activities.letters import Letter
from activities.messages import NoticeMessage
from domain.decider import COMMANDS
from projections.deliveries import Deliveries
from projections.messages import Messages
from projections.outbox import Outbox
from store.postgres import PostgresStore
from store.searching import Indexes
from tests.api.asking import START, Api
from tests.audit.building import seal
from tests.vaults import vault_of

SPONSOR, OFFICE, PRODUCT, MEMBER = "zq.sponsor", "zq.office", "zq.product", "zq.member"
AUDITOR = "lu.xun"
"""The project's own: looks into the audit view, and that somebody does is no secret."""
WORDS = ("Zephyrquill", "Obsidianfjord", "Quartzlantern", "Velvetharrier", "Saltmarshcoda", "Tinderwillow")
"""Of title, purpose, charter, a lesson, a refused command, and what a notice says."""
STAFF = {
    "sponsor": SPONSOR,
    "pmo": OFFICE,
    "product_manager": PRODUCT,
    "members": [MEMBER],
    "auditors": [AUDITOR],
}
NAMES = {"sun.lei": SPONSOR, "pei.min": OFFICE, "pan.mei": PRODUCT, "tao.yun": MEMBER, "an.jing": AUDITOR}


@dataclass
class Hidden:
    """The project, and beside it everything about a project that never was."""

    id: str
    code: str
    absent: str = field(default_factory=lambda: str(uuid4()))
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def marks(self) -> set[str]:
        """What no answer to anybody else may hold."""
        ids = {str(value) for event in self.events for value in (event["id"], event["metadata"]["command_id"])}
        return {*WORDS, SPONSOR, OFFICE, PRODUCT, MEMBER, self.id, self.code, *ids}

    def values(self, name: str) -> list[tuple[str, str]]:
        """For a parameter of this name: what fits this project, and what fits none, as like to it as can be."""
        last, never = self.events[-1], str(uuid4())
        known = {
            "id": [(self.id, self.absent)],
            "project": [(self.id, self.absent), (self.code, "P-99999")],
            "decision": [("D-1", "D-1")],
            "event_id": [(event["id"], str(uuid4())) for event in (self.events[0], last)],
            "event": [(last["id"], never)],
            "correlation": [(last["metadata"]["correlation_id"], never)],
            "command_id": [(last["metadata"]["command_id"], never)],
            "request": [(last["metadata"]["request_id"], never)],
            "text": [(WORDS[0], "Nowhereword"), (WORDS[4], "Nowhereword")],
            "person": [(OFFICE, "zq.nobody")],
            "actor": [(OFFICE, "zq.nobody")],
            "on_behalf_of": [(OFFICE, "zq.nobody")],
        }
        return known.get(name, [])


def renamed(example: Any) -> Any:
    """The example with this project's people."""
    text = json.dumps(example)
    for name, own in NAMES.items():
        text = text.replace(name, own)
    return json.loads(text)


async def hide(api: Api, store: PostgresStore) -> Hidden:
    """Start it, and let everything happen that leaves traces: half of it indexed, all of it sealed."""
    body = {**START, "title": f"{WORDS[0]} takeover", "purpose": WORDS[1], "people": STAFF}
    answer = await api.post("/v1/projects", body | {"visibility": "CONFIDENTIAL"}, OFFICE)
    assert answer.status_code == 201, answer.text
    made = Hidden(answer.json()["id"], answer.json()["code"])
    charter = renamed(COMMANDS["DraftCharter"].example)
    charter["content"]["scope"] = [WORDS[2]]
    await api.do(made.id, "draft-charter", charter, OFFICE)
    await Indexer(Indexes(store.pool), store).catch_up()
    await api.do(made.id, "propose-charter", {"revision": 1}, OFFICE)
    await api.do(made.id, "capture-lesson", COMMANDS["CaptureLesson"].example | {"text": WORDS[3]}, MEMBER)
    for reason in (WORDS[4], 7):
        assert (await api.post(f"/v1/projects/{made.id}/hold-project", {"reason": reason}, MEMBER)).status_code >= 400
    made.events = (await api.get(f"/v1/projects/{made.id}/events", AUDITOR)).json()["items"]
    await _tell(store, made)
    await seal(store)
    return made


async def _tell(store: PostgresStore, made: Hidden) -> None:
    """A notice to everybody there, in the inbox and by a mail that could not be sent."""
    for person in (SPONSOR, OFFICE, PRODUCT, MEMBER):
        event, ids = made.events[-1]["id"], {"project_id": made.id, "code": made.code, "recipient": person}
        notice = NoticeMessage.model_validate({**ids, "event_id": event, "kind": "K", "en": WORDS[5], "zh": WORDS[5]})
        await Messages(store.pool).put(notice)
        await Deliveries(store.pool).begin(notice, "mail")
        address = (event, person, "mail", f"<{person}@tandem.example>", "<p@tandem.example>")
        letter = Letter(*address, "en", WORDS[5], WORDS[5], f"<p>{WORDS[5]}</p>")
        await Outbox(store.pool, vault_of(store)).keep(letter)
