"""Through the provider and back in a real browser, under the pages' own policy of where forms and links may lead."""

from dataclasses import replace
from pathlib import Path

from playwright.async_api import Browser

from auth.accounts import Accounts
from auth.oidc import OpenIdProvider
from store.postgres import PostgresStore
from tests.api.asking import PMO
from tests.auth.provider import PASSWORD
from tests.auth.providing import Provider, process, provider
from tests.web.test_browser import Looking, browser, looking, origin
from tests.web.test_step_up import path
from tests.web.through import app, openid
from web.provider import RETURN

__all__ = ["app", "browser", "openid", "origin", "path", "process", "provider"]
REASON = "The budget is too small"


async def signs_in_there(look: Looking) -> None:
    await look.page.fill("input[name=name]", PMO)
    await look.page.fill("input[name=password]", PASSWORD)
    await look.page.click("button")


async def test_from_the_button_to_a_vote_that_asks_for_presence(
    origin: str,
    browser: Browser,
    provider: Provider,
    openid: OpenIdProvider,
    path: str,
    store: PostgresStore,
    tmp_path: Path,
) -> None:
    openid.terms = replace(openid.terms, redirect=f"{origin}{RETURN}")
    await Accounts(store.pool).make(PMO)
    provider.told(slept=3600)
    look = await looking(browser, "en-GB", tmp_path)
    await look.page.goto(f"{origin}{path}")
    await look.seen("ways")
    await look.page.click("text=Sign in with Acme ID")
    await signs_in_there(look)
    await look.page.wait_for_url(f"{origin}{path}")
    provider.told()
    await look.page.check("input[value=REJECT]")
    await look.page.fill("textarea", REASON)
    await look.page.click("text=Sign revision 1")
    await look.page.wait_for_url("**/confirm-presence?*")
    await look.seen("presence")
    await look.page.click("text=Sign in again with Acme ID")
    await signs_in_there(look)
    await look.page.wait_for_url(f"{origin}{path}")
    assert await look.page.input_value("textarea") == REASON
    await look.page.click("text=Sign revision 1")
    await look.page.wait_for_selector("[role=status]")
    await look.page.goto(f"{origin}/account")
    await look.seen("password")
