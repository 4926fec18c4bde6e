"""What each stage of an experiment may depend on, as plain dictionaries.

The canonical JSON of a stage is the input that drives its rule: a setting that is absent here cannot make that stage
run again. So the number of members is absent from training (a larger ensemble adds blocks and recomputes none), and
batch sizes of evaluation are absent from training.
"""

from typing import Any

from emergent.config.experiment import Experiment
from emergent.config.study import assumptions
from emergent.errors import ConfigError

EXPERIMENT_STAGES = ("kernel", "summary")
ARM_STAGES = ("train", "evaluate")
_EVALUATE_KEYS = ("member_metrics", "ensemble_sizes", "max_ensembles", "batch_size")


def stage_config(experiment: Experiment, stage: str, arm: str | None = None) -> dict[str, Any]:
    """Returns the settings that one stage (of one arm) depends on.

    Args:
        experiment: the validated experiment at one scale.
        stage: ``kernel`` or ``summary`` (whole experiment), ``train`` or ``evaluate`` (one arm).
        arm: name of the arm for the latter.

    Raises:
        ConfigError: no such stage or arm.
    """
    dumped = experiment.model_dump(mode="json")
    common = {"experiment": experiment.experiment, "seed": experiment.seed, "stage": stage}
    if stage in ARM_STAGES:
        if arm not in experiment.arms:
            raise ConfigError(f"arm: expected one of {', '.join(experiment.arms)}, found {arm!r}.")
        common |= {"arm": arm, "data": _data(dumped, stage), "model": dumped["arms"][arm]["model"]}
        if stage == "train":
            return common | {
                "augmentation": dumped["arms"][arm]["augmentation"],
                "initialisation": dumped["arms"][arm]["share_initialisation"] or arm,
                "train": dumped["train"],
            }
        evaluate = {key: dumped["evaluate"][key] for key in _EVALUATE_KEYS}
        bootstrap = dumped["evaluate"]["bootstrap"]
        # Resampling needs every member's outputs; the mean of the whole pool needs the sums of whole blocks.
        evaluate |= {"output_epochs": bootstrap["epochs"] if bootstrap else [], "whole_blocks": bootstrap is not None}
        group = dumped["arms"][arm]["orbit_group"] or dumped["arms"][arm]["augmentation"]["group"]
        return common | {"augmentation": dumped["arms"][arm]["augmentation"] | {"group": group}, "evaluate": evaluate}
    if stage == "kernel":
        if experiment.kernel is None:
            raise ConfigError(f"{experiment.experiment}: no kernel section, so there is no kernel stage.")
        groups = sorted({value.augmentation.group for value in experiment.arms.values()})
        if len(groups) != 1:
            raise ConfigError(
                f"{experiment.experiment}: the kernel stage needs one group for all arms, found {groups}."
            )
        return common | {
            "data": _data(dumped, "evaluate"),
            "kernel": dumped["kernel"],
            "group": groups[0],
            "learning_rate": experiment.train.learning_rate,
            "num_steps": experiment.train.num_epochs,
        }
    if stage == "summary":
        return common | {
            "kind": experiment.kind,
            "title": experiment.title,
            "arms": {n: a["orbit_group"] or a["augmentation"]["group"] for n, a in dumped["arms"].items()},
            "widths": {name: value["model"].get("width", 0) for name, value in dumped["arms"].items()},
            "data": {
                name: {key: value[key] for key in ("role", "primary", "dataset", "interpolation", "fill")}
                for name, value in dumped["data"]["evaluate"].items()
            },
            "data_order": list(experiment.data.evaluate),
            "arm_order": list(experiment.arms),
            "num_members": experiment.members.num,
            "ensemble_sizes": list(experiment.evaluate.ensemble_sizes),
            "max_ensembles": experiment.evaluate.max_ensembles,
            "reference_ensemble_size": experiment.evaluate.reference_ensemble_size
            or max(experiment.evaluate.ensemble_sizes),
            "energy_scale": experiment.evaluate.energy_scale,
            "bootstrap": dumped["evaluate"]["bootstrap"],
            "assumed": assumptions(experiment),
        }
    raise ConfigError(f"stage: expected one of {', '.join(EXPERIMENT_STAGES + ARM_STAGES)}, found {stage!r}.")


def _data(dumped: dict[str, Any], stage: str) -> dict[str, Any]:
    """Returns the data section as far as a stage reads it."""
    data = dict(dumped["data"])
    if stage == "train":
        data.pop("evaluate")
    else:
        # Roles and primaries matter to the summary only.
        data["evaluate"] = {
            name: {key: value for key, value in entry.items() if key not in ("role", "primary")}
            for name, entry in data["evaluate"].items()
        }
    return data


def datasets_of(experiment: Experiment, stage: str) -> list[str]:
    """Returns the names of the data sets that a stage reads (``evaluate``, or ``kernel`` with its readings), sorted."""
    names = {experiment.data.train.dataset} | {entry.dataset for entry in experiment.data.evaluate.values()}
    names |= set(experiment.kernel.readings) if experiment.kernel and stage == "kernel" else set()
    return sorted(names)
