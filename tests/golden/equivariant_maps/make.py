"""Numbers of invariant tensors from emlp, the library of arXiv 2104.09459; emlp is no dependency of the package.

In an environment of its own::

    python -m venv emlp && emlp/bin/pip install 'jax==0.10.2' scipy scikit-learn tqdm matplotlib optax 'plum-dispatch<2'
    emlp/bin/pip install --no-deps emlp==1.0.3
    emlp/bin/python tests/golden/equivariant_maps/make.py

writes ``emlp.json`` beside this file: for each group, with the generators that emlp has for it, and each type T(p, q)
of tensors the dimension of the space of those that no element moves.
"""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jax

RANKS = {
    "O(3)": 4,
    "SO(3)": 4,
    "O(5)": 3,
    "SO(5)": 3,
    "O(1,3)": 3,
    "SO(1,3)": 3,
    "SO+(1,3)": 3,
    "O(2)_z": 4,
    "SO(2)_z": 4,
    "D2_z": 4,
    "D6_z": 4,
}
"""Largest number of indices."""


def load() -> tuple[Any, Any]:
    """Returns emlp's groups and representations; its ``__init__`` imports networks, for which much more is needed."""
    spec = importlib.util.find_spec("emlp")
    assert spec is not None and spec.submodule_search_locations is not None
    package = ModuleType("emlp")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["emlp"] = package
    reps = importlib.import_module("emlp.reps")
    package.reps = reps  # type: ignore[attr-defined]
    return importlib.import_module("emlp.groups"), reps


def main() -> None:
    """Computes and writes the numbers."""
    # Singular values below 1e-5 count as zero there, which is close to the rounding of single precision.
    jax.config.update("jax_enable_x64", True)
    groups, reps = load()
    made = {
        "O(3)": groups.O(3), "SO(3)": groups.SO(3), "O(5)": groups.O(5), "SO(5)": groups.SO(5),
        "O(1,3)": groups.O13(), "SO(1,3)": groups.SO13(), "SO+(1,3)": groups.SO13p(),
        "O(2)_z": groups.O2eR3(), "SO(2)_z": groups.SO2eR3(), "D2_z": groups.DkeR3(2), "D6_z": groups.DkeR3(6),
    }  # fmt: skip
    # What emlp has computed it finds again by the group's name in words, which must then be the group's own.
    assert len({repr(group) for group in made.values()}) == len(made)
    found: dict[str, dict[str, int]] = {}
    for name, group in made.items():
        for rank in range(1, RANKS[name] + 1):
            for lower in range(rank + 1):
                basis = reps.T(rank - lower, lower)(group).equivariant_basis()
                found.setdefault(name, {})[f"{rank - lower},{lower}"] = int(basis.shape[1])
    text = json.dumps({"emlp": "1.0.3", "invariant_tensors": found}, indent=1)
    (Path(__file__).parent / "emlp.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
