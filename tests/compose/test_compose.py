"""What docker-compose.yml and the Dockerfile promise, checked without a Docker engine."""

import ast
import hashlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]

from config import Settings, faults

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("tandem:")}
ENVIRONMENTS = [(name, key, value) for name in SERVICES for key, value in SERVICES[name]["environment"].items()]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")

REFERENCE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
SECRET = re.compile(r"PASSWORD|PWD|SECRET|TOKEN|PRIVATE", re.IGNORECASE)
PUBLISHED = {"API_PUBLISH", "TEMPORAL_UI_PUBLISH"}
OPTIONAL = {
    "TRUSTED_PROXIES",
    "SCIM_ROLES",
    "ENVELOPE_PUBLIC_KEYS",
    "SMTP_URL",
    "MAIL_FROM",
    "CHAT_ROOMS",
}
"""What nobody needs to say: without it something is refused or not believed."""
PINNED = re.compile(r"[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)*")
ALLOWED = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}


def texts(node: Any) -> Iterator[str]:
    """Every string below a node of the compose file."""
    if isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)
    elif isinstance(node, str):
        yield node


def references() -> list[tuple[str, str, str]]:
    """Name, operator and text of every `${…}` in the compose file."""
    return [found.groups() for text in texts(COMPOSE) for found in REFERENCE.finditer(text)]  # type: ignore[misc]


def seconds(duration: str) -> int:
    found = re.fullmatch(r"(\d+)s", duration)
    assert found is not None
    return int(found[1])


def one_shot(name: str) -> bool:
    """A job that ends: never restarted, and somebody waits for its success."""
    awaited = [service.get("depends_on", {}).get(name, {}).get("condition") for service in SERVICES.values()]
    return SERVICES[name]["restart"] == "no" and "service_completed_successfully" in awaited


# The file as a whole


def test_it_is_a_compose_file() -> None:
    schema = json.loads((HERE / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(COMPOSE)


def test_the_schema_refuses_what_is_none() -> None:
    schema = json.loads((HERE / "compose-spec.json").read_text(encoding="utf-8"))
    wrong = {**COMPOSE, "services": {"api": {"image": "tandem:0.1.0", "port": ["8400:8400"]}}}
    assert not jsonschema.Draft7Validator(schema).is_valid(wrong)


def test_the_schema_is_the_one_that_the_notice_names() -> None:
    digest = hashlib.sha256((HERE / "compose-spec.json").read_bytes()).hexdigest()
    assert digest in (HERE / "NOTICE.md").read_text(encoding="utf-8")


# Images


def test_every_image_is_pinned() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases
    for image in [*bases, *(service["image"] for service in SERVICES.values())]:
        assert PINNED.fullmatch(image), image


def test_the_deprecated_image_of_temporal_is_not_used() -> None:
    temporal = {service["image"] for service in SERVICES.values() if service["image"].startswith("temporalio/")}
    assert {image.split(":")[0] for image in temporal} == {
        "temporalio/server",
        "temporalio/admin-tools",
        "temporalio/ui",
    }
    assert len({image.split(":")[1] for image in temporal if "/ui:" not in image}) == 1


def test_our_image_carries_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {service["image"] for service in OURS.values()} == {f"tandem:{project['version']}"}
    assert {service["build"] for service in OURS.values()} == {"."}


def test_postgres_18_keeps_its_data_in_the_new_place() -> None:
    assert SERVICES["postgres"]["image"].startswith("postgres:18.")
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert SERVICES["roles"]["image"] == SERVICES["postgres"]["image"]


# Secrets


def test_every_secret_is_required_and_only_addresses_have_a_default() -> None:
    assert {name for name, operator, _ in references() if operator != "?"} == PUBLISHED | OPTIONAL
    for name, operator, text in references():
        if name in OPTIONAL:
            assert text == "", f"{name} has a default"
            continue
        assert text, f"{name} says nothing when it is missing"
        assert operator == "?" or text.startswith("127.0.0.1:")


@pytest.mark.parametrize(("service", "key", "value"), ENVIRONMENTS)
def test_no_password_is_written_down(service: str, key: str, value: str) -> None:
    if SECRET.search(key):
        assert REFERENCE.fullmatch(value), f"{service}: {key}"
    for password in re.findall(r"//\w+:(.*)@", value):
        assert REFERENCE.fullmatch(password), f"{service}: {key}"


def test_the_example_names_every_secret_and_gives_none() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert set(given) == {name for name, operator, _ in references() if operator == "?"}
    assert set(given.values()) == {""}
    assert {line[1:].split("=")[0] for line in lines if re.match(r"#[A-Z_]+=", line)} == PUBLISHED | OPTIONAL


# Doors


def test_only_the_api_and_the_pages_of_temporal_are_published_and_on_loopback() -> None:
    doors = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(doors) == {"api", "temporal-ui"}
    for ports in doors.values():
        (port,) = ports
        assert REFERENCE.sub(lambda found: found[3], port).startswith("127.0.0.1:")


def test_what_stores_facts_has_no_way_out() -> None:
    inside = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    for name in ("postgres", "roles", "migrate", "temporal", "temporal-schema", "temporal-namespace"):
        assert set(SERVICES[name]["networks"]) <= inside, name
    assert "database" not in SERVICES["temporal-ui"]["networks"]
    assert not set(SERVICES["temporal-ui"]["networks"]) & set(SERVICES["postgres"]["networks"])


# Running


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_or_ends(name: str) -> None:
    watched = bool(SERVICES[name].get("healthcheck", {}).get("test"))
    assert watched != one_shot(name)
    assert seconds(SERVICES[name]["stop_grace_period"]) >= 10


@pytest.mark.parametrize("name", SERVICES)
def test_dependencies_wait_for_what_can_come_true(name: str) -> None:
    for dependency, how in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if one_shot(dependency) else "service_healthy"
        assert how["condition"] == expected, dependency


def test_people_can_work_while_temporal_is_away() -> None:
    assert set(SERVICES["api"]["depends_on"]) == {"migrate", "postgres"}


def test_the_worker_can_be_scaled() -> None:
    assert not {"container_name", "hostname", "ports", "volumes"} & set(SERVICES["worker"])
    assert not any("container_name" in service for service in SERVICES.values())


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_locked_down(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["tmpfs"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] not in {"root", "0", "0:0"}
    assert f"USER {service['user']}" in DOCKERFILE
    assert "privileged" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists_and_cannot_be_written(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, *rest = volume.split(":")
        if source.startswith("."):
            assert (ROOT / source).is_file()
            assert rest[-1] == "ro"
        else:
            assert source in COMPOSE["volumes"]


# Settings


def settings_of(name: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for key, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(key, REFERENCE.sub("filled-in", value))
    return Settings(_env_file=None)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_ours_is_a_setting(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in SERVICES[name]["environment"]:
        assert key.removeprefix("TANDEM_").lower() in Settings.model_fields, key
        assert key.startswith("TANDEM_"), key
    assert settings_of(name, monkeypatch).mode == "production"


@pytest.mark.parametrize(("name", "program"), [("api", "server"), ("worker", "worker")])
def test_what_has_to_be_filled_in_is_enough_to_start(
    name: str, program: Literal["server", "worker"], monkeypatch: pytest.MonkeyPatch
) -> None:
    def filled_in(found: re.Match[str]) -> str:
        return "" if found[1] in OPTIONAL else "https://x.example" if found[1] == "PUBLIC_URL" else "filled-in"

    for key, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(key, REFERENCE.sub(filled_in, value))
    assert faults(Settings(_env_file=None), program) == []


def test_the_application_and_the_migrations_connect_as_different_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    migration = settings_of("migrate", monkeypatch).migration_url
    assert migration is not None
    assert migration.get_secret_value().startswith("postgresql://tandem_migrator:")
    monkeypatch.delenv("TANDEM_MIGRATION_URL")
    for name in ("api", "worker"):
        settings = settings_of(name, monkeypatch)
        assert settings.migration_url is None
        assert settings.database_url.get_secret_value().startswith("postgresql://tandem_app:")


def test_the_api_listens_where_it_is_published_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("api", monkeypatch)
    assert settings.host == "0.0.0.0"  # noqa: S104
    assert SERVICES["api"]["ports"][0].endswith(f":{settings.port}")
    assert f"EXPOSE {settings.port}\n" in DOCKERFILE


def test_the_worker_is_given_time_to_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("worker", monkeypatch)
    assert settings.graceful_seconds < seconds(SERVICES["worker"]["stop_grace_period"]) / 2


def test_engine_api_and_worker_mean_the_same_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SERVICES["temporal-namespace"]["environment"]
    for name in ("api", "worker"):
        settings = settings_of(name, monkeypatch)
        assert settings.temporal_namespace == made["TEMPORAL_NAMESPACE"]
        assert settings.temporal_address == made["TEMPORAL_ADDRESS"]


def test_search_attributes_of_the_workflows_are_registered() -> None:
    pairs = SERVICES["temporal-namespace"]["environment"]["SEARCH_ATTRIBUTES"].split()
    registered = {name: kind.lower() for name, kind in (pair.split("=") for pair in pairs)}
    declared = re.compile(r"""SearchAttributeKey\.for_(\w+)\(\s*["'](\w+)["']""")
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "workflows").glob("*.py")]
    used = {name: kind.replace("_", "") for text in sources for kind, name in declared.findall(text)}
    assert registered == used
    assert 0 < len(used) <= 6


# The image


def in_image(path: str) -> bool:
    return path in ALLOWED or any(path.startswith(f"{folder}/") for folder in ALLOWED)


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", OURS)
def test_the_command_runs_bare(name: str) -> None:
    program, option, module, *arguments = OURS[name]["command"]
    assert (program, option) == ("python", "-m")
    assert in_image(f"{module}.py")
    found = run("-c", f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)")
    assert found.returncode == 0, f"there is no {module}.py"
    # Importing an entry point starts nothing; a command with a verb explains itself.
    tried = run("-m", module, *arguments, "--help") if arguments else run("-c", f"import {module}")
    assert tried.returncode == 0, tried.stderr


@pytest.mark.parametrize("name", [name for name in OURS if "test" in OURS[name]["healthcheck"]])
def test_the_check_is_in_the_image(name: str) -> None:
    kind, program, script = OURS[name]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    assert (ROOT / script).is_file()
    assert in_image(script)


def test_the_image_checks_the_api_and_starts_it() -> None:
    api = json.loads(re.findall(r"^\s+CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[0])
    assert ["CMD", *api] == SERVICES["api"]["healthcheck"]["test"]
    assert json.loads(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[0]) == SERVICES["api"]["command"]


def test_dependencies_come_from_the_lock_with_their_hashes() -> None:
    instructions = [
        shlex.split(step)
        for step in re.split(r"&&|\n(?=[A-Z]+ )", DOCKERFILE.replace("\\\n", " "))
        if "pip download" in step or "pip install" in step
    ]
    assert len(instructions) == 2
    download, install = instructions
    assert {"--require-hashes", "--no-deps", "requirements.lock"} <= set(download)
    assert "--no-index" in install


def first_party(source: Path) -> set[str]:
    """Names that a file imports, wherever in it."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names}


def test_the_image_holds_everything_that_it_imports() -> None:
    ours = {path.stem if path.suffix == ".py" else path.name for path in ROOT.iterdir()}
    shipped = [path for entry in ALLOWED for path in (ROOT / entry).rglob("*.py")]
    shipped += [ROOT / entry for entry in ALLOWED if entry.endswith(".py") and (ROOT / entry).exists()]
    assert ROOT / "config.py" in shipped
    for source in shipped:
        for name in first_party(source) & ours:
            assert in_image(name) or in_image(f"{name}.py"), f"{source.name} imports {name}"


def test_the_image_holds_the_files_that_are_no_code() -> None:
    assert list((ROOT / "store" / "migrations").glob("*.sql"))
    assert in_image("store/migrations")
    assert in_image("domain/templates")
    for kept_out in (".env", ".git", "tests", "benchmarks", "docs", ".venv"):
        assert not in_image(kept_out), kept_out
