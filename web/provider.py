"""Signing in, and proving to be there, through the organisation's OpenID provider."""

import logging

from starlette.responses import Response

from api.problems import Problem
from auth.discovery import ProviderTrouble
from auth.entrance import Entrance
from auth.handshakes import LASTING, Handshake, Handshakes
from auth.oidc import OpenIdProvider, check_state
from web import signing, step_up
from web.page import Page, local

log = logging.getLogger("tandem.web")
COOKIE = "tandem_handshake"
PATH = "/sign-in/provider"
RETURN = f"{PATH}/return"
"""What is registered at the provider, after this installation's address."""
TROUBLES: dict[str, tuple[int, str]] = {
    "ProviderAway": (503, "The sign-in service does not answer. Try again in a minute, or take another way."),
    "ProviderRefused": (403, "The sign-in service let nobody through. Try again, or ask whoever runs it."),
    "ProviderMixedUp": (403, "The answer came from another sign-in service than ours. Nothing was done."),
    "HandshakeLost": (403, "This way back was used before, took too long, or began in another browser. Begin again."),
    "TokenRefused": (403, "What the sign-in service says cannot be trusted. Tell whoever runs this installation."),
    "NotAnew": (403, "The sign-in service did not ask you to sign in again. Take another way to show that it is you."),
    "NameUnfit": (403, "What the sign-in service calls you is no name here. Ask whoever runs this installation."),
    "NotKnownHere": (403, "Nobody has added you here yet. Ask an administrator."),
    "OtherSubject": (403, "Somebody else at the sign-in service has your name here. Ask an administrator."),
    "PersonLeft": (403, "You were deactivated here. Ask an administrator."),
    "NotTheSamePerson": (403, "Somebody else has signed in at the sign-in service. Sign in there as yourself."),
}
"""What is said of each; the log says more."""


async def begin(page: Page) -> Response:
    """Off to the provider. Nobody is signed in by this."""
    provider, onwards = _provider(page), local(page.request.query_params.get("next", "/"))
    session = page.reader.session if page.reader and "anew" in page.request.query_params else None
    secret = await Handshakes(page.behind.store.pool).make(onwards, session)
    try:
        answer = page.go(await provider.begin(secret, anew=session is not None))
    except ProviderTrouble as trouble:
        return _told(page, trouble, onwards, anew=session is not None)
    seconds = int(LASTING.total_seconds())
    answer.set_cookie(COOKIE, secret, seconds, path=PATH, secure=page.site.secure, httponly=True, samesite="lax")
    return answer


async def finish(page: Page) -> Response:
    """Back from the provider: signed in, or shown to be there, or told why not. The way back works once."""
    provider, begun = _provider(page), None
    told = dict(page.request.query_params)
    secret = page.request.cookies.get(COOKIE, "")
    try:
        check_state(secret, told)
        begun = await Handshakes(page.behind.store.pool).take(secret)
        if begun is None:
            raise ProviderTrouble("HandshakeLost", "the journey is over")
        proof = await provider.finish(secret, told, begun.made_at if begun.session else None)
        entrance = Entrance(provider.terms, page.behind.administration, page.behind.store.pool)
        if begun.session:
            await entrance.again(proof, _who(page, begun))
            await step_up.confirmed(page)
            answer = page.go(begun.onwards)
        else:
            person = await entrance.enter(proof)
            answer = await signing.signed_in(page, person, "oidc", begun.onwards, proof.proved_at)
    except ProviderTrouble as trouble:
        onwards, anew = (begun.onwards, begun.session is not None) if begun else ("/", False)
        answer = _told(page, trouble, onwards, anew=anew)
    answer.delete_cookie(COOKIE, path=PATH, secure=page.site.secure, httponly=True, samesite="lax")
    return answer


def _provider(page: Page) -> OpenIdProvider:
    """Raises Problem where none is set up."""
    if page.site.provider is None:
        raise Problem("NotFound")
    return page.site.provider


def _who(page: Page, begun: Handshake) -> str:
    """Whose presence was asked for. Raises ProviderTrouble where the session is another one by now."""
    if page.reader is None or page.reader.session != begun.session:
        raise ProviderTrouble("HandshakeLost", "the session is another one by now")
    return page.reader.principal


def _told(page: Page, trouble: ProviderTrouble, onwards: str, *, anew: bool) -> Response:
    log.warning("sign-in through the provider: %s (%s)", trouble.code, trouble.detail)
    status, message = TROUBLES[trouble.code]
    if anew and page.reader is not None:
        return step_up.shown(page, onwards, page.say(message), status)
    return signing.form(page, status, page.say(message), onwards)
