"""The pages in a real browser: readable to assistive technology, narrow or wide, and alone with our own origin."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright

from activities.messages import NoticeMessage
from api.parts import Parts
from dev import ports
from domain.decider import COMMANDS
from notifications.letters import Writer
from projections.messages import Messages
from projections.outbox import Outbox
from store.postgres import PostgresStore
from tests.api import journey
from tests.api.asking import MEMBER, PMO, PRODUCT, Api
from tests.web.conftest import CONFIRMATIONS
from tests.web.test_signing import link_of

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
CHECK = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => one.id + ': ' + one.nodes.map(node => node.html).join(' | '))"""
SMALL = """() => [...document.querySelectorAll(
        'button, .button, header a, summary, input:not([type=hidden]), select, textarea')]
    .filter(one => one.checkVisibility() && !one.matches('.choice input, .skip'))
    .concat([...document.querySelectorAll('.choice')])
    .filter(one => one.getBoundingClientRect().height < 44).map(one => one.outerHTML)"""
WIDE = "() => document.documentElement.scrollWidth - innerWidth"
SHOTS = bool(os.environ.get("TANDEM_SHOTS"))
"""Whether to keep pictures, in the folder of `--basetemp`, for somebody to look at."""
SIZES = ((390, 800), (1100, 800))


@pytest.fixture
async def origin(app: FastAPI) -> AsyncIterator[str]:
    """Where the pages are served."""
    port = ports.free_port(8700).number
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "These tests need Debian's chromium: apt-get install chromium"
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        await opened.close()


class Looking:
    """One person's browser in one language; remembers what it asked for and what it complained about."""

    def __init__(self, page: Page, shots: Path, locale: str) -> None:
        self.page, self.shots, self.locale = page, shots, locale
        self.asked: list[str] = []
        self.complaints: list[Any] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def seen(self, name: str) -> None:
        """The page is accessible, its targets are large, and nothing of it lies beside the screen, narrow or wide."""
        assert await self.page.get_attribute("html", "lang") == ("zh-CN" if self.locale == "zh-CN" else "en"), name
        await self.page.evaluate(AXE)
        for width, height in SIZES:
            await self.page.set_viewport_size({"width": width, "height": height})
            if SHOTS:
                await self.page.screenshot(path=self.shots / f"{self.locale}-{width}-{name}.png", full_page=True)
            assert await self.page.evaluate(CHECK) == [], (name, width)
            assert await self.page.evaluate(SMALL) == [], (name, width)
            assert await self.page.evaluate(WIDE) <= 0, (name, width)

    def alone(self, origin: str) -> None:
        """Nothing was asked of anybody else, and nothing went wrong. A refusal's status is told on the console, too."""
        assert {url.split("/")[2] for url in self.asked} == {origin.split("/")[2]}
        assert [text for text in self.complaints if "status of 4" not in text] == []


async def looking(browser: Browser, locale: str, shots: Path) -> Looking:
    context = await browser.new_context(locale=locale, viewport={"width": 390, "height": 800})
    return Looking(await context.new_page(), shots, locale)


async def test_from_a_link_to_a_signature(
    origin: str, browser: Browser, api: Api, store: PostgresStore, tmp_path: Path
) -> None:
    project = await journey.to_kpi_agreement(api)
    await api.do(project, "propose-agreement", COMMANDS["ProposeAgreement"].example, PRODUCT)
    for person, locale in ((PMO, "en-GB"), (PRODUCT, "zh-CN")):
        look = await looking(browser, locale, tmp_path)
        await look.page.goto(f"{origin}/sign-in")
        await look.seen("sign-in")
        await look.page.goto(f"{origin}{await link_of(store, person)}")
        await look.page.click("main button")
        await look.page.wait_for_url(f"{origin}/")
        await look.page.click(".what a")
        await look.page.wait_for_url("**/decisions/*")
        await look.page.check("input[value=REJECT]")
        await look.page.click("main form.card button")
        await look.page.wait_for_selector("[role=alert]")
        await look.seen("refused")
        await look.page.check("input[value=APPROVE]")
        await look.page.click("main form.card button")
        await look.page.wait_for_selector("[role=status]")
        await look.seen("signed")
        look.alone(origin)
        await look.page.context.close()
    decision = (await api.state(project))["decisions"][1]
    assert [(ballot["person"], ballot["choice"]) for ballot in decision["ballots"]] == [
        (PMO, "APPROVE"),
        (PRODUCT, "APPROVE"),
    ]
    assert decision["state"] == "EFFECTIVE"


async def a_busy_desk(api: Api, behind: Parts) -> dict[str, str]:
    """Something on every page of the PMO's; the pages by name."""
    first, second = await journey.to_kpi_agreement(api), await journey.to_execution(api)
    await api.do(first, "propose-agreement", COMMANDS["ProposeAgreement"].example, PRODUCT)
    await api.do(first, "consult", {"decision": "D-2", "person": MEMBER, "question": "可行吗?"}, PRODUCT)
    await api.do(second, "propose-plan", COMMANDS["ProposePlan"].example)
    until = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
    await api.do(first, "grant-delegation", {"to": MEMBER, "until": until, "reason": "休假"})
    await api.do(second, "grant-delegation", {"to": PMO, "until": until, "kinds": ["CHANGE"], "reason": "-"}, PRODUCT)
    told = NoticeMessage(
        event_id="0197a3c0-0000-7000-8000-000000000001",
        recipient=PMO,
        project_id=first,
        code="P-00001",
        kind="DecisionOpened",
        ref="D-2",
        en="Please decide: KPI agreement",
        zh="请表决:KPI 协议",
    )
    await Messages(behind.store.pool).put(told)
    await Outbox(behind.store.pool, behind.vault).keep(Writer("http://x.test").write(told, "mail", "zh", "UTC"))
    third = await journey.to_kpi_agreement(api)
    await api.do(third, "propose-agreement", COMMANDS["ProposeAgreement"].example, PRODUCT)
    await api.do(third, "end-role", {"person": PRODUCT, "role": "PRODUCT_MANAGER", "reason": "-"})
    token = CONFIRMATIONS.token(first, "D-2", 1, PMO, datetime.now(UTC))
    other = CONFIRMATIONS.token(first, "D-2", 1, PRODUCT, datetime.now(UTC))
    return {
        "inbox": "/",
        "projects": "/projects?all=yes",
        "project": f"/projects/{first}",
        "decision": f"/projects/{first}/decisions/D-2",
        "blocked": f"/projects/{third}/decisions/D-2",
        "agreement": f"/projects/{first}/do/propose-agreement",
        "hindered": f"/projects/{first}/do/submit-change",
        "confirm": f"/confirm/{token}",
        "not-yours": f"/confirm/{other}",
        "delegations": "/delegations",
        "preferences": "/preferences",
        "outbox": "/outbox",
        "permissions": "/permissions",
        "account": "/account",
        "missing": "/projects/x",
    }


async def test_every_page_in_both_languages_narrow_and_wide(
    origin: str, browser: Browser, api: Api, behind: Parts, store: PostgresStore, tmp_path: Path
) -> None:
    pages = await a_busy_desk(api, behind)
    for locale in ("en-GB", "zh-CN"):
        look = await looking(browser, locale, tmp_path)
        await look.page.goto(f"{origin}{await link_of(store)}")
        await look.page.click("main button")
        for name, path in pages.items():
            await look.page.goto(f"{origin}{path}")
            await look.seen(name)
        await look.page.goto(f"{origin}/")
        await look.page.click("header summary")
        await look.seen("menu")
        look.alone(origin)
        await look.page.context.close()
