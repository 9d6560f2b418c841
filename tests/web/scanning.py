"""A program that follows every link and submits every form, as those that check mails do."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.web.visiting import Reader, Visitor

CHOICES = {"/value": "APPROVE", "/reason": "fine", "person": "pei.min", "password": "guess"}


@dataclass
class Scanner:
    """Looks at whatever it is given, and at whatever that leads to."""

    visitor: Visitor
    seen: set[str] = field(default_factory=set)

    async def scan(self, *paths: str, most: int = 300) -> None:
        waiting = list(paths)
        while waiting and len(self.seen) < most:
            path = urlsplit(waiting.pop())._replace(scheme="", netloc="", fragment="").geturl()
            if path in self.seen or not path.startswith("/"):
                continue
            self.seen.add(path)
            for method in ("HEAD", "GET"):
                answer = await self.visitor.client.request(method, path)
            waiting += [answer.headers["location"]] if "location" in answer.headers else []
            found = Reader(answer.text)
            waiting += found.links
            for form in found.forms:
                wanted = {name: value for name, value in CHOICES.items() if name in form.fields or name == "/value"}
                await self.visitor.submit(path, form, **wanted)
                await self.visitor.post(path, CHOICES)
