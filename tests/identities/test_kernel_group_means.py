"""Kernels of orbit averages: positive, those of group networks where turns are exact, and the mean over all pairs."""

import jax
import numpy as np
import pytest

from emergent.errors import ConfigError
from emergent.groups.images import image_action, orbit
from emergent.kernels.architectures import cnn_kernel, gcnn_kernel, mlp_kernel
from emergent.kernels.gram import gram
from emergent.kernels.group_means import GroupMeanKernel
from emergent.point_groups import group_from_name

GAINS = ("relu", 1.3, 0.2)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def in_disc(images: np.ndarray) -> np.ndarray:
    """Images that are 0 outside of their inscribed disc."""
    centred = np.arange(images.shape[1]) - (images.shape[1] - 1) / 2
    return images * (np.hypot(centred[:, None], centred[None]) < images.shape[1] / 2 - 1)[None, :, :, None]


def smooth(num: int, size: int, seed: int = 0) -> np.ndarray:
    """Blobs of a few pixels at random places."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    centres = generator.uniform(-size / 4, size / 4, size=(num, 3, 2))
    blobs = np.exp(-((x - centres[..., 0, None, None]) ** 2 + (y - centres[..., 1, None, None]) ** 2) / (size / 5) ** 2)
    return in_disc((generator.normal(size=(num, 3, 1, 1)) * blobs).sum(1)[..., None])


@pytest.mark.parametrize("name", ["C1", "C4", "D2", "D4"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_exact_turns_give_the_kernel_of_the_group_network(name, interpolation):
    images = np.random.default_rng(0).normal(size=(4, 6, 6, 2))
    cnn, group = cnn_kernel([1, 1], "mean", *GAINS), group_from_name(name)
    found = GroupMeanKernel(group, cnn, interpolation)(images[:3], images)
    for ours, theirs in zip(found, gcnn_kernel(group, cnn)(images[:3], images), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "interpolation", "num_calls"),
    [
        ("C8", "bilinear", 16),
        ("C6", "bilinear", 18),
        ("D8", "bilinear", 32),
        ("C3", "bilinear", 9),
        ("C8", "nearest", 64),
    ],
)
def test_it_is_the_mean_over_all_pairs_of_turns(name, interpolation, num_calls):
    first, second = np.random.default_rng(1).normal(size=(2, 2, 6, 6, 1))
    cnn, group, calls = cnn_kernel([2], "mean", *GAINS), group_from_name(name), []

    def counted(ours, theirs):
        calls.append(1)
        return cnn(ours, theirs)

    found = GroupMeanKernel(group, counted, interpolation, fill=0.5)(first, second)
    assert len(calls) == num_calls
    action = image_action(group, 6, 6, interpolation, 0.5)
    pairs = [cnn(ours, theirs) for ours in orbit(action, first) for theirs in orbit(action, second)]
    assert len(pairs) == group.order**2
    for ours, kind in zip(found, ("nngp", "ntk"), strict=True):
        theirs = np.mean([getattr(pair, kind) for pair in pairs], 0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("name", ["C8", "C5", "D6"])
def test_gram_matrices_are_positive(name):
    images = in_disc(np.random.default_rng(2).normal(size=(6, 7, 7, 1)))
    group, cnn = group_from_name(name), cnn_kernel([1, 1], "mean", *GAINS)
    matrices = gram(GroupMeanKernel(group, cnn), images, 4)
    for matrix in matrices:
        values = np.linalg.eigvalsh(matrix)
        assert values[0] > -1e-12 * values[-1]

    # Interpolated turns are no group: one sum over it, as for quarter turns, is not even symmetric.
    def single_sum(ours, theirs):
        return np.mean([cnn(ours, copy).ntk for copy in orbit(image_action(group, 7, 7), theirs)], 0)

    one_sided = single_sum(images, images)
    assert np.abs(one_sided - one_sided.T).max() > 1e-4 * np.abs(one_sided).max()


def test_it_is_invariant_under_quarter_turns_and_nearly_under_others():
    """Of fully connected networks, which mind every turn; what is left is the blur of interpolation."""
    images, turns = smooth(4, 24), image_action(group_from_name("C8"), 24, 24)
    changes = {}
    for name in ("C4", "C8"):
        kernel = GroupMeanKernel(group_from_name(name), mlp_kernel(1, *GAINS))
        expected = np.asarray(kernel(images, images).ntk)
        changed = [np.abs(kernel(copy, images).ntk - expected).max() / expected.max() for copy in orbit(turns, images)]
        assert max(changed[::2]) < 1e-12
        changes[name] = max(changed[1::2])
    assert 1e-6 < changes["C8"] < 0.1 * changes["C4"]


def test_kernels_with_hidden_layers_after_the_pool_are_averaged_too():
    """Unlike those of group convolutional networks: outputs are averaged, after everything else."""
    images = np.random.default_rng(3).normal(size=(5, 5, 5, 1))
    for network in (mlp_kernel(2, *GAINS), cnn_kernel([1], "mean", *GAINS, num_hidden_dense=1)):
        matrices = gram(GroupMeanKernel(group_from_name("C8"), network), images, 5)
        assert np.linalg.eigvalsh(matrices.ntk)[0] > 0


def test_images_that_are_no_squares_and_strides_that_break_the_symmetry_are_refused():
    wide, even = np.ones((1, 4, 5, 1)), np.ones((1, 4, 4, 1))
    with pytest.raises(ConfigError, match="need a square image"):
        GroupMeanKernel(group_from_name("C8"), cnn_kernel([1], "mean"))(wide, wide)
    with pytest.raises(ConfigError, match="reads an image and its turned copy at different places"):
        GroupMeanKernel(group_from_name("C8"), cnn_kernel([1], "mean", strides=[2]))(even, even)


@pytest.mark.parametrize(
    ("name", "interpolation", "full", "half"),
    [("C4", "bilinear", 4, 2), ("D4", "bilinear", 8, 4), ("C8", "bilinear", 16, 8), ("C8", "nearest", 64, 32)],
)
def test_half_of_the_pairs_give_those_of_a_set_with_itself(name, interpolation, full, half):
    """Counted in tiles; C4: of the identity and the half turn one half each, of the quarter turns one of two."""
    images = np.random.default_rng(4).normal(size=(8, 6, 6, 1))
    cnn, group, counts = cnn_kernel([2], "mean", *GAINS), group_from_name(name), {"full": 0, "half": 0}

    class Counted:
        def __call__(self, ours, theirs):
            counts["full"] += 1
            return cnn(ours, theirs)

        def symmetric(self, ours, theirs):
            counts["half"] += 1
            kernels = cnn(ours, theirs)
            np.testing.assert_allclose(kernels.ntk, kernels.ntk.T, rtol=1e-12)
            return kernels

    kernel = GroupMeanKernel(group, Counted(), interpolation)
    whole = kernel(images, images)
    assert counts == {"full": full, "half": 0}
    for ours, theirs in zip(kernel.symmetric(images, images), whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert counts["full"] - full + counts["half"] / 2 == half
    # Of two sets nothing is known to be symmetric.
    other = images + 1
    np.testing.assert_array_equal(kernel.symmetric(images, other).ntk, kernel(images, other).ntk)
