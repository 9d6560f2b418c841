"""The catalogue of words, and which language a reader wants."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from starlette.requests import Request

from api.language import language_of
from domain.words import word

COOKIE = "tandem_language"
LANGUAGES = ("en", "zh")
LOCALES = Path(__file__).parent / "locales"


@cache
def catalogue(language: str) -> dict[str, str]:
    """Message → words in the language; read once from its .po files."""
    words: dict[str, str] = {}
    for path in sorted((LOCALES / language / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            words |= {str(one.id): str(one.string) for one in read_po(file) if one.id and one.string}
    return words


def chosen(request: Request) -> str:
    """`?lang=`, else the cookie, else what the browser prefers."""
    for wanted in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wanted in LANGUAGES:
            return str(wanted)
    return language_of(request)


def speaker(language: str) -> Callable[..., str]:
    """What turns a message into words, its `{names}` filled in."""
    words = catalogue(language)

    def say(message: str, **named: object) -> str:
        return words.get(message, message).format_map(named) if named else words.get(message, message)

    return say


def coded(code: object, language: str, of: str = "") -> str:
    """A coded word of the domain, a field's or a command's name, as people read it.

    `of` is the field that it stands in, where the same code means something else in another.
    """
    text = str(code)
    if (known := catalogue(language).get(f"{of} {text}")) is not None:
        return known
    if (known := catalogue(language).get(text)) is not None:
        return known
    told = word(text, language)
    return told if told != text or not text.isidentifier() else _spaced(text)


def _spaced(name: str) -> str:
    """`on_behalf_of` and `WithdrawChange` → `On behalf of`, `Withdraw change`; abbreviations stay."""
    if name.isupper() or not name[0].isalpha():
        return name
    parts = "".join(f" {c.lower()}" if c.isupper() else c for c in name).replace("_", " ").strip()
    return parts[:1].upper() + parts[1:]
