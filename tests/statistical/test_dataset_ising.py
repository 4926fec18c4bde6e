"""Ising sampling against exact sums over all configurations; tolerances are standard errors, seeds are fixed."""

import itertools

import numpy as np
import pytest

from emergent.config.generators import IsingOptions
from emergent.datasets.heat_bath import sample_spins
from emergent.datasets.ising import site_energies

NUM = 4000


def _sample(size, boundary, beta, num_sweeps, seed=0):
    options = IsingOptions(
        lattice_size=size,
        boundary=boundary,
        beta=beta,
        coupling=1.0,
        label_scale=1.0,
        num_train=1,
        num_test=1,
        num_ood=1,
        distinct=False,
        full_orbits=False,
        num_sweeps=num_sweeps,
        seed=0,
    )
    return sample_spins(options, NUM, np.random.default_rng(seed)).astype(float)


def _exact(size, boundary, betas):
    """Returns mean and variance of sum_i E(i) and the mean of |magnetisation| over all 2^(L*L) configurations."""
    if size == 3:
        spins = np.array(list(itertools.product([-1.0, 1.0], repeat=9))).reshape(-1, 3, 3)
    else:
        bits = np.arange(2 ** (size * size), dtype=np.uint32)[:, None] >> np.arange(size * size, dtype=np.uint32) & 1
        spins = (2.0 * bits - 1.0).reshape(-1, size, size)
    energy = site_energies(spins, boundary).sum(axis=(1, 2))
    weights = np.stack([np.exp(beta * (energy - energy.max()) / 2) for beta in betas])  # each bond is counted twice
    weights = np.mean(weights / weights.sum(axis=1, keepdims=True), axis=0)
    mean = weights @ energy
    return mean, weights @ (energy - mean) ** 2, weights @ np.abs(spins.mean(axis=(1, 2)))


@pytest.mark.parametrize(
    ("size", "boundary", "beta"),
    [(4, "periodic", 0.3), (4, "periodic", 0.44), (4, "open", 0.44), (3, "periodic", 0.2), (3, "open", 0.6)],
)
def test_mean_energy_and_magnetisation_against_enumeration(size, boundary, beta):
    spins = _sample(size, boundary, beta, num_sweeps=60)
    energy = site_energies(spins, boundary).sum(axis=(1, 2))
    mean, variance, magnetisation = _exact(size, boundary, [beta])
    # Independent chains: the standard error is sqrt(variance / NUM); 4 of them.
    assert abs(energy.mean() - mean) < 4 * np.sqrt(variance / NUM)
    found = np.abs(spins.mean(axis=(1, 2)))
    assert abs(found.mean() - magnetisation) < 4 * found.std() / np.sqrt(NUM)
    # The variance of a bounded variable from 4000 samples: within 10 %.
    np.testing.assert_allclose(energy.var(), variance, rtol=0.1)


def test_mixed_temperatures_against_enumeration():
    spins = _sample(3, "periodic", (0.0, 0.5), num_sweeps=60)
    energy = site_energies(spins, "periodic").sum(axis=(1, 2))
    mean, variance, _ = _exact(3, "periodic", np.linspace(0.0, 0.5, 201))
    assert abs(energy.mean() - mean) < 4 * np.sqrt(variance / NUM)


def test_spins_at_infinite_temperature_are_independent():
    spins = _sample(4, "periodic", 0.0, num_sweeps=1).reshape(NUM, 16)
    # 4.5 standard errors for the largest of 16 means and 120 correlations.
    bound = 4.5 / np.sqrt(NUM)
    assert np.abs(spins.mean(axis=0)).max() < bound
    correlation = spins.T @ spins / NUM - np.eye(16)
    assert np.abs(correlation).max() < bound


def test_heat_bath_at_tiny_beta_forgets_nothing_but_the_start():
    # The sweeps themselves, not the shortcut: at beta = 1e-9 they must leave iid spins.
    spins = _sample(4, "periodic", 1e-9, num_sweeps=3).reshape(NUM, 16)
    bound = 4.5 / np.sqrt(NUM)
    assert np.abs(spins.mean(axis=0)).max() < bound
    assert np.abs(spins.T @ spins / NUM - np.eye(16)).max() < bound
