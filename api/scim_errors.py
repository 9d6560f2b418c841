"""Errors as RFC 7644, section 3.12, writes them: everything below /scim is answered in that shape."""

from collections.abc import Mapping
from typing import Any, Literal

import orjson
from starlette.responses import Response

ROOT = "/scim"
MEDIA_TYPE = "application/scim+json"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
ScimType = Literal[
    "invalidFilter", "invalidSyntax", "invalidPath", "invalidValue", "noTarget", "mutability", "uniqueness"
]
STATUS = {422: 400}
"""Statuses that SCIM does not know, and what it says instead."""
TYPES: dict[str, ScimType] = {"Invalid": "invalidValue", "Malformed": "invalidValue", "PersonErased": "mutability"}


class ScimError(Exception):
    """Answered with this status; `detail` is for whoever set up the provider."""

    def __init__(self, status: int, detail: str, scim_type: ScimType | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.scim_type = scim_type


def wrong(detail: str, scim_type: ScimType = "invalidValue") -> ScimError:
    """What was sent cannot be taken."""
    return ScimError(400, detail, scim_type)


def missing(kind: str, name: str) -> ScimError:
    """There is no such resource."""
    return ScimError(404, f"There is no {kind} {name[:100]!r}.")


def error_answer(error: ScimError) -> Response:
    """The response for an error."""
    fields: dict[str, Any] = {"schemas": [ERROR], "status": str(error.status), "detail": error.detail}
    if error.scim_type:
        fields["scimType"] = error.scim_type
    return Response(orjson.dumps(fields), error.status, {"Cache-Control": "no-store"}, MEDIA_TYPE)


def from_problem(fields: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    """The response for problem details as the rest of the API would give them."""
    status = STATUS.get(fields["status"], fields["status"])
    said = [str(fields.get("detail", fields["title"])), str(fields.get("next_step", ""))]
    error = ScimError(status, " ".join(part for part in said if part), TYPES.get(fields["code"]))
    found = error_answer(error)
    found.headers.update(headers)
    return found
