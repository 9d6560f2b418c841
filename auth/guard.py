"""What a request needs before anybody looks at it: the scope of its credential, and that a page of ours made it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from auth.identity import Scope
from domain.directory.asking import is_provider

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ACTING = ("/v1/projects", "/v1/bulk", "/v1/inbox", "/v1/consumers")
"""Where an unsafe method is a person's business; anywhere else it is an administrator's."""
OWN = ("/v1/me",)
"""A person's own credentials: no token makes another token, however wide it is."""

PROVIDERS = ("/scim",)
"""Identity providers alone, for reading too."""
SETTING_UP = (*PROVIDERS, "/v1/webhooks")
"""Where reading, too, is for those who administer."""


def scope_needed(method: str, path: str) -> Scope | None:
    """The scope that a request needs; None: the person alone, no token will do.

    What is not listed here is for those who administer.
    """
    if _below(path, SETTING_UP):
        return Scope.ADMINISTER
    if method in SAFE:
        return Scope.AUDIT if _below(path, ("/v1/audit",)) else Scope.READ
    if _below(path, OWN):
        return None
    return Scope.ACT if _below(path, ACTING) else Scope.ADMINISTER


def out_of_bounds(principal: str, path: str) -> bool:
    """Whether an identity provider asks for anything but SCIM: projects are none of its business."""
    return is_provider(principal) and not _below(path, PROVIDERS)


def _below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(root + "/") for root in roots)


def from_elsewhere(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser sends an unsafe request for a page that is not ours.

    By Sec-Fetch-Site, which pages cannot set; by Origin where a browser is too old for it. What sends neither is no
    browser, and nothing makes it send a cookie against its user's will.
    """
    if method in SAFE:
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and _host(origin) != headers.get("host")


def _host(origin: str) -> str:
    """Empty where it is no URL: such an origin is nobody's."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
