"""Links of mails: bound, expiring, and nobody else's make."""

from datetime import UTC, datetime

import pytest

from auth.confirmation import LASTING, Confirmations

TOLD = datetime(2026, 3, 2, 9, tzinfo=UTC)
OURS = Confirmations(b"k" * 32)
TOKEN = OURS.token("01a2", "D-3", 2, "li.wei", TOLD)


def test_a_link_says_what_it_is_bound_to() -> None:
    found = OURS.read(TOKEN)
    assert found
    assert (found.project, found.decision, found.revision, found.person) == ("01a2", "D-3", 2, "li.wei")
    assert found.until == TOLD + LASTING
    assert OURS.token("01a2", "D-3", 2, "li.wei", TOLD) == TOKEN


@pytest.mark.parametrize("place", range(len(TOKEN)))
def test_no_letter_of_it_may_be_another(place: int) -> None:
    other = "A" if TOKEN[place] != "A" else "B"
    assert OURS.read(TOKEN[:place] + other + TOKEN[place + 1 :]) is None


@pytest.mark.parametrize("odd", ["", ".", "x", "é.é", TOKEN + "=", TOKEN + ".", "A" * 5000, TOKEN.replace(".", "")])
def test_what_is_no_link_is_none(odd: str) -> None:
    assert OURS.read(odd) is None


def test_without_the_key_there_are_none_and_another_key_makes_others() -> None:
    assert Confirmations(None).token("01a2", "D-3", 2, "li.wei", TOLD) == ""
    assert Confirmations(None).read(TOKEN) is None
    assert Confirmations(b"x" * 32).read(TOKEN) is None
