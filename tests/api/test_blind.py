"""An evaluation is closed to the other side until both are in: in every place where it could be read (Z1)."""

import asyncio

import orjson

from api.parts import Surroundings
from domain.decider import COMMANDS
from tests.api.asking import AUDITOR, PMO, PRODUCT, SPONSOR, Api
from tests.api.journey import to_retrospective

SECRET = "candid-words-of-the-pmo"
EVALUATION = COMMANDS["SubmitEvaluation"].example
MINE = {**EVALUATION, "comment": SECRET}


async def places(api: Api, around: Surroundings, project: str, who: str) -> dict[str, str]:
    """Everything that the person can read, by place."""
    head = (await api.state(project, who))["version"]
    paths = {
        "state": f"/v1/projects/{project}",
        "as of the version": f"/v1/projects/{project}?as_of={head}",
        "as of the instant": f"/v1/projects/{project}?as_of=2100-01-01T00:00:00Z",
        "history": f"/v1/projects/{project}/events?after={head - 3}",
        "history in Chinese": f"/v1/projects/{project}/events?type=EvaluationSubmitted",
        "feed": "/v1/events?type=EvaluationSubmitted",
        "inbox": "/v1/inbox",
    }
    read = {}
    for place, path in paths.items():
        headers = {"Accept-Language": "zh"} if "Chinese" in place else {}
        answer = await api.get(path, who, headers=headers)
        assert answer.status_code == 200
        read[place] = answer.text
    lines = await api.get(paths["history"], who, headers={"Accept": "application/x-ndjson"})
    listening = asyncio.create_task(api.get(paths["feed"], who, headers={"Accept": "text/event-stream"}))
    await asyncio.sleep(0.3)
    around.closing.set()
    live = await listening
    around.closing.clear()
    return read | {"lines": lines.text, "live": live.text}


async def test_nobody_but_its_author_reads_an_evaluation_before_both_are_in(api: Api, around: Surroundings) -> None:
    project = await to_retrospective(api)
    await api.do(project, "submit-evaluation", MINE, PMO)
    for reader in (PRODUCT, SPONSOR, AUDITOR, "stranger"):
        for place, text in (await places(api, around, project, reader)).items():
            assert SECRET not in text, f"{reader} reads it in the {place}"
    open_to_author = await places(api, around, project, PMO)
    assert {place for place, text in open_to_author.items() if SECRET not in text} == {"inbox"}


async def test_a_sealed_event_is_there_without_its_content(api: Api) -> None:
    project = await to_retrospective(api)
    await api.do(project, "submit-evaluation", MINE, PMO)
    path = f"/v1/projects/{project}/events?type=EvaluationSubmitted"
    event = (await api.get(path, PRODUCT)).json()["items"][0]
    assert (event["sealed"], event["data"], event["actor"]["principal"]) == (True, None, PMO)
    state = (await api.state(project, PRODUCT))["retrospective"]
    assert state["evaluations"]["PMO"] == {"side": "PMO", "by": PMO, "scores": None, "comment": None, "sealed": True}
    own = (await api.state(project, PMO))["retrospective"]["evaluations"]["PMO"]
    assert (own["sealed"], own["comment"], own["scores"]["goals"]) == (False, SECRET, 4)


async def test_once_both_are_in_everybody_reads_both_also_in_the_past(api: Api, around: Surroundings) -> None:
    project = await to_retrospective(api)
    first = (await api.do(project, "submit-evaluation", MINE, PMO))["version"]
    await api.do(project, "submit-evaluation", EVALUATION, PRODUCT)
    read = await places(api, around, project, PRODUCT)
    assert {place for place, text in read.items() if SECRET not in text} == {"inbox"}
    assert SECRET in orjson.dumps(await api.state(project, SPONSOR, as_of=first)).decode()
