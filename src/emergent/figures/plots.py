"""The registry of plots: kind in ``config/figures.yaml`` to the function that draws it and the inputs it reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emergent.config.figure_kinds import Entry
from emergent.errors import ConfigError
from emergent.figures import (
    accuracy_table,
    attack_paths,
    attack_pictures,
    attack_table,
    built_or_learnt,
    change_by_angle,
    cloud_table,
    clusters_table,
    conditions,
    conditions_table,
    curves_by_width,
    departure,
    distance_by_epoch,
    distance_floor,
    distance_sensitivity,
    elsewhere_table,
    embedding_residuals,
    equivariance_by_ensemble_size,
    error_by_clusters,
    error_by_lattice,
    error_by_training_size,
    error_by_width,
    error_over_time,
    error_with_bound,
    experiment_gap,
    floor_table,
    flow,
    followed_elsewhere,
    gap_table,
    infinite_width_difference,
    infinite_width_floor,
    infinite_width_readings,
    inpainting_examples,
    inpainting_table,
    intertwiner_counts,
    invariant_matrix,
    joints_table,
    law,
    layer_correspondence,
    learned_curves,
    learning_curve,
    learning_laws,
    means_by_time,
    method_costs,
    method_table,
    metric_by_epoch,
    metric_by_epoch_and_data,
    metric_by_epoch_and_size,
    metric_by_size,
    metric_by_size_table,
    metric_gain,
    metric_readings,
    metric_sensitivity,
    motion_table,
    phase_portraits,
    pool_by_epoch,
    predicted_pairs,
    predicted_radiation,
    projected_masks,
    published_points,
    risk_by_size,
    samples,
    score_by_copies,
    score_by_cost,
    significance,
    sphere_signals,
    spread_by_size,
    style,
    subspace_distance,
    tail_with_bound,
)
from emergent.figures.drawing import Animation, Drawing, References, Tabulation
from emergent.figures.facts import Inputs


@dataclass(frozen=True)
class Plot:
    """One kind of figure or table.

    Attributes:
        draw: called with (inputs, references, entry of the catalogue).
        tables: summary tables that it reads, where the entry's options do not name one.
        arrays: summary arrays that it reads.
        animate: called with (inputs, entry), for kinds that move.
    """

    draw: Callable[[Any, Any, Any], Drawing | Tabulation]
    tables: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()
    animate: Callable[[Any, Any], Animation] | None = None


PLOTS: dict[str, Plot] = {
    "spread_by_size": Plot(spread_by_size.draw),
    "infinite_width_difference": Plot(infinite_width_difference.draw, tables=("ntk_difference",)),
    "infinite_width_floor": Plot(infinite_width_floor.draw, tables=("ntk_floor",)),
    "metric_by_epoch": Plot(metric_by_epoch.draw),
    "metric_gain": Plot(metric_gain.draw),
    "metric_by_epoch_and_data": Plot(metric_by_epoch_and_data.draw),
    "metric_by_epoch_and_size": Plot(metric_by_epoch_and_size.draw),
    "floor_table": Plot(floor_table.tabulate, tables=("fit",)),
    "method_table": Plot(method_table.tabulate, tables=("osp",)),
    "method_costs": Plot(method_costs.tabulate, tables=("osp", "accuracy", "costs")),
    "metric_readings": Plot(metric_readings.tabulate),
    "metric_sensitivity": Plot(metric_sensitivity.tabulate),
    "error_with_bound": Plot(error_with_bound.draw, tables=("errors",)),
    "tail_with_bound": Plot(tail_with_bound.draw, tables=("tail",)),
    "flow": Plot(flow.draw, tables=("particles", "mean")),
    "departure": Plot(departure.draw, tables=("departure",)),
    "subspace_distance": Plot(subspace_distance.draw, tables=("subspace_distance",)),
    "distance_by_epoch": Plot(distance_by_epoch.draw, tables=("distance", "fit")),
    "distance_floor": Plot(distance_floor.draw, tables=("floors",)),
    "distance_sensitivity": Plot(distance_sensitivity.tabulate, tables=("distances", "floors")),
    "infinite_width_readings": Plot(infinite_width_readings.tabulate, tables=("readings",)),
    "pool_by_epoch": Plot(pool_by_epoch.draw, tables=("pool",)),
    "metric_by_size": Plot(metric_by_size.draw, tables=("ensembles", "quantities")),
    "learned_curves": Plot(
        learned_curves.draw, tables=("curves", "targets", "asymmetry"), animate=learned_curves.animate
    ),
    "curves_by_width": Plot(curves_by_width.draw, tables=("curves", "limit", "targets", "approach")),
    "built_or_learnt": Plot(built_or_learnt.draw, tables=("choices",)),
    "error_by_training_size": Plot(error_by_training_size.draw, tables=("efficiency",)),
    "equivariance_by_ensemble_size": Plot(equivariance_by_ensemble_size.draw, tables=("efficiency",)),
    "error_by_width": Plot(error_by_width.draw, tables=("convergence",)),
    "learning_curve": Plot(learning_curve.draw, tables=("learning",)),
    "learning_laws": Plot(learning_laws.draw, tables=("learning", "laws")),
    "sphere_signals": Plot(sphere_signals.draw, tables=("signals", "atoms")),
    "layer_correspondence": Plot(layer_correspondence.draw),
    "means_by_time": Plot(means_by_time.draw, tables=("means", "spectrum")),
    "law": Plot(law.draw, tables=("law_points", "law", "quantities")),
    "conditions": Plot(conditions.draw, tables=("disjoint",)),
    "conditions_table": Plot(conditions_table.tabulate, tables=("disjoint",)),
    "experiment_gap": Plot(experiment_gap.draw, tables=("significance", "quantities")),
    "accuracy_table": Plot(accuracy_table.tabulate, tables=("ensembles", "pool")),
    "significance": Plot(significance.tabulate, tables=("significance",)),
    "published_points": Plot(published_points.tabulate, tables=("quantities", "law")),
    "metric_by_size_table": Plot(metric_by_size_table.tabulate, tables=("ensembles",)),
    "risk_by_size": Plot(risk_by_size.draw, tables=("risks", "crossings")),
    "inpainting_table": Plot(inpainting_table.tabulate, tables=("errors", "ensembles")),
    "inpainting_examples": Plot(inpainting_examples.draw, tables=("examples", "ensembles")),
    "error_by_clusters": Plot(error_by_clusters.draw, tables=("traffic",)),
    "clusters_table": Plot(clusters_table.tabulate, tables=("traffic",)),
    "joints_table": Plot(joints_table.tabulate, tables=("joints",)),
    "predicted_pairs": Plot(predicted_pairs.draw, tables=("pairs", "distances")),
    "cloud_table": Plot(cloud_table.tabulate, tables=("distances",)),
    "gap_table": Plot(gap_table.tabulate, tables=("gaps",)),
    "error_over_time": Plot(error_over_time.draw, tables=("errors_by_time", "rollouts")),
    "phase_portraits": Plot(phase_portraits.draw, tables=("portraits", "rollouts")),
    "motion_table": Plot(motion_table.tabulate, tables=("rollouts",)),
    "followed_elsewhere": Plot(followed_elsewhere.draw, tables=("followed", "unit_errors")),
    "elsewhere_table": Plot(elsewhere_table.tabulate, tables=("followed", "unit_errors")),
    "invariant_matrix": Plot(invariant_matrix.draw, tables=("separation",)),
    "predicted_radiation": Plot(predicted_radiation.draw, tables=("curves", "errors")),
    "intertwiner_counts": Plot(intertwiner_counts.draw, tables=("pairs", "norms")),
    "embedding_residuals": Plot(embedding_residuals.draw, tables=("embeddings", "ensembles")),
    "error_by_lattice": Plot(error_by_lattice.draw, tables=("lattices", "ensembles")),
    "change_by_angle": Plot(change_by_angle.draw, tables=("scores", "angles")),
    "attack_paths": Plot(attack_paths.draw, tables=("attacked", "paths")),
    "attack_pictures": Plot(attack_pictures.draw, tables=("attacked", "attack_means", "shown")),
    "attack_table": Plot(attack_table.tabulate, tables=("attack_means", "attack_tests")),
    "score_by_copies": Plot(score_by_copies.draw, tables=("scores",)),
    "score_by_cost": Plot(score_by_cost.draw, tables=("scores", "costs", "times")),
    "projected_masks": Plot(projected_masks.draw, tables=("examples",)),
    "samples": Plot(samples.draw, arrays=("ood_samples",)),
}


def draw(entry: Entry, inputs: Inputs, references: References) -> Drawing | Tabulation:
    """Returns the figure or table of one entry, drawn in the common style.

    Args:
        entry: an entry of the catalogue.
        inputs: summary tables and arrays, and the facts of the experiments.
        references: published values by file name.

    Raises:
        DataError: an input is missing.
    """
    with style.context():
        return PLOTS[entry.plot].draw(inputs, references, entry)


def animate(entry: Entry, inputs: Inputs) -> Animation:
    """Returns the animation of one entry, drawn in the common style.

    Raises:
        ConfigError: pictures of this kind do not move.
        DataError: an input is missing.
    """
    move = PLOTS[entry.plot].animate
    if move is None:
        known = ", ".join(name for name, plot in PLOTS.items() if plot.animate)
        raise ConfigError(f"{entry.name}: pictures of kind {entry.plot!r} do not move; those that do: {known}.")
    with style.context():
        return move(inputs, entry)
