"""A project on its way, by the shortest road."""

from domain.decider import COMMANDS
from tests.api.asking import PMO, PRODUCT, SPONSOR, Api


async def to_kpi_agreement(api: Api) -> str:
    """A project whose charter is signed."""
    project = await api.start()
    await api.do(project, "draft-charter", COMMANDS["DraftCharter"].example)
    await api.do(project, "propose-charter", {"revision": 1})
    await api.sign(project, PMO, PRODUCT, SPONSOR)
    return project


async def to_execution(api: Api) -> str:
    """A project whose KPI agreement is signed."""
    project = await to_kpi_agreement(api)
    await api.do(project, "propose-agreement", COMMANDS["ProposeAgreement"].example)
    await api.sign(project, PMO, PRODUCT)
    return project


async def to_retrospective(api: Api) -> str:
    """A project whose deliverables are accepted: both sides are to evaluate."""
    project = await to_execution(api)
    await api.do(project, "propose-plan", COMMANDS["ProposePlan"].example)
    await api.sign(project, PMO, PRODUCT)
    for command in ("ProposeCompletion", "ProposeAcceptance"):
        await api.do(project, COMMANDS[command].route(), COMMANDS[command].example)
        signers = (PMO, PRODUCT) if command == "ProposeCompletion" else (PMO, PRODUCT, SPONSOR)
        await api.sign(project, *signers)
    state = await api.state(project)
    assert state["stage"] == "RETROSPECTIVE"
    return project
