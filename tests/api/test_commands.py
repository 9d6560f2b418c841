"""Starting projects and sending commands: answers, keys, preconditions, and what is refused."""

from domain.decider import COMMANDS
from tests.api.asking import START, Api

DRAFT = COMMANDS["DraftCharter"].example


async def test_a_project_starts(api: Api) -> None:
    answer = await api.post("/v1/projects", START)
    assert answer.status_code == 201
    told = answer.json()
    assert told.keys() == {"id", "code", "stage", "version", "position"}
    assert (told["code"], told["stage"], told["version"], told["position"]) == ("P-00001", "KICKOFF", 1, 0)
    assert answer.headers["location"] == f"/v1/projects/{told['id']}"
    assert answer.headers["etag"] == '"1"'
    assert (await api.get(answer.headers["location"])).json()["title"] == "Member portal"
