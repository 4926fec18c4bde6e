"""Summary, figure and table of point clouds, on made-up logits and against plain loops."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from summary_cases import settings_of, summarise, write_blocks

from emergent.config.evaluation import Bootstrap
from emergent.config.figure_entry import PLACEHOLDERS
from emergent.config.figures import read_catalogue
from emergent.config.questions import RotationSummary
from emergent.errors import DataError
from emergent.figures.drawing import Drawing, Tabulation
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.kinds import load_experiment
from emergent.statistics.estimate import Estimate
from emergent.summaries.quantities import Quantities

CONFIG = Path(__file__).parents[2] / "config"


def blocks_of(folder: Path, logits: dict[str, np.ndarray], labels: np.ndarray, num_blocks: int) -> list[Path]:
    """Files of members with logits [M, N, G, K] at the last epoch."""
    outputs = {data: np.repeat(values[None], 3, axis=0) for data, values in logits.items()}
    settings = summary_settings(len(next(iter(logits.values()))), (2,))
    return write_blocks(folder, "intended", outputs, dict.fromkeys(logits, labels), settings, num_blocks)


def summary_settings(num_members: int = 6, sizes: tuple[int, ...] = (2, 6)) -> RotationSummary:
    data = {"inside": ("in", "x"), "outside": ("ood", "y")}
    bootstrap = Bootstrap(sizes=sizes, num=40, epochs=(2,), published_pool=1000)
    arms = {"intended": {"group": "SO3", "order": 6}}
    return settings_of("rotation_divergence", arms, num_members, data, bootstrap=bootstrap)


def test_summary_against_loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    logits = {data: generator.normal(size=(6, 4, 6, 3)).astype(np.float32) for data in ("inside", "outside")}
    labels = np.array([0, 1, 2, 0], np.int32)
    paths = blocks_of(tmp_path, logits, labels, 2)
    monkeypatch.setattr("emergent.summaries.rotation_divergence._CHUNK_BYTES", 1000)
    tables = summarise(summary_settings(), {"intended": paths[::-1]})

    def by_hand(outputs: np.ndarray) -> tuple[float, float]:
        same, divergence = [], []
        for cloud in outputs.astype(np.float64):
            p = np.exp(cloud) / np.exp(cloud).sum(-1, keepdims=True)
            for turned in p[1:]:
                same.append(100.0 * (turned.argmax() == p[0].argmax()))
                divergence.append((p[0] * np.log(p[0] / turned)).sum() + (turned * np.log(turned / p[0])).sum())
        return float(np.mean(same)), float(np.mean(divergence))

    pool = tables["pool"].set_index(["data", "metric", "predictor"])["mean"]
    quantities = tables["quantities"].set_index("name")["value"]
    for data, values in logits.items():
        members = np.array([by_hand(member) for member in values])
        whole = by_hand(values.mean(0))
        for index, metric in enumerate(("osp", "divergence")):
            np.testing.assert_allclose(pool[data, metric, "members"], members[:, index].mean(), rtol=1e-6)
            np.testing.assert_allclose(pool[data, metric, "pool"], whole[index], rtol=1e-5)
            gain = quantities[f"pool_gain_{metric}/intended/{data}"]
            np.testing.assert_allclose(gain, whole[index] - members[:, index].mean(), rtol=1e-4)
    np.testing.assert_allclose(
        pool["inside", "accuracy", "pool"], (logits["inside"].mean(0)[:, 0].argmax(-1) == labels).mean()
    )
    assert ("outside", "accuracy", "pool") not in pool.index
    assert quantities["pool_osp/intended/in"] == quantities["pool_osp/intended/inside"]
    assert set(tables["ensembles"]["ensemble_size"]) == {2, 6}
    assert (tables["ensembles"]["num"] == 40).all()
    tests = tables["significance"]
    assert tests[["data", "metric"]].to_numpy().tolist() == [
        [data, metric] for data in ("inside", "outside") for metric in ("osp", "divergence")
    ]
    assert tests["p"].between(0, 1).all()
    words = {str(n).split("_")[0].split("/")[0]: e for n, e in tables["quantities"].set_index("name").estimator.items()}
    assert words == {"members": "mean", "pool": "pool", "osp": "drawn ensembles", "divergence": "drawn ensembles"}


def test_summary_of_invariant_members(tmp_path: Path) -> None:
    logits = np.repeat(np.random.default_rng(0).normal(size=(4, 5, 1, 3)), 4, 2).astype(np.float32)
    paths = blocks_of(tmp_path, {"inside": logits, "outside": logits}, np.zeros(5, np.int32), 1)
    tables = summarise(summary_settings(4, (2, 4)), {"intended": paths})
    ensembles = tables["ensembles"].set_index("metric")
    np.testing.assert_array_equal(ensembles.loc["osp", "mean"], 100.0)
    np.testing.assert_allclose(ensembles.loc["divergence", "mean"], 0, atol=1e-12)
    # Nothing varies, so nothing is tested.
    assert tables["significance"].query("metric == 'osp'")["p"].isna().all()


def test_blocks_that_are_missing_or_too_few(tmp_path: Path) -> None:
    logits = np.zeros((4, 5, 3, 3), np.float32)
    paths = blocks_of(tmp_path, {"inside": logits, "outside": logits}, np.zeros(5, np.int32), 2)
    with pytest.raises(DataError, match=r"expected members 0 to 3 once each, found 2 in the blocks \[\(2, 4\)\]"):
        summarise(summary_settings(4, (2,)), {"intended": paths[1:]})
    with pytest.raises(DataError, match="ensemble size 6 exceeds the pool of 4"):
        summarise(summary_settings(4, (2, 6)), {"intended": paths})


def ensembles_table(data: tuple[str, ...] = ("modelnet10", "modelnet40"), zero: bool = False) -> pd.DataFrame:
    rows = []
    for arm in ("intended", "released"):
        for name in data:
            for size in (5, 100, 1000):
                head = {"arm": arm, "group": "SO3", "order": 100, "data": name, "epoch": 10, "ensemble_size": size}
                values = {"osp": 100 - 20 / size, "divergence": 0.0 if zero else 1 / size, "accuracy": 0.5}
                rows += [head | {"metric": m, "mean": v, "std": 0.1 * v, "num": 30} for m, v in values.items()]
    return pd.DataFrame(rows)


def inputs(table: pd.DataFrame, scale: str = "paper") -> Inputs:
    settings = load_experiment(CONFIG / "experiments", "nordenfors_modelnet", scale).stage("summary")
    assert isinstance(settings, RotationSummary)
    quantities = Quantities()
    for row in table.itertuples():
        estimate = Estimate(float(row.mean), float(row.std), int(row.num), "drawn ensembles")
        quantities.add(f"{row.metric}/{row.arm}/{row.data}/{row.ensemble_size}", estimate, "of drawn ensembles")
    return Inputs({"ensembles": table, "quantities": quantities.table()}, (facts_of(settings),))


def test_figure() -> None:
    entry = read_catalogue(CONFIG / "figures.yaml")["nordenfors_modelnet"]
    drawing = draw(entry, inputs(ensembles_table()), {})
    assert isinstance(drawing, Drawing)
    drawing.figure.draw_without_rendering()
    titles = [axes.get_title() for axes in drawing.figure.axes]
    assert titles[:2] == ["ModelNet10 (in distribution)", "ModelNet40 (out of distribution)"]
    assert set(drawing.facts) <= PLACEHOLDERS
    assert "{" not in fill_caption(entry, drawing.facts, "paper", ())
    stand_in = draw(entry, inputs(ensembles_table(("generated_solids", "generated_solids_ood")), "smoke"), {})
    assert isinstance(stand_in, Drawing)
    assert stand_in.figure.axes[0].get_title() == "generated solids (in distribution)"
    assert "ModelNet" not in stand_in.facts["data"]


def test_table() -> None:
    entry = read_catalogue(CONFIG / "figures.yaml")["nordenfors_modelnet_table"]
    table = draw(entry, inputs(ensembles_table()), {})
    assert isinstance(table, Tabulation)
    assert list(table.cells.columns) == ["5", "100", "1000"]
    assert table.cells.loc["intended, In dist., OSP"].tolist() == ["96.00", "99.80", "99.98"]
    assert table.cells.loc["released, Out of dist., log(KL-DIV)"].tolist() == ["-0.70", "-2.00", "-3.00"]
    assert "{" not in fill_caption(entry, table.facts, "paper", ())
    invariant = draw(entry, inputs(ensembles_table(zero=True)), {})
    assert isinstance(invariant, Tabulation)
    assert invariant.cells.loc["intended, In dist., log(KL-DIV)"].tolist() == ["–"] * 3


@pytest.mark.parametrize("name", ["nordenfors_modelnet", "nordenfors_modelnet_table"])
def test_missing_rows_are_named(name: str) -> None:
    entry = read_catalogue(CONFIG / "figures.yaml")[name]
    with pytest.raises(DataError, match="has no table 'ensembles'"):
        draw(entry, Inputs({}), {})
    table = ensembles_table()
    with pytest.raises(DataError, match="no row with metric = 'divergence'"):
        draw(entry, inputs(table[table["metric"] != "divergence"]), {})
