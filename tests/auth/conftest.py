"""A provider's process for the tests of one module."""

from collections.abc import Iterator

import pytest

from tests.auth.providing import Provider, running


@pytest.fixture(scope="module")
def process() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture
def provider(process: Provider) -> Provider:
    """The provider, as good as new."""
    process.told()
    return process
