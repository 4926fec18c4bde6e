"""Time of kernels of networks on the sphere by functions of one rotation, beside two ways to the same numbers.

Networks are (convolution, activation)^L, mean over SO(3), dense head, on ten channels, as for molecules; both kernels
are computed in float64. Beside ours stand, in the same process:

* the mean over the same quadrature of the kernels of fully connected networks of neural-tangents on turned inputs (the
  theorem of arXiv 2406.06504), of filters of all degrees;
* the recursion on pairs of rotations by coefficients in both of them, of filters of the same band limit, as the paper's
  code does it: tables of (4 R^3)^2 numbers a pair of inputs, here through products of matrices.

    python benchmarks/spherical_kernels.py        # about a minute on two cores
"""

import argparse
import os

import jax
import numpy as np
from timing import best

from emergent.groups.rotation_harmonics import (
    degrees,
    num_rotation_coefficients,
    rotation_basis,
    rotation_degrees,
    rotation_grid,
)
from emergent.kernels.architectures import mlp_kernel
from emergent.kernels.spherical import SphericalKernel

CHANNELS, LAYERS = 10, 2


def turned(inputs: np.ndarray, resolution: int) -> np.ndarray:
    """Returns the copies x -> f(Q x) of inputs for all rotations of the quadrature, [Q N, C, L^2]."""
    limit = int(np.sqrt(inputs.shape[2]))
    basis, result = rotation_basis(resolution, limit), []
    for degree, (own, part) in enumerate(zip(degrees(limit), rotation_degrees(limit), strict=True)):
        size = 2 * degree + 1
        matrices = basis[part].reshape(size, size, -1) / np.sqrt(size)
        result.append(np.einsum("ncm,mkq->qnck", inputs[:, :, own], matrices))
    return np.concatenate(result, 3).reshape(-1, *inputs.shape[1:])


def on_pairs_of_rotations(first: np.ndarray, second: np.ndarray, band_limit: int, resolution: int) -> np.ndarray:
    """Returns both kernels of one pair of inputs by the recursion on pairs of rotations, error function, no head."""
    basis, weights = rotation_basis(resolution, band_limit), rotation_grid(resolution).weights
    weighted, parts = basis * weights, rotation_degrees(band_limit)

    def lifted(f: np.ndarray, g: np.ndarray) -> np.ndarray:
        kernel = np.zeros((len(weights), len(weights)))
        for degree, own in enumerate(degrees(band_limit)):
            size = 2 * degree + 1
            matrices = basis[parts[degree]].reshape(size, size, -1) / np.sqrt(size)
            ours, theirs = (np.einsum("cm,mkq->ckq", values[:, own], matrices) for values in (f, g))
            kernel += ours.reshape(-1, len(weights)).T @ theirs.reshape(-1, len(weights))
        return kernel / (4 * np.pi * CHANNELS)

    def convolved(kernel: np.ndarray) -> np.ndarray:
        coefficients, result = weighted @ kernel @ weighted.T, np.zeros((len(basis), len(basis)))
        for degree, part in enumerate(parts):
            size = 2 * degree + 1
            summed = np.einsum("mknk->mn", coefficients[part, part].reshape(size, size, size, size)) / size
            result[part, part] = np.einsum("mn,pq->mpnq", summed, np.eye(size)).reshape(size**2, size**2)
        return basis.T @ result @ basis

    own, theirs, cross = lifted(first, first), lifted(second, second), lifted(first, second)
    theta = cross
    for layer in range(LAYERS):
        if layer > 0:
            own, theirs, cross, theta = (convolved(kernel) for kernel in (own, theirs, cross, theta))
            theta = cross + theta
        left, right = 1 + 2 * np.diagonal(own)[:, None], 1 + 2 * np.diagonal(theirs)[None]
        theta = theta * (4 / np.pi / np.sqrt(left * right - 4 * cross**2))
        cross = 2 / np.pi * np.arcsin(2 * cross / np.sqrt(left * right))
        own, theirs = (
            2 / np.pi * np.arcsin(2 * kernel / np.sqrt(np.outer(root, root)))
            for kernel, root in ((own, 1 + 2 * np.diagonal(own)), (theirs, 1 + 2 * np.diagonal(theirs)))
        )
    return np.array([weights @ cross @ weights, weights @ theta @ weights])


def line(limit: int, band_limit: int | None, resolution: int, activation: str, cores: int) -> str:
    """Returns a line of the table."""
    inputs = np.random.default_rng(0).normal(size=(64, CHANNELS, limit**2)) * np.sqrt(4 * np.pi) / limit
    kernel = SphericalKernel(LAYERS, activation, 1.0, 0.0, band_limit, resolution, band_limit is None)
    seconds = best(lambda: kernel(inputs, inputs, threads=cores)) / 64**2
    single = best(lambda: kernel(inputs, inputs, threads=1), 1) / 64**2
    few = inputs[:2]
    if band_limit is None:
        flat, copies = mlp_kernel(LAYERS, activation), turned(few, resolution)
        scale = np.sqrt(limit**2 / (4 * np.pi))
        weights = rotation_grid(resolution).weights

        def peer() -> np.ndarray:
            kernels = flat(scale * few, scale * copies)
            return np.stack([np.einsum("iqj,q->ij", np.asarray(k).reshape(2, -1, 2), weights) for k in kernels])

        theirs = best(peer, 2) / 4
        differ = np.abs(np.stack(kernel(few, few)) / peer() - 1).max()
    elif num_rotation_coefficients(band_limit) * resolution**3 < 10**5:
        theirs = best(lambda: on_pairs_of_rotations(few[0], few[1], band_limit, resolution), 1)
        found = on_pairs_of_rotations(few[0], few[1], band_limit, resolution)
        # Both have an error of quadrature, of different quadratures.
        differ = np.abs(np.stack(kernel(few, few))[:, 0, 1] / found - 1).max()
    else:
        theirs = differ = float("nan")
    kept = "all" if band_limit is None else str(band_limit)
    point = seconds / (4 * resolution**3)
    return (
        f"| {limit} | {kept} | {resolution} | {activation} | {seconds * 1e6:.1f} | {point * 1e9:.1f} | "
        f"{theirs * 1e6:.0f} | {theirs / seconds:.0f} | {single / seconds:.2f} | {differ:.0e} |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    print(
        "| L | filters below | resolution | activation | us a pair | ns a point | peer, us | ratio | cores | differ |"
    )
    print("|" + " --- |" * 10)
    with jax.enable_x64(True):
        for limit, resolution in ((3, 4), (6, 6), (6, 8), (8, 8)):
            for activation in ("relu", "erf"):
                print(line(limit, None, resolution, activation, arguments.cores), flush=True)
        for limit, band_limit, resolution in ((6, 2, 4), (6, 3, 6), (6, 3, 8), (6, 6, 8)):
            print(line(limit, band_limit, resolution, "erf", arguments.cores), flush=True)


if __name__ == "__main__":
    main()
