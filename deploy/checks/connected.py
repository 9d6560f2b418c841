"""Health of the worker's container: is it connected to Temporal? Ends with 0 if so.

A worker has no port to ask. But it polls without a pause, so while it works it holds an open connection to
Temporal, and the kernel's table of connections shows it at the price of reading a file.
"""

import os
import sys
from pathlib import Path

_ESTABLISHED = "01"


def connected(port: int, tables: Path = Path("/proc/net")) -> bool:
    """Whether a connection of this network namespace to such a remote port is established."""
    return any(_shows(table, f"{port:04X}") for table in (tables / "tcp", tables / "tcp6") if table.exists())


def _shows(table: Path, port: str) -> bool:
    """Columns of the table: number, local address, remote address, state, …; addresses and ports in hex."""
    rows = (line.split() for line in table.read_text().splitlines()[1:])
    return any(row[2].rpartition(":")[2] == port and row[3] == _ESTABLISHED for row in rows)


if __name__ == "__main__":
    address = os.environ.get("TANDEM_TEMPORAL_ADDRESS", "127.0.0.1:7233")
    sys.exit(0 if connected(int(address.rpartition(":")[2])) else 1)
