"""Signed envelopes: what is altered, late, early or unsigned is refused."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.envelopes import EARLY, LASTING, BadKey, EnvelopeCheck, EnvelopeSigner
from activities.messages import Submission
from domain.refusals import Refused
from tests.envelopes import CHECK, SIGNER

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
BALLOT = {"decision": "D-1", "value": "APPROVE", "note": "同意"}
SENT = SIGNER.sign("p-1", Submission(command_id="c-1", type="Vote", principal="pei.min", data=BALLOT), NOW)


def refused(submission: Submission, project: str = "p-1", at: datetime = NOW, check: EnvelopeCheck = CHECK) -> str:
    with pytest.raises(Refused) as refusal:
        check.check(project, submission, at)
    return refusal.value.code


def test_what_was_signed_passes_even_after_its_way_through_json() -> None:
    CHECK.check("p-1", SENT, NOW)
    CHECK.check("p-1", Submission.model_validate_json(SENT.model_dump_json()), NOW + LASTING - timedelta(seconds=1))


@pytest.mark.parametrize(
    "altered",
    [
        {"principal": "pan.mei"},
        {"command_id": "c-2"},
        {"type": "WithdrawDecision"},
        {"data": BALLOT | {"value": "REJECT"}},
        {"data": {}},
        {"on_behalf_of": "sun.lei"},
        {"delegation": "L-1"},
        {"confirmed_at": NOW},
        {"expected_version": 3},
        {"expires_at": NOW + LASTING - timedelta(seconds=1)},
        {"signature": b64encode(bytes(64)).decode()},
        {"signature": "no base64"},
        {"signature": "é"},
        {"data": {"value": 1.5}},
    ],
)
def test_one_changed_field_is_a_forgery(altered: dict[str, Any]) -> None:
    assert refused(SENT.model_copy(update=altered)) == "Forged"


def test_it_is_for_one_project_alone() -> None:
    assert refused(SENT, project="p-2") == "Forged"


@pytest.mark.parametrize("missing", ["signature", "expires_at"])
def test_what_is_not_signed_is_refused(missing: str) -> None:
    assert refused(SENT.model_copy(update={missing: None})) == "Unsigned"


@pytest.mark.parametrize("at", [NOW + LASTING + EARLY + timedelta(seconds=1), NOW - EARLY - timedelta(seconds=1)])
def test_it_is_good_for_an_hour(at: datetime) -> None:
    assert refused(SENT, at=at) == "Expired"


def test_another_key_or_none_at_all_believes_nothing() -> None:
    other = EnvelopeSigner(bytes(32))
    assert refused(SENT, check=EnvelopeCheck([other.public])) == "Forged"
    assert refused(SENT, check=EnvelopeCheck([])) == "Forged"
    EnvelopeCheck([other.public, SIGNER.public]).check("p-1", SENT, NOW)


@pytest.mark.parametrize("text", ["", "short", b64encode(bytes(31)).decode(), "é" * 44])
def test_what_is_no_key_is_told_without_telling_it(text: str) -> None:
    with pytest.raises(BadKey) as bad:
        EnvelopeSigner.read(text)
    assert str(bad.value) == "a key is the base64 of 32 bytes"
