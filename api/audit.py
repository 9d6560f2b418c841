"""What an auditor can check: the checkpoints of the log, its keys, and proofs from them; and what witnesses say."""

from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from activities.seal import Sealed
from api import asking
from api.events import accepts
from api.operation import Operation
from api.parts import parts
from api.plain import moment
from api.problems import Problem, invalid
from api.projects import PRIVATE, Parameters
from api.shapes import Shape
from api.sight import seen_event
from domain.checkpoint import COSIGNATURE, BadNote, Forged, Key, Line, Note, Proof, origin_of, verify
from domain.merkle import BadTree, consistent, includes
from domain.messages import wrong_fields
from store.tree import KeyPeriod, Tree

NOTE = "text/plain"
MOST_SIZE = 2**53
CLOCKS_APART = 300
"""Seconds that a witness's clock may be ahead of ours."""
Size = Annotated[int | None, Field(ge=0, le=MOST_SIZE, description="A number of events. Default: all that are sealed.")]


class Checkpoint(Shape):
    """What the log said of itself when it had so many events."""

    size: int
    root: Annotated[str, Field(description="Root of the Merkle tree (RFC 6962), base64.")]
    at: datetime
    key: Annotated[str, Field(description="The vkey that signed it.")]
    note: Annotated[str, Field(description="The signed note (C2SP), with the witnesses' lines where one is shown.")]


class CheckpointList(Shape):
    """Checkpoints, the smallest first."""

    items: list[Checkpoint]
    next: Annotated[int | None, Field(description="`after` of the next page.")]


class SigningKey(Shape):
    """A key of the log, and the checkpoints that it signed."""

    vkey: str
    since: Annotated[int, Field(description="Size of the first checkpoint that it signed.")]
    until: Annotated[int | None, Field(description="Size of the last one; null while it is in use.")]


class KeyList(Shape):
    """Whose signatures to expect."""

    log: Annotated[str, Field(description="Origin of the checkpoints, and name of the keys.")]
    keys: list[SigningKey]
    witnesses: Annotated[list[str], Field(description="The vkeys of the witnesses known here.")]


class InclusionProof(Shape):
    """That an event is in the log."""

    event_id: str
    position: Annotated[int, Field(description="Index of the leaf.")]
    leaf: Annotated[str, Field(description="SHA-256(0x00 ‖ canonical envelope), base64.")]
    path: Annotated[list[str], Field(description="From the leaf's sibling up, base64.")]
    checkpoint: Checkpoint


class ConsistencyProof(Shape):
    """That the larger tree continues the smaller one. Named `from` and `to` in JSON."""

    model_config = ConfigDict(extra="allow", serialize_by_alias=True)

    old: Annotated[int, Field(alias="from")]
    new: Annotated[int, Field(alias="to")]
    path: Annotated[list[str], Field(description="As in RFC 6962, 2.1.2, base64.")]


class Cosigned(Shape):
    """A witness's signature that is kept."""

    size: int
    witness: str
    added: Annotated[bool, Field(description="False where that witness has signed this checkpoint before.")]


class Cosignature(BaseModel):
    """What a witness says of one checkpoint."""

    model_config = ConfigDict(extra="forbid", strict=True)

    size: Annotated[int, Field(ge=1, le=MOST_SIZE, description="Of the checkpoint.")]
    line: Annotated[str, Field(max_length=1000, description="The cosignature/v1 line, as it stands under the note.")]


class OneParameters(Parameters):
    """Which checkpoint."""

    size: Size = None


class PageParameters(Parameters):
    """Which checkpoints."""

    after: Annotated[int, Field(ge=0, le=MOST_SIZE, description="Only over more events.")] = 0
    limit: Annotated[int, Field(ge=1, le=500, description="How many on a page.")] = 100


class ConsistencyParameters(Parameters):
    """Between which trees."""

    old: Annotated[int, Field(alias="from", ge=0, le=MOST_SIZE, description="Events of the smaller tree.")]
    to: Size = None


_cosignature = TypeAdapter(Cosignature)


async def read_checkpoint(request: Request, asked: Annotated[OneParameters, Query()]) -> Response:
    """The last checkpoint, or the one over `size` events; as a signed note with `Accept: text/plain`."""
    tree = parts(request).tree
    found = await _checkpoint(tree, asked.size)
    note = await _whole_note(tree, found)
    if accepts(request, NOTE):
        return PlainTextResponse(str(note), headers=PRIVATE)
    return _json(_shown(found, str(note)))


async def list_checkpoints(request: Request, asked: Annotated[PageParameters, Query()]) -> Response:
    """Every checkpoint, the smallest first, without the witnesses' lines."""
    found = await parts(request).tree.checkpoints(asked.after, asked.limit + 1)
    shown = [_shown(sealed, sealed.note) for sealed in found[: asked.limit]]
    return _json({"items": shown, "next": found[asked.limit - 1].size if len(found) > asked.limit else None})


async def list_keys(request: Request) -> Response:
    """The log's public keys, with the checkpoints that each has signed, and the witnesses known here."""
    asking.no_query(request)
    behind = parts(request)
    keys = [_key(period) for period in await behind.tree.keys()]
    witnesses = [key.vkey for key in behind.witnesses]
    return _json({"log": origin_of(await behind.tree.log_id()), "keys": keys, "witnesses": witnesses})


async def prove_inclusion(request: Request, event_id: UUID, asked: Annotated[OneParameters, Query()]) -> Response:
    """That the event is under a checkpoint, by default the last one; as a C2SP tlog-proof with `Accept: text/plain`."""
    behind = parts(request)
    fact = await seen_event(request, event_id)
    sealed = await _checkpoint_over(behind.tree, fact.position, asked.size)
    path = await _inclusion(behind.tree, fact.position, sealed, fact.leaf_hash)
    note = await _whole_note(behind.tree, sealed)
    if accepts(request, NOTE):
        return PlainTextResponse(str(Proof(fact.position, tuple(path), note)), headers=PRIVATE)
    shown = {"event_id": str(event_id), "position": fact.position, "leaf": _text(fact.leaf_hash), "path": _texts(path)}
    return _json({**shown, "checkpoint": _shown(sealed, str(note))})


async def prove_consistency(request: Request, asked: Annotated[ConsistencyParameters, Query()]) -> Response:
    """That the log of `to` events continues that of `from` events; both of any size that is sealed."""
    tree = parts(request).tree
    sealed = await tree.sealed_size()
    to = sealed if asked.to is None else asked.to
    if asked.to is not None and asked.old > asked.to:
        raise invalid("/query/from", "At most `to`.")
    if max(asked.old, to) > sealed:
        raise Problem("NotSealedYet", f"So far {sealed} events are sealed.")
    try:
        path = await tree.consistency(asked.old, to)
        roots = await tree.root(asked.old), await tree.root(to)
    except BadTree as broken:
        raise Problem("SealBroken") from broken
    if not consistent(asked.old, roots[0], to, roots[1], path):
        raise Problem("SealBroken")
    return _json({"from": asked.old, "to": to, "path": _texts(path)})


async def cosign(request: Request) -> Response:
    """Keep a witness's signature under a checkpoint: of a witness that is known here, and only if it verifies."""
    asking.no_query(request)
    try:
        wanted = _cosignature.validate_json(await asking.body(request))
        line = Line.parse(wanted.line)
    except ValidationError as error:
        raise Problem("Invalid", errors=wrong_fields(error)) from None
    except BadNote as error:
        raise invalid("/line", str(error)) from None
    behind = parts(request)
    witness = next((key for key in behind.witnesses if line.is_by(key)), None)
    if witness is None:
        raise Problem("UnknownWitness")
    sealed = await _checkpoint(behind.tree, wanted.size)
    _verify(sealed, line, witness, behind.now())
    added = await behind.tree.cosign(sealed.size, witness.vkey, line)
    return _json({"size": sealed.size, "witness": witness.name, "added": added})


def _verify(sealed: Sealed, line: Line, witness: Key, now: datetime) -> None:
    try:
        verify(Note.parse(sealed.note).checkpoint, line, witness)
    except BadNote as broken:
        raise Problem("SealBroken") from broken
    except Forged as forged:
        raise Problem("BadCosignature", str(forged)) from None
    if line.seen_at > now.timestamp() + CLOCKS_APART:
        raise Problem("BadCosignature", "It says to be of a time to come.")


async def _checkpoint(tree: Tree, size: int | None) -> Sealed:
    found = await (tree.latest() if size is None else tree.at(size))
    if found is None:
        raise Problem("NoCheckpoint")
    return found


async def _checkpoint_over(tree: Tree, position: int, size: int | None) -> Sealed:
    """The one asked for, or the last one; it has to be over the position."""
    found = await tree.latest() if size is None else await _checkpoint(tree, size)
    if found is None or found.size <= position:
        raise Problem("NotSealedYet", f"The event is at position {position}, the checkpoint is over fewer events.")
    return found


async def _inclusion(tree: Tree, position: int, sealed: Sealed, leaf: bytes) -> list[bytes]:
    """A proof that holds. Raises Problem where the stored log is not the one that was sealed."""
    try:
        path = await tree.inclusion(position, sealed.size)
    except BadTree as broken:
        raise Problem("SealBroken") from broken
    if not includes(sealed.root, sealed.size, position, leaf, path):
        raise Problem("SealBroken")
    return path


async def _whole_note(tree: Tree, sealed: Sealed) -> Note:
    try:
        return Note.parse(sealed.note).with_lines(await tree.cosignatures(sealed.size))
    except BadNote as broken:
        raise Problem("SealBroken") from broken


def _shown(sealed: Sealed, note: str) -> dict[str, Any]:
    root, at = _text(sealed.root), moment(sealed.at.astimezone(UTC))
    return {"size": sealed.size, "root": root, "at": at, "key": sealed.key, "note": note}


def _key(period: KeyPeriod) -> dict[str, Any]:
    return {"vkey": period.vkey, "since": period.since, "until": period.until}


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()


def _texts(hashes: Iterable[bytes]) -> list[str]:
    return [_text(part) for part in hashes]


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), headers=PRIVATE, media_type="application/json")


def witnesses_of(keys: str) -> tuple[Key, ...]:
    """The witnesses' keys from the setting. Raises ValueError where one is no witness's vkey."""
    found = tuple(Key.parse(vkey) for vkey in keys.split())
    if wrong := [key.name for key in found if key.kind != COSIGNATURE]:
        raise BadNote(f"{', '.join(wrong)}: a witness's key is of type 4")
    return found


PROVING = (401, 404, 409, 422, 503)
TEXT = {NOTE: {"schema": {"type": "string"}}}


def _read(path: str, name: str, answers: Any, shape: type[Shape], **rest: Any) -> Operation:
    return Operation("GET", f"/v1/audit/{path}", name, "audit", answers, shape, **rest)


OPERATIONS = (
    _read("checkpoint", "readCheckpoint", read_checkpoint, Checkpoint, content=TEXT),
    _read("checkpoints", "listCheckpoints", list_checkpoints, CheckpointList, problems=(401, 422, 503)),
    _read("keys", "listKeys", list_keys, KeyList, problems=(401, 422, 503)),
    _read("proofs/{event_id}", "proveInclusion", prove_inclusion, InclusionProof, problems=PROVING, content=TEXT),
    _read("consistency", "proveConsistency", prove_consistency, ConsistencyProof, problems=(401, 409, 422, 503)),
    Operation(
        "POST",
        "/v1/audit/cosignatures",
        "cosign",
        "audit",
        cosign,
        Cosigned,
        problems=(401, 403, 404, 413, 415, 422, 503),
        body=Cosignature,
    ),
)
