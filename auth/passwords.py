"""Local passwords, argon2id, and the patience that guessing them costs."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from pwdlib import PasswordHash

from auth.secret import digest
from store.connect import Pool

SHORTEST, LONGEST = 12, 200
SHORTEST_NAME = 4
"""Letters of a name from which on it must not be in the password even without its dots."""
FREE = 5
"""Failures before waiting begins; each further one doubles it."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
FORGOTTEN = timedelta(hours=24)
AT_ONCE = 2
"""Hashes computed at the same time: each takes 64 MiB."""
WORST = frozenset(
    """
    password1234 password12345 password123456 passwordpassword 1234567890ab 0123456789ab abcdefghijkl
    abcdefghijklm abc123abc123 abcd1234abcd 123456789012 1234567890123 123456789abc 123abc123abc 1q2w3e4r5t6y
    1q2w3e4r5t6y7u 1qaz2wsx3edc 1qaz2wsx3edc4rfv qwertyuiop12 qwertyuiop123 qwerty123456 qwerty1234567
    qwertyuiopas qwertyuiopasdf q1w2e3r4t5y6 zaq12wsxcde3 asdfghjkl123 asdfghjkl1234 zxcvbnm12345 iloveyou1234
    iloveyou12345 letmein12345 welcome12345 welcome123456 administrator administrator1 admin1234567 changeme1234
    correcthorsebatterystaple trustno1trustno1 woaini1314520 woaini5201314 a123456789012 aa1234567890
    111222333444 112233445566 987654321098
    """.split()  # noqa: SIM905 - one word a line would be fifty lines
)
"""Long enough, and among the first that anybody tries."""
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
        await self._check_open(marks)
        async with self._turns:
            # Once more, in its turn: whoever tries many at the same time has no more tries than one after the other.
            await self._check_open(marks)
            kept = await self._database.fetchval(READ, person)
            fits = await asyncio.to_thread(_verify, password[:LONGEST], kept or _nobodys())
            if not fits or kept is None:
                await self._failed(marks)
                return False
        await self._database.execute(FORGET, marks[:1])
        return True

    async def _check_open(self, marks: list[bytes]) -> None:
        """Raises Locked."""
        if (until := await self._database.fetchval(LOCKED, marks)) is not None:
            raise Locked(until)

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
    plain, name = _squeezed(password), _squeezed(person)
    named = person in password.lower() or (len(name) >= SHORTEST_NAME and name in plain) or "tandem" in plain
    if len(set(password)) < 5 or named or plain in WORST:
        raise Weak("This password is too easy to guess: take a few words that do not belong together.")


def _squeezed(text: str) -> str:
    """Letters and digits alone, so that `Li-Wei 2026` holds `li.wei`."""
    return "".join(filter(str.isalnum, text.casefold()))


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _nobodys() -> str:
    """A hash that no password fits, to spend the same time on."""
    return _hasher().hash(f"nobody {datetime.now(UTC)}")


def _verify(password: str, kept: str) -> bool:
    return _hasher().verify(password, kept)
