"""The documents are true: written from the source where they can be, and checked against it where not."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import reference
from tests.architecture.source import ROOT, modules, relative, tracked

FAMILY = r"(?:DR|GL|CM|[ADKNPRSVXZ])"
RULE = re.compile(rf"\b({FAMILY})(\d{{1,2}})\b(?: to {FAMILY}(\d{{1,2}})\b)?")
DEFINED = re.compile(rf"^- \*\*({FAMILY}\d{{1,2}})\.\*\*(.*?)(?=^- |^#|\Z)", re.MULTILINE | re.DOTALL)
KEPT_BY = re.compile(r"`([a-z_]+/[a-z0-9_/.]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
DOCUMENTS = [path for path in tracked() if path.suffix == ".md"]


def rules(name: str) -> dict[str, str]:
    """Every rule with its text."""
    return dict(DEFINED.findall((ROOT / "docs" / name).read_text(encoding="utf-8")))


def cited(text: str) -> Iterator[str]:
    for family, first, last in RULE.findall(text):
        for number in range(int(first), int(last or first) + 1):
            yield f"{family}{number}"


def cited_in_the_rules() -> dict[str, str]:
    """Every rule that domain/ cites, with a file that does."""
    return {
        rule: relative(path)
        for path in modules()
        if relative(path).startswith("domain/")
        for rule in cited(path.read_text(encoding="utf-8"))
    }


def test_the_reference_is_up_to_date() -> None:
    assert reference.differing() == [], "run: python -m dev.reference"


def test_the_check_notices_a_page_that_differs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reference, "files", lambda: {str(tmp_path / "page.md"): "new"})
    (tmp_path / "page.md").write_text("old")
    assert reference.main(["--check"]) == 1
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


def test_every_rule_that_the_code_cites_is_written_down() -> None:
    unknown = {rule: where for rule, where in cited_in_the_rules().items() if rule not in rules("governance.md")}
    assert not unknown


def test_every_rule_is_kept_by_code() -> None:
    """Either domain/ cites it, or its text names the file that keeps it."""
    citing = cited_in_the_rules()
    loose = [
        rule
        for rule, text in rules("governance.md").items()
        if rule not in citing and not any((ROOT / name).is_file() for name in KEPT_BY.findall(text))
    ]
    assert not loose


def test_the_translation_has_the_same_rules() -> None:
    assert list(rules("governance.zh.md")) == list(rules("governance.md"))


def test_every_refusal_names_a_rule_that_is_written_down() -> None:
    from dev.promises import refusals

    named = {rule for refusal in refusals() for rule in refusal.rules}
    assert named <= set(rules("governance.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(document: Path) -> None:
    text = CODE.sub("", document.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, heading = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), target
        if heading:
            assert heading in headings(found), target


def headings(document: Path) -> set[str]:
    """The anchors that a reader's browser makes of the headings."""
    lines = re.findall(r"^#+ +(.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in lines}


@pytest.mark.parametrize("name", ["README.md", "README.zh.md", "CONTRIBUTING.md"])
def test_the_commands_named_exist_in_the_makefile(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert named
    assert named <= targets


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_every_guarantee_names_a_test_that_exists(name: str) -> None:
    proofs = re.findall(r"`(tests/[\w/.]+)`", (ROOT / name).read_text(encoding="utf-8"))
    assert proofs
    assert [proof for proof in proofs if not (ROOT / proof).exists()] == []


def test_the_files_that_documents_name_exist() -> None:
    """A path in code style that begins with one of our folders is a promise to the reader."""
    folders = "domain|activities|workflows|store|projections|notifications|auth|api|dev|deploy|tests|docs"
    path = re.compile(rf"`((?:{folders})/[\w./-]+\.(?:py|sql|json|toml|md|sh|yaml))`")
    missing = [
        f"{relative(document)}: {name}"
        for document in DOCUMENTS
        for name in path.findall(document.read_text(encoding="utf-8"))
        if not (ROOT / name).exists()
    ]
    assert not missing


def test_no_file_holds_a_path_of_a_machine_or_the_host_of_a_registry() -> None:
    hosts = ("py" + "pi.org", "python" + "hosted.org", "registry.npm" + "js.org", "proxy.golang" + ".org")
    places = re.compile(r"(?<![\w.])/(?:work|root|home|Users)/[A-Za-z.]")
    found = [
        relative(path)
        for path in tracked()
        if any(host in (text := path.read_text(encoding="utf-8", errors="replace")) for host in hosts)
        or places.search(text)
    ]
    assert not found


def test_every_promise_to_an_auditor_names_a_test_that_exists() -> None:
    text = (ROOT / "docs" / "explanation" / "what-an-auditor-can-check.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| **")]
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row.rsplit("|", 2)[1])
        assert named, row
        for path, test in named:
            assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8") if test else (ROOT / path).is_file()
    assert len(rows) >= 10
