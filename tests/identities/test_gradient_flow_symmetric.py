"""Block-diagonal prediction equals the plain one on all |G| N points; equivariance of the infinite ensemble."""

import math

import jax
import numpy as np
import pytest

from emergent.groups.images import image_action, orbit
from emergent.groups.lattices import lattice_action
from emergent.kernels.architectures import cnn_kernel, gcnn_kernel, mlp_kernel
from emergent.kernels.gram import GramMatrices, cross_gram, gram
from emergent.point_groups import group_from_name
from emergent.prediction.gradient_flow import Schedule, covariance, diagonalise, max_learning_rate, mean
from emergent.prediction.regression import fit_infinite_ensemble
from emergent.prediction.symmetric_flow import covariance_symmetric, diagonalise_symmetric, mean_symmetric

TIMES = [0.0, 3.0, 1e3, math.inf]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def random_equivariant_kernels(group, num, seed):
    """Returns kappa [G, N, N], the plain matrix [GN, GN] and test rows [T, G, N] of a random invariant kernel."""
    rng = np.random.default_rng(seed)
    num_test, num_features = 4, 3 * num
    # Features phi(g, i) = P(g) phi(i) of the regular representation make an invariant positive kernel.
    permuted = np.argsort(group.product, axis=1)
    base = rng.normal(size=(num + num_test, num_features, group.order))
    copies = np.stack([base[:, :, permuted[g]] for g in range(group.order)])
    flat = copies[:, :num].reshape(group.order * num, -1)
    whole = flat @ flat.T / flat.shape[1] + 0.1
    kappa = whole.reshape(group.order, num, group.order, num)[0].swapaxes(0, 1)
    test = base[num:].reshape(num_test, -1)
    cross = (test @ flat.T / flat.shape[1] + 0.1).reshape(num_test, group.order, num)
    return GramMatrices(kappa, kappa), whole, cross, test @ test.T / flat.shape[1] + 0.1


@pytest.mark.parametrize("name", ["C1", "C4", "C8", "D1", "D2", "D3", "D4", "tetrahedral", "octahedral"])
def test_random_kernels(name):
    group, num = group_from_name(name), 6
    ntk_orbit, ntk, ntk_cross, _ = random_equivariant_kernels(group, num, 0)
    nngp_orbit, nngp, nngp_cross, nngp_test = random_equivariant_kernels(group, num, 1)
    np.testing.assert_allclose(ntk_orbit.ntk, np.swapaxes(ntk_orbit.ntk[group.inverse], 1, 2), atol=1e-13)
    targets = np.random.default_rng(2).normal(size=(group.order, num, 3))
    plain, blocks = diagonalise(ntk), diagonalise_symmetric(ntk_orbit.ntk, group)
    rate = 0.5 * max_learning_rate(plain)
    assert blocks.max_learning_rate == pytest.approx(2 * rate, rel=1e-12)
    flat_ntk, flat_nngp = ntk_cross.reshape(len(ntk_cross), -1), nngp_cross.reshape(len(nngp_cross), -1)
    for time in TIMES:
        for discrete in (False, True):
            schedule = Schedule(rate, time, discrete)
            expected = mean(plain, flat_ntk, targets.reshape(-1, 3), schedule)
            np.testing.assert_allclose(mean_symmetric(blocks, ntk_cross, targets, schedule), expected, atol=1e-10)
            expected = covariance(plain, nngp, flat_nngp, nngp_test, flat_ntk, schedule)
            result = covariance_symmetric(blocks, nngp_orbit.nngp, nngp_cross, nngp_test, ntk_cross, schedule)
            np.testing.assert_allclose(result, expected, atol=1e-10)


def lattice_orbits(group, num, size, seed):
    inputs = np.random.default_rng(seed).normal(size=(num, size * size))
    return np.moveaxis(inputs[:, lattice_action(group, size)], 1, 0)


@pytest.mark.parametrize("name", ["C4", "D4"])
@pytest.mark.parametrize("spins", [False, True])
def test_mlp_kernel_with_equivariant_targets(name, spins):
    group, kernel_function = group_from_name(name), mlp_kernel(1)
    orbits = lattice_orbits(group, 10, 4, 0)
    if spins:
        # Ordered spins: many copies coincide, the kernel matrix is singular and needs the pseudo-inverse.
        orbits = np.where(orbits > -1.2, 1.0, -1.0)
    targets = orbits**2 + np.tanh(orbits)
    test = lattice_orbits(group, 4, 4, 1).reshape(-1, 16)
    ensemble = fit_infinite_ensemble(kernel_function, group, orbits, targets, tile_size=7)
    train = orbits.reshape(-1, 16)
    whole, cross = gram(kernel_function, train, 16), cross_gram(kernel_function, test, train, 16)
    plain = diagonalise(whole.ntk)
    assert (plain.eigenvalues[0] < plain.cutoff) == spins
    for time in TIMES:
        schedule = Schedule(0.5 * max_learning_rate(plain), time)
        prediction = ensemble.predict(test, schedule)
        np.testing.assert_allclose(ensemble.predict_mean(test, schedule), prediction.mean, atol=1e-14)
        expected = mean(plain, cross.ntk, targets.reshape(-1, 16), schedule)
        np.testing.assert_allclose(prediction.mean, expected, atol=1e-10)
        prior = gram(kernel_function, test, 16).nngp
        expected = covariance(plain, whole.nngp, cross.nngp, prior, cross.ntk, schedule)
        np.testing.assert_allclose(prediction.covariance, expected, atol=1e-10)


@pytest.mark.parametrize("pieces", [1, 3])
def test_predictions_on_orbits_are_the_same_numbers(pieces):
    """In pieces of one or of several samples, the last one not full, with covariances within each orbit only."""
    group, kernel_function = group_from_name("D4"), mlp_kernel(1)
    orbits, samples = lattice_orbits(group, 10, 4, 0), lattice_orbits(group, 4, 4, 1)
    ensemble = fit_infinite_ensemble(kernel_function, group, orbits, orbits**3, tile_size=8 * pieces)
    schedule = Schedule(0.1, 200, discrete=True)
    whole = ensemble.predict(samples.reshape(-1, 16), schedule)
    by_orbit = ensemble.predict_orbits(samples, schedule)
    assert np.abs(whole.mean).max() > 0.1
    np.testing.assert_allclose(by_orbit.mean, whole.mean.reshape(8, 4, 16).swapaxes(0, 1), atol=1e-13)
    blocks = whole.covariance.reshape(8, 4, 8, 4)[:, np.arange(4), :, np.arange(4)]
    np.testing.assert_allclose(by_orbit.covariance, blocks, atol=1e-13)


def test_invariant_targets_need_only_the_trivial_representation():
    group, kernel_function = group_from_name("D4"), mlp_kernel(2)
    orbits = lattice_orbits(group, 8, 4, 0)
    targets = np.broadcast_to(np.random.default_rng(1).normal(size=(8, 2)), (8, 8, 2))
    ensemble = fit_infinite_ensemble(kernel_function, group, orbits, targets)
    trivial = diagonalise_symmetric(ensemble.kernels.ntk, group, trivial_only=True)
    assert trivial.blocks[0].spectrum.eigenvalues.shape == (8,)
    cross = np.moveaxis(ensemble.kernels.ntk, 0, 1)
    for time in TIMES:
        schedule = Schedule(1.0, time)
        expected = mean_symmetric(ensemble.spectrum, cross, targets, schedule)
        np.testing.assert_allclose(mean_symmetric(trivial, cross, targets, schedule), expected, atol=1e-11)
        reduced = fit_infinite_ensemble(kernel_function, group, orbits, targets, mean_only=True)
        np.testing.assert_allclose(reduced.predict_mean(orbits[0], schedule), expected, atol=1e-11)
    with pytest.raises(ValueError, match="invariant targets"):
        fit_infinite_ensemble(kernel_function, group, orbits, orbits, mean_only=True)
    with pytest.raises(ValueError, match="all representations"):
        covariance_symmetric(trivial, ensemble.kernels.nngp, cross, cross[:, 0], cross, Schedule(1.0, 1.0))


@pytest.mark.parametrize("name", ["C4", "D4"])
@pytest.mark.parametrize("architecture", ["mlp", "cnn"])
def test_infinite_ensemble_is_equivariant(name, architecture):
    """Mean and covariance at transformed inputs are the transformed ones, for all times, far from the data too."""
    group = group_from_name(name)
    kernel_function = mlp_kernel(1) if architecture == "mlp" else cnn_kernel([1, 1], "flatten", "relu", 1.4, 0.1)
    images, test = np.random.default_rng(0).normal(size=(2, 6, 4, 4, 1))
    action, index = image_action(group, 4, 4), lattice_action(group, 4)
    orbits = np.asarray(orbit(action, images))
    # Per-site targets, turned with the image.
    targets = np.sin(3 * images.reshape(6, 16))
    ensemble = fit_infinite_ensemble(kernel_function, group, orbits, np.moveaxis(targets[:, index], 1, 0))
    for time in (10.0, math.inf):
        schedule = Schedule(1.0, time)
        reference = ensemble.predict(5 * test, schedule)
        assert np.abs(reference.mean).max() > 1e-2
        for g, copies in enumerate(np.asarray(orbit(action, 5 * test))):
            prediction = ensemble.predict(copies, schedule)
            np.testing.assert_allclose(prediction.mean, reference.mean[:, index[g]], atol=1e-10)
            np.testing.assert_allclose(prediction.covariance, reference.covariance, atol=1e-10)


def test_start_and_end_of_training():
    group = group_from_name("C4")
    orbits = lattice_orbits(group, 9, 4, 0)
    targets = orbits**3
    kernel_function = mlp_kernel(1)
    ensemble = fit_infinite_ensemble(kernel_function, group, orbits, targets)
    train = orbits.reshape(-1, 16)
    start, end = ensemble.predict_many(train, [Schedule(1.0, 0.0), Schedule(1.0, math.inf)])
    np.testing.assert_array_equal(start.mean, 0)
    np.testing.assert_array_equal(start.covariance, gram(kernel_function, train, 256).nngp)
    np.testing.assert_allclose(end.mean, targets.reshape(-1, 16), atol=1e-10)
    np.testing.assert_allclose(end.covariance, 0, atol=1e-10)
    assert start.variance.min() > 0.05


def test_wrong_shapes_and_precision_are_refused():
    group = group_from_name("C4")
    orbits = lattice_orbits(group, 3, 4, 0)
    with pytest.raises(ValueError, match=r"expected orbits \[4, N"):
        fit_infinite_ensemble(mlp_kernel(1), group, orbits[:2], orbits[:2])
    with jax.enable_x64(False), pytest.raises(ValueError, match="float32"):
        fit_infinite_ensemble(mlp_kernel(1), group, orbits, orbits)


@pytest.mark.parametrize("time", [1.0, 1e2, 1e4, math.inf])
def test_augmented_cnn_and_gcnn_have_equal_means_but_not_covariances(time):
    group = group_from_name("C4")
    images, test = np.random.default_rng(0).normal(size=(2, 6, 5, 5, 1))
    labels = np.random.default_rng(1).normal(size=(6, 2))
    cnn = cnn_kernel([1, 1], "mean", "relu", 1.4, 0.1, padding="VALID")
    orbits = np.asarray(orbit(image_action(group, 5, 5), images))
    augmented = fit_infinite_ensemble(cnn, group, orbits, np.broadcast_to(labels, (4, *labels.shape)), tile_size=8)
    trivial = group_from_name("C1")
    gcnn = fit_infinite_ensemble(gcnn_kernel(group, cnn), trivial, images[None], labels[None], tile_size=8)
    # Both losses are means over their training points, so that equal times correspond.
    schedule = Schedule(1.0, time)
    first, second = augmented.predict(test, schedule), gcnn.predict(test, schedule)
    scale = np.abs(first.mean).max()
    assert scale > 1e-3
    np.testing.assert_allclose(first.mean, second.mean, atol=1e-8 * scale)
    assert np.abs(first.covariance - second.covariance).max() > 1e-4
