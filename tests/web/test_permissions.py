"""The page that says who may do what."""

from domain.permissions import RIGHTS, commands
from store.postgres import PostgresStore
from tests.web.test_signing import link_of
from tests.web.visiting import Visitor
from web.language import coded


async def test_the_page_has_every_row_and_marks_what_is_the_readers(visitor: Visitor, store: PostgresStore) -> None:
    assert (await visitor.get("/permissions")).status_code == 303, "strangers sign in first"
    await visitor.post(await link_of(store))
    for language in ("en", "zh"):
        page = (await visitor.get(f"/permissions?lang={language}")).text
        assert all(coded(name, language) in page for name, _ in commands())
        assert all((right.zh if language == "zh" else right.en) in page for right in RIGHTS.values())
        assert all(name in page for name in RIGHTS)
    mine = page.split("组织审计员")[1].split("</p>")[0]
    assert "您拥有" not in mine
    assert page.count("您拥有") >= 3
