"""Hash trees, held to published ones and to the definition."""

from __future__ import annotations

import hashlib

import pytest

from jitcloud.audit.merkle import Edge, leaf_hash, node_hash

# The leaves and roots with which the reference implementation of RFC 6962 is tested, and others
# since: google/certificate-transparency, cpp/merkletree/merkle_tree_test.cc;
# transparency-dev/merkle, testonly/constants.go.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_roots_are_those_that_were_published(size: int) -> None:
    assert Edge().grown(LEAVES[:size]).root.hex() == ROOTS[size]


def defined(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 defines it in 2.1, by halves."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + defined(leaves[:half]) + defined(leaves[half:])).digest()


def test_roots_are_those_of_the_definition_however_a_tree_was_grown() -> None:
    leaves = [str(number).encode() for number in range(70)]
    for size in range(70):
        whole = Edge().grown(leaves[:size])
        assert (whole.size, whole.root, whole.fits) == (size, defined(leaves[:size]), True)
        for begin in (0, size // 3, size // 2, size):
            assert Edge().grown(leaves[:begin]).grown(leaves[begin:size]) == whole


def test_a_node_never_passes_for_a_leaf() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    assert node_hash(left, right) != leaf_hash(left + right)


def test_an_edge_fits_its_size() -> None:
    roots = Edge().grown(LEAVES[:3]).roots
    assert not Edge(4, roots).fits
    assert not Edge(-1, ()).fits
    assert not Edge(3, roots[:1]).fits
