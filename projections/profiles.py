"""Where people are reached: addresses in their profiles, sealed in the vault with a key of each person's own."""

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

MAILBOX, CHAT = "mail", "chat"
ASKED, CODE, UNTIL, BEFORE = "mail_asked", "mail_code", "mail_until", "mail_before"
NOTHING_ASKED: Mapping[str, str | None] = {ASKED: None, CODE: None, UNTIL: None}


class Vault(Protocol):
    """The vault, as far as profiles go. Raises VaultLocked and StoreUnavailable."""

    async def profiles(self, persons: Collection[str]) -> dict[str, dict[str, str]]: ...
    async def put_profile(self, person: str, profile: Mapping[str, str]) -> bool: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """An address that its person has named and not confirmed yet."""

    address: str
    code: str
    """What is mailed there: who knows it reads mail there."""
    until: datetime


@dataclass(frozen=True, slots=True)
class Places:
    """Where one person is reached."""

    mailbox: str | None = None
    before: str | None = None
    """The address that was in force when another one was asked for: it is told, however soon that is confirmed."""
    asked: Asked | None = None
    chat: str | None = None


class Profiles:
    """Satisfies `notifications.mail.Addresses` and `notifications.chat.Addresses`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def places(self, person: str) -> Places:
        """All of it; nothing where the person was erased."""
        profile = await self._of(person)
        asked = None
        if ASKED in profile:
            asked = Asked(profile[ASKED], profile[CODE], datetime.fromisoformat(profile[UNTIL]))
        return Places(profile.get(MAILBOX), profile.get(BEFORE), asked, profile.get(CHAT))

    async def mailbox(self, person: str) -> str | None:
        """The person's confirmed address; None where there is none, or where the person was erased."""
        return (await self.places(person)).mailbox

    async def set_mailbox(self, person: str, address: str | None) -> bool:
        """Keep or take away the address, as confirmed; False where they were erased."""
        return await self.change(person, {MAILBOX: address, **NOTHING_ASKED})

    async def ask(self, person: str, asked: Asked) -> bool:
        """Keep an address until it is confirmed, in the place of one asked before; False where they were erased."""
        places = await self.places(person)
        named = {ASKED: asked.address, CODE: asked.code, UNTIL: asked.until.isoformat()}
        return await self.change(person, named | {BEFORE: places.mailbox or places.before})

    async def take_away(self, person: str) -> bool:
        """From now on there is no address; the one from before is still to be told so."""
        places = await self.places(person)
        return await self.change(person, {MAILBOX: None, **NOTHING_ASKED, BEFORE: places.mailbox or places.before})

    async def confirm(self, person: str, code: str, now: datetime) -> bool:
        """Take the address that was asked for as the person's; False for a wrong code or one of too long ago."""
        asked = (await self.places(person)).asked
        if asked is None or now >= asked.until or not hmac.compare_digest(asked.code.encode(), code.encode()):
            return False
        return await self.set_mailbox(person, asked.address)

    async def chat(self, person: str) -> str | None:
        """The person's chat address, a secret; None where there is none, or where the person was erased."""
        return (await self.places(person)).chat

    async def change(self, person: str, changes: Mapping[str, str | None]) -> bool:
        """Keep or take away what is named; whatever else the profile has stays. False where they were erased."""
        profile = await self._of(person)
        after = {name: value for name, value in (profile | dict(changes)).items() if value is not None}
        return after == profile or await self._vault.put_profile(person, after)

    async def _of(self, person: str) -> dict[str, str]:
        return (await self._vault.profiles([person])).get(person, {})
