"""The Merkle tree of RFC 6962: roots, proofs and their checks, from leaf hashes alone.

Hashes have 32 bytes; sizes count leaves; an index counts from 0. A range of leaves includes its start, not its stop.
A *node* (level, index) is the root of the full subtree over the leaves from index·2^level up to (index + 1)·2^level.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from typing import Self

from domain.canonical import LEAF_PREFIX

HASH_BYTES = 32
NODE_PREFIX = b"\x01"
EMPTY_ROOT = sha256(b"").digest()
"""The root of no leaves."""
SIZE_BOUND = 2**63
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
"""Hashes in a full tile."""

Range = tuple[int, int]
Node = tuple[int, int]


class BadTree(ValueError):
    """Sizes, indices or hashes that fit no tree; the text says which."""


def leaf(entry: bytes) -> bytes:
    """The hash of one entry: SHA-256(0x00 ‖ entry)."""
    return sha256(LEAF_PREFIX + entry).digest()


def parent(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two others: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(NODE_PREFIX + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes in order; of none, the hash of nothing. Raises BadTree for a hash of another length."""
    row = list(_hashes(leaves))
    while len(row) > 1:
        paired = [parent(left, right) for left, right in zip(row[::2], row[1::2], strict=False)]
        row = paired + row[len(row) & ~1 :]
    return row[0] if row else EMPTY_ROOT


# Growing


@dataclass(frozen=True, slots=True)
class Tile:
    """256 neighbouring nodes of level 8·`level`, the first with index 256·`number`. Full, so it never changes."""

    level: int
    number: int
    hashes: tuple[bytes, ...]

    @property
    def root(self) -> bytes:
        """The node of level 8·(`level` + 1) over them."""
        return root(self.hashes)


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree, all that is needed to grow it: per level of tiles the nodes that fill no tile yet."""

    size: int = 0
    rows: tuple[tuple[bytes, ...], ...] = ()
    """Row k has nodes of level 8·k, fewer than 256; the last row is not empty."""

    @classmethod
    def of(cls, size: int, rows: Iterable[Sequence[bytes]]) -> Self:
        """From what was kept of a tree of `size` leaves. Raises BadTree where the rows are not those of that size."""
        kept = tuple(tuple(_hashes(row)) for row in rows)
        if [len(row) for row in kept] != widths(size):
            raise BadTree(f"an edge of {size} leaves has rows of {widths(size)} hashes, not {[len(r) for r in kept]}")
        return cls(size, kept)

    def root(self) -> bytes:
        """The root of the whole tree."""
        rest: list[bytes] = []
        for row in self.rows:
            whole = [*row, *rest]
            rest = [root(whole)] if whole else []
        return rest[0] if rest else EMPTY_ROOT

    def grown(self, leaves: Iterable[bytes]) -> tuple[Self, list[Tile]]:
        """The edge with leaves added, and the tiles that became full, in order. Raises BadTree."""
        added = list(_hashes(leaves))
        rows, tiles = [list(row) for row in self.rows], []
        carried, level = added, 0
        while carried:
            if level == len(rows):
                rows.append([])
            first = (self.size >> (TILE_HEIGHT * level)) // TILE_WIDTH
            full = list(_tiles(level, first, rows[level] + carried))
            rows[level] = (rows[level] + carried)[len(full) * TILE_WIDTH :]
            tiles += full
            carried, level = [tile.root for tile in full], level + 1
        return type(self)(self.size + len(added), tuple(tuple(row) for row in rows)), tiles


def widths(size: int) -> list[int]:
    """How many hashes each row of the edge of a tree of `size` leaves has, the leaves' row first."""
    _check_size(size)
    found = []
    while size:
        found.append(size % TILE_WIDTH)
        size //= TILE_WIDTH
    return found


def _tiles(level: int, first: int, row: list[bytes]) -> Iterator[Tile]:
    for number in range(len(row) // TILE_WIDTH):
        start = number * TILE_WIDTH
        yield Tile(level, first + number, tuple(row[start : start + TILE_WIDTH]))


# Making proofs


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose roots prove the leaf at `index` in a tree of `size`, from the leaf up. Raises BadTree."""
    _check_size(size)
    if not 0 <= index < size:
        raise BadTree(f"no leaf {index} in a tree of {size}")
    path: list[Range] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _half(stop - start)
        if index < middle:
            path.append((middle, stop))
            stop = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The ranges whose roots prove that the tree of `new` continues that of `old`. Raises BadTree unless old ≤ new."""
    _check_sizes(old, new)
    if old in (0, new):
        return []
    path: list[Range] = []
    start, stop = 0, new
    while stop != old:
        middle = start + _half(stop - start)
        if old <= middle:
            path.append((middle, stop))
            stop = middle
        else:
            path.append((start, middle))
            start = middle
    # The old tree itself is known to whoever checks; a part of it is not.
    return ([(start, stop)] if start else []) + path[::-1]


def nodes(wanted: Range) -> list[Node]:
    """The full subtrees, from left to right and ever smaller, that make up a range of a proof."""
    start, stop = wanted
    found: list[Node] = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        if start & ((1 << level) - 1):
            raise BadTree(f"the range {wanted} is no part of a tree")
        found.append((level, start >> level))
        start += 1 << level
    return found


def joined(parts: Sequence[bytes]) -> bytes:
    """The root over neighbouring full subtrees, each smaller than the one before. Raises BadTree for none."""
    if not parts:
        raise BadTree("no subtree has no root")
    *before, last = parts
    return reduce(lambda right, left: parent(left, right), reversed(before), last)


def inclusion(index: int, size: int, node: Callable[[int, int], bytes]) -> list[bytes]:
    """The proof that the leaf at `index` is in the tree of `size`, from the leaf's sibling up. Raises BadTree."""
    return _proof(inclusion_ranges(index, size), node)


def consistency(old: int, new: int, node: Callable[[int, int], bytes]) -> list[bytes]:
    """The proof that the tree of `new` leaves continues the tree of `old`. Raises BadTree unless old ≤ new."""
    return _proof(consistency_ranges(old, new), node)


def nodes_of(leaves: Sequence[bytes]) -> Callable[[int, int], bytes]:
    """The nodes of a tree whose leaves are all at hand."""
    return lambda level, index: root(leaves[index << level : (index + 1) << level])


def _proof(ranges: Iterable[Range], node: Callable[[int, int], bytes]) -> list[bytes]:
    return [joined([node(*part) for part in nodes(wanted)]) for wanted in ranges]


# Checking proofs


def root_of_inclusion(index: int, size: int, leaf_hash: bytes, path: Sequence[bytes]) -> bytes:
    """The root that a proof leads to. Raises BadTree where index, size and the number of hashes do not fit together."""
    found = _hash(leaf_hash)
    for (start, _), sibling in _steps(inclusion_ranges(index, size), path):
        found = parent(sibling, found) if start < index else parent(found, sibling)
    return found


def includes(tree_root: bytes, size: int, index: int, leaf_hash: bytes, path: Sequence[bytes]) -> bool:
    """Whether the proof shows the leaf at `index` of the tree. Never raises for what is no proof."""
    try:
        return root_of_inclusion(index, size, leaf_hash, path) == _hash(tree_root)
    except BadTree:
        return False


def roots_of_consistency(old: int, new: int, old_root: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of the old and of the new tree that a proof leads to. Raises BadTree where its parts do not fit."""
    steps = _steps(consistency_ranges(old, new), path)
    before = after = _hash(old_root)
    if steps and steps[0][0][1] == old:
        before = after = steps.pop(0)[1]
    for (start, _), sibling in steps:
        if start < old:
            before, after = parent(sibling, before), parent(sibling, after)
        else:
            after = parent(after, sibling)
    return before, after


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the proof shows that the new tree continues the old one. Never raises for what is no proof.

    The empty tree is continued by every tree, without a proof.
    """
    try:
        before, after = roots_of_consistency(old, new, old_root, path)
        known, claimed = EMPTY_ROOT if old == 0 else before, _hash(new_root)
        return known == old_root and (claimed == after or new > old == 0)
    except BadTree:
        return False


# Bounds


def _half(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def _steps(ranges: list[Range], path: Sequence[bytes]) -> list[tuple[Range, bytes]]:
    if len(path) != len(ranges):
        raise BadTree(f"a proof of {len(ranges)} hashes was needed, not of {len(path)}")
    return list(zip(ranges, _hashes(path), strict=True))


def _hash(found: bytes) -> bytes:
    if not isinstance(found, bytes) or len(found) != HASH_BYTES:
        raise BadTree(f"a hash has {HASH_BYTES} bytes")
    return found


def _hashes(found: Iterable[bytes]) -> Iterator[bytes]:
    return map(_hash, found)


def _check_size(size: int) -> None:
    if not 0 <= size < SIZE_BOUND:
        raise BadTree("a size is from 0 up to 2^63, not included")


def _check_sizes(old: int, new: int) -> None:
    _check_size(new)
    if not 0 <= old <= new:
        raise BadTree(f"a tree of {new} does not continue one of {old}")
