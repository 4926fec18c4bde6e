"""Time of infinite-ensemble prediction on an augmented training set: plain, block-diagonal, and neural_tangents.

Plain builds the |G| N x |G| N kernel matrix and diagonalises it; the block-diagonal way computes |G| N x N kernels
(half of them) and one eigendecomposition for each irreducible representation; neural_tangents' own
``gradient_descent_mse_ensemble`` is the peer. All run in this process, after one warm-up for compilation, and predict
mean and covariance at the same test points; the last two columns are for the mean alone, whose invariant targets
leave an N x N problem. The peer's larger deviation is its rounding of the ReLU angle of an input with itself. Groups
act by the regular representation on vectors of |G| equal parts, exact for every group.

    python benchmarks/symmetric_gram.py --groups C4 C8 D4 --samples 256 512
"""

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np

from emergent.kernels.architectures import mlp_kernel
from emergent.kernels.gram import cross_gram, gram
from emergent.kernels.neural_tangents import gradient_descent_mse_ensemble, stax
from emergent.point_groups import FiniteGroup, group_from_name
from emergent.prediction.gradient_flow import Schedule, covariance, diagonalise, mean
from emergent.prediction.regression import EnsemblePrediction, fit_infinite_ensemble

Result = TypeVar("Result")
NUM_TEST, NUM_OUTPUTS, NUM_PARTS, TILE = 64, 10, 32, 128


def regular_orbits(group: FiniteGroup, num: int, seed: int) -> np.ndarray:
    """Returns random vectors [G, num, D] with all copies under the regular representation."""
    base = np.random.default_rng(seed).normal(size=(num, NUM_PARTS, group.order))
    # (g.f)(h) = f(g^-1 h)
    copies = base[:, :, group.product[group.inverse]]
    return np.ascontiguousarray(np.moveaxis(copies, 2, 0)).reshape(group.order, num, -1)


def timed(function: Callable[[], Result]) -> tuple[Result, float]:
    """Returns the result and seconds of a second call."""
    function()
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def compare(name: str, num: int) -> str:
    """Returns one line of the table: times in seconds, ratios, and largest deviation of mean and covariance."""
    group = group_from_name(name)
    orbits, test = regular_orbits(group, num, 0), regular_orbits(group, NUM_TEST, 1)[0]
    train = orbits.reshape(group.order * num, -1)
    labels = np.random.default_rng(2).normal(size=(num, NUM_OUTPUTS))
    targets = np.broadcast_to(labels, (group.order, num, NUM_OUTPUTS))
    kernel_function, schedule = mlp_kernel(1), Schedule(1.0, 1e4)
    theirs = stax.serial(stax.Dense(1), stax.Relu(), stax.Dense(1))[2]

    def plain() -> EnsemblePrediction:
        whole, cross = gram(kernel_function, train, TILE), cross_gram(kernel_function, test, train, TILE)
        prior = gram(kernel_function, test, TILE).nngp
        spectrum = diagonalise(whole.ntk)
        return EnsemblePrediction(
            mean(spectrum, cross.ntk, targets.reshape(-1, NUM_OUTPUTS), schedule),
            covariance(spectrum, whole.nngp, cross.nngp, prior, cross.ntk, schedule),
        )

    def symmetric() -> EnsemblePrediction:
        return fit_infinite_ensemble(kernel_function, group, orbits, targets, tile_size=TILE).predict(test, schedule)

    def peer() -> EnsemblePrediction:
        # Their loss is a mean over output channels as well.
        predict = gradient_descent_mse_ensemble(
            jax.jit(theirs, static_argnums=2), train, targets.reshape(-1, NUM_OUTPUTS), NUM_OUTPUTS, diag_reg=0.0
        )
        result = predict(t=schedule.time, x_test=test, get="ntk", compute_cov=True)
        return EnsemblePrediction(np.asarray(result.mean), np.asarray(result.covariance))

    def plain_mean() -> np.ndarray:
        whole, cross = gram(kernel_function, train, TILE), cross_gram(kernel_function, test, train, TILE)
        return mean(diagonalise(whole.ntk), cross.ntk, targets.reshape(-1, NUM_OUTPUTS), schedule)

    def symmetric_mean() -> np.ndarray:
        ensemble = fit_infinite_ensemble(kernel_function, group, orbits, targets, tile_size=TILE, mean_only=True)
        return ensemble.predict_mean(test, schedule)

    (expected, plain_time), (result, symmetric_time), (other, peer_time) = timed(plain), timed(symmetric), timed(peer)
    deviations = [
        max(np.abs(p.mean - expected.mean).max(), np.abs(p.covariance - expected.covariance).max())
        for p in (result, other)
    ]
    (expected_mean, mean_time), (reduced_mean, reduced_time) = timed(plain_mean), timed(symmetric_mean)
    ratios = plain_time / symmetric_time, peer_time / symmetric_time
    mean_deviation = np.abs(reduced_mean - expected_mean).max()
    return (
        f"{name:>5} {num:5d} {len(train):6d} {plain_time:9.3f} {symmetric_time:9.3f} {peer_time:9.3f} "
        f"{ratios[0]:10.1f} {ratios[1]:10.1f} {deviations[0]:10.1e} {deviations[1]:10.1e} "
        f"{mean_time / reduced_time:10.1f} {mean_deviation:10.1e}"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", nargs="+", required=True)
    parser.add_argument("--samples", nargs="+", type=int, required=True)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    header = (
        "group",
        "N",
        "|G| N",
        "plain",
        "symmetric",
        "peer",
        "plain",
        "peer",
        "symmetric",
        "peer",
        "ratio",
        "dev.",
    )
    print(f"{'':18}{'seconds':>30}{'ratio to symmetric':>22}{'deviation from plain':>22}{'mean alone':>22}")
    print("{:>5} {:>5} {:>6} {:>9} {:>9} {:>9} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}".format(*header))
    for name in arguments.groups:
        for num in arguments.samples:
            print(compare(name, num), flush=True)


if __name__ == "__main__":
    main()
