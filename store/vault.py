"""The vault on PostgreSQL: a key and a profile a person, both sealed; the master key is not in the database."""

import asyncio
import os
from base64 import b64decode
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import asyncpg
import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from activities.ending import check_going_on
from activities.vault import VaultLocked
from store.connect import Pool, connect, is_away

CHANNEL = "tandem_vault"
KEY_BYTES, NONCE_BYTES = 32, 12
HELD = "TV001"
LISTEN_SECONDS = 5.0


class HeldByLaw(Exception):
    """The person is under a legal hold: the key must not be destroyed."""


class WrongMasterKey(VaultLocked):
    """What is given as the vault's key is none, or not the one that the keys were wrapped with."""


def master_key(text: str) -> bytes:
    """32 bytes written in hex or in base64. Raises WrongMasterKey."""
    written = text.strip()
    try:
        key = bytes.fromhex(written) if len(written) == 2 * KEY_BYTES else b64decode(written, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise WrongMasterKey("the vault's key is 32 bytes in hex or base64, such as `openssl rand -hex 32` gives")
    return key


def load_master(key: SecretStr | None, file: Path | None) -> bytes | None:
    """The master key from a setting or a file; None where neither is given. Raises WrongMasterKey, OSError."""
    if file is not None:
        return master_key(file.read_text(encoding="utf-8"))
    return None if key is None or not key.get_secret_value() else master_key(key.get_secret_value())


class PostgresVault:
    """Satisfies `activities.vault.Keys`. Without a master key everything that needs one raises VaultLocked."""

    def __init__(self, dsn: str, pool: Pool, master: bytes | None, *, own: bool = False) -> None:
        self._dsn = dsn
        self._pool = pool
        self._master = master
        self._own = own

    @classmethod
    async def open(cls, dsn: str, master: bytes | None, *, pool_size: int = 2) -> Self:
        """Connect. Raises StoreUnavailable."""
        return cls(dsn, await Pool.open(dsn, pool_size), master, own=True)

    def close(self) -> None:
        """Disconnect, where it connected itself."""
        if self._own:
            self._pool.terminate()

    async def keys(self, persons: Collection[str], *, make: bool) -> Mapping[str, bytes | None]:
        """The key of each person, None for an erased one; `make` makes the missing.

        Raises VaultLocked, WrongMasterKey, StoreUnavailable.
        """
        master = self._unlocked()
        found = await self._read(persons)
        missing = [person for person in persons if person not in found]
        if make and missing:
            for person in missing:
                wrapped = _wrap(master, person, os.urandom(KEY_BYTES))
                await self._pool.execute("SELECT vault.keep($1, $2, $3)", person, _name(master), wrapped)
            found |= await self._read(missing)
        return {person: kept and _unwrap(master, person, *kept) for person, kept in found.items()}

    async def erase(self, person: str, at: datetime) -> bool:
        """Destroy the key for ever; False where there was none. May run twice. Raises HeldByLaw, StoreUnavailable."""
        try:
            return bool(await self._pool.fetchval("SELECT vault.erase($1, $2)", person, at))
        except asyncpg.PostgresError as error:
            if error.sqlstate == HELD:
                raise HeldByLaw(f"{person} is under a legal hold") from None
            raise

    async def replay(self, erased: Iterable[tuple[str, datetime]]) -> list[str]:
        """Erase everybody on the list again, after an older copy was restored: whose key had come back."""
        known = {person for person, _ in await self.erasures()}
        back = []
        for person, at in erased:
            if person not in known:
                await self.release(person)
                if await self.erase(person, at):
                    back.append(person)
        return back

    async def erasures(self) -> list[tuple[str, datetime]]:
        """Everybody who was erased, oldest first."""
        return [tuple(row) for row in await self._pool.fetch("SELECT * FROM vault.erasures()")]

    async def hold(self, person: str, at: datetime) -> None:
        """A legal hold: the key cannot be destroyed. May run twice."""
        await self._pool.execute("SELECT vault.hold($1, $2)", person, at)

    async def release(self, person: str) -> None:
        """The hold is over. May run twice."""
        await self._pool.execute("SELECT vault.release($1)", person)

    async def put_profile(self, person: str, profile: Mapping[str, str]) -> bool:
        """Keep name, addresses … of a person, sealed with their key; False where they were erased."""
        key = (await self.keys([person], make=True)).get(person)
        if key is None:
            return False
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + AESGCM(key).encrypt(nonce, orjson.dumps(dict(profile)), b"profile/" + person.encode())
        return bool(await self._pool.fetchval("SELECT vault.put_profile($1, $2)", person, sealed))

    async def profiles(self, persons: Collection[str]) -> dict[str, dict[str, str]]:
        """The profiles of those who have one."""
        rows = await self._pool.fetch("SELECT * FROM vault.profiles($1)", list(persons))
        keys = await self.keys([row[0] for row in rows], make=False) if rows else {}
        return {person: _profile(key, person, sealed) for person, sealed in rows if (key := keys.get(person))}

    async def rewrap(self, new: bytes) -> int:
        """Wrap every data key with another master key; how many. By the owner. May be interrupted and run again."""
        old, done = self._unlocked(), 0
        for person, master, wrapped in await self._pool.fetch("SELECT * FROM vault.every()"):
            if master != _name(new):
                fresh = _wrap(new, person, _unwrap(old, person, master, wrapped))
                sql = "SELECT vault.rewrap($1, $2, $3, $4)"
                done += bool(await self._pool.fetchval(sql, person, wrapped, _name(new), fresh))
        return done

    async def listen(self, forget: Callable[[str | None], None]) -> None:
        """Tell `forget` of everybody whom another process erases, until cancelled; None after a lost connection."""
        async for person in _told(self._dsn):
            forget(person)

    async def _read(self, persons: Collection[str]) -> dict[str, tuple[bytes, bytes] | None]:
        rows = await self._pool.fetch("SELECT * FROM vault.keys($1)", list(persons))
        return {person: None if wrapped is None else (master, wrapped) for person, master, wrapped in rows}

    def _unlocked(self) -> bytes:
        if self._master is None:
            raise VaultLocked("no key for the vault is set: TANDEM_VAULT_KEY_FILE or TANDEM_VAULT_KEY")
        return self._master


async def _told(dsn: str) -> AsyncGenerator[str | None, None]:
    while True:
        try:
            connection = await connect(dsn)
        except Exception as error:
            if not is_away(error):
                raise
            check_going_on()
            await asyncio.sleep(1)
            continue
        try:
            async for person in _heard(connection):
                yield person
        finally:
            connection.terminate()


async def _heard(connection: asyncpg.Connection) -> AsyncGenerator[str | None, None]:
    """None at first, then each person, until the connection is lost."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    await connection.add_listener(CHANNEL, lambda *told: heard.put_nowait(told[-1]))
    yield None
    while not connection.is_closed():
        with suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_SECONDS):
                yield await heard.get()


def _name(master: bytes) -> bytes:
    return sha256(master).digest()[:8]


def _wrap(master: bytes, person: str, key: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(master).encrypt(nonce, key, b"key/" + person.encode())


def _unwrap(master: bytes, person: str, wrapped_by: bytes, wrapped: bytes) -> bytes:
    if wrapped_by != _name(master):
        raise WrongMasterKey(f"the key of {person} was wrapped with another master key than the one that is set")
    try:
        return AESGCM(master).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], b"key/" + person.encode())
    except InvalidTag:
        raise WrongMasterKey(f"the key of {person} was altered") from None


def _profile(key: bytes, person: str, sealed: bytes) -> dict[str, str]:
    clear = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], b"profile/" + person.encode())
    read: dict[str, Any] = orjson.loads(clear)
    return read
