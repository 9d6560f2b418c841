"""Changing the directory: first the event, then accounts, sessions and tokens follow it.

Between the two nothing is open: whoever the directory knows as left is refused before any account is looked at.
"""

import asyncio
import logging

from activities.keeping import Keeping, Kept
from activities.ports import StoreUnavailable
from activities.roster import Roster, StoredRoster
from auth.accounts import Accounts
from auth.sessions import Sessions
from auth.tokens import Tokens
from domain.directory.record import STREAM, Directory
from domain.keeping.record import KeepingCommand
from domain.messages import Actor
from store.connect import Pool

log = logging.getLogger("tandem.auth")
LOOK_SECONDS = 5.0
"""Between two looks at whether another process, or one that crashed, has changed the directory."""


class Administration:
    """Decides commands on the directory, for people and for identity providers alike."""

    def __init__(self, keeping: Keeping, roster: Roster, database: Pool) -> None:
        self._keeping = keeping
        self._roster = roster
        self._accounts = Accounts(database)
        self._sessions = Sessions(database)
        self._tokens = Tokens(database)
        self._followed = -1
        """The version that accounts were last brought in line with; none yet, so that the start looks at them."""

    async def submit(self, command: KeepingCommand, actor: Actor, command_id: str) -> Kept:
        """Decide, store, and let accounts follow. Sent again after a fault it makes up for what was left undone.

        Raises Refused, Contended, StoreUnavailable.
        """
        kept = await self._keeping.submit(STREAM, command, actor, command_id)
        if isinstance(self._roster, StoredRoster):
            self._roster.forget()
        await self.follow(kept.record)
        return kept

    async def record(self) -> Directory:
        """The directory as the store has it now."""
        record: Directory = await self._keeping.record(STREAM)
        return record

    async def follow(self, directory: Directory) -> None:
        """Close what those who left have open, and open again the accounts of those who are back. May run twice."""
        gone = sorted(person for person in directory.people if directory.left(person))
        if gone:
            await self._accounts.disable(gone)
            await self._sessions.end_of(gone)
            await self._tokens.end_of(gone)
        disabled = await self._accounts.disabled()
        back = [person for person in disabled if person in directory.people and not directory.left(person)]
        if back:
            await self._accounts.enable(back)
        self._followed = directory.version

    async def mind(self) -> None:
        """For ever: follow what others have changed, and what a crash has left undone."""
        while True:
            try:
                directory = await self._roster.directory()
                if directory.version != self._followed:
                    await self.follow(directory)
            except StoreUnavailable as outage:
                log.warning("accounts follow later: %s", outage)
            await asyncio.sleep(LOOK_SECONDS)
