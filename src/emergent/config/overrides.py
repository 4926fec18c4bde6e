"""Changes to an experiment at run time: other numbers of members, other blocks, another data set in place of one.

They never touch what a member is: members are numbered, so the first ten of a thousand are the same ten, and a later
run with more of them adds blocks and recomputes none.
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
        block: members per job and file.
        substitute: data set to the one that takes its place.
    """

    members: int | None = None
    block: int | None = None
    substitute: Mapping[str, str] = field(default_factory=dict)

    def apply(self, content: dict[str, Any], full: dict[str, Any], where: str) -> dict[str, Any]:
        """Returns the configuration of an experiment with the changes made.

        Args:
            content: as read from YAML, with the delta of its scale.
            full: without that delta.
            where: for messages.

        Raises:
            ConfigError: no ensemble size is left.
        """
        content = _substituted(content, self.substitute)
        configured = content.get("members")
        if not isinstance(configured, dict) or not isinstance(configured.get("num"), int):
            return content
        num = self.members or configured["num"]
        block = self.block or configured.get("block")
        if isinstance(block, int) and num < configured["num"]:
            block = min(block, num)
        content = merge(content, {"members": {"num": num, "block": block}})
        if num > configured["num"]:
            return _more_ensembles(content, full, num)
        return _fitting_ensembles(content, num, where) if num < configured["num"] else content


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
