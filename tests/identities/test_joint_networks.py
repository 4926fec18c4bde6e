"""Groups of permutations of joints: counts of orbits, exact equivariance of layers, and errors after similarities."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.transform import Rotation

from emergent.config.poses import JointGroup, JointNetwork
from emergent.groups.joints import JOINTS, PAIRS, SWAP, joint_generators, reflect
from emergent.groups.permutations import elements, orbits
from emergent.linear.equivariant import dimension_by_characters
from emergent.metrics.poses import aligned, aligned_joint_error, joint_error
from emergent.models.joint_networks import JointNet, start_sizes

GROUPS: tuple[JointGroup, ...] = ("S16", "S2_6", "S2_2", "S2", "trivial")


@pytest.fixture
def double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def test_pairs_are_left_and_right() -> None:
    assert [(JOINTS[left], JOINTS[right]) for left, right in PAIRS[:2]] == [
        ("left shoulder", "right shoulder"),
        ("left elbow", "right elbow"),
    ]
    assert len(JOINTS) == 16 and len(PAIRS) == 6
    assert sorted(np.flatnonzero(np.arange(16) == SWAP)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("group", "points", "pairs", "order"),
    # Of the whole group: equal joints and different ones. Of the others: means of squared numbers of fixed joints.
    [("S16", 1, 2, None), ("S2_6", 10, 106, 64), ("S2_2", 10, 118, 4), ("S2", 10, 136, 2), ("trivial", 16, 256, 1)],
)
def test_orbits_are_as_many_as_burnside_counts(group: JointGroup, points: int, pairs: int, order: int | None) -> None:
    generators = joint_generators(group)
    assert len(set(orbits(generators, 1).tolist())) == points
    assert len(set(orbits(generators, 2).tolist())) == pairs
    if order is not None:
        assert len(elements(generators)) == order
        assert dimension_by_characters(generators, "permuted") == pairs
        assert dimension_by_characters(generators, "scalar") == points


def departure(group: JointGroup, moves: np.ndarray) -> float:
    """Returns by how much a network with random weights and biases misses to commute with permutations of joints."""
    generator = np.random.default_rng(0)
    net = JointNet(JointNetwork(group=group, channels=5, depth=2))
    inputs = jnp.asarray(generator.standard_normal((3, 16, 2)))
    variables = net.init(jax.random.key(0), inputs)
    # Away from the start, where all biases are zero.
    variables = jax.tree.map(lambda leaf: jnp.asarray(generator.standard_normal(leaf.shape)) / 8, variables)
    before = np.asarray(net.apply(variables, inputs))
    assert before.dtype == np.float64
    return max(
        float(np.abs(np.asarray(net.apply(variables, inputs[:, move])) - before[:, move]).max()) / np.abs(before).max()
        for move in moves
    )


@pytest.mark.usefixtures("double")
def test_layers_commute_with_their_group_and_no_larger_one() -> None:
    larger: JointGroup | None
    for group, larger in zip(GROUPS, (None, *GROUPS), strict=False):
        assert departure(group, joint_generators(group)) < 1e-12, group
        if larger is not None:
            assert departure(group, joint_generators(larger)) > 1e-3, group


@pytest.mark.parametrize("group", GROUPS)
def test_equal_joints_give_outputs_of_one_size_under_all_groups(group: JointGroup) -> None:
    """The variance over starts is the sum over orbits of (n_o s_o)^2, which is 1 for every joint."""
    pairs = orbits(joint_generators(group), 2)
    sizes = start_sizes(pairs)
    counts = np.stack([np.bincount(row, minlength=len(sizes)) for row in pairs.reshape(16, 16)])
    np.testing.assert_allclose(np.square(counts * sizes[None]).sum(1), 1)


def test_permutations_of_the_chain_of_groups_lie_in_the_next_one() -> None:
    known = [{tuple(element) for element in elements(joint_generators(group)).tolist()} for group in GROUPS[1:]]
    assert known[0] > known[1] > known[2] > known[3]


@pytest.mark.usefixtures("double")
def test_weights_are_those_of_orbits() -> None:
    """A network without hidden layers is written out joint by joint."""
    generator = np.random.default_rng(1)
    group: JointGroup = "S2_2"
    net = JointNet(JointNetwork(group=group, channels=3, depth=0))
    inputs = generator.standard_normal((2, 16, 2))
    variables = net.init(jax.random.key(0), jnp.asarray(inputs))
    variables = jax.tree.map(lambda leaf: jnp.asarray(generator.standard_normal(leaf.shape)), variables)
    pairs, points = orbits(joint_generators(group), 2).reshape(16, 16), orbits(joint_generators(group), 1)
    hidden = inputs
    for index in (0, 1):
        layer = variables["params"][f"OrbitLayer_{index}"]
        weights, bias = np.asarray(layer["weights"]), np.asarray(layer["bias"])
        if index:
            hidden = np.maximum(hidden, 0)
        hidden = np.stack([sum((hidden[:, j] @ weights[pairs[i, j]] for j in range(16)), bias[points[i]][None])
                           for i in range(16)], 1)  # fmt: skip
    np.testing.assert_allclose(np.asarray(net.apply(variables, jnp.asarray(inputs))), hidden, rtol=1e-12, atol=1e-12)


def test_a_reflection_is_its_own_inverse_and_no_permutation() -> None:
    points = np.random.default_rng(2).standard_normal((4, 16, 3))
    np.testing.assert_array_equal(reflect(reflect(points)), points)
    np.testing.assert_array_equal(reflect(points)[:, 4], points[:, 7] * [-1, 1, 1])
    np.testing.assert_array_equal(np.asarray(reflect(jnp.asarray(points[:1]))), reflect(points[:1].astype(np.float32)))


def test_errors_after_a_similarity_are_zero_and_before_are_distances() -> None:
    generator = np.random.default_rng(3)
    true = 300 * generator.standard_normal((5, 16, 3))
    turns = Rotation.random(5, rng=generator).as_matrix()
    moved = 0.7 * true @ turns + 40 * generator.standard_normal((5, 1, 3))
    assert aligned_joint_error(moved, true).max() < 1e-9
    assert joint_error(moved, true).min() > 10
    np.testing.assert_allclose(joint_error(true + np.array([3.0, 4.0, 0.0]), true), 5)
    # A mirror image is no rotation of what it mirrors, unless it is flat.
    assert aligned_joint_error(true * np.array([-1.0, 1.0, 1.0]), true).min() > 10
    flat = true * np.array([1.0, 1.0, 0.0])
    assert aligned_joint_error(flat * np.array([-1.0, 1.0, 1.0]), flat).max() < 1e-9


def test_similarities_are_those_of_scipy() -> None:
    generator = np.random.default_rng(4)
    true, predicted = generator.standard_normal((2, 6, 16, 3))
    found = aligned(predicted, true)
    reflected = 0
    for pose, own, other in zip(found, predicted, true, strict=True):
        own, target = own - own.mean(0, keepdims=True), other - other.mean(0, keepdims=True)
        rotation = Rotation.align_vectors(target, own)[0].as_matrix()
        turned = own @ rotation.T
        scale = (turned * target).sum() / np.square(own).sum()
        np.testing.assert_allclose(pose, scale * turned + other.mean(0), atol=1e-8)
        reflected += np.linalg.det(orthogonal_procrustes(own, target)[0]) < 0
    # Both cases were met.
    assert 0 < reflected < 6


def test_predictions_in_one_place_are_put_into_the_middle() -> None:
    true = np.random.default_rng(5).standard_normal((1, 16, 3))
    found = aligned(np.ones((1, 16, 3)), true)
    np.testing.assert_allclose(found, np.broadcast_to(true.mean(1, keepdims=True), true.shape), atol=1e-12)
