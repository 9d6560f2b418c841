"""The Merkle tree: published vectors, another implementation as an oracle, every proof of small trees, and mutants."""

from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise

import pymerkle  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.canonical import hash_envelope
from domain.merkle import (
    EMPTY_ROOT,
    BadTree,
    Edge,
    consistency,
    consistency_ranges,
    consistent,
    includes,
    inclusion,
    inclusion_ranges,
    joined,
    leaf,
    nodes,
    nodes_of,
    parent,
    root,
    root_of_inclusion,
    roots_of_consistency,
    widths,
)

ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Roots over the first 1 to 8 entries, as the makers of Certificate Transparency published them."""
LEAVES = [leaf(no.to_bytes(4, "big")) for no in range(70_000)]
SIZES = st.integers(1, 600)


def grow(leaves: list[bytes], *cuts: int) -> Edge:
    """The edge over leaves that came in several parts."""
    edge = Edge()
    for start, stop in pairwise(sorted({0, len(leaves), *(cut % (len(leaves) + 1) for cut in cuts)})):
        edge, _ = edge.grown(leaves[start:stop])
    return edge


@pytest.mark.parametrize("size", range(1, 9))
def test_the_published_roots(size: int) -> None:
    leaves = [leaf(bytes.fromhex(entry)) for entry in ENTRIES[:size]]
    assert root(leaves).hex() == ROOTS[size - 1]
    assert grow(leaves).root().hex() == ROOTS[size - 1]


def test_no_leaves_have_the_hash_of_nothing() -> None:
    assert root([]) == EMPTY_ROOT == Edge().root() == sha256(b"").digest()


def test_an_entry_is_hashed_as_an_envelope_is() -> None:
    assert leaf(b"{}") == hash_envelope(b"{}") != parent(b"", b"{}")


def test_another_implementation_finds_the_same_roots() -> None:
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    for size in range(1, 80):
        oracle.append_entry(size.to_bytes(2, "big"))
        assert oracle.get_root() == root(leaf(no.to_bytes(2, "big")) for no in range(1, size + 1))


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000])
def test_an_edge_knows_the_root_and_gives_full_tiles(size: int) -> None:
    edge, tiles = Edge().grown(LEAVES[:size])
    assert edge.root() == root(LEAVES[:size])
    assert [len(row) for row in edge.rows] == widths(size)
    assert [(tile.level, tile.number) for tile in tiles if tile.level == 0] == [(0, no) for no in range(size // 256)]
    assert len([tile for tile in tiles if tile.level == 1]) == size // 65_536
    for tile in tiles[:3] + tiles[-3:]:
        width = 256 ** (tile.level + 1)
        assert tile.root == root(LEAVES[tile.number * width : (tile.number + 1) * width])


@given(SIZES, st.lists(st.integers(0, 10_000), max_size=4))
def test_how_an_edge_grew_makes_no_difference(size: int, cuts: list[int]) -> None:
    edge = grow(LEAVES[:size], *cuts)
    assert edge == grow(LEAVES[:size]) == Edge.of(size, edge.rows)
    assert edge.root() == root(LEAVES[:size])


def test_tiles_are_the_same_however_the_leaves_came() -> None:
    at_once = Edge().grown(LEAVES[:66_000])[1]
    edge, by_parts = Edge(), []
    for start in range(0, 66_000, 777):
        edge, tiles = edge.grown(LEAVES[start : min(start + 777, 66_000)])
        by_parts += tiles
    assert sorted(by_parts, key=lambda t: (t.level, t.number)) == sorted(at_once, key=lambda t: (t.level, t.number))


@pytest.mark.parametrize("size", [*range(1, 34), 64, 65])
def test_every_proof_of_a_small_tree(size: int) -> None:
    leaves, whole = LEAVES[:size], root(LEAVES[:size])
    for index in range(size):
        path = inclusion(index, size, nodes_of(leaves))
        assert includes(whole, size, index, leaves[index], path)
        assert [other for other in range(size + 2) if includes(whole, size, other, leaves[index], path)] == [index]
    for old in range(size + 1):
        path = consistency(old, size, nodes_of(leaves))
        before = root(leaves[:old])
        assert consistent(old, before, size, whole, path)
        others = [other for other in range(1, size + 2) if consistent(other, before, size, whole, path)]
        assert others == ([old] if old else [])


def oracle_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]) word for word from RFC 6962, 2.1.1."""
    if len(leaves) <= 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*oracle_path(index, leaves[:k]), root(leaves[k:])]
    return [*oracle_path(index - k, leaves[k:]), root(leaves[:k])]


def oracle_subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b) word for word from RFC 6962, 2.1.2."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if old <= k:
        return [*oracle_subproof(old, leaves[:k], whole), root(leaves[k:])]
    return [*oracle_subproof(old - k, leaves[k:], False), root(leaves[:k])]


@given(SIZES, st.data())
def test_proofs_are_those_of_the_standard(size: int, data: st.DataObject) -> None:
    leaves = LEAVES[:size]
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert inclusion(index, size, nodes_of(leaves)) == oracle_path(index, leaves)
    assert consistency(old, size, nodes_of(leaves)) == oracle_subproof(old, leaves, True)


Mutate = Callable[[list[bytes]], list[bytes]]
MUTANTS: list[Mutate] = [
    lambda path: [*path, bytes(32)],
    lambda path: [bytes(32), *path],
    lambda path: path[1:] or [bytes(32)],
    lambda path: path[:-1] or [bytes(32)],
    lambda path: [*path[:-1], path[-1][:31]] if path else [b""],
    lambda path: [*path[:-1], path[-1] + b"\x00"] if path else [b"\x00"],
    lambda path: [*path[:-1], bytes([path[-1][0] ^ 1]) + path[-1][1:]] if path else [bytes(32)],
    lambda path: [*path, *path] if path else [bytes(32)],
]


@given(SIZES, st.sampled_from(MUTANTS), st.data())
def test_no_mutant_of_a_proof_passes(size: int, mutate: Mutate, data: st.DataObject) -> None:
    leaves, whole = LEAVES[:size], root(LEAVES[:size])
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert not includes(whole, size, index, leaves[index], mutate(inclusion(index, size, nodes_of(leaves))))
    path = consistency(old, size, nodes_of(leaves))
    assert not consistent(old, root(leaves[:old]), size, whole, mutate(path))


@given(SIZES.filter(lambda size: size > 1), st.data())
def test_another_root_leaf_or_size_does_not_pass(size: int, data: st.DataObject) -> None:
    leaves, whole = LEAVES[:size], root(LEAVES[:size])
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    path, onward = inclusion(index, size, nodes_of(leaves)), consistency(old, size, nodes_of(leaves))
    before, other = root(leaves[:old]), data.draw(st.binary(min_size=32, max_size=32))
    assert not includes(whole, size, index, other, path)
    assert not includes(other, size, index, leaves[index], path)
    assert not consistent(old, other, size, whole, onward)
    assert not consistent(old, before, size, other, onward)
    assert not consistent(old, whole, size, before, onward)


@given(st.integers(0, 2**64), st.integers(0, 2**64), st.lists(st.binary(max_size=33), max_size=70))
def test_anything_is_told_apart_from_a_proof(one: int, other: int, path: list[bytes]) -> None:
    # Another leaf than the root: of a tree of one leaf the leaf is the root, and needs no path.
    assert not includes(bytes(32), one, other, bytes(31) + b"\1", path)
    assert not consistent(one, bytes(32), other, bytes(31), path)


def test_the_empty_tree_is_continued_by_every_tree_without_a_proof() -> None:
    assert consistent(0, EMPTY_ROOT, 5, root(LEAVES[:5]), [])
    assert consistent(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    assert not consistent(0, EMPTY_ROOT, 0, bytes(32), [])
    assert not consistent(0, EMPTY_ROOT, 5, b"short", [])
    assert not consistent(0, bytes(32), 5, root(LEAVES[:5]), [])
    assert not consistent(0, EMPTY_ROOT, 5, root(LEAVES[:5]), [bytes(32)])


def test_a_tree_of_the_largest_size_has_proofs_of_bounded_length() -> None:
    size = 2**63 - 1
    for index in (0, size // 2, size - 1):
        assert len(inclusion_ranges(index, size)) <= 63
    assert len(consistency_ranges(size // 3, size)) <= 64
    assert all(len(nodes(part)) <= 63 for part in consistency_ranges(size // 3, size))


@pytest.mark.parametrize(
    "call",
    [
        lambda: root([bytes(31)]),
        lambda: root([bytes(33)]),
        lambda: root(["0" * 32]),  # type: ignore[list-item]
        lambda: Edge().grown([b""]),
        lambda: Edge.of(3, [[bytes(32)] * 2]),
        lambda: Edge.of(256, [[bytes(32)] * 256]),
        lambda: Edge.of(1, [[bytes(31)]]),
        lambda: inclusion_ranges(0, 0),
        lambda: inclusion_ranges(5, 5),
        lambda: inclusion_ranges(-1, 5),
        lambda: inclusion_ranges(0, -1),
        lambda: inclusion_ranges(0, 2**63),
        lambda: consistency_ranges(3, 2),
        lambda: consistency_ranges(-1, 2),
        lambda: consistency_ranges(1, 2**63),
        lambda: nodes((1, 5)),
        lambda: joined([]),
        lambda: root_of_inclusion(0, 2, bytes(32), []),
        lambda: root_of_inclusion(0, 2, bytes(31), [bytes(32)]),
        lambda: roots_of_consistency(1, 2, bytes(32), []),
        lambda: widths(-1),
    ],
)
def test_what_fits_no_tree_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(BadTree):
        call()
