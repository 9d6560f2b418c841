"""From what a provider says to a person of ours: known or not, with the roles that its groups give.

Source: docs/governance.md, A1 and A3.
"""

import logging
from uuid import uuid4

from auth.accounts import Accounts
from auth.administration import Administration
from auth.discovery import ProviderTrouble
from auth.handshakes import Subjects
from auth.oidc import Proof, Terms, person_of
from domain.directory.asking import PROVIDER, is_provider
from domain.directory.granting import EndOrganisationRole, GrantOrganisationRole, open_grants
from domain.directory.people import AddPerson
from domain.directory.record import Directory
from domain.keeping.record import KeepingCommand
from domain.messages import Actor
from domain.refusals import Refused
from store.connect import Pool

log = logging.getLogger("tandem.auth")
NAME = f"{PROVIDER}oidc"
"""Who grants the roles."""


class Entrance:
    """Lets people in whom the provider has shown to be there."""

    def __init__(self, terms: Terms, administration: Administration, database: Pool) -> None:
        self._terms = terms
        self._administration = administration
        self._accounts = Accounts(database)
        self._subjects = Subjects(database)

    async def enter(self, proof: Proof) -> str:
        """The person, with an account and the roles of their groups. Raises ProviderTrouble, StoreUnavailable."""
        person = await self.named(proof)
        directory = await self._administration.record()
        if directory.left(person):
            raise ProviderTrouble("PersonLeft", f"{person} was deactivated")
        await self._check_known(directory, person)
        await self._bind(proof, person)
        await self._accounts.make(person)
        if not await self._accounts.living(person):
            raise ProviderTrouble("PersonLeft", f"the account of {person} is disabled")
        await self._follow_groups(person, proof)
        return person

    async def again(self, proof: Proof, person: str) -> None:
        """Raises ProviderTrouble where it is not this person who has proved to be there."""
        if await self.named(proof) != person:
            raise ProviderTrouble("NotTheSamePerson", f"somebody else than {person} has signed in at the provider")
        await self._bind(proof, person)

    async def named(self, proof: Proof) -> str:
        """Who it is here: as bound at the first time, else as the provider calls them. Raises ProviderTrouble."""
        person = await self._subjects.known(self._terms.issuer, proof.subject) or self._called(proof)
        if is_provider(person):
            raise ProviderTrouble("NameUnfit", "the name is kept for providers")
        return person

    def _called(self, proof: Proof) -> str:
        return person_of(proof.called, self._terms.domains)

    async def _bind(self, proof: Proof, person: str) -> None:
        if not await self._subjects.bind(self._terms.issuer, proof.subject, person):
            raise ProviderTrouble("OtherSubject", f"{person} is another subject of the provider's")

    async def _check_known(self, directory: Directory, person: str) -> None:
        if person in directory.people or await self._accounts.living(person):
            return
        if not self._terms.join or not await self._submitted(AddPerson(person=person)):
            raise ProviderTrouble("NotKnownHere", f"nobody has added {person}")

    async def _follow_groups(self, person: str, proof: Proof) -> None:
        """End what no group gives any more, then grant what is missing: what others gave stays (A3)."""
        directory = await self._administration.record()
        if person not in directory.people:
            return
        wanted = {role for group, role in self._terms.roles.items() if group in proof.groups}
        for grant in open_grants(directory, person):
            if grant.by == NAME and grant.role not in wanted:
                await self._submitted(EndOrganisationRole(grant=grant.id))
        held = {grant.role for grant in open_grants(directory, person)}
        for role in sorted(wanted - held):
            await self._submitted(GrantOrganisationRole(person=person, role=role))

    async def _submitted(self, command: KeepingCommand) -> bool:
        """Whether the directory took it; a rule may say no, and the person comes in without."""
        try:
            await self._administration.submit(command, Actor(NAME, client="oidc"), f"oidc-{uuid4()}")
        except Refused as refusal:
            log.warning("the provider's %s was refused: %s (%s)", type(command).__name__, refusal.code, refusal.rule)
            return False
        return True
