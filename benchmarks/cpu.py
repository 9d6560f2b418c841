"""Processor time of the servers, which other programs on the machine disturb less than they disturb the clock."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def readable() -> bool:
    """Whether this system tells: Linux does."""
    return (PROC / "self/stat").exists()


def used(pid: int) -> float:
    """Seconds that a process and its living children have used so far."""
    return sum(_own(one) for one in (pid, *_children(pid)))


def _own(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def _children(pid: int) -> list[int]:
    numbers = [int(path.name) for path in PROC.iterdir() if path.name.isdigit()]
    return [number for number in numbers if (fields := _stat(number)) and int(fields[1]) == pid]


def _stat(pid: int) -> list[str]:
    """The fields after the program's name; none where the process has ended."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
