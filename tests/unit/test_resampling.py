"""Resampled ensembles and the laws of their symmetry, on synthetic outputs with known answers."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.evaluation import Bootstrap
from emergent.metrics.orbit import squared_gap, symmetric_kl
from emergent.statistics.computing import HOST, Computing, computing_on
from emergent.statistics.jackknife import jackknife_error, jackknife_groups
from emergent.statistics.laws import divergence_law, law_design, squared_gap_by_sample, squared_gap_law
from emergent.statistics.resampling import Reader, Resampled, ensemble_metrics, gap_products, resample

NUM_SAMPLES, ORDER, NUM_CLASSES = 12, 4, 3


def reader(outputs: np.ndarray) -> Reader:
    """Reads from an array [M, N, G, K]."""
    return lambda start, stop: outputs[:, start:stop]


def pool(num: int, floor: float, noise: float, seed: int = 0) -> np.ndarray:
    """Members whose mean is invariant up to ``floor`` and whose own noise has standard deviation ``noise``."""
    generator = np.random.default_rng(seed)
    mean = generator.normal(size=(NUM_SAMPLES, 1, NUM_CLASSES)) + np.zeros((1, ORDER, 1))
    bias = floor * np.random.default_rng(99).normal(size=(NUM_SAMPLES, ORDER, NUM_CLASSES))
    return mean + bias + noise * generator.normal(size=(num, NUM_SAMPLES, ORDER, NUM_CLASSES))


@pytest.mark.parametrize("computing", [replace(HOST, chunk_floats=1), HOST, Computing(jnp.asarray, jax.jit, 100, 3)])
@pytest.mark.usefixtures("float64")
def test_metrics_of_weighted_ensembles(computing: Computing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces that are read and chunks do not matter, nor who computes; it is the metric of the mean outputs."""
    # Five samples at a time, and from each piece chunks that do not divide it.
    monkeypatch.setattr("emergent.statistics.resampling.READ_FLOATS", 5 * 5 * ORDER * NUM_CLASSES)
    outputs = pool(5, 0.3, 1.0).astype(np.float32)
    weights = np.array([[1, 0, 0, 0, 0], [0.2] * 5])
    labels = np.arange(NUM_SAMPLES) % NUM_CLASSES
    with computing_on(computing):
        result = ensemble_metrics(weights, reader(outputs), NUM_SAMPLES, labels)
        unlabelled = ensemble_metrics(weights, reader(outputs), NUM_SAMPLES, None)
        products, _ = gap_products(reader(outputs), NUM_SAMPLES)
    np.testing.assert_allclose(products, gap_products(reader(outputs), NUM_SAMPLES)[0], rtol=1e-12, atol=1e-14)
    for row, mean in enumerate((outputs[0], outputs.mean(0))):
        classes = mean.argmax(-1)
        np.testing.assert_allclose(result["osp"][row], (classes == classes[:, :1]).sum(-1).mean())
        np.testing.assert_allclose(result["divergence"][row], symmetric_kl(mean).mean(), rtol=1e-5)
        np.testing.assert_allclose(result["accuracy"][row], (classes[:, 0] == labels).mean())
    assert set(unlabelled) == {"osp", "divergence"}


def test_products_give_the_squared_gap_of_any_ensemble() -> None:
    outputs = pool(6, 0.3, 1.0)
    products, _ = gap_products(reader(outputs), NUM_SAMPLES)
    weights = np.array([0.5, 0.25, 0.25, 0, 0, 0])
    expected = squared_gap(np.tensordot(weights, outputs, 1)).mean()
    np.testing.assert_allclose(weights @ products @ weights, expected, rtol=1e-12)


def test_squared_gap_law_is_unbiased_and_its_errors_are_right() -> None:
    """Over many pools the floor and slope average to their true values, and scatter as the jackknife says."""
    noise = 1.5
    laws = [squared_gap_law(gap_products(reader(pool(20, 0.4, noise, seed)), NUM_SAMPLES)[0]) for seed in range(400)]
    bias = 0.4 * np.random.default_rng(99).normal(size=(NUM_SAMPLES, ORDER, NUM_CLASSES))
    floor = squared_gap(bias).mean()
    slope = 2 * noise**2 * (ORDER - 1) / ORDER  # f(gx) - f(x) has twice the variance, and none at the identity
    for name, truth in (("floor", floor), ("slope", slope)):
        values = np.array([getattr(law, name).value for law in laws])
        assert abs(values.mean() - truth) < 4 * values.std() / np.sqrt(len(values))
        reported = np.sqrt(np.mean([getattr(law, name).stderr ** 2 for law in laws]))
        # The jackknife of a U-statistic errs on the safe side, by less the larger the pool.
        assert 0.9 < reported / values.std() < 1.3


def test_squared_gap_law_holds_for_every_size() -> None:
    """The mean over all pairs of members is floor + slope / 2, exactly."""
    products, by_sample = gap_products(reader(pool(6, 0.4, 1.0)), NUM_SAMPLES)
    law = squared_gap_law(products)
    pairs = [(products[i, i] + products[j, j] + 2 * products[i, j]) / 4 for i in range(6) for j in range(6) if i != j]
    np.testing.assert_allclose(np.mean(pairs), law.floor.value + law.slope.value / 2, rtol=1e-12)
    np.testing.assert_allclose(np.diag(products).mean(), law.floor.value + law.slope.value, rtol=1e-12)
    # And it is the mean of what it is at each sample.
    found = squared_gap_by_sample(by_sample[0], by_sample[1], 6)
    np.testing.assert_allclose(found.mean(1), [law.floor.value, law.slope.value], rtol=1e-12)


@pytest.mark.parametrize("num", [2, 5, 10, 23])
def test_ensembles_behind_the_fit(num: int) -> None:
    """Ensembles have no member twice, and what is left of them has none of the group that is left out."""
    design = law_design(num, np.random.default_rng(0))
    weights, rows = design.ensembles.weights, design.ensembles.rows
    np.testing.assert_allclose(weights.sum(1), 1)
    sizes = np.count_nonzero(weights, axis=1)
    np.testing.assert_allclose(weights.max(1), 1 / sizes)
    np.testing.assert_array_equal(sizes[rows[0]], design.sizes[design.size_index])
    assert len(rows) == 1 + min(10, num)
    for group, row in zip(jackknife_groups(num), rows[1:], strict=True):
        left = row >= 0
        assert not weights[row[left]][:, group].any()
        whole, rest = weights[rows[0][left]] > 0, weights[row[left]] > 0
        np.testing.assert_array_equal(whole.sum(1) - whole[:, group].sum(1), rest.sum(1))
        assert (rest <= whole).all()
        # Nothing is left only of ensembles that lie in the group.
        assert not np.delete(weights[rows[0][~left]], group, axis=1).any()
        assert set(design.size_index[left]) == set(range(len(design.sizes)))


def test_divergence_law_recovers_coefficients() -> None:
    design = law_design(40, np.random.default_rng(0))
    sizes = np.count_nonzero(design.ensembles.weights, axis=1)
    law, means, _ = divergence_law(design, 0.05 + 4 / sizes + 3 / sizes**2)
    np.testing.assert_allclose([law.floor.value, law.slope.value, law.curvature], [0.05, 4, 3], rtol=1e-8)
    np.testing.assert_allclose(means, 0.05 + 4 / design.sizes + 3 / design.sizes**2)
    # Also of the replicates, whose ensembles are smaller.
    np.testing.assert_allclose([law.floor.stderr, law.slope.stderr], 0, atol=1e-8)


@pytest.mark.parametrize("floor", [0.0, 0.3])
def test_errors_of_the_laws_are_right_or_too_large(floor: float) -> None:
    """Over 60 pools of 20, whose scatter is known to 9 %, also where one ensemble is the whole pool."""
    bootstrap = Bootstrap(sizes=(2, 20), num=2, epochs=(0,), published_pool=1000)
    mean, results = pool(1, floor, 0.0), []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        outputs = mean + 1.5 * generator.normal(size=(20, *mean.shape[1:]))
        results.append(resample(reader(outputs), NUM_SAMPLES, 20, None, bootstrap, generator))

    def ratio(pairs: list[tuple[float, float]]) -> float:
        values, errors = np.array(pairs).T
        return float(np.sqrt(np.square(errors).mean()) / values.std(ddof=1))

    assert 0.8 < ratio([(r.squared_gap.floor.value, r.squared_gap.floor.stderr) for r in results]) < 1.4
    assert 0.8 < ratio([(r.squared_gap.ratio.value, r.squared_gap.ratio.stderr) for r in results]) < 1.4
    for name in ("floor", "slope"):
        law = [(getattr(r.divergence, name).value, getattr(r.divergence, name).stderr) for r in results]
        assert 0.8 < ratio(law) < 2.5, name
    assert 0.8 < ratio([(r.law_points[0][1], r.law_points[0][2]) for r in results]) < 2.5
    for metric in ("osp", "divergence"):
        for size, highest in ((2, 1.3), (20, 3.0)):
            found = [(float(r.disjoint[metric, size].mean()), r.pool_error(metric, size)[0]) for r in results]
            assert 0.75 < ratio(found) < highest, (metric, size)


def test_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=20)
    left_out = (values.sum() - values) / 19
    np.testing.assert_allclose(jackknife_error(left_out), values.std(ddof=1) / np.sqrt(20))
    assert np.isnan(jackknife_error(left_out[:1]))


def test_floors_of_symmetric_and_asymmetric_pools() -> None:
    """The whole chain tells an invariant infinite ensemble from one that is not."""
    bootstrap = Bootstrap(sizes=(5, 10, 20), num=8, epochs=(0,), published_pool=1000)
    results = {
        floor: resample(reader(pool(40, floor, 1.0)), NUM_SAMPLES, 40, None, bootstrap, np.random.default_rng(1))
        for floor in (0.0, 0.5)
    }
    for floor, result in results.items():
        assert {len(values) for values in result.drawn.values()} == {8}
        assert [len(result.disjoint["osp", size]) for size in bootstrap.sizes] == [8, 4, 2]
        gap = result.squared_gap
        assert (gap.floor.value > 10 * gap.floor.stderr) == (floor > 0)
        assert result.pool_error("divergence", 5)[0] > 0
    # Ensembles with replacement from a pool of 40 are noisier than independent members by (1/20 + 1/40) / (1/20).
    drawn, separate = (getattr(results[0.0], name)["divergence", 20].mean() for name in ("drawn", "disjoint"))
    assert 1.2 < drawn / separate < 1.8
    floor = results[0.0].squared_gap.floor
    assert abs(floor.value) < 3 * floor.stderr
    # What quantities hold: with the noise of the draws on top of that of the pool, by as much as they count.
    found = {published: results[0.0].estimate("osp", 5, published) for published in (20, 40, 80, 10**9)}
    words = ["drawn ensembles", "drawn ensembles", "matched ensembles", "matched ensembles"]
    assert [estimate.estimator for estimate in found.values()] == words
    assert (found[10**9].stderr, found[10**9].dof) == pytest.approx(results[0.0].pool_error("osp", 5))
    assert found[10**9].stderr < found[80].stderr < found[40].stderr
    drawn, separate = (getattr(results[0.0], name)["osp", 5].mean() for name in ("drawn", "disjoint"))
    assert [found[key].value for key in found] == pytest.approx([drawn, drawn, (drawn + separate) / 2, separate])


def test_small_pools_foretell_what_draws_from_the_published_one_give() -> None:
    """Means over many pools of 30 meet those of ensembles drawn from pools of 90, where disjoint ones are off."""
    bootstrap = Bootstrap(sizes=(10,), num=30, epochs=(0,), published_pool=90)

    def found(num: int, seed: int) -> Resampled:
        generator = np.random.default_rng([num, seed])
        return resample(reader(pool(num, 0.4, 1.0, 100 * num + seed)), NUM_SAMPLES, num, None, bootstrap, generator)

    small = [found(30, seed) for seed in range(60)]
    large = [found(90, seed).estimate("divergence", 10, 90).value for seed in range(60)]
    matched = [result.estimate("divergence", 10, 90).value for result in small]
    separate = [result.disjoint["divergence", 10].mean() for result in small]

    def score(ours: list[float]) -> float:
        error = np.hypot(np.std(ours, ddof=1), np.std(large, ddof=1)) / np.sqrt(60)
        return float((np.mean(ours) - np.mean(large)) / error)

    assert abs(score(matched)) < 3
    assert score(separate) < -3
