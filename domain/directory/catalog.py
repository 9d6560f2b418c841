"""What can be asked of the directory, in one list: routes, verbs and documents are made from it."""

from domain.directory.granting import ConfirmOrganisationRole, EndOrganisationRole, GrantOrganisationRole
from domain.directory.importing import ImportPeople
from domain.directory.people import AddPerson, DeactivatePerson, ReactivatePerson
from domain.directory.teams import AddToTeam, DissolveTeam, MakeTeam, RemoveFromTeam
from domain.keeping.record import KeepingCommand

COMMANDS: tuple[type[KeepingCommand], ...] = (
    AddPerson,
    DeactivatePerson,
    ReactivatePerson,
    MakeTeam,
    AddToTeam,
    RemoveFromTeam,
    DissolveTeam,
    GrantOrganisationRole,
    ConfirmOrganisationRole,
    EndOrganisationRole,
    ImportPeople,
)
"""All but founding it, which is for whoever comes first."""
