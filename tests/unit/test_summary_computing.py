"""A summary is the same wherever its reductions run, but for classes that are tied within float32.

Members' outputs are mixed in float32, as they are stored, and their sums are in another order on an accelerator. Means
over samples then differ by some 1e-7. A class whose logit leads by no more than that may change: one sample of N and
one of B draws move a mean OSP by up to (G - 1) / (N B). Of 10 000 samples and 30 draws one element moves it by 3.3e-6:
9e-5 of a difference of two arms of 0.04, and of its t.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from summary_cases import settings_of, summarise, write_blocks

from emergent.cli.summarise import accelerator
from emergent.config.evaluation import Bootstrap
from emergent.statistics.resampling import ensemble_metrics

NUM, NUM_SAMPLES, ORDER, NUM_CLASSES = 20, 100, 4, 3
# Of columns that are differences or fits of means: as often as some 1e-7 of a metric is amplified.
RELATIVE, OF_LARGEST = 1e-5, 1e-6


def tables(folder: Path, on_accelerator: bool) -> dict[str, pd.DataFrame]:
    facts = {"group": "C4", "order": ORDER}
    bootstrap = Bootstrap(sizes=(2, 5, 10, 20), num=30, epochs=(2,), published_pool=1000)
    arms = {"sym": facts, "asym": facts | {"compare_to": "sym"}}
    settings = settings_of("orbit_divergence", arms, NUM, ensemble_sizes=(5,), bootstrap=bootstrap)
    generator, blocks = np.random.default_rng(0), {}
    labels = {"digits": np.arange(NUM_SAMPLES, dtype=np.int32) % NUM_CLASSES}
    for arm, floor in (("sym", 0.0), ("asym", 0.7)):
        mean = 2 * generator.normal(size=(1, 1, NUM_SAMPLES, 1, NUM_CLASSES))
        shape = (3, NUM, NUM_SAMPLES, ORDER, NUM_CLASSES)
        outputs = mean + floor * generator.normal(size=shape[2:]) + generator.normal(size=shape)
        outputs = {"digits": outputs, "fields": outputs + generator.normal(size=shape)}
        blocks[arm] = write_blocks(folder, arm, outputs, labels, settings, num_blocks=5)
    if on_accelerator:
        with accelerator():
            return summarise(settings, blocks)
    return summarise(settings, blocks)


def test_summary_on_an_accelerator_is_that_of_the_host(tmp_path: Path) -> None:
    """No two logits are tied here: every number of every table is the same to some float32 rounding."""
    host, other = (tables(tmp_path / name, name == "device") for name in ("host", "device"))
    assert set(host) == set(other)
    for name, table in host.items():
        assert list(table.columns) == list(other[name].columns)
        for column in table.columns:
            ours, theirs = table[column].to_numpy(), other[name][column].to_numpy()
            if ours.dtype == object or column == "p":
                continue
            allowed = OF_LARGEST * np.nanmax(np.abs(ours)) if len(ours) else 0.0
            np.testing.assert_allclose(theirs, ours, rtol=RELATIVE, atol=allowed, err_msg=f"{name}.{column}")
    np.testing.assert_allclose(np.log(other["significance"].p), np.log(host["significance"].p), rtol=1e-5, atol=1e-9)


def test_only_ties_within_float32_tell_where_a_summary_was_computed() -> None:
    """Two classes with the same logits in another order of members are tied in the mean; all else is the same."""
    generator = np.random.default_rng(0)
    outputs = generator.normal(size=(NUM, NUM_SAMPLES, ORDER, 2)).astype(np.float32)
    tied = 10
    outputs[:, :tied, :, 1] = outputs[::-1, :tied, :, 0]
    weights = np.full((1, NUM), 1 / NUM)
    found = {}
    for name, chosen in {"tied": outputs[:, :tied], "others": outputs[:, tied:]}.items():
        num = chosen.shape[1]

        def read(start: int, stop: int, chosen: np.ndarray = chosen) -> np.ndarray:
            return chosen[:, start:stop]

        host = ensemble_metrics(weights, read, num, None)
        with accelerator():
            other = ensemble_metrics(weights, read, num, None)
        np.testing.assert_allclose(other["divergence"], host["divergence"], rtol=1e-5, atol=1e-12)
        found[name] = host["osp"][0] * num, other["osp"][0] * num
    assert found["others"][0] == found["others"][1]
    # Rounding decides between tied classes, and decides otherwise in another order of the sum.
    assert found["tied"][0] != found["tied"][1]
