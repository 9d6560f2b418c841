"""A mail that was taken by its receiver when the worker was killed: it comes again, the same, and is counted."""

import asyncio
from uuid import UUID

import pytest

from domain.decider import COMMANDS
from projections.deliveries import Deliveries
from tests.e2e.system import running
from tests.mailing import mailing

READER, PMO, ADDRESS = "pan.mei", "pei.min", "pan.mei@mail.example"
PATIENCE = 60.0


@pytest.mark.slow
async def test_kill_9_after_the_mail_was_taken_and_before_that_was_noted() -> None:
    async with mailing() as postman:
        settings = {"TANDEM_SMTP_URL": postman.url, "TANDEM_MAIL_FROM": "tandem@tandem.example"}
        async with running(settings) as system, asyncio.timeout(PATIENCE):
            async with system.person(READER) as reader:
                wanted = {"address": ADDRESS, "mail": True}
                assert (await reader.patch("/v1/me/preferences", json=wanted)).status_code == 200
            postman.seconds = 8
            async with system.person(PMO) as pmo:
                assert (await pmo.post("/v1/projects", json=COMMANDS["StartProject"].example)).status_code == 201
            (first,) = await postman.until(1, PATIENCE)
            system.kill("worker")
            postman.seconds = 0
            await system.restart("worker")
            second = (await postman.until(2, PATIENCE))[1]
            assert (first["To"], second["Message-ID"]) == (ADDRESS, first["Message-ID"])
            event = UUID(first["Message-ID"].strip("< ").split(".")[0])
            store = await system.store()
            try:
                # A delivery has no event to wait for.
                while "mail" not in (rows := {r.channel: r for r in await Deliveries(store.pool).of_event(event)}):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                assert (rows["mail"].state, rows["mail"].attempts) == ("delivered", 2)
            finally:
                await store.close()
