"""Contrastive learning: claims on runs where they are true, false or open; Gram matrices; the figure."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn import assert_words_have_room

from emergent import storage
from emergent.claims.verdict import judge
from emergent.config.base import merge, read_yaml, validate
from emergent.config.claims import read_claims
from emergent.config.contrastive import ContrastiveExperiment
from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.config.stages import SummaryStage
from emergent.errors import DataError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.figures.style import context
from emergent.storage import Array
from emergent.summaries.contrastive import changes_by_size, ensemble_ratio, summarise_contrastive

CONFIG = Path(__file__).parents[2] / "config"
CLAIMS = {claim.id: claim for claim in read_claims(CONFIG / "claims.yaml") if claim.experiment == "contrastive"}
FIGURE = "embedding_rotations"
PAIRS, VIEWS = 300, 4


def settings(**delta: Any) -> SummaryStage:
    content = read_yaml(CONFIG / "experiments/contrastive.yaml")
    content = merge({key: value for key, value in content.items() if key != "scales"}, delta)
    found = validate(ContrastiveExperiment, content, "case").stage("summary")
    assert isinstance(found, SummaryStage)
    return found


def gram(common: float, num: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Inner products that networks share, and changes of which they share a part."""
    products = 0.3 * generator.normal(size=(1, PAIRS)) + 0.01 * generator.normal(size=(num, PAIRS))
    shared = generator.normal(size=(1, VIEWS, PAIRS))
    changes = np.sqrt(common) * shared + np.sqrt(1 - common) * generator.normal(size=(num, VIEWS, PAIRS))
    return products, 0.1 * changes


def learnt(folder: Path, gain: float, scatter: float, common: float = 0.0, num: int = 3) -> dict[str, pd.DataFrame]:
    """Networks of which those with the change of inner products are better by a gain, that scatters between them.

    Args:
        folder: for the files.
        gain: part of the residual, and tenths of a percent of accuracy.
        scatter: of the gain.
        common: part of the changes that all networks share.
        num: networks.
    """
    stage, generator = settings(members={"num": num, "block": 1}), np.random.default_rng(0)
    paths: dict[str, list[Path]] = {}
    for facts in stage.arms:
        products, changes = gram(common, num, generator)
        better = facts.compare_to is not None
        for member in range(num):
            own = better * (gain + scatter * (member - (num - 1) / 2))
            distances = {"residual": 0.3 * (1 - own), "shift": 0.5 * (1 - own), "unrelated": 1.38, "start": 0.8,
                         "composed": 0.4 * (1 - own) * (1 - gain), "direct": 0.36 * (1 - own)}  # fmt: skip
            arrays = {name: Array(np.full((1, VIEWS), value), ("member", "view")) for name, value in distances.items()}
            arrays |= {
                "members": Array(np.array([member]), ("member",)),
                "readout": Array(np.array([0.85 + 0.01 * own]), ("member",)),
                "neighbours": Array(np.array([0.84 + 0.01 * own]), ("member",)),
                "products": Array(products[[member]].astype(np.float32), ("member", "pair")),
                "changes": Array(changes[[member]].astype(np.float32), ("member", "view", "pair")),
            }
            path = folder / f"{facts.name}_{member}.h5"
            storage.write(path, stage="train", attributes={"arm": facts.name}, arrays=arrays)
            paths.setdefault(facts.name, []).append(path)
    return summarise_contrastive(stage, paths, {})


def verdicts(tables: dict[str, pd.DataFrame], scale: str = "laptop") -> dict[str, set[str]]:
    rows = judge(list(CLAIMS.values()), {"contrastive": tables["quantities"]}, scale)
    return {str(name): set(part["verdict"]) for name, part in rows.groupby("id", sort=False)}


def test_claims_agree_deny_or_stay_open(tmp_path: Path) -> None:
    ordered = ("contrastive_rotations_follow_views", "contrastive_rotations_without_attraction",
               "contrastive_readout_ordering")  # fmt: skip
    folders = [tmp_path / name for name in ("true", "false", "open")]
    for folder in folders:
        folder.mkdir()
    true = verdicts(learnt(folders[0], 0.2, 0.01))
    false = verdicts(learnt(folders[1], -0.5, 0.01, common=1.0))
    unsure = verdicts(learnt(folders[2], 0.0, 0.2))
    for name in ordered:
        assert (true[name], false[name], unsure[name]) == ({"agrees"}, {"differs"}, {"inconclusive"}), name
    for name in ("contrastive_rotations_compose", "contrastive_ensembles_change_less"):
        assert (true[name], false[name]) == ({"agrees"}, {"differs"}), name
    published = [name for name in true if name.startswith("contrastive_readout_") and name not in ordered]
    assert len(published) == 2 and all("agrees" not in true[name] for name in published)
    smoke = verdicts(learnt(folders[0], 0.2, 0.01), "smoke")
    assert not {word for words in smoke.values() for word in words} & {"agrees", "differs"}


def test_mean_gram_matrices_of_independent_and_of_equal_networks() -> None:
    generator = np.random.default_rng(1)
    sizes = changes_by_size(*gram(0.0, 4, generator))
    np.testing.assert_allclose([sizes[0].value / sizes[size].value for size in range(4)],
                               np.sqrt([1, 2, 3, 4]), rtol=0.05)  # fmt: skip
    assert np.isnan(sizes[-1].stderr) and sizes[0].stderr < 0.05 * sizes[0].value
    np.testing.assert_allclose(ensemble_ratio(*gram(0.0, 4, generator)).value, 0.5**0.5, rtol=0.05)
    np.testing.assert_allclose(ensemble_ratio(*gram(1.0, 4, generator)).value, 1, rtol=0.02)
    assert np.isnan(ensemble_ratio(*gram(1.0, 2, generator)).stderr)


def test_missing_networks_are_named(tmp_path: Path) -> None:
    learnt(tmp_path, 0.1, 0.0)
    stage = settings()
    paths = {facts.name: sorted(tmp_path.glob(f"{facts.name}_[02].h5")) for facts in stage.arms}
    with pytest.raises(DataError, match="networks"):
        summarise_contrastive(stage, paths, {})


def test_figure_draws_with_published_points_and_without(tmp_path: Path) -> None:
    entry = read_catalogue(CONFIG / "figures.yaml")[FIGURE]
    tables = learnt(tmp_path, 0.2, 0.01)
    inputs = Inputs({**tables}, (facts_of(settings()),))
    references = {name: read_reference(CONFIG / f"references/{name}.json") for name in entry.references}
    for given in ({}, references):
        drawing = draw(entry, inputs, given)
        assert isinstance(drawing, Drawing)
        with context():
            assert_words_have_room(drawing.figure)
        assert len(drawing.figure.axes) == 3
        assert ("published" in set(drawing.data["source"])) == bool(given)
        assert "{" not in fill_caption(entry, drawing.facts, "laptop", ())
    without = {**tables, "embeddings": tables["embeddings"].query("metric != 'shift'")}
    with pytest.raises(DataError, match="no row with metric = 'shift'"):
        draw(entry, Inputs(without, inputs.facts), {})
    with pytest.raises(DataError, match="has no table 'ensembles'"):
        draw(entry, Inputs({"embeddings": tables["embeddings"]}, inputs.facts), {})
