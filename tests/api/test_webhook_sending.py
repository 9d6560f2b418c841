"""What stands between webhooks and the network: addresses, sending, and what an answer leads to."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook as Verifier

from activities.endpoints import Answer, Parcel
from activities.retrying import LONGEST_WISH, PATIENCE, judge
from notifications.addresses import AddressRefused, NotResolved, checked_url, is_public, resolved
from notifications.webhook import WebhookSender
from tests.receiving import Receiver, Reply, always, receiving

ROBOT = "ci.robot"
URL = "https://hooks.example.com/tandem"
SECRET = "whsec_" + "dGFuZGVtIHRhbmRlbSB0YW5kZW0="
PATH = "/v1/webhooks"


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104  that it is refused is the point
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001::1",
        "192.0.2.1",
    ],
)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_addresses_outside_are(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "https://",
        "https:///x",
        "https://user:word@hooks.example.com/",
        "https://hooks.example.com/#x",
        "https://hooks.example.com:0/",
        "https://localhost/",
        "https://api.localhost./",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nX: y",
        "x" * 2001,
        "//hooks.example.com",
    ],
)
def test_such_urls_are_refused_at_once(url: str) -> None:
    with pytest.raises(AddressRefused):
        checked_url(url, private=False)


async def test_numbers_that_mean_this_machine_are_refused_when_looked_up() -> None:
    """`https://2130706433/` and the like pass as names; what they lead to is checked."""
    for host in ("2130706433", "0x7f000001", "127.1", "0177.0.0.1"):
        with pytest.raises((AddressRefused, NotResolved)):
            await resolved(f"https://{host}/", private=False)


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """A name server of the test's own: each look-up gets the next answer. Gives the look-ups."""
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [(2, 1, 6, "", (address, port)) for address in answers[min(len(asked), len(answers)) - 1]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
    return asked


async def test_one_private_address_among_others_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, ["93.184.216.34", "10.0.0.7"])
    answer = await WebhookSender().send("https://hooks.example.com/", parcel(), [SECRET])
    assert (answer.status, answer.reached) == (None, False)
    assert answer.problem == "hooks.example.com leads to 10.0.0.7, which is not a public address."


async def test_a_name_is_looked_up_once_and_the_checked_address_is_asked(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """No rebinding: a second answer of the name server is never asked for."""
    port = receiver.url.rsplit(":", 1)[1].partition("/")[0]
    asked = names(monkeypatch, ["127.0.0.1"], ["192.0.2.1"])
    sender = WebhookSender(private=True, seconds=5)
    answer = await sender.send(f"http://hooks.example.com:{port}/hook", parcel(), [SECRET])
    assert (answer.status, asked) == (204, ["hooks.example.com"])
    assert receiver.got[0].headers["host"] == f"hooks.example.com:{port}"


# Sending


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made_here:
        yield made_here


def parcel(body: bytes = b'{"id":"x"}') -> Parcel:
    return Parcel(uuid4(), "tandem.webhook.test.v1", None, body)


async def sent(receiver: Receiver, *secrets: str, seconds: float = 2.0) -> Answer:
    return await WebhookSender(private=True, seconds=seconds).send(receiver.url, parcel(), secrets or (SECRET,))


async def test_every_live_secret_signs(receiver: Receiver) -> None:
    other = "whsec_" + "bmV3ZXIgbmV3ZXIgbmV3ZXI="
    await sent(receiver, other, SECRET)
    (got,) = receiver.got
    for secret in (SECRET, other):
        assert Verifier(secret).verify(got.body, dict(got.headers)) == {"id": "x"}
    assert got.headers["content-type"] == "application/cloudevents+json"
    with pytest.raises(Exception, match="No matching signature"):
        Verifier(SECRET).verify(got.body + b" ", dict(got.headers))


async def test_no_redirect_is_followed(receiver: Receiver) -> None:
    async with receiving() as inside:
        receiver.script = always(307, Location=inside.url)
        answer = await sent(receiver)
        assert (answer.status, answer.good, answer.problem) == (307, False, "redirects are not followed")
        assert inside.got == []


async def test_a_long_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(200, body=b"x" * 5_000_000)
    answer = await sent(receiver)
    assert (answer.good, len(answer.text)) == (True, 1000)


async def test_whoever_never_answers_is_given_up_in_time(receiver: Receiver) -> None:
    receiver.script = lambda _: Reply(None)
    answer = await sent(receiver, seconds=0.3)
    assert (answer.status, answer.reached) == (None, True)
    assert 0.3 <= answer.seconds < 2


async def test_nobody_there_is_told_from_no_answer() -> None:
    async with receiving() as gone:
        url = gone.url
    answer = await WebhookSender(private=True, seconds=2).send(url, parcel(), [SECRET])
    assert (answer.status, answer.reached) == (None, False)


async def test_retry_after_is_seconds_or_a_date(receiver: Receiver) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    for text, low, high in (("120", 120, 120), (at.strftime("%a, %d %b %Y %H:%M:%S GMT"), 3500, 3600)):
        receiver.script = always(503, Retry_After=text)
        wish = (await sent(receiver)).retry_after
        assert wish is not None
        assert low <= wish <= high
    receiver.script = always(503, Retry_After="soon")
    assert (await sent(receiver)).retry_after is None


async def test_the_certificate_is_checked_for_the_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    context = certificate(tmp_path, "hooks.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    receiver = Receiver()
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    names(monkeypatch, ["127.0.0.1"])
    sender = WebhookSender(private=True, seconds=5)
    good = await sender.send(f"https://hooks.example.com:{port}/", parcel(), [SECRET])
    bad = await sender.send(f"https://other.example.com:{port}/", parcel(), [SECRET])
    server.close()
    assert (good.status, good.problem) == (204, "")
    assert (bad.status, bad.reached, "certificate" in bad.problem.lower()) == (None, False, True)


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """A server's context with a certificate for this name, which is in the folder too."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signed = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 7, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


# What an answer leads to


def verdict(status: int | None, attempt: int = 1, since: timedelta = timedelta(0), **rest: Any) -> Any:
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    return judge(Answer(status, 0.1, **rest), attempt=attempt, since=now - since, now=now, seed="w/e")


def test_delays_grow_from_seconds_to_half_a_day_and_differ_by_event() -> None:
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    waits = [verdict(500, attempt).next_at - now for attempt in range(1, 15)]
    assert timedelta(seconds=4) <= waits[0] <= timedelta(seconds=6)
    assert waits[:9] == sorted(waits[:9])
    assert all(timedelta(hours=9.6) <= wait <= timedelta(hours=14.4) for wait in waits[9:])
    other = judge(Answer(500, 0.1), attempt=5, since=now, now=now, seed="w/f").next_at
    assert other is not None
    assert other - now != waits[4]


def test_an_answer_is_about_the_event_or_about_the_endpoint() -> None:
    assert verdict(500).pause_until is None
    assert verdict(None).pause_until is None
    assert verdict(503).pause_until is None
    assert verdict(429).pause_until == verdict(429).next_at
    assert verdict(503, retry_after=60.0).pause_until == verdict(503, retry_after=60.0).next_at
    assert verdict(None, 9, reached=False).pause_until < verdict(None, 9, reached=False).next_at
    assert verdict(429, retry_after=10.0**9).next_at == datetime(2026, 3, 2, 9, tzinfo=UTC) + LONGEST_WISH


def test_it_ends_by_success_by_gone_or_after_days() -> None:
    assert [verdict(status).state for status in (200, 204, 299)] == ["delivered"] * 3
    assert (verdict(410).state, verdict(410).gone, verdict(410).next_at) == ("failed", True, None)
    late = verdict(500, 12, PATIENCE)
    assert (late.state, late.next_at, late.gone) == ("failed", None, False)
    assert verdict(301).state == "retrying"
