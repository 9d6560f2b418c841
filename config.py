"""Settings, read once, here. Entry points pass them on; nothing else reads the environment."""

import logging
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import structlog
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.calendar import CalendarPolicy
from domain.template import Policy

Program: TypeAlias = Literal["server", "worker"]


class Settings(BaseSettings):
    """Every setting of Tandem, from the environment (`TANDEM_…`) or a `.env` file."""

    model_config = SettingsConfigDict(env_prefix="TANDEM_", env_file=".env", extra="ignore")

    mode: Literal["production", "development"] = "production"
    """`development` accepts `Authorization: Bearer dev:<person>`; the launcher sets it, nothing else should."""
    database_url: SecretStr = SecretStr("postgresql:///tandem")
    """The application's role: it may append and read, never change."""
    migration_url: SecretStr | None = None
    """The owner's connection, used by `tandem migrate` alone; falls back to `database_url`."""
    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"
    task_queue: str = "tandem"
    host: str = "127.0.0.1"
    port: int = Field(default=8400, ge=0, le=65535)
    public_url: str = Field(default="", max_length=500)
    """Where people reach the pages: links in mails lead there. With https the session's cookie goes nowhere else."""
    requests_per_minute: int = Field(default=1200, ge=0)
    """What one person may ask for in a minute, by browser and by tokens each; strangers by address. 0: no end."""
    scim_roles: str = Field(default="", max_length=2000)
    """Groups of an identity provider that give organisation roles: `tandem-auditors=AUDITOR,tandem-pmo=PMO`."""
    oidc_issuer: str = Field(default="", max_length=500)
    """The OpenID provider through which people may sign in, exactly as it names itself: https://id.example.com."""
    oidc_client_id: str = Field(default="", max_length=500)
    """How the provider knows this installation."""
    oidc_client_secret: SecretStr | None = None
    """What this installation proves that with; none for a public client."""
    oidc_client_secret_file: Path | None = None
    """A file with that secret, instead of `oidc_client_secret`."""
    oidc_name: str = Field(default="OpenID", min_length=1, max_length=60)
    """What the button says."""
    oidc_scopes: str = Field(default="openid profile email", max_length=500)
    """What is asked of the provider; some tell groups only when `groups` is asked for."""
    oidc_person_claim: str = Field(default="preferred_username", min_length=1, max_length=100)
    """The claim that holds the person's name; of an address the part before the @, see `oidc_domains`."""
    oidc_domains: str = Field(default="", max_length=2000)
    """The domains whose addresses are people here: `example.com,example.org`. An address of any other is nobody's."""
    oidc_groups_claim: str = Field(default="groups", min_length=1, max_length=100)
    """The claim that lists the person's groups."""
    oidc_roles: str = Field(default="", max_length=2000)
    """Groups of the OpenID provider that give organisation roles: `tandem-pmo=PMO,tandem-audit=AUDITOR`."""
    oidc_join: bool = False
    """Whether people whom nobody has added to the directory are added when they sign in through the provider."""
    sign_in_attempts_per_minute: int = Field(default=60, ge=0)
    """Sign-in forms and worthless credentials that are taken from one address in a minute. 0: no end."""
    trusted_proxies: str = ""
    """Addresses and networks, with commas between them, whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    log_level: str = "INFO"
    log_json: bool = False
    pool_size: int = Field(default=8, ge=2, le=100)
    """Database connections per process, the appender's own not counted."""
    state_cache: int = Field(default=2000, ge=0)
    """Folded projects kept in memory per process."""
    past_cache: int = Field(default=5000, ge=0)
    """Earlier states of projects kept in memory per process, some kilobytes each."""
    sweep_seconds: float = Field(default=3.0, gt=0)
    graceful_seconds: float = Field(default=4.0, gt=0)
    """How long a stopping worker lets running steps finish."""
    webhook_seconds: float = Field(default=15.0, gt=0, le=60)
    """How long an endpoint may take to answer."""
    webhook_private_addresses: bool = False
    """Whether webhooks may lead to addresses of our own network, and to plain http."""
    webhook_key: SecretStr | None = None
    """What the secrets of webhooks are sealed with in the database; the same for server and worker."""
    smtp_url: SecretStr | None = None
    """The mail server: smtp://user:password@host:port, or smtps://. Without one mails are kept in the outbox."""
    mail_from: str = ""
    """Who mails are from, e.g. `Tandem <tandem@example.com>`; needed with `smtp_url`."""
    chat_private_addresses: bool = False
    """Whether chat addresses may lead to our own network, such as a Mattermost of one's own, and to plain http."""
    chat_rooms: SecretStr = SecretStr("")
    """Rooms that hear of projects, as JSON: a project's code, or `*`, and the room's chat address."""
    chat_room_language: Literal["en", "zh"] = "en"
    """In which language rooms are told."""
    vault_url: SecretStr | None = None
    """Where the keys of persons are; falls back to `database_url`. A database of its own has its own backups."""
    vault_key: SecretStr | None = None
    """The master key: 32 bytes in hex or base64. Without it no command with a personal text is accepted."""
    vault_key_file: Path | None = None
    """A file with the master key, instead of `vault_key`."""
    archive_folder: Path | None = None
    """Where `tandem archive` keeps the packs of ended projects."""
    archive_after_days: int = Field(default=1095, ge=1, le=36500)
    """How long after its end a project may be archived, where `tandem archive` is told nothing else."""
    envelope_key: SecretStr | None = None
    """What the API signs commands with that travel as signals: an Ed25519 seed, base64. Not for the worker."""
    envelope_key_file: Path | None = None
    """A file with that key, instead of `envelope_key`. Without either nothing is signed."""
    envelope_public_keys: str = ""
    """The public halves, with blanks between them, for the worker: a signal that none of them signed is refused."""
    seal_key: SecretStr | None = None
    """What checkpoints are signed with: an Ed25519 seed, 32 bytes in base64 or hex. For the worker alone."""
    seal_key_file: Path | None = None
    """A file with that key, instead of `seal_key`. Without either nothing is sealed."""
    witness_keys: str = ""
    """Public keys (vkeys) of the witnesses whose cosignatures are kept, with blanks between them."""
    anchor_file: Path | None = None
    """Every checkpoint is appended to this file too."""
    anchor_url: SecretStr | None = None
    """Every checkpoint is posted to this address too."""
    anchor_mail: SecretStr | None = None
    """The newest checkpoint is mailed: smtp://user:password@host:25/?from=…&to=…, or smtps://."""
    anchor_mail_hours: float = Field(default=1.0, ge=0, le=720)
    """Hours between two of these mails, at least."""
    build_id: str | None = None
    """With a build id the worker takes part in Temporal worker versioning (pinned)."""
    templates: Path = Path(__file__).parent / "domain" / "templates"
    instance: str = ""
    """Name of this installation, shown in /version: a launcher checks that what answers is its own."""

    @property
    def vault_dsn(self) -> str:
        """The vault's database."""
        return (self.vault_url or self.database_url).get_secret_value()

    @property
    def webhook_secret_key(self) -> str | None:
        """The key itself; None where none is set."""
        return self.webhook_key.get_secret_value() if self.webhook_key else None


@dataclass(frozen=True)
class Fault:
    """What is wrong with a setting, and what to do about it."""

    setting: str
    """Its environment variable."""
    words: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.words} {self.next_step}"


def faults(settings: Settings, program: Program = "server") -> list[Fault]:
    """Why the program must not run with these settings; [] where it may."""
    if settings.mode == "development":
        return [*_reachable(settings), *_gullible(settings), *_unknown(settings)]
    insecure = [*_insecure(settings, program), *_gullible(settings), *_unknown(settings)]
    return [*insecure, *_keyless(settings, program), *_legible(settings)]


def checked(program: Program) -> Settings:
    """The settings, with logging set up. Ends with code 2 and every fault in words where the program must not run."""
    try:
        settings = Settings()
    except ValidationError as error:
        for wrong in error.errors(include_input=False, include_url=False):
            print(f"TANDEM_{'_'.join(map(str, wrong['loc'])).upper()}: {wrong['msg']}.", file=sys.stderr)
        raise SystemExit(2) from None
    configure_logging(settings)
    if found := faults(settings, program):
        for fault in found:
            print(fault, file=sys.stderr)
        raise SystemExit(2)
    return settings


def _reachable(settings: Settings) -> Iterator[Fault]:
    """In development whoever says a name has it: nobody else may get there."""
    why = "with TANDEM_MODE=development whoever names a person is believed, so nobody but this machine may get there."
    step = "Set TANDEM_MODE=production, or keep to 127.0.0.1."
    if not is_loopback(settings.host):
        yield Fault("TANDEM_HOST", f"{settings.host} can be reached by others; {why}", step)
    if settings.public_url and not is_loopback(urlsplit(settings.public_url).hostname or ""):
        yield Fault("TANDEM_PUBLIC_URL", f"{settings.public_url} leads here from elsewhere; {why}", step)


def _gullible(settings: Settings) -> Iterator[Fault]:
    """Whoever is believed about addresses must be known by theirs."""
    for name in filter(None, (part.strip() for part in settings.trusted_proxies.split(","))):
        try:
            ip_network(name)
        except ValueError:
            step = "Name the proxies, such as 10.0.0.5 or 10.0.0.0/24."
            yield Fault("TANDEM_TRUSTED_PROXIES", f"{name} is neither an address nor a network.", step)


def _insecure(settings: Settings, program: Program) -> Iterator[Fault]:
    if program == "server" and not settings.public_url and not is_loopback(settings.host):
        words = "others can reach this server, and nobody has said how: sessions might travel in the clear."
        yield Fault("TANDEM_PUBLIC_URL", words, "Name the https:// address of the proxy with TLS in front of it.")
    address = urlsplit(settings.public_url)
    if settings.public_url and address.scheme != "https" and not is_loopback(address.hostname or ""):
        words = f"{settings.public_url} is not https: passwords and sessions would travel in the clear."
        yield Fault("TANDEM_PUBLIC_URL", words, "Put a proxy with TLS in front, and name its https:// address.")


def _keyless(settings: Settings, program: Program) -> Iterator[Fault]:
    if settings.vault_key is None and settings.vault_key_file is None:
        words = "there is no master key: whatever speaks of people would be refused."
        yield Fault("TANDEM_VAULT_KEY_FILE", words, "Make one: openssl rand -hex 32 > vault.key; chmod 600 vault.key.")
    if program == "server" and settings.envelope_key is None and settings.envelope_key_file is None:
        words = "there is no key for envelopes: nobody could tell a signal of ours from a forged one."
        step = "Make one: openssl rand -base64 32 > envelope.key; chmod 600 envelope.key."
        yield Fault("TANDEM_ENVELOPE_KEY_FILE", words, step)


def _unknown(settings: Settings) -> Iterator[Fault]:
    """Whoever answers for the OpenID provider says who people are: it has to be the provider that answers."""
    if not settings.oidc_issuer:
        return
    try:
        address = urlsplit(settings.oidc_issuer)
        safe = address.scheme == "https" or (address.scheme == "http" and is_loopback(address.hostname or ""))
    except ValueError:
        safe = False
    if not safe:
        words = f"{settings.oidc_issuer} is not https: anybody on the way could say who people are."
        yield Fault("TANDEM_OIDC_ISSUER", words, "Name the provider's https:// address.")
    if not settings.oidc_client_id:
        words = "without it the provider does not know who asks."
        yield Fault("TANDEM_OIDC_CLIENT_ID", words, "Register this installation at the provider, and set it.")


def _legible(settings: Settings) -> Iterator[Fault]:
    """Keys are for the account that runs the program."""
    for name in ("vault_key_file", "envelope_key_file", "seal_key_file", "oidc_client_secret_file"):
        file: Path | None = getattr(settings, name)
        if file is None:
            continue
        variable = f"TANDEM_{name.upper()}"
        if not os.access(file, os.R_OK):
            yield Fault(variable, f"{file} cannot be read.", "Name a file that this account can read.")
        elif file.stat().st_mode & stat.S_IRWXO:
            yield Fault(variable, f"{file} can be read by every account of this machine.", f"chmod o= {file}.")


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, which no other gets to."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def office_hours(folder: Path) -> CalendarPolicy:
    """When the organisation works, for what belongs to no project: by the standard template, else by the first one.

    Raises ValueError where there is none.
    """
    templates = load_templates(folder)
    if not templates:
        raise ValueError(f"{folder} holds no process template")
    return templates.get("standard", templates[min(templates)]).calendar


def load_templates(folder: Path) -> dict[str, Policy]:
    """The process templates in a folder, by name. Raises ValueError where one is not valid."""
    policies = [Policy.model_validate_json(file.read_bytes()) for file in sorted(folder.glob("*.json"))]
    return {policy.template: policy for policy in policies}


def configure_logging(settings: Settings) -> None:
    """One line an entry on stderr, for people or as JSON; the standard library's loggers included."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
