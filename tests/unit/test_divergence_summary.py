"""Summary of orbit divergences, from two synthetic arms of which one is more symmetric."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from summary_cases import DATA, settings_of, stored, summarise, values_of, write_blocks

from emergent.config.evaluation import Bootstrap
from emergent.config.questions import DivergenceSummary
from emergent.summaries.divergence import _block_errors
from emergent.summaries.pool import MemberPool


def divergence_settings(num: int, published_pool: int = 1000) -> DivergenceSummary:
    facts = {"group": "C4", "order": 4}
    bootstrap = Bootstrap(sizes=(2, 5, 10), num=6, epochs=(2,), published_pool=published_pool)
    arms = {"sym": facts, "asym": facts | {"compare_to": "sym"}}
    return settings_of("orbit_divergence", arms, num, ensemble_sizes=(5,), bootstrap=bootstrap)


def divergence_blocks(settings: DivergenceSummary, folder: Path) -> dict[str, list[Path]]:
    """Members are an invariant mean plus noise; those of ``asym`` have a common part that is not invariant."""
    generator = np.random.default_rng(0)
    labels = {"digits": np.arange(6, dtype=np.int32) % 3}
    blocks = {}
    for arm, common in (("sym", 0.0), ("asym", 0.7)):
        outputs = {}
        for data in DATA:
            mean = 2 * generator.normal(size=(1, 1, 6, 1, 3)) + common * generator.normal(size=(1, 1, 6, 4, 3))
            outputs[data] = mean + generator.normal(size=(3, 20, 6, 4, 3))
        blocks[arm] = write_blocks(folder, arm, outputs, labels, settings)
    return blocks


@pytest.fixture
def divergence_tables(tmp_path: Path) -> dict[str, pd.DataFrame]:
    settings = divergence_settings(20)
    return stored(summarise(settings, divergence_blocks(settings, tmp_path)), tmp_path)


def test_divergence_tables(divergence_tables: dict[str, pd.DataFrame]) -> None:
    tables = divergence_tables
    ensembles = tables["ensembles"]
    assert set(ensembles.metric) == {"osp", "divergence", "accuracy", "loss"}
    assert set(ensembles[ensembles.data == "fields"].metric) == {"osp", "divergence"}
    assert set(ensembles.num) == {6} and set(ensembles.ensemble_size) == {2, 5, 10}
    pool = tables["pool"].set_index(["arm", "data", "epoch", "metric", "predictor"])
    assert (
        pool.loc[("sym", "digits", 0, "osp", "pool"), "mean"] > pool.loc[("sym", "digits", 0, "osp", "members"), "mean"]
    )
    assert set(tables["disjoint"].num) == {4}
    assert set(tables["law"].quantity) == {"divergence", "squared_gap"}
    # An ensemble of ten drawn without replacement diverges less than single members, and less than ensembles of five.
    points = tables["law_points"]
    by_size = points[(points.arm == "sym") & (points.data == "digits")].sort_values("ensemble_size")["mean"]
    assert (by_size.diff().dropna() < 0).all()


def test_divergence_quantities(divergence_tables: dict[str, pd.DataFrame]) -> None:
    values = values_of(divergence_tables)
    assert values.value["num_members"] == 20
    for data in ("in", "ood"):
        assert abs(values.value[f"gap_floor/sym/{data}"]) < 3 * values.stderr[f"gap_floor/sym/{data}"]
        assert values.value[f"gap_floor/asym/{data}"] > 5 * values.stderr[f"gap_floor/asym/{data}"]
        assert values.value[f"floor_difference/asym/{data}"] > 0
        assert values.value[f"pool_gain/sym/{data}"] > 0
        for metric in ("osp", "divergence"):
            own, sym = values.loc[f"{metric}/asym/{data}/5"], values.loc[f"{metric}/sym/{data}/5"]
            found = values.loc[f"{metric}_difference/asym/{data}/5"]
            np.testing.assert_allclose(found.value, own.value - sym.value, rtol=1e-12)
            np.testing.assert_allclose(found.stderr, np.hypot(own.stderr, sym.stderr), rtol=1e-12)
    assert values.value["divergence/sym/in/5"] == values.value["divergence/sym/digits/5"]
    assert not values.index.str.match("(floor|osp|divergence)_difference/sym/").any()


def test_estimators_and_the_size_of_the_published_pool(tmp_path: Path) -> None:
    """In a pool as large as the published one numbers are those of drawn ensembles, in a smaller one matched."""
    found = {}
    for published in (20, 21):
        settings = divergence_settings(20, published)
        found[published] = values_of(summarise(settings, divergence_blocks(settings, tmp_path / str(published))))
    words = {"floor": "fit", "slope": "fit", "gap_floor": "unbiased", "pool_osp": "pool", "members_loss": "mean"}
    for published, words_of_sizes in ((20, "drawn ensembles"), (21, "matched ensembles")):
        estimators = found[published].estimator
        for name, estimator in estimators.items():
            kind = str(name).split("/")[0]
            assert estimator == words.get(kind, estimator), name
            if kind in ("osp", "divergence", "osp_difference"):
                assert estimator == words_of_sizes
    # A mean over few members is known as that of few: Student's quantiles.
    of_members = found[20][found[20].index.str.startswith("members_") & (found[20].stderr > 0)]
    assert len(of_members) > 9
    np.testing.assert_allclose(of_members.dof, 19)
    assert found[20].num["osp/sym/in/10"] == 6 and found[21].num["osp/sym/in/10"] == 2
    for name in ("osp/sym/in/5", "divergence/asym/ood/5"):
        assert found[20].value[name] != found[21].value[name]


def test_significance_tells_which_arm_is_more_symmetric(divergence_tables: dict[str, pd.DataFrame]) -> None:
    table = divergence_tables["significance"].set_index(["data", "metric", "ensemble_size", "arm", "other"])
    row = table.loc[("digits", "divergence", 10, "sym", "asym")]
    assert row.difference < 0 and row.drawn_difference < 0 and row.p < 0.001 and row.t < 0
    np.testing.assert_allclose(row.pool_z, row.difference / row.pool_stderr)
    values = values_of(divergence_tables)
    found = values.loc["divergence_difference/asym/digits/10"]
    np.testing.assert_allclose([-row.difference, row.pool_stderr], [found.value, found.stderr])
    assert table.loc[("digits", "divergence", 10, "asym", "sym")].p > 0.999
    # One pool of 20 holds two ensembles of ten: their spread is the noise of the pool, which bootstraps do not see.
    assert np.isfinite(row.pool_z)


def test_whole_pool_has_an_error_where_its_blocks_are_enough_to_tell(tmp_path: Path) -> None:
    """Parts of a pool are means over all members of some blocks, also where blocks differ in size."""
    generator = np.random.default_rng(0)
    settings = divergence_settings(20)
    outputs = generator.normal(size=(3, 20, 6, 4, 3))
    pools = {}
    for num in (2, 6):
        paths = write_blocks(tmp_path / str(num), "sym", {"digits": outputs}, {}, settings, num)
        pools[num] = MemberPool("sym", paths, 20)
    for num, pool in pools.items():
        errors = _block_errors("digits", pool, None)
        assert (errors == {}) == (num < 5)
        part = np.array([[0.5] * 2 + [0.0] * (num - 2), [1.0] + [0.0] * (num - 1)])
        (means,) = pool.means_of_blocks("digits", 1, [part])
        for mean, blocks in zip(means, (2, 1), strict=True):
            expected = outputs[1, : 20 * blocks // num].astype(np.float32).mean(0, dtype=np.float64)
            np.testing.assert_allclose(mean, expected, atol=1e-6)
    assert set(errors) == {"osp", "divergence"} and all(error.shape == (3,) for error in errors.values())
    assert (errors["divergence"] > 0).all()
