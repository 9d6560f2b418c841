"""Every command has a form, and what the form sends is the command."""

from typing import Any

import orjson
import pytest

from domain.decider import COMMANDS, read_command
from domain.messages import Command
from tests.web.visiting import Reader
from web.forms import Filling, everything, fields_of, homeless, read
from web.language import LANGUAGES, coded, speaker
from web.page import ENVIRONMENT
from web.wording import hint_of, told_of


def rendered(command: type[Command], filling: Filling, language: str = "en") -> str:
    given = {
        "_": speaker(language),
        "lang": language,
        "word": lambda code, of="": coded(code, language, of),
        "hint": lambda field: hint_of(field, language),
        "told": lambda error: told_of(error, language),
        "fields": fields_of(command, filling),
    }
    text = '{% import "fields.html" as f with context %}<form>{{ f.all(fields) }}</form>'
    return ENVIRONMENT.from_string(text).render(given)


def sent(page: str) -> dict[str, list[str]]:
    return Reader(page).forms[0].typed()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_example_of_a_command_goes_through_its_form_unchanged(name: str, language: str) -> None:
    kind, example = COMMANDS[name], COMMANDS[name].example
    back = read(kind, sent(rendered(kind, Filling(example), language)))
    assert read_command(name, orjson.dumps(back)) == read_command(name, orjson.dumps(example))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_an_empty_form_sends_nothing(name: str) -> None:
    kind = COMMANDS[name]
    assert read(kind, sent(rendered(kind, Filling()))) == {}


def test_bound_fields_are_sent_and_not_shown() -> None:
    filling = Filling({"decision": "D-1", "revision": 3}, hidden={"decision", "revision"}, left_out={"slot"})
    page = rendered(COMMANDS["Vote"], filling)
    assert page.count('type="hidden"') == 2
    assert "/slot" not in page
    assert read(COMMANDS["Vote"], sent(page)) == {"decision": "D-1", "revision": 3}


def test_what_was_typed_stays_beside_what_is_wrong_with_it() -> None:
    kind, typed = COMMANDS["ExtendDeadline"], {"/decision": ["D-1"], "/days": ["soon"], "/reason": ["<b>"]}
    data = read(kind, typed)
    assert data == {"decision": "D-1", "days": "soon", "reason": "<b>"}
    errors = [{"pointer": "/days", "code": "int_type", "message": "x"}, {"pointer": "", "code": "y", "message": "z"}]
    fields = fields_of(kind, Filling(data, errors))
    page = rendered(kind, Filling(data, errors))
    assert 'value="soon"' in page
    assert "This is not a whole number." in page
    assert "&lt;b&gt;" in page
    assert homeless(fields, errors) == [errors[1]]


def test_a_list_gets_one_more_row_and_blank_rows_are_none() -> None:
    kind, example = COMMANDS["DraftCharter"], COMMANDS["DraftCharter"].example
    before = fields_of(kind, Filling(example))
    after = fields_of(kind, Filling(example, more="/content/raci"))
    assert len(rows(after, "/content/raci")) == len(rows(before, "/content/raci")) + 1
    assert read(kind, sent(rendered(kind, Filling(example, more="/content/raci")))) == example


def rows(fields: Any, name: str) -> Any:
    return next(one for one in everything(fields) if one.name == name).inner


@pytest.mark.parametrize("odd", ["/content/raci/x/role", "/content/raci/9999999999/role", "/content/raci//role", "/x"])
def test_names_that_no_form_has_are_not_read(odd: str) -> None:
    assert read(COMMANDS["DraftCharter"], {odd: ["PMO"]}) == {}


def test_kinds_are_boxes_and_people_are_offered() -> None:
    page = rendered(
        COMMANDS["GrantDelegation"], Filling({"kinds": ["CHARTER", "CHANGE"]}, offers={"to": [("a.b", "")]})
    )
    assert read(COMMANDS["GrantDelegation"], sent(page)) == {"kinds": ["CHARTER", "CHANGE"]}
    assert '<option value="a.b">' in page
