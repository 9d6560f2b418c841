"""The steps' side of the vault: seal what is personal before it becomes a fact, open it for who may read it.

AES-256-GCM, one key a person. The hash of an event is over the sealed text: with the key destroyed the text is
gone from every copy, and every proof stays valid.
"""

import hmac
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.messages import Actor, Command, Event
from domain.personal import Closed, Erased, Sealed, Unreadable, Withheld, opened, personal_texts, sealed_for
from domain.refusals import Refused, broken

NONCE_BYTES = 12
KEEP_SECONDS = 30.0
"""How long a key stays in memory where nobody tells that its person was erased."""


class VaultLocked(Exception):
    """This process has no master key: personal texts can be neither sealed nor opened."""


class Keys(Protocol):
    """Where the keys of persons are kept."""

    async def keys(self, persons: Collection[str], *, make: bool) -> Mapping[str, bytes | None]:
        """The key of each person, 32 bytes; None for an erased one. `make` makes those that never had one;
        otherwise they are missing.

        Raises VaultLocked, StoreUnavailable.
        """
        ...


class NoKeys:
    """Where no vault is set up: nothing personal is accepted."""

    async def keys(self, persons: Collection[str], *, make: bool) -> Mapping[str, bytes | None]:
        """Raises VaultLocked."""
        raise VaultLocked("no key for the vault is set: TANDEM_VAULT_KEY_FILE or TANDEM_VAULT_KEY")


@dataclass(frozen=True, slots=True)
class _Kept:
    key: bytes | None
    until: float


class Vault:
    """Seals and opens. One per process; keys stay in memory for seconds, and until `forget`."""

    def __init__(
        self,
        keys: Keys,
        *,
        keep: float = KEEP_SECONDS,
        now: Callable[[], float] = time.monotonic,
        chance: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._keys = keys
        self._keep = keep
        self._now = now
        self._chance = chance
        self._kept: dict[str, _Kept] = {}

    def forget(self, person: str | None = None) -> None:
        """Drop the key of a person, or all of them, from this process's memory."""
        if person is None:
            self._kept.clear()
        else:
            self._kept.pop(person, None)

    async def mark(self, command: Command, actor: Actor, plain: bytes) -> bytes:
        """The fingerprint (32 bytes) of a command, given its canonical bytes.

        A plain hash of a short text could be guessed from the table of commands: where there is a personal text
        the hash needs its persons' keys. Raises Refused, VaultLocked, StoreUnavailable.
        """
        texts = personal_texts(command, actor.person)
        if not texts:
            return sha256(plain).digest()
        if actor.client == "signal":
            raise broken(
                "K8",
                "PersonalOverSignal",
                f"{', '.join(texts)} would stay readable in the workflow engine's history.",
                next_step="Send the command to the API.",
            )
        mark = plain
        for key in (await self._for_sealing(texts.values())).values():
            mark = hmac.digest(key, mark, "sha256")
        return mark

    async def seal(self, stream: str, actor: str, events: Sequence[Event], ids: Iterable[Any]) -> list[Event] | None:
        """The events with their personal texts sealed; None where there is none.

        Raises Refused for somebody erased, VaultLocked, StoreUnavailable.
        """
        found = [personal_texts(event, actor) for event in events]
        if not any(found):
            return None
        keys = await self._for_sealing(persons for texts in found for persons in texts.values())
        return [
            event.model_copy(
                update={n: self._sealed(stream, str(no), n, getattr(event, n), p, keys) for n, p in texts.items()}
            )
            for event, texts, no in zip(events, found, ids, strict=True)
        ]

    async def seal_text(self, stream: str, no: str, field: str, text: str, persons: Sequence[str]) -> str:
        """One text that is no event's, sealed with the keys of its first person and of the others who are not erased.

        Raises Refused where the first person was erased, VaultLocked, StoreUnavailable.
        """
        found = await self._held(sorted(set(persons)), make=True)
        keys = {person: key for person in persons if (key := found.get(person)) is not None}
        if persons[0] not in keys:
            raise erased_refusal(persons[0])
        return self._sealed(stream, no, field, text, tuple(keys), keys)

    async def open(
        self, stream: str, value: Any, language: str, *, allowed: bool = True, event_id: object = None
    ) -> Any:
        """The JSON value with its sealed texts in clear, or with words that say why not. Never raises VaultLocked.

        `event_id`: the only event whose texts may stand in `value`. Raises StoreUnavailable.
        """
        persons = sealed_for(value)
        if not persons:
            return value
        keys = await self._for_opening(persons) if allowed else {}

        def read(sealed: Sealed) -> str:
            if event_id is not None and sealed.event_id != str(event_id):
                return Unreadable(sealed.persons).words(language)
            text = _opened(stream, sealed, keys) if keys else Withheld(sealed.persons)
            return text.words(language) if isinstance(text, Closed) else text

        return opened(value, read)

    def _sealed(
        self, stream: str, no: str, field: str, text: str, persons: tuple[str, ...], keys: Mapping[str, bytes]
    ) -> str:
        nonce, place = self._chance(NONCE_BYTES), Sealed(persons, no, field, "")
        cipher = AESGCM(_together([keys[person] for person in persons]))
        body = nonce + cipher.encrypt(nonce, text.encode(), place.bound_to(stream))
        return str(replace(place, body=urlsafe_b64encode(body).decode().rstrip("=")))

    async def _for_sealing(self, persons: Iterable[tuple[str, ...]]) -> dict[str, bytes]:
        """Keys in order of names. Raises Refused where somebody was erased."""
        wanted = sorted({person for several in persons for person in several})
        found = await self._held(wanted, make=True)
        keys = {person: key for person in wanted if (key := found.get(person)) is not None}
        for person in wanted:
            if person not in keys:
                raise erased_refusal(person)
        return keys

    async def _for_opening(self, persons: Collection[str]) -> Mapping[str, bytes | None]:
        """None for whoever is erased; {} where the vault is locked."""
        try:
            found = await self._held(persons, make=False)
        except VaultLocked:
            return {}
        return {person: found.get(person) for person in persons}

    async def _held(self, persons: Collection[str], *, make: bool) -> dict[str, bytes | None]:
        now = self._now()
        fresh = {p: kept.key for p in persons if (kept := self._kept.get(p)) and kept.until > now}
        missing = [person for person in persons if person not in fresh]
        if missing:
            looked_up = await self._keys.keys(missing, make=make)
            for person, key in looked_up.items():
                self._kept[person] = _Kept(key, now + self._keep)
            fresh |= looked_up
        return fresh


def erased_refusal(person: str) -> Refused:
    """Nothing personal is recorded about somebody whose key was destroyed."""
    return broken(
        "K8",
        "PersonErased",
        f"{person} was erased here: nothing personal about them can be recorded.",
        next_step="Leave the text out, or record it without the person.",
    )


def _opened(stream: str, sealed: Sealed, keys: Mapping[str, bytes | None]) -> str | Closed:
    """The text in clear; a key that is gone was destroyed."""
    held = [key for person in sealed.persons if (key := keys.get(person)) is not None]
    if len(held) < len(sealed.persons):
        return Erased(sealed.persons)
    try:
        body = urlsafe_b64decode(sealed.body + "=" * (-len(sealed.body) % 4))
        clear = AESGCM(_together(held)).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], sealed.bound_to(stream))
        return clear.decode()
    except (InvalidTag, ValueError):
        return Unreadable(sealed.persons)


def _together(keys: Sequence[bytes]) -> bytes:
    """One key out of those of several persons: without any one of them it cannot be made again."""
    whole = keys[0]
    for key in keys[1:]:
        whole = hmac.digest(key, whole, "sha256")
    return whole
