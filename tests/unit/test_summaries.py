"""Every kind of experiment has a summary."""

from emergent.summaries.registry import POOL_SUMMARIES


def test_every_kind_of_experiment_has_a_summary() -> None:
    assert set(POOL_SUMMARIES) == {"ising", "orbit_same_prediction", "convergence", "orbit_divergence"}
