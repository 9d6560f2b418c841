"""One question to a program on this machine, never through a proxy."""

import asyncio
import json
import urllib.request
from typing import Any

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


async def get_json(url: str, patience: float = 2) -> Any:
    """What a GET answers, read as JSON. Raises OSError (an HTTP status from 400 on too) and ValueError."""
    return await asyncio.to_thread(_get, url, patience)


def _get(url: str, patience: float) -> Any:
    with _direct.open(url, timeout=patience) as answer:
        return json.load(answer)
