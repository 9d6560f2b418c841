"""The directory: who may change it, two people behind a role, and never without an administrator (D1 to D5)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.directory.granting import ConfirmOrganisationRole, EndOrganisationRole, GrantOrganisationRole
from domain.directory.importing import ImportPeople, ImportRow, outcomes
from domain.directory.people import AddPerson, DeactivatePerson, FoundDirectory, ReactivatePerson
from domain.directory.record import STREAM, Directory, OrganisationRole
from domain.directory.teams import AddToTeam, DissolveTeam, MakeTeam, RemoveFromTeam
from domain.keeping.record import KeepingCommand, turned
from domain.messages import Happened
from domain.refusals import Refused

PMO, AUDITOR, ADMINISTRATOR = OrganisationRole.PMO, OrganisationRole.AUDITOR, OrganisationRole.ADMINISTRATOR
ROOT, SECOND, WEI, JING, SCIM = "root.admin", "second.admin", "li.wei", "an.jing", "provider.scim"
BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
LEFT: Final = "left the organisation"


class Play:
    """A directory, and what happens to it."""

    def __init__(self) -> None:
        self.record = Directory(STREAM)

    def do(self, person: str, command: KeepingCommand) -> list[str]:
        """The names of what happened. Raises Refused."""
        events = command.decide(self.record, person)
        at = BEGAN + timedelta(hours=self.record.version)
        for event in events:
            self.record = turned(self.record, event, Happened(at, person))
        return [type(event).__name__ for event in events]

    def refused(self, person: str, command: KeepingCommand) -> tuple[str, str | None]:
        """The code and the rule of the refusal that has to come."""
        with pytest.raises(Refused) as refusal:
            command.decide(self.record, person)
        return refusal.value.code, refusal.value.rule


@pytest.fixture
def play() -> Play:
    """Founded by the first administrator."""
    begun = Play()
    begun.do(ROOT, FoundDirectory())
    return begun


@pytest.fixture
def two(play: Play) -> Play:
    """With a second administrator, and two more people."""
    for person in (SECOND, WEI, JING):
        play.do(ROOT, AddPerson(person=person))
    play.do(ROOT, GrantOrganisationRole(person=SECOND, role=ADMINISTRATOR))
    return play


class TestFounding:
    def test_the_founder_is_the_first_administrator(self, play: Play) -> None:
        assert play.record.holders(ADMINISTRATOR) == (ROOT,)

    def test_only_an_empty_directory_is_founded(self, play: Play) -> None:
        assert play.refused(WEI, FoundDirectory()) == ("AlreadyFounded", "D1")

    def test_nothing_is_changed_before(self) -> None:
        assert Play().refused(ROOT, AddPerson(person=WEI)) == ("NotFounded", "D1")
        assert Play().refused(SCIM, AddPerson(person=WEI)) == ("NotFounded", "D1")

    def test_no_person_is_called_like_a_provider(self, play: Play) -> None:
        assert Play().refused(SCIM, FoundDirectory()) == ("ReservedName", "D1")
        assert play.refused(ROOT, AddPerson(person=SCIM)) == ("ReservedName", "D1")


COMMANDS: list[KeepingCommand] = [
    AddPerson(person="new"),
    DeactivatePerson(person=JING, basis="long absence"),
    ReactivatePerson(person=JING),
    MakeTeam(team="sales"),
    AddToTeam(team="sales", people=(WEI,)),
    RemoveFromTeam(team="sales", people=(WEI,)),
    DissolveTeam(team="sales"),
    GrantOrganisationRole(person=JING, role=AUDITOR),
    ConfirmOrganisationRole(grant="R-2"),
    EndOrganisationRole(grant="R-1"),
    ImportPeople(rows=(ImportRow(person="new"),)),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("person", [WEI, "stranger"])
def test_only_administrators_change_it(two: Play, person: str, command: KeepingCommand) -> None:
    assert two.refused(person, command) == ("NotAdministrator", "D1")


class TestPeople:
    def test_adding_twice_adds_once(self, play: Play) -> None:
        assert play.do(ROOT, AddPerson(person=WEI)) == ["PersonAdded"]
        assert play.do(ROOT, AddPerson(person=WEI)) == []

    def test_leaving_ends_roles_and_coming_back_brings_none(self, two: Play) -> None:
        two.do(ROOT, MakeTeam(team="sales"))
        two.do(ROOT, AddToTeam(team="sales", people=(SECOND,)))
        assert two.do(ROOT, DeactivatePerson(person=SECOND, basis=LEFT)) == ["PersonDeactivated"]
        assert two.record.left(SECOND)
        assert not two.record.roles(SECOND)
        assert not two.record.teams_of(SECOND)
        assert two.refused(SECOND, AddPerson(person="new"))[0] == "NotAdministrator"
        assert two.do(ROOT, ReactivatePerson(person=SECOND)) == ["PersonReactivated"]
        assert not two.record.roles(SECOND)
        assert two.record.teams_of(SECOND) == {"sales"}

    def test_leaving_twice_is_leaving_once(self, two: Play) -> None:
        two.do(ROOT, DeactivatePerson(person=WEI, basis=LEFT))
        assert two.do(ROOT, DeactivatePerson(person=WEI, basis="long absence")) == []

    def test_the_last_administrator_stays(self, play: Play) -> None:
        assert play.refused(ROOT, DeactivatePerson(person=ROOT, basis=LEFT)) == ("LastAdministrator", "D5")
        assert play.refused(SCIM, DeactivatePerson(person=ROOT, basis=LEFT)) == ("LastAdministrator", "D5")
        assert play.refused(ROOT, EndOrganisationRole(grant="R-1")) == ("LastAdministrator", "D5")

    def test_who_is_unknown_or_has_left_gets_nothing(self, two: Play) -> None:
        assert two.refused(ROOT, DeactivatePerson(person="nobody", basis=LEFT)) == ("NotInDirectory", "D1")
        two.do(ROOT, DeactivatePerson(person=WEI, basis=LEFT))
        assert two.refused(ROOT, AddPerson(person=WEI)) == ("PersonLeft", "D5")
        assert two.refused(ROOT, GrantOrganisationRole(person=WEI, role=PMO)) == ("PersonLeft", "D5")


class TestTeams:
    def test_people_join_and_leave(self, two: Play) -> None:
        two.do(ROOT, MakeTeam(team="sales"))
        assert two.do(ROOT, AddToTeam(team="sales", people=(WEI, JING, WEI))) == ["TeamJoined"]
        assert two.do(ROOT, AddToTeam(team="sales", people=(WEI,))) == []
        assert two.do(ROOT, RemoveFromTeam(team="sales", people=(WEI, ROOT))) == ["TeamLeft"]
        assert two.record.teams["sales"].members == {JING}

    def test_a_dissolved_team_is_gone(self, two: Play) -> None:
        two.do(ROOT, MakeTeam(team="sales"))
        two.do(ROOT, AddToTeam(team="sales", people=(WEI,)))
        two.do(ROOT, DissolveTeam(team="sales"))
        assert two.record.teams_of(WEI) == frozenset()
        assert two.refused(ROOT, AddToTeam(team="sales", people=(WEI,))) == ("NoSuchTeam", "D1")

    def test_a_name_is_taken_once(self, two: Play) -> None:
        two.do(ROOT, MakeTeam(team="sales"))
        assert two.refused(ROOT, MakeTeam(team="sales"))[0] == "TeamExists"

    def test_only_people_of_the_directory_join(self, two: Play) -> None:
        two.do(ROOT, MakeTeam(team="sales"))
        assert two.refused(ROOT, AddToTeam(team="sales", people=(WEI, "nobody"))) == ("NotInDirectory", "D1")


class TestRoles:
    def test_while_one_administers_what_he_grants_is_in_force_at_once(self, play: Play) -> None:
        play.do(ROOT, AddPerson(person=WEI))
        event: Any = GrantOrganisationRole(person=WEI, role=PMO).decide(play.record, ROOT)[0]
        assert event.second == "the only administrator"
        play.do(ROOT, GrantOrganisationRole(person=WEI, role=PMO))
        assert play.record.roles(WEI) == {PMO}

    def test_from_the_second_on_another_one_confirms(self, two: Play) -> None:
        two.do(ROOT, GrantOrganisationRole(person=WEI, role=PMO))
        assert two.record.roles(WEI) == frozenset()
        assert two.refused(ROOT, ConfirmOrganisationRole(grant="R-3")) == ("SecondPersonNeeded", "D2")
        assert two.refused(SCIM, ConfirmOrganisationRole(grant="R-3")) == ("SecondPersonNeeded", "D2")
        assert two.do(SECOND, ConfirmOrganisationRole(grant="R-3")) == ["OrganisationRoleConfirmed"]
        assert two.record.roles(WEI) == {PMO}

    def test_nobody_grants_or_confirms_to_himself(self, two: Play) -> None:
        assert two.refused(ROOT, GrantOrganisationRole(person=ROOT, role=PMO)) == ("NotYourself", "D4")
        two.do(ROOT, GrantOrganisationRole(person=SECOND, role=PMO))
        assert two.refused(SECOND, ConfirmOrganisationRole(grant="R-3")) == ("NotYourself", "D4")

    @pytest.mark.parametrize(("first", "then"), [(AUDITOR, PMO), (PMO, AUDITOR), (AUDITOR, ADMINISTRATOR)])
    def test_an_auditor_is_nothing_else(self, two: Play, first: OrganisationRole, then: OrganisationRole) -> None:
        two.do(ROOT, GrantOrganisationRole(person=WEI, role=first))
        assert two.refused(ROOT, GrantOrganisationRole(person=WEI, role=then)) == ("RolesApart", "D4")
        assert two.refused(SCIM, GrantOrganisationRole(person=WEI, role=then)) == ("RolesApart", "D4")

    def test_a_mapping_is_the_second_person(self, two: Play) -> None:
        two.do(SCIM, GrantOrganisationRole(person=JING, role=AUDITOR))
        assert two.record.roles(JING) == {AUDITOR}
        two.do(ROOT, GrantOrganisationRole(person=WEI, role=PMO))
        assert two.refused(SCIM, EndOrganisationRole(grant="R-4")) == ("NotItsGrant", "D2")
        assert two.do(SCIM, EndOrganisationRole(grant="R-3")) == ["OrganisationRoleEnded"]

    def test_a_grant_ends_once_and_comes_anew(self, two: Play) -> None:
        two.do(ROOT, GrantOrganisationRole(person=WEI, role=PMO))
        assert two.refused(ROOT, GrantOrganisationRole(person=WEI, role=PMO)) == ("AlreadyGranted", "D2")
        two.do(ROOT, EndOrganisationRole(grant="R-3"))
        assert two.refused(SECOND, ConfirmOrganisationRole(grant="R-3")) == ("GrantEnded", "D2")
        assert two.do(ROOT, GrantOrganisationRole(person=WEI, role=AUDITOR)) == ["OrganisationRoleGranted"]
        assert two.refused(ROOT, ConfirmOrganisationRole(grant="R-9")) == ("NoSuchGrant", "D2")


class TestImport:
    ROWS = (
        ImportRow(person=WEI, team="sales"),
        ImportRow(person=JING, team="sales", role=AUDITOR),
        ImportRow(person=WEI, role=PMO),
    )

    def test_rows_add_what_is_missing(self, play: Play) -> None:
        done = play.do(ROOT, ImportPeople(rows=self.ROWS))
        assert done == ["PersonAdded", "PersonAdded", "TeamMade", "TeamJoined", *["OrganisationRoleGranted"] * 2]
        assert play.record.teams["sales"].members == {WEI, JING}
        assert play.record.roles(WEI) == {PMO}
        assert play.record.roles(JING) == {AUDITOR}

    def test_the_same_rows_again_change_nothing(self, play: Play) -> None:
        play.do(ROOT, ImportPeople(rows=self.ROWS))
        assert play.do(ROOT, ImportPeople(rows=self.ROWS)) == []

    def test_one_bad_row_and_none_is_taken(self, play: Play) -> None:
        rows = (*self.ROWS, ImportRow(person=JING, role=PMO), ImportRow(person=ROOT, role=PMO))
        with pytest.raises(Refused) as refusal:
            play.do(ROOT, ImportPeople(rows=rows))
        assert [(e["pointer"], e["code"]) for e in refusal.value.errors] == [
            ("/rows/3", "RolesApart"),
            ("/rows/4", "NotYourself"),
        ]
        assert list(play.record.people) == [ROOT]

    def test_each_row_stands_on_those_before(self, play: Play) -> None:
        """A second administrator in the list is one who has to confirm what comes after."""
        rows = [ImportRow(person=SECOND, role=ADMINISTRATOR), ImportRow(person=WEI, role=PMO)]
        events: list[Any] = [event for outcome in outcomes(play.record, rows, ROOT) for event in outcome.events]
        assert [e.second for e in events if hasattr(e, "second")] == ["the only administrator", "second person awaited"]


NAMES = st.sampled_from([ROOT, SECOND, WEI, JING])
GRANTS = st.sampled_from([f"R-{number}" for number in range(1, 12)])
ASKED: st.SearchStrategy[KeepingCommand] = st.one_of(
    st.builds(AddPerson, person=NAMES),
    st.builds(DeactivatePerson, person=NAMES, basis=st.just("long absence")),
    st.builds(ReactivatePerson, person=NAMES),
    st.builds(GrantOrganisationRole, person=NAMES, role=st.sampled_from(list(OrganisationRole))),
    st.builds(ConfirmOrganisationRole, grant=GRANTS),
    st.builds(EndOrganisationRole, grant=GRANTS),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([ROOT, SECOND, WEI, SCIM]), ASKED), max_size=40))
def test_whatever_is_asked_in_whatever_order(steps: Sequence[tuple[str, KeepingCommand]]) -> None:
    """Never without an administrator; an auditor is nothing else; who has left has nothing."""
    play = Play()
    play.do(ROOT, FoundDirectory())
    play.do(ROOT, ImportPeople(rows=tuple(ImportRow(person=person) for person in (SECOND, WEI, JING))))
    for person, command in steps:
        try:
            play.do(person, command)
        except Refused:
            continue
        record = play.record
        assert record.holders(ADMINISTRATOR)
        assert not any(record.roles(p) > {AUDITOR} for p in record.people)
        assert not any(g.ended_at is None for g in record.grants if record.left(g.person))
        assert all(g.person != g.by for g in record.grants[1:])
