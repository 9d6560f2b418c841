"""What every page has: a reader or none, words, headers that protect, and an answer for whatever goes wrong."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from activities.archived import StreamArchived
from activities.decide import Contended
from activities.ports import StoreUnavailable
from activities.vault import VaultLocked
from api.asking import MOST_BYTES
from api.parts import Parts, parts, surroundings
from api.problems import Problem, problem_fields, refusal_fields
from auth.confirmation import Confirmations
from auth.credentials import COOKIE
from auth.guard import from_elsewhere
from auth.identity import Identity, Unauthenticated
from auth.oidc import OpenIdProvider
from domain.refusals import Refused
from domain.titles import title_in
from web import language, wording

HERE = Path(__file__).parent
STATIC = HERE / "static"
FILES = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix == ".css"}
VERSION = sha256(b"".join(FILES.values())).hexdigest()[:12]
"""A part of the address of every static file: a changed file has another."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    # With `no-referrer` browsers send `Origin: null` with our own forms; nobody else is told anything by this either.
    "Referrer-Policy": "same-origin",
}
MOST_FIELDS = 5000
"""Five hundred rows of ten; the bytes of a body are bounded, too."""
OUTAGES: dict[type[Exception], str] = {
    StoreUnavailable: "StoreUnavailable",
    Contended: "Contended",
    VaultLocked: "VaultLocked",
    StreamArchived: "ProjectArchived",
}
Answers = Callable[["Page"], Awaitable[Response]]


@dataclass(frozen=True)
class Site:
    """What the pages need to know of the installation."""

    secure: bool = False
    """Whether people come by https: then the cookie goes nowhere else."""
    confirmations: Confirmations = field(default_factory=Confirmations)
    """Knows the links of mails."""
    provider: OpenIdProvider | None = None
    """Through which people may sign in."""


class Page:
    """One request for a page, and how it is answered."""

    def __init__(self, request: Request, site: Site, reader: Identity | None) -> None:
        self.request, self.site, self.reader = request, site, reader
        self.language = language.chosen(request)
        self.say = language.speaker(self.language)
        self.fields: dict[str, list[str]] = {}

    @property
    def behind(self) -> Parts:
        """Raises Problem where the database was not reached yet."""
        return parts(self.request)

    @property
    def who(self) -> Identity:
        """The reader of a page that strangers do not get to."""
        assert self.reader is not None
        return self.reader

    def field(self, name: str) -> str:
        """A field of the submitted form; empty where it was not sent."""
        return self.fields.get(name, [""])[0].strip()

    def show(self, template: str, status: int = 200, **given: Any) -> Response:
        """The page in the reader's language."""
        here = self.request.url.path
        query = {k: v for k, v in self.request.query_params.items() if k != "lang"}
        known = {
            "page": self,
            "_": self.say,
            "lang": self.language,
            "word": lambda code, of="": language.coded(code, self.language, of),
            "hint": partial(wording.hint_of, language=self.language),
            "told": partial(wording.told_of, language=self.language),
            "titled": partial(title_in, language=self.language),
            "static": f"/static/{VERSION}",
            "here": lambda path: Markup(' aria-current="page"') if path == here else "",
            "switch": {one: f"{here}?{urlencode({**query, 'lang': one})}" for one in language.LANGUAGES},
        }
        text = ENVIRONMENT.get_template(template).render({**known, **given})
        told = {**HEADERS, "Content-Language": self.language, "Vary": "Cookie, Accept-Language"}
        answer = Response(text, status, told, "text/html")
        if self.request.query_params.get("lang") in language.LANGUAGES:
            self.set_cookie(answer, language.COOKIE, self.language, 365 * 86400)
        return answer

    def go(self, path: str) -> Response:
        """On to another page of ours."""
        return RedirectResponse(path, 303, HEADERS)

    def trouble(self, status: int, told: Mapping[str, Any]) -> Response:
        """A page that says what is wrong and what to do."""
        return self.show("trouble.html", status, told=told)

    def set_cookie(self, answer: Response, name: str, value: str, seconds: int) -> None:
        """A cookie that scripts cannot read and other sites' forms do not carry."""
        answer.set_cookie(name, value, seconds, path="/", secure=self.site.secure, httponly=True, samesite="lax")

    def when(self, at: datetime | str | None, zone: str = "UTC") -> str:
        """An instant with weekday, in the project's time zone."""
        if at is None:
            return "–"
        instant = datetime.fromisoformat(at) if isinstance(at, str) else at
        local = instant.astimezone(ZoneInfo(zone))
        return f"{self._day(local)} {local:%H:%M} {zone}"

    def last_day(self, end: datetime, zone: str) -> str:
        """The day that is over at this instant, with weekday: the last one of a delegation."""
        return self._day((end - datetime.resolution).astimezone(ZoneInfo(zone)))

    def _day(self, local: datetime) -> str:
        return f"{local:%Y-%m-%d} {self.say('Mon Tue Wed Thu Fri Sat Sun').split()[local.weekday()]}"


def answering(answers: Answers, site: Site, *, open_to_all: bool = False) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint: knows the reader, refuses what other sites' pages send, answers troubles in words."""

    async def endpoint(request: Request) -> Response:
        page, headers = Page(request, site, None), dict[str, str]()
        try:
            page.reader = await _reader(request)
            if from_elsewhere(request.method, request.headers):
                raise Problem("ForeignPage")
            _count(page)
            if page.reader is None and not open_to_all:
                return _to_sign_in(page)
            if request.method == "POST":
                page.fields = await _form(request)
            return await answers(page)
        except Problem as problem:
            told, headers = problem_fields(problem, page.language), dict(problem.headers)
        except Refused as refusal:
            told = refusal_fields(refusal, page.language)
        except tuple(OUTAGES) as outage:
            told = problem_fields(Problem(OUTAGES[type(outage)]), page.language)
        answer = page.trouble(told["status"], told)
        answer.headers.update(headers)
        return answer

    return endpoint


def _count(page: Page) -> None:
    """Raises Problem where this person, or this address, has asked too often."""
    limits = surroundings(page.request).limits
    if page.reader is None:
        limits.stranger(page.request.scope)
    else:
        limits.person(page.reader)


def local(path: str) -> str:
    """The path where it leads to a page of ours, else the first page."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if plain and len(path) < 500 else "/"


async def _reader(request: Request) -> Identity | None:
    """Whoever is signed in in this browser. Raises StoreUnavailable."""
    if COOKIE not in request.cookies:
        return None
    try:
        known = await surroundings(request).known({"cookie": request.headers.get("cookie", "")})
    except Unauthenticated:
        return None
    return known if known.ambient else None


def _to_sign_in(page: Page) -> Response:
    path = page.request.url.path
    wanted = f"?{urlencode({'next': path})}" if page.request.method == "GET" and path != "/" else ""
    return page.go(f"/sign-in{wanted}")


async def _form(request: Request) -> dict[str, list[str]]:
    """The submitted fields. Raises Problem where they cannot be read."""
    read = b""
    async for chunk in request.stream():
        read += chunk
        if len(read) > MOST_BYTES:
            raise Problem("TooLarge")
    try:
        return parse_qs(read.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise Problem("Invalid", "The form cannot be read.") from None


ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters["capitalized"] = lambda text: text[:1].upper() + text[1:]
