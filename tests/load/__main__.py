"""`python -m tests.load`: two hundred people for two minutes, workers killed; 1 where a promise was not kept."""

import argparse
import asyncio
import json

from tests.load.judging import verdict
from tests.load.running import FULL, SMALL, run

MOST_SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--small", action="store_true", help="thirty people for some seconds")
    figures, faults = verdict(asyncio.run(run(SMALL if parser.parse_args().small else FULL)))
    print(json.dumps(figures, indent=2))
    print("\n".join(faults[:MOST_SHOWN]) or "Everything was kept.")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
