"""How the rules say no. A refusal is anticipated, is never logged as an error, and changes nothing."""

import re
from enum import StrEnum


class Grounds(StrEnum):
    """Why a command is refused; `api/` maps each to one HTTP status."""

    MALFORMED = "malformed"
    NOT_ALLOWED = "not-allowed"
    NOT_FOUND = "not-found"
    STATE = "state"
    STALE = "stale"
    RULE = "rule"


OTHERWISE = {
    Grounds.MALFORMED: "Correct the command and send it again.",
    Grounds.NOT_ALLOWED: "Ask somebody of the project who may.",
    Grounds.NOT_FOUND: "Look at the project's state for the names that exist.",
    Grounds.STATE: "Look at the project's present state.",
    Grounds.STALE: "Read it again, then decide whether you still want this.",
    Grounds.RULE: "Change what the rule objects to, then ask again.",
}
"""The next step where a refusal names no better one."""


class Refused(Exception):
    """The rules say no.

    `code` names the state of affairs (a stored name), `rule` the sentence of docs/governance.md,
    `detail` is for the person who asked, `next_step` tells what they can do now; it is never empty.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        grounds: Grounds = Grounds.RULE,
        rule: str | None = None,
        next_step: str | None = None,
        errors: tuple[dict[str, str], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.grounds = grounds
        self.rule = rule
        self.next_step = next_step or OTHERWISE[grounds]
        self.errors = errors


def malformed(detail: str, errors: tuple[dict[str, str], ...] = ()) -> Refused:
    """The command cannot be read (DR14: what cannot be read is refused, never an approval)."""
    return Refused(
        "Malformed",
        detail,
        grounds=Grounds.MALFORMED,
        rule="DR14",
        next_step="Correct the fields named in `errors` and send the command again.",
        errors=errors,
    )


def not_found(what: str, name: str) -> Refused:
    """Nothing of that name exists in this project; `what` is a word like `CoSigner`."""
    words = re.sub(r"(?<!^)(?=[A-Z])", "-", what).lower()
    return Refused(f"No{what}", f"There is no {words} {name} in this project.", grounds=Grounds.NOT_FOUND)


def no_project(project_id: str) -> Refused:
    """No project has this id."""
    return Refused(
        "NoProject",
        f"There is no project {project_id}.",
        grounds=Grounds.NOT_FOUND,
        next_step="Look at the list of projects, or start one.",
    )


def not_allowed(
    detail: str, *, code: str = "NotAllowed", rule: str | None = None, next_step: str | None = None
) -> Refused:
    """This person may not do this."""
    return Refused(code, detail, grounds=Grounds.NOT_ALLOWED, rule=rule, next_step=next_step)


def wrong_state(code: str, detail: str, *, rule: str | None = None, next_step: str | None = None) -> Refused:
    """Not now: the thing is in a state in which this makes no sense."""
    return Refused(code, detail, grounds=Grounds.STATE, rule=rule, next_step=next_step)


def stale(code: str, detail: str, *, rule: str | None = None, next_step: str | None = None) -> Refused:
    """What was decided on is no longer what stands there."""
    return Refused(code, detail, grounds=Grounds.STALE, rule=rule, next_step=next_step)


def broken(rule: str, code: str, detail: str, *, next_step: str | None = None) -> Refused:
    """A rule of governance says no."""
    return Refused(code, detail, grounds=Grounds.RULE, rule=rule, next_step=next_step)
