"""Local passwords, argon2id, and the patience that guessing them costs."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from pwdlib import PasswordHash

from auth.secret import digest
from store.connect import Pool

SHORTEST, LONGEST = 12, 200
FREE = 5
"""Failures before waiting begins; each further one doubles it."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
FORGOTTEN = timedelta(hours=24)
AT_ONCE = 2
"""Hashes computed at the same time: each takes 64 MiB."""
READ = "SELECT password_hash FROM tandem.account WHERE person = $1 AND disabled_at IS NULL"
WRITE = """
    INSERT INTO tandem.account (person, password_hash) VALUES ($1, $2)
    ON CONFLICT (person) DO UPDATE SET password_hash = excluded.password_hash
"""
LOCKED = "SELECT max(locked_until) FROM tandem.attempt WHERE hash = ANY ($1) AND locked_until > now()"
FAILED = """
    INSERT INTO tandem.attempt AS a (hash, failures) SELECT unnest($1::bytea[]), 1
    ON CONFLICT (hash) DO UPDATE SET
      failures = CASE WHEN a.last_at < now() - $2::interval THEN 1 ELSE a.failures + 1 END, last_at = now()
    RETURNING hash, failures
"""
LOCK = "UPDATE tandem.attempt SET locked_until = now() + $2::interval WHERE hash = $1"
FORGET = "DELETE FROM tandem.attempt WHERE hash = ANY ($1)"


@dataclass(frozen=True, slots=True)
class Weak(Exception):
    """The password is not accepted; the text says why."""

    detail: str


@dataclass(frozen=True, slots=True)
class Locked(Exception):
    """Too many failures: not before `until`. The same whether the person exists or not."""

    until: datetime


class Passwords:
    """Passwords of accounts. Every method raises StoreUnavailable when the database is away."""

    def __init__(self, database: Pool) -> None:
        self._database = database
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def check(self, person: str, password: str) -> None:
        """Raises Weak where it would not be accepted."""
        _check(person, password)

    async def set(self, person: str, password: str) -> None:
        """Raises Weak."""
        _check(person, password)
        async with self._turns:
            made = await asyncio.to_thread(_hasher().hash, password)
        await self._database.execute(WRITE, person, made)

    async def matches(self, person: str, password: str, address: str) -> bool:
        """Whether it is this person's password. Takes as long, and locks as soon, for a person who does not exist.

        `address` is where the attempt comes from. Raises Locked.
        """
        marks = [digest(f"person/{person}"), digest(f"address/{address}")]
        if (until := await self._database.fetchval(LOCKED, marks)) is not None:
            raise Locked(until)
        kept = await self._database.fetchval(READ, person)
        async with self._turns:
            fits = await asyncio.to_thread(_verify, password[:LONGEST], kept or _nobodys())
        if fits and kept is not None:
            await self._database.execute(FORGET, marks[:1])
            return True
        await self._failed(marks)
        return False

    async def _failed(self, marks: list[bytes]) -> None:
        for mark, failures in await self._database.fetch(FAILED, marks, FORGOTTEN):
            # Behind one address there may be a whole office: it gets more.
            beyond = failures - FREE * (1 if mark == marks[0] else 10)
            if beyond >= 0:
                wait = min(FIRST_WAIT * 2 ** min(beyond, 20), LONGEST_WAIT)
                await self._database.execute(LOCK, mark, wait)


def _check(person: str, password: str) -> None:
    if not SHORTEST <= len(password) <= LONGEST:
        raise Weak(f"A password has {SHORTEST} to {LONGEST} characters.")
    if len(set(password)) < 5 or person in password.lower() or "tandem" in password.lower():
        raise Weak("This password is too easy to guess: take a few words that do not belong together.")


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _nobodys() -> str:
    """A hash that no password fits, to spend the same time on."""
    return _hasher().hash(f"nobody {datetime.now(UTC)}")


def _verify(password: str, kept: str) -> bool:
    return _hasher().verify(password, kept)
