"""Chinese for what refuses: the English that the rules wrote, found again among its templates.

The rules say no in English, once, where they know why (domain/refusals.py). Here the sentence is matched with the
templates of its code in api/locales and said in Chinese with the same things filled in. Matching looks for each
piece of a template once, from left to right: its time is linear in the text, whatever somebody has written.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from babel.messages.pofile import read_po

from domain.titles import slot_in, title_in
from domain.words import word

LOCALES = Path(__file__).parent / "locales"
NEXT_STEP = "next step"
ERROR = "field"
VALUE = "value"
"""What the catalogue has besides the codes: next steps, entries of `errors`, and coded words that are filled in."""
PLACE = re.compile(r"‹([^‹›]{1,40})›")
_TOUCHING = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]")
_ONE_WORD = re.compile(r"[\w.-]{1,100}")
_SENTENCES = {"error", "message", "unfit", "what", "why"}
_SLOTS = {"after", "empty", "other", "slot"}
_OWN_WORDS = {"activity", "hold reason", "outcome"}
"""Places with a sentence of ours, names of slots, and what people have written, which stays as it is."""
_CODED = {"ending", "held", "missing", "sort", "state", "what"}
"""Places whose coded words may be in small letters; in others those are people's names."""
_OF_VALIDATORS = "Value error, "


class Spoken(str):
    """Words that know which language they are in."""

    lang: str

    def __new__(cls, text: str, lang: str) -> "Spoken":
        """The text as it is, marked."""
        spoken = super().__new__(cls, text)
        spoken.lang = lang
        return spoken


@dataclass(frozen=True)
class Template:
    """A sentence in both languages; `‹names›` stand for what is filled in."""

    english: str
    chinese: str

    @cached_property
    def pieces(self) -> Sequence[str]:
        """Words and names of places by turns, words first and last."""
        return PLACE.split(self.english)

    @property
    def literal(self) -> int:
        """How many characters are not filled in."""
        return sum(len(piece) for piece in self.pieces[::2])

    def read(self, text: str) -> dict[str, str] | None:
        """What is filled in, each as short as can be; None where the text is another sentence."""
        first, *rest = self.pieces
        if not (rest and text.startswith(first) and text.endswith(rest[-1])):
            return None
        found, at, end = {}, len(first), len(text) - len(rest[-1])
        for name, piece in zip(rest[:-2:2], rest[1:-2:2], strict=False):
            if (to := text.find(piece, at, end)) < 0:
                return None
            found[name], at = text[at:to], to + len(piece)
        return None if at > end else found | {rest[-2]: text[at:end]}


def spoken(text: str, language: str, *contexts: str) -> Spoken:
    """The English text in the reader's language; as it is where the catalogue has no words for it.

    `contexts` are codes of refusals and kinds of sentences, the likeliest first.
    """
    words = _chinese(text, contexts) if language == "zh" else None
    return Spoken(text, "en") if words is None else Spoken(words, "zh")


def spoken_entries(errors: Iterable[Mapping[str, str]], language: str, code: str) -> list[dict[str, str]]:
    """The entries of a refusal's `errors`, each with its message in the reader's language."""
    return [{**error, "message": spoken_entry(error, language, code)} for error in errors]


def spoken_entry(error: Mapping[str, str], language: str, code: str = "") -> Spoken:
    """The message of one entry of the `errors` of the refusal with this code."""
    message = error.get("message", "")
    bare = message.removeprefix(_OF_VALIDATORS)
    told = spoken(bare, language, error.get("code", ""), code, ERROR)
    return told if told.lang == "zh" else Spoken(message, "en")


def spoken_detail(detail: str, language: str, code: str, errors: Sequence[Mapping[str, str]] = ()) -> Spoken:
    """The detail of a refusal with this code; some consist of their `errors`."""
    told = spoken(detail, language, code)
    if told.lang != language and detail == " ".join(f"{e['code']}: {e['message']}" for e in errors):
        parts = [(error["code"], spoken_entry(error, language, code)) for error in errors]
        if parts and all(words.lang == language for _, words in parts):
            return Spoken(" ".join(f"{rule}:{words}" for rule, words in parts), language)
    return told


@cache
def catalogue() -> dict[tuple[str, str], str]:
    """(context, English template) → its Chinese words; read once."""
    words: dict[tuple[str, str], str] = {}
    for path in sorted((LOCALES / "zh" / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            words |= {(str(one.context), str(one.id)): str(one.string) for one in read_po(file) if one.id}
    return words


@cache
def _templates() -> dict[str, list[Template]]:
    """Context → the templates with something to fill in, the most literal ones first."""
    found: dict[str, list[Template]] = {}
    for (context, english), words in catalogue().items():
        if PLACE.search(english):
            found.setdefault(context, []).append(Template(english, words))
    return {context: sorted(those, key=lambda one: -one.literal) for context, those in found.items()}


def _chinese(text: str, contexts: Sequence[str], *, nested: bool = False) -> str | None:
    for context in contexts:
        if (words := catalogue().get((context, text))) is not None:
            return words
    for template in (one for context in contexts for one in _templates().get(context, ())):
        if (found := template.read(text)) is not None:
            told = {place: _filled_in(place, value, contexts, nested=nested) for place, value in found.items()}
            return _put_together(template.chinese, told)
    return None


def _put_together(chinese: str, told: Mapping[str, str]) -> str:
    """The Chinese with its places filled, and a space where Chinese and Latin words would touch."""
    text = ""
    for at, piece in enumerate(PLACE.split(chinese)):
        part = told[piece] if at % 2 else piece
        text += (" " if _TOUCHING.fullmatch(text[-1:] + part[:1]) else "") + part
    return text


def _filled_in(place: str, value: str, contexts: Sequence[str], *, nested: bool) -> str:
    """What was filled in, in Chinese where it is a word, a title or a sentence of ours."""
    name = place.rstrip(" 0123456789")
    if name in _OWN_WORDS:
        return value
    if name == "choices":
        return value.replace(" or ", "、").replace(", ", "、")
    if name == "title":
        return title_in(value, "zh")
    if not nested and (words := _chinese(value, contexts, nested=True) if _may_be_said(name) else None) is not None:
        return words
    parts = value.split(", ")
    return "、".join(_word(name, part) for part in parts) if all(map(_ONE_WORD.fullmatch, parts)) else value


def _may_be_said(name: str) -> bool:
    """Whether the place may hold a sentence of ours; one without a name may, instead of a list."""
    return name in _SENTENCES or not name


def _word(name: str, code: str) -> str:
    if name in _SLOTS:
        return slot_in(code, "zh")
    if code.isupper() or name in _CODED:
        return catalogue().get((VALUE, code)) or word(code, "zh")
    return code
