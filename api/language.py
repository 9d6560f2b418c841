"""English or Chinese, by Accept-Language."""

import re

from starlette.requests import HTTPConnection

_RANGE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]{1,40})?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")


def language(header: str) -> str:
    """`zh` where the header prefers Chinese to English, else `en`. Nonsense counts as no preference."""
    best = {"en": 0.0, "zh": 0.0}
    for part in header[:200].split(","):
        if found := _RANGE.fullmatch(part):
            name, weight = found[1].lower(), float(found[2] or 1)
            if name in best:
                best[name] = max(best[name], weight)
    return "zh" if best["zh"] > best["en"] else "en"


def language_of(request: HTTPConnection) -> str:
    """The language that the caller prefers."""
    return language(request.headers.get("accept-language", ""))
