"""Sealing and opening by themselves: bound to their place, forgotten in time, closed over signals."""

from collections.abc import Collection, Mapping
from itertools import count
from uuid import UUID

import pytest

from activities.vault import Vault
from domain.messages import Actor
from domain.project.evaluation import EvaluationMissing, SubmitEvaluation
from domain.project.seats import SlotsChanged
from domain.refusals import Refused

EVENT = UUID(int=7)
STREAM = "project-1"


class Shelf:
    """Keys in memory; counts who asks."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes | None] = {}
        self.asked = 0

    async def keys(self, persons: Collection[str], *, make: bool) -> Mapping[str, bytes | None]:
        self.asked += 1
        for person in persons if make else ():
            self.kept.setdefault(person, person.encode().ljust(32, b"."))
        return {person: self.kept[person] for person in persons if person in self.kept}


def missing(*absent: str) -> EvaluationMissing:
    return EvaluationMissing(side="PMO", scores=None, comment="In hospital", absent=absent)


async def sealed(vault: Vault, *absent: str, actor: str = "sun.lei") -> str:
    (event,) = await vault.seal(STREAM, actor, [missing(*absent)], [EVENT]) or ()
    assert isinstance(event, EvaluationMissing)
    assert "hospital" not in event.model_dump_json()
    return event.comment


@pytest.mark.parametrize(
    ("absent", "whose"), [(("pei.min",), "pei.min"), (("pei.min", "an.jing"), "an.jing+pei.min"), ((), "sun.lei")]
)
async def test_it_is_sealed_for_whom_it_speaks_of(absent: tuple[str, ...], whose: str) -> None:
    vault = Vault(Shelf())
    token = await sealed(vault, *absent)
    assert token.split(":")[:5] == ["vault", "1", whose, str(EVENT), "comment"]
    assert await vault.open(STREAM, {"a": [f"«{token}»"]}, "en", event_id=EVENT) == {"a": ["«In hospital»"]}


async def test_moved_anywhere_else_it_does_not_open() -> None:
    vault = Vault(Shelf())
    token = await sealed(vault, "pei.min")
    assert await vault.open("project-2", token, "en") == "[unreadable]"
    assert await vault.open(STREAM, token, "zh", event_id=UUID(int=8)) == "[无法读取]"
    for before, after in ((":comment:", ":reason:"), (str(EVENT), str(UUID(int=8))), (token[-8:], "AAAAAAAA")):
        assert await vault.open(STREAM, token.replace(before, after), "en") == "[unreadable]"


async def test_the_same_text_is_sealed_differently_each_time() -> None:
    vault = Vault(Shelf())
    assert len({await sealed(vault, "pei.min") for _ in range(20)}) == 20


async def test_with_one_of_two_keys_gone_it_is_erased() -> None:
    shelf = Shelf()
    vault = Vault(shelf)
    slots = SlotsChanged(decision="D-1", change="slot transferred", person="zhao.min", reason="On leave", slots=())
    (event,) = await vault.seal(STREAM, "pei.min", [slots], [EVENT]) or ()
    assert isinstance(event, SlotsChanged)
    shelf.kept["zhao.min"] = None
    vault.forget("zhao.min")
    assert await vault.open(STREAM, event.reason, "en") == "[erased]"
    with pytest.raises(Refused, match=r"zhao\.min was erased"):
        await vault.seal(STREAM, "pei.min", [slots], [EVENT])


async def test_a_key_is_remembered_for_seconds_only() -> None:
    shelf, clock = Shelf(), count(0, 20)
    vault = Vault(shelf, keep=30, now=lambda: float(next(clock)))
    token = await sealed(vault, "pei.min")
    assert await vault.open(STREAM, token, "en") == "In hospital"
    assert shelf.asked == 1
    shelf.kept["pei.min"] = None
    assert await vault.open(STREAM, token, "en") == "[erased]"


async def test_an_event_without_such_texts_needs_no_vault() -> None:
    shelf = Shelf()
    assert await Vault(shelf).open(STREAM, {"a": ["plain"]}, "en") == {"a": ["plain"]}
    assert await Vault(shelf).seal(STREAM, "sun.lei", [], []) is None
    assert shelf.asked == 0


async def test_over_a_signal_it_is_refused() -> None:
    command = SubmitEvaluation.model_validate_json(b'{"scores": %s, "comment": "Late"}' % SCORES)
    with pytest.raises(Refused) as refused:
        await Vault(Shelf()).mark(command, Actor("pei.min", client="signal"), b"x")
    assert refused.value.code == "PersonalOverSignal"


async def test_the_mark_of_a_command_cannot_be_guessed_without_the_key() -> None:
    command = SubmitEvaluation.model_validate_json(b'{"scores": %s, "comment": "Late"}' % SCORES)
    first, second = Shelf(), Shelf()
    second.kept["pei.min"] = b"another".ljust(32)
    marks = [await Vault(shelf).mark(command, Actor("pei.min"), b"x") for shelf in (first, first, second)]
    assert marks[0] == marks[1] != marks[2]


SCORES = b'{"goals":1,"kpis":1,"resources":1,"risk":1,"schedule":1,"cost":1,"quality":1,"cooperation":1}'
