"""Webhooks and consumers on the command line."""

from typing import Annotated, Any

import typer

from dev.verbs.asked import (
    JsonOption,
    LimitOption,
    TokenOption,
    UrlOption,
    api,
    asking,
    print_json,
    print_lines,
    print_table,
    segment,
)

webhook = typer.Typer(help="Endpoints that are sent events.", no_args_is_help=True)
consumer = typer.Typer(help="Programs that ask for events.", no_args_is_help=True)
IdArgument = Annotated[str, typer.Argument(metavar="ID")]
KeyOption = Annotated[str | None, typer.Option(help="Idempotency key: the same key counts once.")]


@webhook.command("list")
def list_webhooks(as_json: JsonOption = False, url: UrlOption = None, token: TokenOption = "") -> None:
    """Your endpoints: whether they are enabled, and how far behind."""
    with asking(as_json):
        items = api(url, token).get("/v1/webhooks")["items"]
    rows = [[item["id"], _condition(item), str(item["lag"]), str(item["behind"]), item["url"]] for item in items]
    print_table(items, ["ID", "STATE", "LAG", "BEHIND", "URL"], rows, as_json)


@webhook.command("add")
def add_webhook(
    target: Annotated[str, typer.Argument(metavar="URL", help="Where events are posted to.")],
    types: Annotated[list[str] | None, typer.Option("--type", help="Only events of this type.")] = None,
    projects: Annotated[list[str] | None, typer.Option("--project", help="Only of this project.")] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    key: KeyOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Have events posted to a URL. The secret is printed once, on stdout."""
    body = {"url": target, "description": description, "types": types or None, "projects": projects or None}
    made = _posted("/v1/webhooks", body, key, as_json, url, token)
    if as_json:
        print_json(made)
        return
    typer.echo(f"Webhook {made['id']} is there. Its secret is shown this once:", err=True)
    print(made.get("secret", ""))


@webhook.command("test")
def send_test(
    webhook_id: IdArgument,
    key: KeyOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Send an event that tells of nothing; `webhook log` shows what came of it."""
    _queued(_posted(_path(webhook_id, "test"), {}, key, as_json, url, token), as_json)


@webhook.command("resend")
def resend(
    webhook_id: IdArgument,
    event: Annotated[str | None, typer.Option(help="One event, by its id.")] = None,
    first: Annotated[int | None, typer.Option("--from", min=0, help="From this position.")] = None,
    last: Annotated[int | None, typer.Option("--to", min=0, help="Up to this position.")] = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """Send events again, delivered or not: one, or those between two positions."""
    body = {"event": event, "first": first, "last": last}
    _queued(_posted(_path(webhook_id, "resend"), body, None, as_json, url, token), as_json)


@webhook.command("log")
def show_log(
    webhook_id: IdArgument,
    event: Annotated[str | None, typer.Option(help="Only of this event.")] = None,
    state: Annotated[str | None, typer.Option(help="delivered, retrying or failed.")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    url: UrlOption = None,
    token: TokenOption = "",
) -> None:
    """What became of each attempt, the latest first."""
    with asking(as_json):
        path = _path(webhook_id, "deliveries")
        items = list(api(url, token).items(path, cursor="cursor", limit=limit, event=event, state=state))
    rows = [
        [item["at"], item["state"], str(item["status"] or "–"), f"{item['latency_ms']} ms", item["type"], item["event"]]
        for item in items
    ]
    print_table(items, ["AT", "STATE", "STATUS", "TOOK", "TYPE", "EVENT"], rows, as_json)


@consumer.command("list")
def list_consumers(as_json: JsonOption = False, url: UrlOption = None, token: TokenOption = "") -> None:
    """Your consumers and how far behind they are."""
    with asking(as_json):
        items = api(url, token).get("/v1/consumers")["items"]
    rows = [[item["name"], str(item["checkpoint"]), str(item["lag"]), item["leased_until"] or "–"] for item in items]
    print_table(items, ["NAME", "CHECKPOINT", "LAG", "LEASED UNTIL"], rows, as_json)


def _path(webhook_id: str, rest: str) -> str:
    return f"/v1/webhooks/{segment(webhook_id)}/{rest}"


def _posted(path: str, body: dict[str, Any], key: str | None, as_json: bool, url: str | None, token: str) -> Any:
    with asking(as_json):
        return api(url, token).command(path, body, key, None)


def _condition(item: dict[str, Any]) -> str:
    if not item["enabled"]:
        return "disabled"
    return "paused" if item["paused_until"] else "enabled"


def _queued(answer: Any, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        print_lines(answer["events"])
