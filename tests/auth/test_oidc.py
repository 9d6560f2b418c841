"""The journey to a real provider and back, and what must not come of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auth.discovery import Discovery, ProviderTrouble, Registration, public_keys
from auth.oidc import OpenIdProvider, Terms, derived, person_of
from config import Settings, faults
from server import openid_provider
from tests.auth.provider import CLIENT, SECRET
from tests.auth.providing import Provider, parameters

SEEN, REDIRECT = "browser secret", "http://127.0.0.1:8400/sign-in/provider/return"


def terms_of(issuer: str, **more: Any) -> Terms:
    return Terms(issuer, Registration(CLIENT, SECRET), REDIRECT, **more)


@pytest.fixture
def ours(provider: Provider) -> OpenIdProvider:
    return OpenIdProvider(terms_of(provider.issuer))


async def journey(ours: OpenIdProvider, provider: Provider, name: str = "li.wei") -> dict[str, str]:
    """What the browser brings back."""
    return parameters(await provider.through(await ours.begin(SEEN), name))


async def refused(ours: OpenIdProvider, told: dict[str, str], secret: str = SEEN) -> ProviderTrouble:
    with pytest.raises(ProviderTrouble) as trouble:
        await ours.finish(secret, told)
    return trouble.value


async def test_whoever_signs_in_there_is_known_here(ours: OpenIdProvider, provider: Provider) -> None:
    provider.told(groups=["Tandem-PMO", "others"])
    proof = await ours.finish(SEEN, await journey(ours, provider))
    assert (proof.subject, proof.called, proof.groups) == ("sub-li.wei", "li.wei", {"tandem-pmo", "others"})
    assert proof.proved_at is not None
    assert datetime.now(UTC) - proof.proved_at < timedelta(seconds=30)


WRONG: dict[str, dict[str, Any]] = {
    "another nonce": {"claims": {"nonce": "another journey's"}},
    "no nonce": {"claims": {"nonce": None}},
    "another audience": {"claims": {"aud": "another-client"}},
    "shared with an audience that it was not issued to": {"claims": {"aud": [CLIENT, "other"]}},
    "issued to another": {"claims": {"aud": [CLIENT, "other"], "azp": "other"}},
    "another issuer": {"claims": {"iss": "https://evil.test"}},
    "expired": {"claims": {"exp": -120}},
    "without an end": {"claims": {"exp": None}},
    "issued long ago": {"claims": {"iat": -3600}},
    "issued in the future": {"claims": {"iat": 3600}},
    "of nobody": {"claims": {"sub": None}},
    "of a long subject": {"claims": {"sub": "x" * 256}},
    "not signed": {"sign": "none"},
    "signed with the public key as a shared secret": {"sign": "HS256"},
    "signed with another key": {"sign": "other key"},
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_token_that_is_not_good_signs_nobody_in(what: str, ours: OpenIdProvider, provider: Provider) -> None:
    told = await journey(ours, provider)
    provider.told(**WRONG[what])
    assert (await refused(ours, told)).code == "TokenRefused"


async def test_a_key_that_the_provider_has_changed_is_found(ours: OpenIdProvider, provider: Provider) -> None:
    await ours.finish(SEEN, await journey(ours, provider))
    provider.told(rotate=True)
    assert (await ours.finish(SEEN, await journey(ours, provider))).subject == "sub-li.wei"


async def test_the_state_of_another_browser_leads_nowhere(ours: OpenIdProvider, provider: Provider) -> None:
    told = await journey(ours, provider)
    for secret, answer in (("another secret", told), (SEEN, told | {"state": "é"}), (SEEN, {"code": told["code"]})):
        assert (await refused(ours, answer, secret)).code == "HandshakeLost"


async def test_a_code_works_once(ours: OpenIdProvider, provider: Provider) -> None:
    told = await journey(ours, provider)
    await ours.finish(SEEN, told)
    assert (await refused(ours, told)).code == "ProviderRefused"


async def test_a_stolen_code_is_worth_nothing_in_another_journey(ours: OpenIdProvider, provider: Provider) -> None:
    """PKCE: the thief has a state of his own, but the code belongs to another verifier."""
    stolen = (await journey(ours, provider))["code"]
    theirs = {"state": derived("thief", "state"), "iss": provider.issuer, "code": stolen}
    assert (await refused(ours, theirs, "thief")).code == "ProviderRefused"


async def test_an_answer_of_another_issuer_is_not_taken_for_ours(ours: OpenIdProvider, provider: Provider) -> None:
    told = await journey(ours, provider)
    for answer in (told | {"iss": "https://evil.test"}, {k: v for k, v in told.items() if k != "iss"}):
        assert (await refused(ours, answer)).code == "ProviderMixedUp"


@pytest.mark.parametrize(
    "different",
    [
        {"issuer": "https://evil.test"},
        {"token_endpoint": "http://169.254.169.254/token"},
        {"jwks_uri": "https://evil.test/keys"},
        {"authorization_endpoint": None},
    ],
)
async def test_nobody_is_asked_but_the_issuer(
    different: dict[str, Any], ours: OpenIdProvider, provider: Provider
) -> None:
    provider.told(discovery=different)
    with pytest.raises(ProviderTrouble) as trouble:
        await ours.begin(SEEN)
    assert trouble.value.code == "ProviderMixedUp"


@pytest.mark.parametrize("body", ["", "[]", "no json", "x" * 300_000])
async def test_an_answer_that_cannot_be_read_is_no_answer(body: str, ours: OpenIdProvider, provider: Provider) -> None:
    told = await journey(ours, provider)
    provider.told(status=200, body=body)
    assert (await refused(ours, told)).code == "ProviderAway"


async def test_a_provider_that_says_no_is_told_without_its_words(ours: OpenIdProvider, provider: Provider) -> None:
    provider.told(error="access_denied")
    trouble = await refused(ours, await journey(ours, provider))
    assert (trouble.code, trouble.detail) == ("ProviderRefused", "the provider said access_denied")
    provider.told(error="<script>")
    assert "script" not in (await refused(ours, await journey(ours, provider))).detail


async def test_a_provider_that_is_away_or_slow_is_not_waited_for(provider: Provider) -> None:
    terms = terms_of("http://127.0.0.1:9")
    with pytest.raises(ProviderTrouble) as trouble:
        await OpenIdProvider(terms).begin(SEEN)
    assert trouble.value.code == "ProviderAway"
    terms = terms_of(provider.issuer)
    ours = OpenIdProvider(terms, Discovery(terms.issuer, terms.client, seconds=2.0))
    told = await journey(ours, provider)
    provider.told(seconds=3.0)
    assert (await refused(ours, told)).code == "ProviderAway"


async def test_a_provider_that_leads_elsewhere_is_not_followed() -> None:
    async with answering(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n") as url:
        with pytest.raises(ProviderTrouble) as trouble:
            await OpenIdProvider(terms_of(url)).begin(SEEN)
    assert trouble.value.detail == "status 302 at /.well-known/openid-configuration"


async def test_nothing_secret_is_in_what_is_logged(ours: OpenIdProvider, provider: Provider) -> None:
    told = await journey(ours, provider)
    provider.told(status=400, body=SECRET)
    trouble = await refused(ours, told)
    assert not any(secret in str(trouble) for secret in (SECRET, SEEN, told["code"], derived(SEEN, "verifier")))


async def test_whoever_has_to_prove_it_anew_must_have_done_so(ours: OpenIdProvider, provider: Provider) -> None:
    assert parameters(await ours.begin(SEEN, anew=True))["prompt"] == "login"
    now = datetime.now(UTC)
    assert (await ours.finish(SEEN, await journey(ours, provider), now)).proved_at
    for different in ({"slept": 3600}, {"claims": {"auth_time": None}}, {"claims": {"auth_time": "now"}}):
        told = await journey(ours, provider)
        provider.told(**different)
        with pytest.raises(ProviderTrouble) as trouble:
            await ours.finish(SEEN, told, now)
        assert trouble.value.code == "NotAnew"


def test_names_are_taken_from_addresses_and_nothing_else_is_a_name() -> None:
    assert person_of("Li.Wei@Example.com", {"example.com"}) == person_of("Li.Wei") == "li.wei"
    strangers = ("li.wei@gmail.com", "li.wei@example.com@gmail.com", "li.wei@gmail.com@example.com", "li.wei@")
    for called in (*strangers, "", "@example.com", "李伟", "li wei", "1li", "x" * 65, "li.wei\n", "../admin"):
        with pytest.raises(ProviderTrouble) as trouble:
            person_of(called, {"example.com"})
        assert trouble.value.code == "NameUnfit"


def test_a_shared_secret_is_no_key_of_a_provider() -> None:
    assert public_keys({"keys": [{"kty": "oct", "k": "c2VjcmV0"}, "x", {}]}) == []
    assert public_keys({"keys": "x"}) == []


@pytest.mark.parametrize("issuer", ["http://id.example.com", "ftp://id.example.com", "id.example.com", "https://[x"])
def test_an_issuer_that_anybody_on_the_way_could_be_is_refused(issuer: str) -> None:
    for mode in ("production", "development"):
        settings = Settings.model_validate({"mode": mode, "oidc_issuer": issuer, "oidc_client_id": "tandem"})
        assert "TANDEM_OIDC_ISSUER" in [fault.setting for fault in faults(settings)]
    settings = Settings.model_validate({"mode": "development", "oidc_issuer": "https://id.example.com"})
    assert [fault.setting for fault in faults(settings)] == ["TANDEM_OIDC_CLIENT_ID"]


def test_the_settings_say_what_was_agreed_with_the_provider(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    given = {"oidc_issuer": "https://id.example.com", "oidc_client_id": CLIENT, "oidc_roles": "Tandem-PMO=PMO"}
    given |= {"public_url": "https://tandem.example.com/", "oidc_client_secret_file": tmp_path / "secret"}
    ours = openid_provider(Settings.model_validate(given))
    assert ours is not None
    assert ours.terms.redirect == "https://tandem.example.com/sign-in/provider/return"
    assert (ours.terms.client.secret, ours.terms.roles, ours.terms.join) == (SECRET, {"tandem-pmo": "PMO"}, False)
    assert openid_provider(Settings.model_validate({"oidc_issuer": ""})) is None
    with pytest.raises(ValueError, match="oidc_roles"):
        openid_provider(Settings.model_validate(given | {"oidc_roles": "tandem-pmo=CHIEF"}))


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that says one thing to everybody."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
