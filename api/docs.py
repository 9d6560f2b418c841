"""The API's documentation as a page, served whole from here: no other origin is asked for anything."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from api.problems import Problem

FOLDER = Path(__file__).parent / "static"
FILES = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "start.js": "text/javascript",
}
ONLY_OURS = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Inline styles are Swagger UI's own; no inline script runs."""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tandem API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"><p>This page needs JavaScript; the same is at <a href="/openapi.json">/openapi.json</a>.</p></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""


async def page(_: Request) -> Response:
    """The documentation."""
    return HTMLResponse(PAGE, headers={"Content-Security-Policy": ONLY_OURS, "Cache-Control": "no-cache"})


async def file(request: Request) -> Response:
    """A file of the documentation."""
    name = request.path_params["name"]
    if name not in FILES:
        raise Problem("NotFound")
    return FileResponse(FOLDER / name, media_type=FILES[name], headers={"Cache-Control": "public, max-age=3600"})
