"""The audit pack: what a search found as a document to print and to file, in both languages, with the log's checkpoint.

The same events under the same filter give the same bytes: its date is that of the newest event in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import typst

from api.audit_rows import Item

HERE = Path(__file__).parent
TEMPLATE = HERE / "pack.typ"
FONTS = HERE / "fonts"
MOST_CHARACTERS = 600
"""Of a sentence in a row; the whole is in the other forms."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What the first page says."""

    what: str
    reader: str
    filter: dict[str, Any]
    head: int
    """How many events the log had."""
    checkpoint: dict[str, Any] | None
    """Size, root and note of the log's last checkpoint; None before the first."""


def press(cover: Cover, items: Sequence[Item]) -> bytes:
    """The document as PDF. Takes some milliseconds a row; needs no font of the machine."""
    rows = [_row(cover.what, item) for item in items]
    newest = max((row["at"] for row in rows), default="")
    asked = {name: _listed(value) for name, value in sorted(cover.filter.items())}
    told = {
        "what": cover.what,
        "reader": cover.reader,
        "filter": asked,
        "head": cover.head,
        "checkpoint": cover.checkpoint,
        "newest": newest,
        "rows": rows,
    }
    made: bytes = typst.compile(
        TEMPLATE,
        root=HERE,
        format="pdf",
        font_paths=[FONTS],
        ignore_system_fonts=True,
        sys_inputs={"told": orjson.dumps(told).decode()},
        timestamp=int(datetime.fromisoformat(newest).timestamp()) if newest else 0,
    )
    return made


def _row(what: str, item: Item) -> dict[str, str]:
    match what:
        case "events":
            words, mark, rule = item["sentences"], f"v{item['version']} {item['leaf_hash'][:16]}", item["rule"]
            who, at, number = item["actor"], item["recorded_at"], item["position"]
        case "refusals":
            words = {"en": f"{item['command']}: {item['detail'] or '–'}", "zh": item["code"]}
            who, at, number, mark, rule = item["actor"], item["at"], item["id"], item["project"] or "–", item["rule"]
        case _:
            words = {"en": f"read {item['what']} as {item['format']}", "zh": f"查阅 {item['what']}({item['format']})"}
            who, at, number, rule = {"principal": item["reader"]}, item["at"], item["id"], ""
            mark = orjson.dumps(item["filter"]).decode()
    for_whom = f" → {who['on_behalf_of']}" if who.get("on_behalf_of") else ""
    return {
        "number": str(number),
        "at": at,
        "shown_at": datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "who": f"{who['principal']}{for_whom}",
        "en": _short(words["en"] or item.get("type", "")),
        "zh": _short(words["zh"] or ""),
        "rule": rule or "–",
        "mark": _short(mark),
    }


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
