"""What jobs ask a scheduler for: memory, time and GPUs, and which of them are grouped."""

from pathlib import Path
from typing import Any

import pytest

from emergent.config.throughput import Hardware, Rate, Throughput, read_throughput
from emergent.estimates.jobs import GPU_HOST_MB, LEAST_MINUTES, Estimates, rate_of, seconds_of
from emergent.estimates.work import Work
from emergent.job_memory import LEAST_MB
from emergent.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"
RATES = {
    "train cnn": Rate(start=5, per_second=1e9, jobs=3),
    "train mlp": Rate(start=2, per_second=4e9, jobs=3),
    "figure": Rate(start=6),
    "other": Rate(start=10),
}
COMMITTED = read_throughput(CONFIG / "throughput.yaml")


def estimates(folder: Path, *names: str, rates: Throughput = COMMITTED, **run: Any) -> Estimates:
    config = {"scale": "smoke", "experiments": list(names), "memory_gb": 500} | run
    return Estimates(Plan(config, CONFIG), rates, folder, "code")


def test_time_is_that_of_the_start_and_of_the_work() -> None:
    assert seconds_of(Work("train cnn", 6e9), rate_of(RATES, "train cnn")) == pytest.approx(11)
    assert seconds_of(Work("figure", 7), rate_of(RATES, "figure")) == 6


def test_unknown_work_is_as_slow_as_the_slowest_like_it() -> None:
    assert rate_of(RATES, "train transformer") == Rate(start=5, per_second=1e9)
    assert rate_of(RATES, "polish") == RATES["other"]
    # Small jobs alone say how long it takes to begin.
    assert rate_of(RATES | {"train gcnn": Rate(start=1)}, "train gcnn") == Rate(start=1, per_second=1e9)
    assert rate_of(RATES | {"train_flow": Rate(start=1)}, "train_flow") == Rate(start=1)


def test_evaluation_asks_for_the_memory_of_its_outputs(tmp_path: Path) -> None:
    """At paper scale 100 members at 2 and 21 sums at 3 checkpoints, 21 500 images on 16 elements: 3.6 GB of logits."""
    asked = estimates(tmp_path, "nordenfors_c16_nearest", scale="paper")
    logits = 4 * (21 * 3 + 100 * 2) * 21_500 * 16 * 10 / 1e6
    assert 3 * logits < asked.memory_mb("evaluate", "paper", "nordenfors_c16_nearest", "sym") < 5 * logits
    assert asked.memory_mb("evaluate", "smoke", "nordenfors_c16_nearest", "sym") == LEAST_MB


def test_training_asks_for_the_memory_of_its_data(tmp_path: Path) -> None:
    """60 000 images of 28 x 28 as float32 are 188 MB, on the host and on the device."""
    asked = estimates(tmp_path, "cnn_gcnn")
    assert asked.sizes("paper", "cnn_gcnn")["gcnn"].train_bytes > 600 * 2**20 + 2 * 188e6
    assert asked.memory_mb("train", "paper", "cnn_gcnn", "gcnn") >= LEAST_MB


def test_sizes_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under all that they depend on: jobs on a cluster read them without JAX."""
    first = estimates(tmp_path, "toy_cosine").sizes("smoke", "toy_cosine")
    assert first["mlp"].multiplications > 0
    monkeypatch.setattr("emergent.estimates.sizes.derived", lambda *_: pytest.fail("derived again"))
    assert estimates(tmp_path, "toy_cosine").sizes("smoke", "toy_cosine") == first
    with pytest.raises(pytest.fail.Exception):
        estimates(tmp_path, "toy_cosine", block=10).sizes("smoke", "toy_cosine")


def test_twice_the_members_or_epochs_are_twice_the_work(tmp_path: Path) -> None:
    def work(**run: Any) -> float:
        return estimates(tmp_path, "cross_product", **run).work("train", "smoke", "cross_product", "mlp_128").amount

    assert work(block=12) == 2 * work(block=6)
    assert work(epochs=20) == 2 * work(epochs=10)


def test_learning_from_few_samples_is_estimated_by_its_steps(tmp_path: Path) -> None:
    """Rates are known, so that the paper scale isn't the time that jobs take to begin."""
    names = ("efficiency_o5", "efficiency_inertia", "inpainting_mnist", "gromov_wasserstein")
    laptop, paper = (estimates(tmp_path, *names, scale=scale) for scale in ("laptop", "paper"))

    def parts(asked: Estimates, scale: str, name: str, arm: str) -> tuple[float, float]:
        return asked.seconds("train", scale, name, arm), asked.rate(asked.work("train", scale, name, arm).key).start

    for name in names:
        for arm in paper.plan.experiment("paper", name).arm_names:
            seconds, start = parts(paper, "paper", name, arm)
            assert seconds > start, (name, arm)
    # Jobs that were measured, of three trials each: 66 s of one network, 770 s of ten, 222 s on tensors.
    for name, arm, measured in (("efficiency_o5", "mlp", 66), ("efficiency_inertia", "mlp_augmented", 770),
                                ("efficiency_o5", "tensors_o", 222)):  # fmt: skip
        assert 0.5 * measured < parts(laptop, "laptop", name, arm)[0] < 2 * measured
    assert paper.experiment_seconds("paper", "efficiency_inertia") > 3600


def test_clouds_are_counted_by_the_elements_of_their_sets(tmp_path: Path) -> None:
    work = estimates(tmp_path, "gromov_wasserstein", scale="paper").work
    products, centroids = (
        work("train", "paper", "gromov_wasserstein", arm).amount for arm in ("products", "centroids")
    )
    # 100 squares and 5050 products of a cloud, from 1 to 16 to 32 numbers; 100 points, from 3.
    assert products / centroids == pytest.approx(5150 * (16 + 512) / (100 * (48 + 512)))
    assert centroids == 3 * 3 * 200 * 80 * 100 * (48 + 512)
    # Points in two networks, of three products and of three coordinates each.
    assert work("train", "paper", "gromov_wasserstein", "relaxed").amount == 2 * centroids


def test_a_relaxed_group_is_the_work_of_two_networks(tmp_path: Path) -> None:
    asked = estimates(tmp_path, "inpainting_augmented", scale="paper")
    both, apart = (
        asked.work("train", "paper", "inpainting_augmented", arm).amount for arm in ("relaxed", "two_layers")
    )
    # Networks of 14 and of 28 blocks a side, side by side or one after the other.
    assert both == apart


def test_every_kind_takes_longer_at_paper_scale(tmp_path: Path) -> None:
    """All verbs have an estimate that grows with what is asked of them."""
    plan = Plan({"scale": "smoke", "experiments": []}, CONFIG)
    names = list({str(plan.experiment("smoke", name).kind): name for name in plan.names}.values())
    assert len(names) > 15
    smoke, paper = (estimates(tmp_path, *names, scale=scale) for scale in ("smoke", "paper"))
    for name in names:
        seconds = smoke.experiment_seconds("smoke", name)
        assert 1 < seconds < 60 * len(smoke.plan.experiment("smoke", name).arm_names), name
        assert paper.experiment_seconds("paper", name) >= seconds, name
        # What is measured of them can be written down as a row.
        arms = smoke.plan.experiment("smoke", name).arm_names
        keys = {
            smoke.work("train", "smoke", name, arm).key
            for arm in arms
            if "train" in smoke.plan.kind("smoke", name).verbs
        }
        assert Hardware(name="any", rates=dict.fromkeys({*keys, "other"}, Rate(start=1)))


def test_a_gpu_is_asked_for_where_there_is_one(tmp_path: Path) -> None:
    cpu, gpu = (estimates(tmp_path, "toy_cosine", accelerator=on) for on in (False, True))
    assert [cpu.gpus(rule) for rule in ("train", "figure")] == [0, 0]
    assert [gpu.gpus(rule) for rule in ("train", "evaluate", "predict", "summarise", "figure", "prepare")] == [
        1
    ] * 4 + [
        0,
        0,
    ]
    asked = [e.memory_mb("train", "smoke", "toy_cosine", "mlp") for e in (cpu, gpu)]
    assert asked[1] - asked[0] == GPU_HOST_MB


def test_no_network_is_as_slow_on_a_gpu_as_on_a_core(tmp_path: Path) -> None:
    cpu, gpu = (estimates(tmp_path, "nordenfors_modelnet", scale="paper", accelerator=on) for on in (False, True))
    assert "train point_net" in COMMITTED.cpu.rates and "train point_net" not in COMMITTED.gpu.rates
    job = ("train", "paper", "nordenfors_modelnet", "intended")
    assert gpu.seconds(*job) < 0.1 * cpu.seconds(*job)
    assert gpu.seconds("figure") == cpu.seconds("figure")


def test_time_limits_are_several_times_the_estimate(tmp_path: Path) -> None:
    rates = Throughput(
        cpu=Hardware(name="one", rates={"other": Rate(start=600)}),
        gpu=Hardware(name="two", rates={"train": Rate(start=60)}),
        safety=3,
        grouped_minutes=30,
    )
    assert estimates(tmp_path, "toy_cosine", rates=rates).minutes("figure") == LEAST_MINUTES + 30
    fast = estimates(tmp_path, "toy_cosine", rates=rates, accelerator=True)
    assert fast.minutes("train", "smoke", "toy_cosine", "mlp") == LEAST_MINUTES + 3


def test_small_experiments_are_grouped_and_large_ones_are_not(tmp_path: Path) -> None:
    asked = estimates(tmp_path, "toy_cosine", "ising")
    assert asked.group("smoke", "toy_cosine") == "smoke_toy_cosine"
    assert asked.group("paper", "ising") is None
    assert estimates(tmp_path, "toy_cosine", accelerator=True).group("smoke", "toy_cosine") is None


def test_experiments_that_share_members_share_a_group(tmp_path: Path) -> None:
    """One that evaluates what another trains: apart, each might wait for a part of the other."""
    asked = estimates(tmp_path, "fashion_mnist", "fashion_mnist_symmetrised", "toy_cosine")
    groups = {asked.group("smoke", name) for name in ("fashion_mnist", "fashion_mnist_symmetrised")}
    assert groups == {"smoke_fashion_mnist"}


def test_rates_are_refused_that_cannot_be(tmp_path: Path) -> None:
    from emergent.errors import ConfigError

    path = tmp_path / "throughput.yaml"
    path.write_text((CONFIG / "throughput.yaml").read_text().replace("safety: 3", "safety: 0.5"))
    with pytest.raises(ConfigError, match="safety"):
        read_throughput(path)
