"""pyeventsourcing's PostgreSQL recorder as it comes: the default one, with its order kept by a table lock."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from activities.ports import Append
from domain.canonical import canonical

Stored = StoredEvent


def stored_events(appends: Sequence[Append]) -> list[Stored]:
    """The same facts as its rows: metadata and data are its state."""
    return [
        StoredEvent(
            originator_id=UUID(fact.stream.removeprefix("project-")),
            originator_version=fact.version,
            topic=fact.type,
            state=canonical({"metadata": fact.metadata, "data": fact.data}),
        )
        for append in appends
        for fact in append.facts
    ]


@contextmanager
def recorder(dsn: str, threads: int) -> Iterator[PostgresApplicationRecorder]:
    """A recorder with a connection for each thread, its tables made."""
    place = urlsplit(dsn)
    datastore = PostgresDatastore(
        dbname=place.path.removeprefix("/"),
        host=parse_qs(place.query)["host"][0],
        port=5432,
        user=place.username or "",
        password="",
        pool_size=threads,
        max_overflow=2,
    )
    try:
        datastore.pool.open(wait=True, timeout=10)
        opened = PostgresApplicationRecorder(datastore)
        opened.create_table()
        yield opened
    finally:
        datastore.close()


def insert_all(into: PostgresApplicationRecorder, pool: Executor, events: Sequence[Stored]) -> None:
    """Each event in a transaction of its own."""
    for _ in pool.map(lambda event: into.insert_events([event]), events):
        pass
