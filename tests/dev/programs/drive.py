"""One launcher in a process of its own: `python drive.py HOME PROGRAMS [--once]`."""

import sys
from pathlib import Path

from rich.console import Console

from dev.home import Home
from dev.launcher import Wishes, up
from dev.ports import any_port

if __name__ == "__main__":
    wishes = Wishes(Home(Path(sys.argv[1])), any_port(), once="--once" in sys.argv, programs=Path(sys.argv[2]))
    sys.exit(up(wishes, Console()))
