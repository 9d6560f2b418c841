"""What projects do to be measured: a short real story, told over HTTP or in memory by the same words.

The charter names a second person for the PMO. One PMO's approval is enough, so the second one may say yes,
abstain, and yes again while the decision stays open: each is a real vote, decided and stored.
"""

from copy import deepcopy
from typing import Any, Protocol

from domain.decider import COMMANDS

SPONSOR, PMO, PRODUCT, VOTER = "sun.lei", "pei.min", "pan.mei", "hu.yan"
REASON = "I have not read the annex yet; whoever of us has may sign it."


class Player(Protocol):
    """Somebody who can carry out commands on one project."""

    async def do(self, person: str, command: str, **data: Any) -> None:
        """Must succeed."""
        ...

    async def open_subject(self) -> dict[str, Any]:
        """What a vote on the newest open decision names: decision, revision, content_hash."""
        ...


def example(command: str) -> dict[str, Any]:
    """A valid body of the command, to be changed at will."""
    return deepcopy(COMMANDS[command].example)


async def signed(player: Player, *people: str) -> None:
    """These people approve the open decision."""
    subject = await player.open_subject()
    for person in people:
        await player.do(person, "Vote", value="APPROVE", **subject)


async def to_agreement(player: Player) -> None:
    """Kickoff with a second PMO, then an agreement that waits for its signatures: seven commands."""
    await player.do(PMO, "StartProject", **example("StartProject"))
    charter = example("DraftCharter")
    charter["content"]["assignments"].append({"person": VOTER, "role": "PMO"})
    await player.do(PMO, "DraftCharter", **charter)
    await player.do(PMO, "ProposeCharter", revision=1)
    await signed(player, PMO, PRODUCT, SPONSOR)
    await player.do(PRODUCT, "ProposeAgreement", **example("ProposeAgreement"))


async def to_completion(player: Player) -> None:
    """On into execution, with a baseline and a completion that waits for its signatures."""
    await to_agreement(player)
    await signed(player, PMO, PRODUCT)
    await player.do(PMO, "ProposePlan", **example("ProposePlan"))
    await signed(player, PMO, PRODUCT)
    await player.do(PMO, "ProposeCompletion", **example("ProposeCompletion"))


def votes(subject: dict[str, Any]) -> list[dict[str, Any]]:
    """Bodies to send in turn: abstain, approve, abstain …"""
    return [subject | {"value": value, "reason": REASON} for value in ("ABSTAIN", "APPROVE")]


async def go_on(player: Player, number: int) -> None:
    """The `number`th of very many further events: votes and measurements by turns, one event each."""
    if number % 2:
        await player.do(PMO, "RecordMeasurement", **example("RecordMeasurement"))
    else:
        subject = await player.open_subject()
        await player.do(VOTER, "Vote", **votes(subject)[number // 2 % 2])
