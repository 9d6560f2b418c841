"""`python -m benchmarks.sealer DSN`: seal what is new, four times a second, until told to stop. Without Temporal."""

import asyncio
import sys

import uvloop

from activities.seal import SealOrder, SealReport, SealSteps
from store.connect import Pool
from store.tree import Tree

EVERY_SECONDS = 0.25


async def main(dsn: str) -> None:
    """Says `ready` once, then goes on for ever."""
    pool = await Pool.open(dsn, 2)
    steps, last = SealSteps(Tree(pool), bytes(32)), SealReport()
    print("ready", flush=True)
    while True:
        last = await steps.seal(SealOrder(size=last.size, note=last.note))
        if not last.more:
            await asyncio.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
