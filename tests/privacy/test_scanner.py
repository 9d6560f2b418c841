"""No personal data where none should be: in the classes, in the golden files, in a played project."""

import json
from pathlib import Path

import pytest

import domain.project.catalog  # noqa: F401  fills the registries
from dev.promises import ours
from domain.findings import free_texts, in_text, in_value
from domain.messages import COMMANDS, EVENTS
from domain.personal import personal_fields
from domain.prose import PROSE, REFERENCES, excused
from store.postgres import PostgresStore
from tests.privacy.lives import SECRETS

GOLDEN = sorted(Path("tests/golden/events").glob("*.json"))
KINDS = [kind for registry in (COMMANDS, EVENTS) for kind in registry.values() if ours(kind)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_free_text_is_marked_or_excused_with_a_reason(kind: type) -> None:
    loose = [path for path, marked in free_texts(kind).items() if not marked and not excused(path)]
    assert not loose, "mark it with Personal (domain/values.py), or say in domain/prose.py why it stays in clear"


def test_no_excuse_is_left_over() -> None:
    places = [path for kind in KINDS for path, marked in free_texts(kind).items() if not marked]
    assert not [known for known in PROSE if not any((path + ".").startswith(known + ".") for path in places)]
    assert {path.rpartition(".")[2] for path in places} >= REFERENCES - {"by"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_marked_text_says_whose_it_is(kind: type) -> None:
    for field, of in personal_fields(kind).items():
        assert of
        assert set(of) <= {"actor", *kind.model_fields} - {field}  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_files_hold_none(path: Path) -> None:
    assert not list(in_value(json.loads(path.read_text(encoding="utf-8"))))


async def test_a_played_project_holds_none(store: PostgresStore) -> None:
    facts = await store.feed(limit=2000)
    assert len(facts) > 50
    found = [f for fact in facts for f in in_value([fact.metadata, fact.data], [*SECRETS.values(), "小潘", "divorce"])]
    assert not found


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to li.wei+pm@example.com.cn today", "e-mail"),
        ("邮箱:王芳@example.com", "e-mail"),
        ("电话13812345678。", "phone"),
        ("call +86 138 1234 5678", "phone"),
        ("call +49 30 1234567 now", "phone"),
        ("身份证 11010519491231002X 号", "identity number"),
        ("卡号 6222 0212 3456 7890 128", "bank card"),
        ("4111 1111 1111 1111", "bank card"),
        ("李伟 was late", "name"),
    ],
)
def test_what_looks_personal_is_found(text: str, kind: str) -> None:
    assert [found for found, _ in in_text(text, ["李伟"])] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "0199a7c2-1234-7000-8000-123456789012",
        "2026-03-02T01:00:00.000000Z",
        "0f" * 32,
        "11010519491231002" + "0",
        "1234567890123456",
        "budget 1250000.50 CNY, version 12345678901",
        "online-share@v2",
        "vault:1:li.wei:0199a7c2-1234-7000-8000-123456789012:comment:" + "13812345678" * 4,
    ],
)
def test_what_only_looks_like_it_is_let_pass(text: str) -> None:
    assert not list(in_text(text))


def test_a_finding_is_told_without_being_told() -> None:
    (found,) = in_value({"data": {"note": ["ok", "mail li.wei@example.com"]}})
    assert (found.path, found.kind, found.hint) == ("data.note", "e-mail", "li…m (18 characters)")
