"""How many votes the rules decide on one core, with nothing around them; and with sealing and pages."""

import time
from collections.abc import Sequence
from statistics import median

from benchmarks.measure import Figure, Rounds
from benchmarks.memory import NOON, MemoryPlayer
from benchmarks.site import Site
from benchmarks.stories import VOTER, to_agreement, votes
from domain.decider import decide, read_strictly
from domain.messages import Actor, Envelope

VOTES = 400


async def measure(site: Site, rounds: Rounds) -> Sequence[Figure]:
    """Decisions a second: the pure decider, and the whole step against a store in memory."""
    player = MemoryPlayer()
    await to_agreement(player)
    bodies = votes(await player.open_subject())
    commands = [(body, read_strictly("Vote", body)) for body in bodies]
    pure, whole = [], []
    for _ in range(rounds.count):
        project = player.state
        began = time.perf_counter()
        for number in range(rounds.of(VOTES)):
            body, command = commands[number % 2]
            envelope = Envelope(f"vote-{number}", player.project_id, "Vote", Actor(VOTER), NOON, body)
            _, project = decide(envelope, command, project, {})
        pure.append(rounds.of(VOTES) / (time.perf_counter() - began))
        began = time.perf_counter()
        for number in range(rounds.of(VOTES)):
            await player.do(VOTER, "Vote", **bodies[number % 2])
        whole.append(rounds.of(VOTES) / (time.perf_counter() - began))
    return [
        Figure("decide", "votes decided on one core, rules alone", "/s", median(pure)),
        Figure("step", "votes through the step on one core: read, decide, seal, page", "/s", median(whole)),
    ]
