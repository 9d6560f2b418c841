"""What one would write without Tandem: FastAPI and one INSERT, or FastAPI and one empty Temporal update.

`python -m benchmarks.front PORT DSN [TEMPORAL_ADDRESS]`. Web stack and its options are those of the server.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from benchmarks.empty import EmptyWorkflow

CONNECTIONS = 16
TABLE = """
    CREATE TABLE IF NOT EXISTS approval (
      id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at   timestamptz NOT NULL DEFAULT now(),
      body jsonb       NOT NULL
    )
"""
INSERT = "INSERT INTO approval (body) VALUES ($1) RETURNING id"


def build(dsn: str, temporal: str | None) -> FastAPI:
    """Two routes: the plain one, and the one that asks a workflow and stores nothing itself."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = await asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS)
        await pool.execute(TABLE)
        app.state.pool = pool
        if temporal:
            app.state.client = await Client.connect(temporal, data_converter=pydantic_data_converter)
        yield
        pool.terminate()

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    app.add_api_route("/readyz", _ready, response_model=None)
    app.add_api_route("/plain", _insert, methods=["POST"], response_model=None)
    app.add_api_route("/update/{workflow}", _update, methods=["POST"], response_model=None)
    return app


async def _ready() -> Response:
    return Response(b"{}", media_type="application/json")


async def _insert(request: Request) -> Response:
    body = await request.body()
    orjson.loads(body)
    position = await request.app.state.pool.fetchval(INSERT, body.decode())
    return _answer(position)


async def _update(request: Request) -> Response:
    body = orjson.loads(await request.body())
    client: Client = request.app.state.client
    handle = client.get_workflow_handle_for(EmptyWorkflow.run, request.path_params["workflow"])
    return _answer(await handle.execute_update(EmptyWorkflow.vote, body))


def _answer(position: int) -> Response:
    """As long as what Tandem answers to a vote."""
    shown = {
        "id": "01900000-0000-7000-8000-000000000000",
        "stage": "KPI_AGREEMENT",
        "version": position,
        "position": position,
        "events": [{"type": "VoteChanged", "version": position}],
    }
    return Response(orjson.dumps(shown), media_type="application/json")


def main(port: str, dsn: str, temporal: str | None = None) -> None:
    """Serve until SIGTERM."""
    uvicorn.run(
        build(dsn, temporal),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        log_level="warning",
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=64 * 1024,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
