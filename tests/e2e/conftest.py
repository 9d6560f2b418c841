"""One running system for the end-to-end tests that do not break it."""

from collections.abc import AsyncIterator

import pytest

from tests.e2e.system import System, running


@pytest.fixture(scope="session")
async def system() -> AsyncIterator[System]:
    async with running() as made:
        yield made


@pytest.fixture(scope="module")
async def fragile() -> AsyncIterator[System]:
    """A system of the module's own, to be killed part by part."""
    async with running() as made:
        yield made
