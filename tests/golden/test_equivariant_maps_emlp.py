"""Numbers of invariant tensors against emlp, the library of arXiv 2104.09459, with that library's own generators.

``tests/golden/equivariant_maps/make.py`` says how the values were made.
"""

import json
from pathlib import Path

import pytest

from emergent.groups.equivariant_maps import invariant_tensors

PATH = Path(__file__).parent / "equivariant_maps" / "emlp.json"
GOLDEN: dict[str, dict[str, int]] = json.loads(PATH.read_text(encoding="utf-8"))["invariant_tensors"]


def largest_rank(group: str) -> int:
    return max(sum(map(int, key.split(","))) for key in GOLDEN[group])


@pytest.mark.parametrize("group", GOLDEN)
def test_as_many_invariant_tensors_as_emlp_finds(group: str) -> None:
    found = {key: invariant_tensors(group, *map(int, key.split(","))).shape[1] for key in GOLDEN[group]}
    assert found == GOLDEN[group]


def test_values_cover_the_groups_of_the_experiments() -> None:
    assert {group: largest_rank(group) for group in GOLDEN} == {
        **dict.fromkeys(("O(3)", "SO(3)", "O(2)_z", "SO(2)_z", "D2_z", "D6_z"), 4),
        **dict.fromkeys(("O(5)", "SO(5)", "O(1,3)", "SO(1,3)", "SO+(1,3)"), 3),
    }
    # They tell groups from each other: no solver that left out a generator would find all of them.
    assert len({tuple(GOLDEN[group].values()) for group in ("O(3)", "SO(3)", "O(2)_z", "SO(2)_z", "D2_z")}) == 5
