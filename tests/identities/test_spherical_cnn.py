"""Images on the sphere: transforms on SO(3), layers that commute with rotations, numbers of parameters, projection."""

from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from scipy.spatial.transform import Rotation

from emergent.config.base import read_yaml, validate
from emergent.config.spherical_images import SphericalImagesExperiment
from emergent.config.spherical_images_training import PlanarCnn, SphereStage, SphericalCnn
from emergent.config.spherical_memory import num_parameters
from emergent.groups.projection import grid_points, plane_positions, project, random_rotations, resample, seen_from
from emergent.groups.rotation_spectra import (
    little_d,
    polar_weights,
    rotation_angles,
    sphere_angles,
    turns,
    wigner_matrix,
)
from emergent.models import rotation_transforms
from emergent.models.planar_cnn import PlanarCnnNet
from emergent.models.rotation_transforms import analyse, analyse_sphere, integrate, synthesise, synthesise_sphere
from emergent.models.spherical_cnn import GridActivation, Lifting, RotationLayer, SphericalCnnNet
from emergent.training.spherical_images import network_of

CONFIG = Path(__file__).parents[2] / "config"
GENERATOR = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def angles(rotation: Rotation) -> tuple[float, float, float]:
    """Euler angles about z, y, z."""
    matrix = rotation.as_matrix()
    return (
        float(np.arctan2(matrix[1, 2], matrix[0, 2])),
        float(np.arccos(np.clip(matrix[2, 2], -1, 1))),
        float(np.arctan2(matrix[2, 1], -matrix[2, 0])),
    )


def coefficients(limit: int, shape: tuple[int, ...]) -> np.ndarray:
    """Coefficients [L, m, n, ...] of real functions on SO(3), drawn at random."""
    drawn = GENERATOR.normal(size=(2, limit, limit, 2 * limit - 1, *shape))
    found = drawn[0] + 1j * drawn[1]
    for degree in range(limit):
        found[degree, degree + 1 :] = 0
        found[degree, :, : limit - 1 - degree] = found[degree, :, limit + degree :] = 0
        found[degree, 0, limit - 1] = found[degree, 0, limit - 1].real
        for order in range(1, limit):
            found[degree, 0, limit - 1 - order] = (-1) ** order * found[degree, 0, limit - 1 + order].conj()
    return found


def rotated(values: np.ndarray, rotation: Rotation) -> np.ndarray:
    """Coefficients [L, m, ...] of F(R0^-1 R): sums over the first index, whose negative half follows from reality.

    On the sphere there is no axis n.
    """
    limit, on_sphere = len(values), values.ndim == 4
    given = values[:, :, None] if on_sphere else values
    middle = given.shape[2] // 2
    result = np.zeros_like(given)
    for degree in range(limit):
        orders = np.arange(-degree, degree + 1)
        own = np.zeros((2 * degree + 1, *given.shape[2:]), complex)
        own[degree:] = given[degree, : degree + 1]
        signs = (-1.0) ** np.arange(-middle, middle + 1)
        for order in range(1, degree + 1):
            flipped = given[degree, order, ::-1].conj() * signs.reshape(-1, *(1,) * (given.ndim - 3))
            own[degree - order] = (-1) ** order * flipped
        matrix = wigner_matrix(degree, angles(rotation)).conj()
        result[degree, : degree + 1] = np.einsum("km,m...->k...", matrix, own)[orders >= 0]
    return result[:, :, 0] if on_sphere else result


def test_wigner_functions_are_a_representation_and_hold_the_harmonics() -> None:
    first, second = Rotation.random(2, random_state=1)
    for degree in (1, 4, 30):
        product = wigner_matrix(degree, angles(first)) @ wigner_matrix(degree, angles(second))
        np.testing.assert_allclose(wigner_matrix(degree, angles(first * second)), product, atol=1e-12)
        theta = (first.inv() * second).magnitude()
        found = np.trace(wigner_matrix(degree, angles(first.inv() * second)))
        np.testing.assert_allclose(found, np.sin((degree + 0.5) * theta) / np.sin(theta / 2), atol=1e-11)
    polar = np.array([0.3, 1.2, 2.9])
    for order in (0, 2, 5):
        harmonics = scipy.special.sph_harm_y(7, order, polar, 0.0).real
        np.testing.assert_allclose(little_d(7, polar)[7 + order, 7], harmonics * np.sqrt(4 * np.pi / 15), atol=1e-13)


@pytest.mark.parametrize("grid", [sphere_angles, rotation_angles])
def test_weights_integrate_degrees_below_twice_the_bandwidth(grid) -> None:
    bandwidth = 6
    polar = grid(bandwidth)
    weights = polar_weights(bandwidth, polar)
    for degree in range(2 * bandwidth):
        found = weights @ scipy.special.eval_legendre(degree, np.cos(polar))
        np.testing.assert_allclose(found, float(degree == 0), atol=1e-14)
    # The next one is not among them.
    assert abs(weights @ scipy.special.eval_legendre(2 * bandwidth, np.cos(polar))) > 1e-4


@pytest.mark.parametrize(("bandwidth", "limit"), [(5, 5), (8, 6), (24, 24)])
def test_transforms_undo_each_other(bandwidth: int, limit: int) -> None:
    given = coefficients(limit, (2, 1))
    values = synthesise(jnp.asarray(given), bandwidth)
    assert values.dtype == jnp.float64
    np.testing.assert_allclose(analyse(values, limit), given, atol=2e-12)
    on_sphere = given[:, :, limit - 1]
    np.testing.assert_allclose(
        analyse_sphere(synthesise_sphere(jnp.asarray(on_sphere), bandwidth), limit), on_sphere, atol=2e-12
    )


def test_a_grid_that_is_too_coarse_is_refused() -> None:
    """Higher degrees would come back as lower ones without a word."""
    fine = synthesise(jnp.asarray(coefficients(4, (1, 1))), 4)
    assert analyse(fine, 4).shape[0] == 4
    with pytest.raises(ValueError, match="8 points a side resolves degrees below 4, found limit 5"):
        analyse(fine, 5)
    with pytest.raises(ValueError, match="found limit 5"):
        analyse_sphere(jnp.zeros((1, 8, 8, 1)), 5)


def test_synthesis_gives_the_sum_of_wigner_functions() -> None:
    given = coefficients(3, (1, 1))
    values = synthesise(jnp.asarray(given), 4)
    place = (3, 2, 5)
    euler = turns(4)[place[0]], rotation_angles(4)[place[1]], turns(4)[place[2]]
    total = 0.0
    for degree in range(3):
        matrix = wigner_matrix(degree, euler)
        own = given[degree, : degree + 1, 2 - degree : 3 + degree, 0, 0]
        terms = (own * matrix[degree:]).sum(1)
        total += terms[0].real + 2 * terms[1:].real.sum()
    np.testing.assert_allclose(values[(*place, 0, 0)], total, atol=1e-13)
    mean = integrate(values)[0, 0]
    np.testing.assert_allclose(mean, given[0, 0, 2, 0, 0].real, atol=1e-14)


def test_kernels_are_combs_of_points() -> None:
    limit, max_beta = 4, 0.3
    given = coefficients(limit, (1, 1))[:, :, limit - 1]
    layer = Lifting(1, max_beta)
    weights = np.zeros((3, 8, 1, 1))
    weights[1, 3] = 1.0
    gain = (2 / 24) ** 0.5
    found = np.asarray(layer.apply({"params": {"kernel": jnp.asarray(weights)}}, jnp.asarray(given)))
    # The value at the identity is that of the function at the one point of the kernel.
    polar, about = max_beta * np.pi * 2 / 3, 2 * np.pi * 3 / 8
    at_point = at_identity = 0.0
    for degree in range(limit):
        own = given[degree, : degree + 1, 0, 0]
        terms = np.real(own * wigner_matrix(degree, (about, polar, 0.0))[degree:, degree])
        at_point += terms[0] + 2 * terms[1:].sum()
        diagonal = np.real(np.array([found[degree, m, limit - 1 + m, 0, 0] for m in range(degree + 1)]))
        at_identity += diagonal[0] + 2 * diagonal[1:].sum()
    np.testing.assert_allclose(at_identity, gain * at_point, atol=1e-12)


def test_linear_layers_commute_with_rotations() -> None:
    limit, rotation = 5, Rotation.random(random_state=2)
    for layer, given in (
        (Lifting(3, 0.25), coefficients(limit, (2, 2))[:, :, limit - 1]),
        (RotationLayer(3, 0.25), coefficients(limit, (2, 2))),
        (RotationLayer(3, 0.25, to_sphere=True), coefficients(limit, (2, 2))),
    ):
        parameters = layer.init(jax.random.key(0), jnp.asarray(given))
        parameters = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), parameters)
        plain = np.asarray(layer.apply(parameters, jnp.asarray(given)))
        moved = np.asarray(layer.apply(parameters, jnp.asarray(rotated(given, rotation))))
        np.testing.assert_allclose(moved, rotated(plain, rotation), atol=1e-12)
        # The control: a rotation about the axis alone would pass wherever angles about it are treated alike.
        assert np.abs(moved - plain).max() > 0.1


def test_relu_is_equivariant_as_far_as_its_grid_resolves() -> None:
    rotation, errors = Rotation.random(random_state=4), []
    given = coefficients(4, (1, 2))
    for bandwidth in (4, 8, 16):
        layer = GridActivation(bandwidth)

        def act(values: np.ndarray, layer: GridActivation = layer) -> np.ndarray:
            parameters = {"params": {"bias": jnp.zeros(2)}}
            return np.asarray(analyse(jnp.asarray(layer.apply(parameters, jnp.asarray(values))), 4))

        plain = act(given)
        errors.append(np.linalg.norm(act(rotated(given, rotation)) - rotated(plain, rotation)) / np.linalg.norm(plain))
    print("aliasing of ReLU by bandwidth 4, 8, 16:", errors)
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert 1e-6 < errors[2] < 0.02


def test_classifiers_are_invariant_and_planar_networks_are_not() -> None:
    rotation = Rotation.random(random_state=5)
    given = coefficients(4, (2, 1))[:, :, 3]
    images = [np.asarray(synthesise_sphere(jnp.asarray(each), 8)) for each in (given, rotated(given, rotation))]
    spherical = SphericalCnnNet(
        SphericalCnn(family="s2cnn", features=(4, 6), band_limits=(8, 8), max_beta=(0.2, 0.2)), 10
    )
    planar = PlanarCnnNet(PlanarCnn(family="cnn", features=(4, 6), kernels=(3, 3), strides=(1, 2)), 10, False)
    changes = []
    for network in (spherical, planar):
        parameters = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), network.init(jax.random.key(1), images[0]))
        plain, moved = (np.asarray(network.apply(parameters, each)) for each in images)
        changes.append(np.linalg.norm(moved - plain) / np.linalg.norm(plain))
    print("change of logits:", changes)
    assert changes[0] < 0.05
    assert changes[1] > 10 * changes[0]


@pytest.fixture
def _no_tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tables of Wigner functions are zeros: up to degree 41 they take ten seconds, and shapes do not ask for them."""
    caches = [value for value in vars(rotation_transforms).values() if hasattr(value, "cache_clear")]
    assert len(caches) == 3

    def zeros(band_limit: int, angles: np.ndarray) -> np.ndarray:
        return np.zeros((band_limit, 2 * band_limit - 1, 2 * band_limit - 1, len(angles)))

    monkeypatch.setattr(rotation_transforms, "wigner_d", zeros)
    yield
    for each in caches:
        each.cache_clear()


@pytest.mark.usefixtures("_no_tables")
def test_published_networks_have_as_many_parameters() -> None:
    content = read_yaml(CONFIG / "experiments/spherical_mnist.yaml")
    content.pop("scales")
    study = validate(SphericalImagesExperiment, content, "case")
    expected = {
        "classify_s2cnn": 154_550,
        "segment_s2cnn": 204_073,
        "segment_cnn_16": 218_144,
        "segment_middle_16": 1_042_013,
        "segment_large_16": 5_519_335,
    }
    for arm, number in expected.items():
        stage = study.stage("train", arm)
        assert isinstance(stage, SphereStage)
        assert num_parameters(stage.network, stage.task) == number
        side = 2 * stage.bandwidth
        image = jax.ShapeDtypeStruct((1, side, side, 1), jnp.float32)
        shapes = jax.eval_shape(network_of(stage).init, jax.random.key(0), image)
        assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == number


def test_images_are_projected_from_the_north_pole() -> None:
    def south(theta: float, about: float) -> np.ndarray:
        return np.array([np.sin(theta) * np.cos(about), np.sin(theta) * np.sin(about), -np.cos(theta)])

    np.testing.assert_allclose(plane_positions(south(0.0, 0.0)), [0, 0], atol=1e-15)
    edge, corner = (2 * np.arctan(radius / 2) for radius in (1.5, 1.5 * 2**0.5))
    np.testing.assert_allclose(np.degrees([edge, corner]), [73.74, 93.37], atol=0.01)
    np.testing.assert_allclose(plane_positions(south(edge, 0.0)), [1.5, 0], atol=1e-12)
    np.testing.assert_allclose(plane_positions(south(corner, np.pi / 4)), [1.5, 1.5], atol=1e-12)
    assert np.isinf(plane_positions(np.array([0.0, 0.0, 1.0]))).all()
    image = np.zeros((1, 27, 27), np.uint8)
    image[0, 12:15, 12:15] = 200
    found = project(image, 16)
    # The row next to the south pole, no point of the grid, sees the centre; rows beyond 94 degrees see nothing.
    assert (found[0, -1] == 255).all()
    assert not project(np.full((1, 28, 28), 9, np.uint8), 16)[0, sphere_angles(16) < np.pi - corner].any()


def test_quarter_turns_of_the_sphere_turn_the_image() -> None:
    images = GENERATOR.integers(0, 255, (2, 28, 28)).astype(np.uint8)
    plain, turned = project(images, 8), project(np.rot90(images, axes=(1, 2)), 8)
    np.testing.assert_array_equal(turned, np.roll(plain, 4, axis=2))
    axis = Rotation.from_euler("z", [[90.0], [90.0]], degrees=True)
    np.testing.assert_array_equal(project(images, 8, axis), turned)
    assert (project(images, 8, axis.inv()) != turned).mean() > 0.1


def test_each_image_has_a_uniform_rotation_of_its_own() -> None:
    rotations = random_rotations(np.random.default_rng(0), 4000)
    moved = rotations.apply([0.0, 0.0, 1.0])
    np.testing.assert_allclose(moved.mean(0), 0, atol=4 * (1 / 3 / 4000) ** 0.5)
    np.testing.assert_allclose(np.square(moved).mean(0), 1 / 3, atol=4 * (4 / 45 / 4000) ** 0.5)
    assert len(np.unique(moved.round(9), axis=0)) == 4000


def test_resampling_is_exact_at_grid_points_and_follows_rotations() -> None:
    values, points = GENERATOR.normal(size=(2, 12, 12, 3)), grid_points(6)
    np.testing.assert_allclose(resample(values, np.broadcast_to(points, (2, *points.shape)))[:, 1:], values[:, 1:],
                               atol=1e-9)  # fmt: skip
    axis = Rotation.from_euler("z", [[60.0], [90.0]], degrees=True)
    expected = np.stack([np.roll(values[0], 2, axis=1), np.roll(values[1], 3, axis=1)])
    np.testing.assert_allclose(resample(values, seen_from(points, axis))[:, 1:], expected[:, 1:], atol=1e-9)
