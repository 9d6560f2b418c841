"""Words for what a form asks, for what was refused, and for what the rules call things, in the reader's language."""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import cleandoc

from api.chinese import spoken, spoken_entry
from domain.messages import Command
from domain.project.aggregate import Project
from domain.refusals import Refused
from domain.values import Role, Stage
from web.forms import Field
from web.language import catalogue, coded, speaker

PLAIN = {
    "missing": "This is needed.",
    "string_too_short": "This is needed.",
    "too_short": "These are too few.",
    "too_long": "These are too many.",
    "string_too_long": "This is too long.",
    "string_pattern_mismatch": "This is not written as it should be.",
    "int_type": "This is not a whole number.",
    "int_parsing": "This is not a whole number.",
    "greater_than_equal": "This is too little.",
    "less_than_equal": "This is too much.",
    "literal_error": "Choose one of those that are offered.",
    "enum": "Choose one of those that are offered.",
    "date_parsing": "This is not a day, such as 2026-03-31.",
    "date_from_datetime_parsing": "This is not a day, such as 2026-03-31.",
    "date_from_datetime_inexact": "This is not a day, such as 2026-03-31.",
    "model_type": "This is needed.",
    "tuple_type": "This is needed.",
}
"""Codes of what cannot be read → words that are in the catalogues; other refusals bring their own."""
BOUNDED = {
    "lines": "One a line.",
    "decimal": "A number, such as 1250.50.",
    "person": "A person's name, such as li.wei.",
}

HINTS = {"kinds": "None chosen: every kind."}
"""What is to be known of single fields."""


@dataclass(frozen=True)
class Said:
    """Words, and the language they are in."""

    text: str
    lang: str


def told_of(error: Mapping[str, str], language: str, code: str = "") -> Said:
    """One entry of the `errors` of the refusal with this code."""
    if (message := PLAIN.get(error.get("code", ""))) is not None:
        return Said(speaker(language)(message), language)
    told = spoken_entry(error, language, code)
    return Said(told.removeprefix("Value error, "), told.lang)


def hint_of(field: Field, language: str) -> str:
    """What the field takes; empty where its kind says so by itself."""
    say = speaker(language)
    parts = [say(BOUNDED[field.kind])] if field.kind in BOUNDED and not field.offers else []
    if field.kind == "number" and field.least is not None and field.most is not None:
        parts.append(say("A whole number from {least} to {most}.", least=field.least, most=field.most))
    elif field.kind in {"lines", "rows"} and (field.least or 0) > 1:
        parts.append(say("At least {least}.", least=field.least))
    if field.label.endswith("_bp"):
        parts.append(say("In hundredths of a percent: 2500 is 25 %."))
    if field.label in HINTS:
        parts.append(say(HINTS[field.label]))
    if field.kind == "text" and field.example:
        parts.append(say("For example {value}.", value=field.example))
    if field.otherwise not in (None, "", [], ()) and field.value is None:
        parts.append(say("Left blank: {value}.", value=coded(field.otherwise, language, field.label)))
    return " ".join(parts)


def purpose_of(command: type[Command], language: str) -> Said:
    """What a command does: the first sentence of its docstring, which has words in every language."""
    first = cleandoc(command.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    words = catalogue(language).get(first)
    return Said(words or first, language if words else "en")


def why_not(refusal: Refused, command: type[Command], project: Project, language: str) -> Said:
    """Why somebody may not ask for this now, as far as role, stage and hold tell."""
    say, comma = speaker(language), "、" if language == "zh" else ", "
    if refusal.code == "WrongRole":
        roles = comma.join(coded(role.value, language) for role in Role if role in command.roles)
        return Said(say("This is for these roles of the project: {roles}.", roles=roles), language)
    if refusal.code == "WrongStage":
        stages = comma.join(coded(stage.value, language) for stage in Stage if stage in command.stages)
        here = coded(project.stage.value, language)
        return Said(say("This belongs to {stages}; the project is in {here}.", stages=stages, here=here), language)
    if refusal.code in {"OnHold", "ProjectEnded"}:
        return Said(say("The project is on hold" if refusal.code == "OnHold" else "The project has ended"), language)
    told = spoken(refusal.detail, language, refusal.code)
    return Said(told, told.lang)
