"""Notices written out for people: plain text and HTML in the reader's language, with ids that a repeat has too."""

import re
from datetime import datetime
from email.utils import parseaddr
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from activities.addresses import TEXTS
from activities.letters import Letter
from activities.messages import NoticeMessage

MOST_SUBJECT = 150
DECISION = re.compile(r"D-[0-9]{1,9}")
"""What a notice about a decision refers to."""
OTHERWISE = "tandem@localhost"
"""Who letters are from where nobody is named: they are not sent then, only kept."""
WEEKDAYS = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(("html",)),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
)


class Confirmations(Protocol):
    """Makes the last part of a link that is bound to one decision, one revision and one reader."""

    def token(self, project: str, decision: str, revision: int, person: str, told_at: datetime) -> str:
        """The same for the same; empty where there are no such links."""
        ...


class Writer:
    """Writes the same notice the same way every time. `public_url` is where people find Tandem; empty: no links."""

    def __init__(self, public_url: str = "", mail_from: str = "", confirmations: Confirmations | None = None) -> None:
        self._url = public_url.rstrip("/")
        self._confirmations = confirmations
        self._domain = parseaddr(mail_from or OTHERWISE)[1].rpartition("@")[2] or "localhost"

    def write(self, notice: NoticeMessage, channel: str, language: str, time_zone: str) -> Letter:
        """The letter that tells of the notice."""
        shown = {
            "notice": notice,
            "items": [{**dict(item), "due": _due(item.due_at, language, time_zone)} for item in notice.items],
            "due": _due(notice.due_at, language, time_zone),
            "zone": time_zone,
            "link": self.link(notice),
            "mark": notice.event_id.replace("-", "")[-12:],
        }
        chat = channel == "chat"
        text = _TEMPLATES.get_template(f"{'chat' if chat else 'notice'}.{language}.txt").render(shown)
        html = "" if chat else _TEMPLATES.get_template(f"notice.{language}.html").render(shown)
        said = notice.zh if language == "zh" else notice.en
        reader = sha256(notice.recipient.encode()).hexdigest()[:16]
        return Letter(
            event_id=notice.event_id,
            recipient=notice.recipient,
            channel=channel,
            message_id=f"<{notice.event_id}.{reader}@{self._domain}>",
            thread_id=f"<{'project-' + notice.project_id if notice.project_id else 'person-' + reader}@{self._domain}>",
            language=language,
            subject=_line(f"[{notice.code}] {said}" if notice.code else said),
            text=text.rstrip() if chat else text,
            html=html,
        )

    def link(self, notice: NoticeMessage) -> str:
        """The page to confirm a decision on, the decision's, or what waits for the reader; opening decides nothing."""
        if not self._url:
            return ""
        if notice.kind in TEXTS:
            return f"{self._url}/preferences"
        if not DECISION.fullmatch(notice.ref):
            return f"{self._url}/"
        if token := self._token(notice):
            return f"{self._url}/confirm/{token}"
        return f"{self._url}/projects/{quote(notice.project_id, safe='')}/decisions/{notice.ref}"

    def _token(self, notice: NoticeMessage) -> str:
        """Empty, too, where many read it: a link is bound to one person."""
        person = notice.recipient[:1].isalpha()
        if self._confirmations is None or notice.revision is None or notice.told_at is None or not person:
            return ""
        told = notice.recipient, notice.told_at
        return self._confirmations.token(notice.project_id, notice.ref, notice.revision, *told)


def _due(at: datetime | None, language: str, time_zone: str) -> str:
    """The instant on the reader's clock, with the day of the week; empty where there is none."""
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(time_zone))
    day = WEEKDAYS[language][local.weekday()]
    return f"{local:%Y-%m-%d %H:%M}({day})" if language == "zh" else f"{local:%Y-%m-%d %H:%M} ({day})"


def _line(text: str) -> str:
    """One line of bounded length: a header must not be broken by what it says."""
    whole = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return whole if len(whole) <= MOST_SUBJECT else f"{whole[: MOST_SUBJECT - 1]}…"
