"""The bounds of what people may write: what was accepted once is accepted, and means the same, when read again."""

import unicodedata
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.decider import read_strictly
from domain.messages import COMMANDS, Command
from domain.refusals import Refused
from domain.values import Day, Line, Money, Number, Text
from tests.domain.anything import NONSENSE

LIMITS = {"Line": (Line, 200), "Text": (Text, 4000)}
WIDE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=210) | st.just("\u0958" * 150)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(text=WIDE)
def test_an_accepted_text_is_accepted_again_unchanged(text: str) -> None:
    for kind, limit in LIMITS.values():
        reader: TypeAdapter[str] = TypeAdapter(kind)
        try:
            kept = reader.validate_python(text)
        except ValidationError:
            continue
        assert reader.validate_python(kept) == kept
        assert unicodedata.is_normalized("NFC", kept)
        assert 1 <= len(kept) <= limit


@pytest.mark.parametrize("text", ["", " \n ", "\u0000", "a\u0007b", "x" * 201, "\u0958" * 101, "two\nlines", "a\tb"])
def test_a_line_is_one_line_of_plain_text(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Line).validate_python(text)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(number=st.decimals(min_value=-(10**15) + 1, max_value=10**15 - 1, places=6))
def test_a_number_keeps_its_value_on_the_way_through_json(number: Decimal) -> None:
    reader: TypeAdapter[Decimal] = TypeAdapter(Number)
    kept = reader.validate_python(format(number, "f"))
    assert kept == number
    assert reader.validate_json(reader.dump_json(kept)) == kept


@pytest.mark.parametrize(
    "number",
    ["1e3", "NaN", "Infinity", "1_000", "١", " 1", "1.", ".5", "+1", "10" * 8, "0.0000001", 1, 1.5, True, None],
)
def test_other_spellings_of_numbers_are_refused(number: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Number).validate_python(number)


def test_zero_has_no_sign() -> None:
    assert TypeAdapter(Number).dump_python(TypeAdapter(Number).validate_python("-0.00")) == "0.00"


@pytest.mark.parametrize("day", ["1999-12-31", "2101-01-01", "2026-02-30", "2026-03-02T01:00:00Z"])
def test_days_are_of_this_century(day: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Day).validate_json(f'"{day}"')


def test_amounts_of_different_currencies_never_add() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        Money(amount=Decimal(1), currency="CNY").plus(Money(amount=Decimal(1), currency="EUR"))


@pytest.mark.parametrize("kind", COMMANDS.values(), ids=COMMANDS.keys())
class TestEveryCommand:
    def test_dr14_nonsense_in_any_field_is_refused_or_read_within_bounds(self, kind: type[Command]) -> None:
        for name in [*kind.model_fields, "surprise"]:
            for wrong in NONSENSE:
                try:
                    read = read_strictly(kind.__name__, {**kind.example, name: wrong})
                except Refused as refusal:
                    assert refusal.code == "Malformed"  # noqa: PT017
                else:
                    assert len(orjson.dumps(read.model_dump(mode="json"))) < 20_000

    def test_every_field_has_bounds(self, kind: type[Command]) -> None:
        schema = TypeAdapter(kind).json_schema()
        assert list(unbounded(schema, schema.get("$defs", {}), kind.__name__)) == []


def unbounded(schema: dict[str, Any], shapes: dict[str, Any], place: str) -> Any:
    """Every place in a command where a text, a list or a number could grow without limit."""
    if "$ref" in schema:
        schema = shapes[schema["$ref"].rsplit("/", 1)[-1]]
    for option in schema.get("anyOf", ()):
        yield from unbounded(option, shapes, place)
    kind = schema.get("type")
    if kind == "string" and not {"maxLength", "pattern", "enum", "const", "format"} & set(schema):
        yield f"{place}: text"
    if kind == "integer" and not ({"maximum", "minimum"} <= set(schema) or "const" in schema):
        yield f"{place}: number"
    if kind == "array":
        if "maxItems" not in schema:
            yield f"{place}: list"
        yield from unbounded(schema.get("items", {}), shapes, place)
    if isinstance(schema.get("additionalProperties"), dict):
        yield f"{place}: mapping"
    for name, field in schema.get("properties", {}).items():
        yield from unbounded(field, shapes, f"{place}.{name}")
