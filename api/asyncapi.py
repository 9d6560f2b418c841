"""The AsyncAPI document: what events programs can get, and what is in them."""

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from api.operation import Operation

NAME = "asyncapi.yaml"
PLACES = (Path(__file__).parents[1] / "docs" / "reference" / NAME, Path(__file__).parent / "static" / NAME)
"""In a checkout, and in an installed package."""
MEDIA_TYPE = "application/yaml"


@cache
def kept() -> bytes:
    """The document as it was written from the registry of events."""
    return next(place for place in PLACES if place.is_file()).read_bytes()


async def asyncapi(_: Request) -> Response:
    """Every event that programs can get, with the JSON schema of its data and an example, as AsyncAPI 3."""
    return Response(kept(), media_type=MEDIA_TYPE)


OPERATIONS = (
    Operation(
        "GET",
        "/asyncapi.yaml",
        "readEventContract",
        "service",
        asyncapi,
        None,
        problems=(),
        content={MEDIA_TYPE: {"schema": {"type": "object"}}},
    ),
)
