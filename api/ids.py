"""Fresh identifiers: the only chance in the door."""

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """RFC 9562 version 7: sorts by the millisecond in which it was made."""
    stamp = time.time_ns() // 1_000_000
    number = (stamp << 80) | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | (0x7 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return UUID(int=number)
