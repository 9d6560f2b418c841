"""`python -m api <file>`: write the OpenAPI document, e.g. to docs/reference/openapi.json."""

import sys
from pathlib import Path

import orjson

from api.app import build
from api.parts import Installation, Surroundings
from auth.identity import NobodyKnown


def contract() -> bytes:
    """The document, the same for every installation."""
    app = build(Surroundings(NobodyKnown(), Installation("", "")))
    return orjson.dumps(app.openapi(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(contract())
