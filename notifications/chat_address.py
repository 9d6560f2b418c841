"""Chat addresses: which there may be, and what apprise makes of one. An address is a secret: who has it can post."""

import logging
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from apprise import Apprise, AppriseAsset
from apprise.plugins import dingtalk, feishu, lark, mattermost, slack, wecombot, workflows

from notifications.addresses import AddressRefused, checked_url, resolved
from notifications.posting import CONNECT_SECONDS, READ_SECONDS, watch

MOST: Final = 1000
"""Characters of an address."""


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of chat."""

    name: str
    plugin: Any
    most: int
    """Bytes of a message; fewer than the service takes, since some count characters."""
    asks: frozenset[str] = frozenset()
    """What may stand after `?`."""
    own_host: bool = False
    """The address says where the service is."""


_FLOW = frozenset({"api-version", "sp", "sv", "sig"})
SERVICES: Final = {
    "feishu": Service("Feishu", feishu.NotifyFeishu, 15_000),
    "lark": Service("Lark", lark.NotifyLark, 15_000),
    "dingtalk": Service("DingTalk", dingtalk.NotifyDingTalk, 15_000),
    "wecombot": Service("WeCom", wecombot.NotifyWeComBot, 2_048),
    "slack": Service("Slack", slack.NotifySlack, 30_000),
    "workflows": Service("Teams", workflows.NotifyWorkflows, 1_000, _FLOW, own_host=True),
    "mmost": Service("Mattermost", mattermost.NotifyMattermost, 4_000, own_host=True),
    "mmosts": Service("Mattermost", mattermost.NotifyMattermost, 4_000, own_host=True),
}
"""The whole list of what may be addressed: apprise knows far more, files and this machine among it."""
for _plugin in (dingtalk, feishu, lark, mattermost, slack, wecombot, workflows):
    watch(_plugin)
# Their lines have addresses in them, which are secrets.
for _name in ("apprise", "urllib3"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_PASTED = (
    (re.compile(r"https://open\.feishu\.cn/open-apis/bot/v2/hook/([A-Za-z0-9_-]{4,100})/?"), "feishu", r"feishu://\1"),
    (re.compile(r"https://open\.larksuite\.com/open-apis/bot/v2/hook/([\w-]{4,100})/?"), "lark", r"lark://\1"),
    (re.compile(r"https://oapi\.dingtalk\.com/robot/send\?access_token=(\w{4,200})"), "dingtalk", r"dingtalk://\1"),
    (
        re.compile(r"https://qyapi\.weixin\.qq\.com/cgi-bin/webhook/send\?key=([\w-]{4,100})"),
        "wecombot",
        r"wecombot://\1",
    ),
    (re.compile(r"https://hooks\.slack\.com/services/(\w+)/(\w+)/(\w+)/?"), "slack", r"slack://\1/\2/\3"),
    (re.compile(r"https://([A-Za-z0-9.:-]+)((?:/[\w-]+)*)/hooks/(\w{24,32})/?"), "mmosts", r"mmosts://\1\2/\3"),
)
"""Addresses as the services show them, to be pasted; and what apprise calls the same."""
_FLOWS = re.compile(r"https://[^/?#@]+/(?:[\w/-]+/)?workflows/[\w-]+/triggers/manual/paths/invoke/?\?.*")


@dataclass(frozen=True, slots=True)
class ChatAddress:
    """An address whose form is acceptable; where it leads is looked up when something is sent."""

    service: Service
    text: str

    @classmethod
    def read(cls, text: str, *, private: bool) -> "ChatAddress":
        """Raises AddressRefused, which never repeats the address."""
        if len(text) > MOST or not text.isascii() or not text.isprintable() or " " in text:
            raise AddressRefused(f"A chat address has at most {MOST} printable ASCII characters and no blanks.")
        scheme, address = _named(text)
        service = SERVICES[scheme]
        try:
            asked = set(parse_qs(urlsplit(address).query, keep_blank_values=True))
        except ValueError:
            raise AddressRefused(f"This is no address of {service.name}.") from None
        if asked - service.asks or "#" in address:
            raise AddressRefused("A chat address has no settings of its own: leave out what follows the `?`.")
        if scheme == "mmost" and not private:
            raise AddressRefused("Mattermost is reached over TLS: begin with mmosts://.")
        found = cls(service, address)
        if (host := found.host) is not None:
            checked_url(host, private=private)
        return found

    @property
    def host(self) -> str | None:
        """The URL of the host, where the address names it; None for the service's own. Raises AddressRefused."""
        plugin = self.plugin()
        if not self.service.own_host:
            return None
        port = f":{plugin.port}" if plugin.port else ""
        return f"{'http' if self.text.startswith('mmost:') else 'https'}://{plugin.host}{port}/"

    def plugin(self) -> Any:
        """What posts there. Raises AddressRefused where apprise cannot read the address."""
        asset = AppriseAsset(http_redirects=False, secure_logging=True, app_id="Tandem", app_desc="Tandem")
        made: Any = Apprise.instantiate(self.text, asset=asset, suppress_exceptions=True)
        if type(made) is not self.service.plugin:
            raise AddressRefused(f"This is no address of {self.service.name}.")
        made.request_rate_per_sec = 0
        made.socket_connect_timeout, made.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
        made.verify_certificate, made.include_image = True, False
        return made

    async def check(self, *, private: bool) -> None:
        """Look up where it leads, now. Raises AddressRefused and NotResolved."""
        if (host := self.host) is not None:
            await resolved(host, private=private)


def _named(text: str) -> tuple[str, str]:
    """The service's name, and the address as apprise writes it. Raises AddressRefused."""
    for form, scheme, ours in _PASTED:
        if form.fullmatch(text):
            return scheme, form.sub(ours, text)
    if _FLOWS.fullmatch(text):
        return "workflows", text
    scheme = text.partition("://")[0].lower()
    if scheme not in SERVICES or "://" not in text:
        known = ", ".join(sorted({service.name for service in SERVICES.values()}))
        raise AddressRefused(f"A chat address is the webhook's URL as the service shows it; known are {known}.")
    return scheme, text
