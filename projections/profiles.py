"""Where people are reached: addresses in their profiles, sealed in the vault with a key of each person's own."""

from collections.abc import Collection, Mapping
from typing import Protocol

MAILBOX, CHAT = "mail", "chat"


class Vault(Protocol):
    """The vault, as far as profiles go. Raises VaultLocked and StoreUnavailable."""

    async def profiles(self, persons: Collection[str]) -> dict[str, dict[str, str]]: ...
    async def put_profile(self, person: str, profile: Mapping[str, str]) -> bool: ...


class Profiles:
    """Satisfies `notifications.mail.Addresses`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def mailbox(self, person: str) -> str | None:
        """The person's address; None where there is none, or where the person was erased."""
        return (await self._of(person)).get(MAILBOX)

    async def set_mailbox(self, person: str, address: str | None) -> bool:
        """Keep or take away the address; whatever else the profile has stays. False where they were erased."""
        return await self.change(person, {MAILBOX: address})

    async def chat(self, person: str) -> str | None:
        """The person's chat address, a secret; None where there is none, or where the person was erased."""
        return (await self._of(person)).get(CHAT)

    async def change(self, person: str, changes: Mapping[str, str | None]) -> bool:
        """Keep or take away what is named; whatever else the profile has stays. False where they were erased."""
        profile = await self._of(person)
        after = {name: value for name, value in (profile | dict(changes)).items() if value is not None}
        return after == profile or await self._vault.put_profile(person, after)

    async def _of(self, person: str) -> dict[str, str]:
        return (await self._vault.profiles([person])).get(person, {})
