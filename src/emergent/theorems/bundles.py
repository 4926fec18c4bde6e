"""Equivariant maps between sections of homogeneous bundles, counted and written as convolutions.

In: the stage of an arm. Out: over a finite group, for every pair of bundles, the dimension of the equivariant maps,
Mackey's count, and how far each map is from the convolution with its kernel; over the sphere, squared norms of the
kernels of operators that multiply degrees, by quadrature and in closed form.

References:
    J. Aronsson, Homogeneous vector bundles and G-equivariant convolutional neural networks, arXiv 2105.05400.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
from jaxtyping import Float
from numpy.polynomial import legendre

from emergent.config.bundles import BundleStage, FiniteTask, Multiplier, SphereTask
from emergent.storage import Array
from emergent.theorems.induced import (
    Bundle,
    closure,
    convolution,
    equivariant_maps,
    kernel,
    kernel_defect,
    mackey_count,
)


def multipliers(name: Multiplier, task: SphereTask, largest: int) -> Float[np.ndarray, " L"]:
    """Returns the factors of degrees 0 to ``largest`` of an operator."""
    degrees = np.arange(largest + 1.0)
    match name:
        case "identity":
            return np.ones(largest + 1)
        case "band_limited":
            return (degrees <= task.band_limit).astype(float)
        case "inverse":
            return 1 / (degrees + 1)
        case "inverse_power":
            return (degrees + 1) ** -1.5
        case "heat":
            return np.exp(-task.time * degrees * (degrees + 1))


def norm_by_quadrature(factors: Float[np.ndarray, " L"]) -> float:
    """Returns the integral over the sphere of the square of the zonal kernel sum_l (2 l + 1) / (4 pi) a_l P_l.

    Gauss-Legendre with as many nodes as make it exact.
    """
    degrees = np.arange(len(factors))
    nodes, weights = legendre.leggauss(len(factors))
    values = legendre.legval(nodes, (2 * degrees + 1) / (4 * np.pi) * factors)
    return float(2 * np.pi * weights @ values**2)


def norm_by_degrees(factors: Float[np.ndarray, " L"]) -> float:
    """Returns sum_l (2 l + 1) |a_l|^2 / (4 pi), which is the same."""
    return float((2 * np.arange(len(factors)) + 1) @ factors**2 / (4 * np.pi))


def _finite_arrays(task: FiniteTask, seed: int) -> dict[str, Array]:
    points = len(task.generators[0])
    group = tuple(closure(task.generators, points))
    generators = [tuple(one) for one in task.generators]
    bundles = [Bundle(group, tuple(closure(subgroup, points)), fibre)
               for subgroup in task.subgroups.values() for fibre in task.fibres]  # fmt: skip
    generator, rows = np.random.default_rng(seed), []
    for source, target in product(bundles, bundles):
        maps = equivariant_maps(source, target, generators)
        found = [_apart(source, target, one) for one in maps]
        other = generator.standard_normal((target.size, source.size))
        control = _apart(source, target, other / np.linalg.norm(other))
        apart, defect = np.max(found, axis=0) if found else (0.0, 0.0)
        rows.append([source.size, target.size, len(maps), mackey_count(source, target), apart, defect, control[0]])
    words = {
        "source_size": "dimension of the sections that are mapped",
        "target_size": "dimension of the sections that they are mapped to",
        "dimension": "of the equivariant maps, by the null space of what generators demand",
        "mackey": "count by double cosets",
        "apart": "distance of a map of norm 1 from the convolution with its kernel, largest over a basis",
        "defect": "by how much its kernel misses to be equivariant under both subgroups, largest over a basis",
        "control": "distance from the convolution with its kernel of a random map of norm 1",
    }
    values = np.asarray(rows).T
    return {
        name: Array(column, ("pair",), "1", text) for (name, text), column in zip(words.items(), values, strict=True)
    }


def _apart(source: Bundle, target: Bundle, one: Float[np.ndarray, "n2 n1"]) -> tuple[float, float]:
    kappa = kernel(source, target, one)
    return float(np.linalg.norm(convolution(source, target, kappa) - one)), kernel_defect(source, target, kappa)


def _sphere_arrays(task: SphereTask) -> dict[str, Array]:
    factors = [[multipliers(name, task, limit) for limit in task.band_limits] for name in task.multipliers]
    norms = {"quadrature": norm_by_quadrature, "closed_form": norm_by_degrees}
    words = {"quadrature": "squared norm of the kernel, by quadrature", "closed_form": "the same, by degrees"}
    return {name: Array(np.array([[norm(one) for one in row] for row in factors]), ("multiplier", "band_limit"), "1",
                        words[name]) for name, norm in norms.items()}  # fmt: skip


def bundle_arrays(stage: BundleStage, members: Sequence[int]) -> dict[str, Array]:
    """Returns what one arm finds, as arrays to be stored.

    Args:
        stage: settings of one arm.
        members: a single one, since nothing but the control is drawn.

    Raises:
        ConfigError: a subgroup is none.
    """
    task = stage.task
    found = _finite_arrays(task, stage.seed) if isinstance(task, FiniteTask) else _sphere_arrays(task)
    return {"members": Array(np.asarray(members), ("member",), "1", "index over all repetitions"), **found}
