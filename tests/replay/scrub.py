"""A history without the machine that it was recorded on."""

import base64
import getpass
import json
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

IDENTITY = "worker@machine"
QUEUE = "tandem"
MOST_BYTES = 200_000
_REPLACED = {"identity": IDENTITY, "source": "worker"}
_DROPPED = {
    *("stackTrace", "binaryChecksum", "requestId", "historySizeBytes"),
    *("meteringMetadata", "taskId", "retryPolicy"),
}


def scrubbed(node: Any, parent: str = "") -> Any:
    """The history (as parsed JSON) with identities and task queues' names replaced, empty fields left out."""
    if isinstance(node, list):
        return [scrubbed(item, parent) for item in node]
    if not isinstance(node, dict):
        return node
    fields = {key: _field(key, value, parent) for key, value in node.items() if key not in _DROPPED}
    return {key: value for key, value in fields.items() if value not in ("", {}, [], "0s")}


def _field(key: str, value: Any, parent: str) -> Any:
    if key in _REPLACED and isinstance(value, str):
        return _REPLACED[key]
    if parent == "taskQueue" and key in {"name", "normalName"}:
        return QUEUE
    return scrubbed(value, key)


def packed(history: str) -> str:
    """The text of a history, scrubbed, an event a line. Raises ValueError where it tells of this machine."""
    events = scrubbed(json.loads(history))["events"]
    lines = ",\n".join(json.dumps(event, separators=(",", ":"), sort_keys=True, ensure_ascii=False) for event in events)
    text = f'{{"events":[\n{lines}\n]}}\n'
    told = [word for word in _own_words() if any(word in shown for shown in texts(json.loads(text)))]
    if told or len(text.encode()) > MOST_BYTES:
        raise ValueError(f"not fit to be kept: {len(text.encode())} bytes, tells of {told}")
    return text


def texts(node: Any) -> Iterator[str]:
    """Every string in a history; payloads and attributes decoded."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield base64.b64decode(value).decode() if key == "data" and isinstance(value, str) else key
            yield from texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from texts(item)
    elif isinstance(node, str):
        yield node


def _own_words() -> list[str]:
    """What would give this machine away."""
    here, user = Path(__file__).resolve().parents[2], getpass.getuser()
    words = [socket.gethostname(), str(here), tempfile.gettempdir() + "/", str(Path.home()) + "/", f"{user}@"]
    return [word for word in words if re.search(r"\w{2}", word)]
