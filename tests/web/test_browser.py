"""The pages in a real browser: readable to assistive technology, narrow or wide, and alone with our own origin."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright

from dev import ports
from domain.decider import COMMANDS
from store.postgres import PostgresStore
from tests.api import journey
from tests.api.asking import PMO, PRODUCT, Api
from tests.web.test_signing import link_of

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
CHECK = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations
    .filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => one.id + ': ' + one.nodes.map(node => node.html).join(' | '))"""
SMALL = """() => [...document.querySelectorAll('button, .button, header a, select, textarea, .choice')]
    .filter(one => one.getBoundingClientRect().height < 44 && !one.matches('.skip')).map(one => one.outerHTML)"""


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


async def seen(page: Page, name: str, shots: Path) -> None:
    """The page is accessible, its targets are large, and nothing of it lies beside a narrow screen."""
    await page.screenshot(path=shots / f"{name}.png", full_page=True)
    await page.evaluate(AXE)
    assert await page.evaluate(CHECK) == [], name
    assert await page.evaluate(SMALL) == [], name
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.parametrize("width", [1100, 390])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
async def test_from_a_link_to_a_signature(
    locale: str, width: int, origin: str, browser: Browser, api: Api, store: PostgresStore, tmp_path: Path
) -> None:
    project = await journey.to_kpi_agreement(api)
    await api.do(project, "propose-agreement", COMMANDS["ProposeAgreement"].example, PRODUCT)
    context = await browser.new_context(
        locale=locale, viewport={"width": width, "height": 800}, java_script_enabled=True
    )
    page = await context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    complaints: list[Any] = []
    page.on("console", lambda message: complaints.append(message.text))
    await page.goto(f"{origin}/sign-in")
    assert await page.get_attribute("html", "lang") == ("zh-CN" if locale == "zh-CN" else "en")
    await seen(page, f"{locale}-sign-in", tmp_path)
    await page.goto(f"{origin}{await link_of(store)}")
    await seen(page, f"{locale}-link", tmp_path)
    await page.click("main button")
    await page.wait_for_url(f"{origin}/")
    await seen(page, f"{locale}-inbox", tmp_path)
    await page.click(".what a")
    await page.wait_for_url("**/decisions/*")
    await seen(page, f"{locale}-decision", tmp_path)
    await page.check("input[value=REJECT]")
    await page.click("main form.card button")
    await page.wait_for_selector("[role=alert]")
    await seen(page, f"{locale}-refused", tmp_path)
    await page.check("input[value=APPROVE]")
    await page.click("main form button")
    await page.wait_for_selector("text=" + PMO + ":")
    await page.goto(f"{origin}/account")
    await seen(page, f"{locale}-account", tmp_path)
    assert {url.split("/")[2] for url in asked} == {origin.split("/")[2]}
    assert [text for text in complaints if "Content Security Policy" in text] == []
    await context.close()
    ballots = (await api.state(project))["decisions"][-1]["ballots"]
    assert [(ballot["person"], ballot["choice"]) for ballot in ballots] == [(PMO, "APPROVE")]
