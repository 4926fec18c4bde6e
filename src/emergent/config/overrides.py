"""Changes to an experiment at run time: members, epochs, arms, samples of evaluation, a data set in place of another.

They never touch what a member is: members are numbered, so the first ten of a thousand are the same ten, and a later
run with more of them adds blocks and recomputes none; with more epochs it goes on where the shorter one ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emergent.config.base import merge
from emergent.errors import ConfigError


@dataclass(frozen=True)
class Overrides:
    """Changes asked for on the command line.

    Attributes:
        members: members of every arm. Fewer than configured keep the bootstrapped ensembles that they can fill; more
            add those that the experiment bootstraps at full size and that they can fill.
        block: members per job and file, at most: a smaller ensemble is one block.
        epochs: passes over the training set, where it is trained in batches. Checkpoints and resampled epochs that lie
            beyond fall away; more epochs add those that the experiment has at full size, and the last one.
        all_arms: also those arms that the scale leaves out.
        substitute: data set to the one that takes its place.
        samples: at most so many samples of every evaluation set. Errors hold the noise of a part of a test set.
    """

    members: int | None = None
    block: int | None = None
    epochs: int | None = None
    all_arms: bool = False
    substitute: Mapping[str, str] = field(default_factory=dict)
    samples: int | None = None

    def apply(self, content: dict[str, Any], full: dict[str, Any], where: str) -> dict[str, Any]:
        """Returns the configuration of an experiment with the changes made.

        Args:
            content: as read from YAML, with the delta of its scale.
            full: without that delta.
            where: for messages.

        Raises:
            ConfigError: no ensemble size is left.
        """
        if self.all_arms and isinstance(content.get("arms"), dict):
            content = content | {"arms": _all_arms(content["arms"], full["arms"])}
        if self.epochs and isinstance(content.get("train"), dict):
            content = _with_epochs(content, full, self.epochs)
        if self.samples:
            content = _with_samples(content, self.samples)
        content = _substituted(content, self.substitute)
        configured = content.get("members")
        if not isinstance(configured, dict) or not isinstance(configured.get("num"), int):
            return content
        num = self.members or configured["num"]
        block = self.block or configured.get("block")
        if isinstance(block, int) and (self.block or num < configured["num"]):
            # One number for experiments of all sizes: an accelerator takes each ensemble as a whole.
            block = min(block, num)
        content = merge(content, {"members": {"num": num, "block": block}})
        if num > configured["num"]:
            return _more_ensembles(content, full, num)
        return _fitting_ensembles(content, num, where) if num < configured["num"] else content


def _all_arms(arms: dict[str, Any], full: dict[str, Any]) -> dict[str, Any]:
    """Returns the arms of a scale and those that it leaves out, in the order of the experiment."""
    return {name: arms.get(name, arm) for name, arm in full.items()}


def _with_epochs(content: dict[str, Any], full: dict[str, Any], num: int) -> dict[str, Any]:
    """Returns the configuration with another length of training, where that is counted in epochs."""
    train, configured = content["train"], content["train"].get("num_epochs")
    # Full-batch training counts steps.
    if not isinstance(configured, int) or num == configured or train.get("batch_size") is None:
        return content
    train = train | {"num_epochs": num}
    if train.get("checkpoints"):
        train["checkpoints"] = _epochs_until(num, train["checkpoints"], full["train"].get("checkpoints"))
    content = content | {"train": train}
    bootstrap = (content.get("evaluate") or {}).get("bootstrap")
    if bootstrap and "epochs" in bootstrap:
        theirs = ((full.get("evaluate") or {}).get("bootstrap") or {}).get("epochs")
        epochs = _epochs_until(num, bootstrap["epochs"], theirs)
        content = merge(content, {"evaluate": {"bootstrap": {"epochs": epochs}}})
    return content


def _epochs_until(num: int, own: list[int], full: list[int] | None) -> list[int]:
    """Returns a scale's epochs up to ``num``, later ones of the full experiment, and ``num`` itself, ascending."""
    later = [epoch for epoch in full or [] if epoch > max(own)]
    return sorted({*(epoch for epoch in [*own, *later] if epoch < num), num})


def _with_samples(content: dict[str, Any], num: int) -> dict[str, Any]:
    """Returns the configuration with smaller evaluation sets, where it has any."""
    data = content.get("data")
    sets = data.get("evaluate") if isinstance(data, dict) else None
    if not isinstance(sets, dict):
        return content
    smaller = {name: {"num": min(num, part.get("num") or num)} for name, part in sets.items() if isinstance(part, dict)}
    return merge(content, {"data": {"evaluate": smaller}})


def _more_ensembles(content: dict[str, Any], full: dict[str, Any], num: int) -> dict[str, Any]:
    """Returns the configuration with the bootstrapped ensembles of full size that ``num`` members can fill."""
    bootstrap = (content.get("evaluate") or {}).get("bootstrap") or {}
    larger = ((full.get("evaluate") or {}).get("bootstrap") or {}).get("sizes") or []
    if "sizes" in bootstrap:
        added = [size for size in larger if max(bootstrap["sizes"]) < size <= num]
        bootstrap["sizes"] = [*bootstrap["sizes"], *added]
    return content


def _fitting_ensembles(content: dict[str, Any], num: int, where: str) -> dict[str, Any]:
    """Returns the configuration without the ensembles that ``num`` members cannot fill."""
    evaluate = content.get("evaluate") or {}
    for section, key in ((evaluate, "ensemble_sizes"), (evaluate.get("bootstrap") or {}, "sizes")):
        if key in section:
            section[key] = [size for size in section[key] if size <= num]
            if not section[key]:
                raise ConfigError(f"{where}: no ensemble size is left with {num} members; use more.")
    reference = evaluate.get("reference_ensemble_size")
    if reference is not None and reference > num:
        evaluate["reference_ensemble_size"] = max(evaluate["ensemble_sizes"])
    return content


def _substituted(content: Any, substitute: Mapping[str, str]) -> Any:
    """Returns the configuration with data sets replaced by others, wherever the key ``dataset`` names one."""
    if isinstance(content, list):
        return [_substituted(item, substitute) for item in content]
    if not isinstance(content, dict):
        return content
    result = {}
    for key, value in content.items():
        named = key == "dataset" and isinstance(value, str)
        result[key] = substitute.get(value, value) if named else _substituted(value, substitute)
    return result
