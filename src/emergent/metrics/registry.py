"""Metrics of single members by name. A new one is a function and one line here."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from emergent.errors import ConfigError
from emergent.metrics.classification import correct, cross_entropy
from emergent.metrics.orbit import (
    equivariance_error,
    mean_output,
    orbit_mse,
    orbit_same_predictions,
    orbit_std,
    symmetric_kl,
)
from emergent.metrics.output_actions import OutputAction


@dataclass(frozen=True)
class MemberMetric:
    """A reduction of one member's outputs [N, G, K] to a number per sample.

    Attributes:
        function: outputs and, by keyword, what it uses, to values [N].
        dtype: in which values are stored.
        uses: ``labels`` [N] of the samples and ``action`` on outputs; sets without labels do not have metrics that use
            them.
        needs_action: it is refused where outputs have no action; others then take them as invariant.
    """

    function: Callable[..., np.ndarray]
    dtype: type[np.generic]
    uses: tuple[str, ...] = ()
    needs_action: bool = False

    @property
    def needs_labels(self) -> bool:
        """Returns whether samples must have labels."""
        return "labels" in self.uses

    def __call__(
        self,
        outputs: Float[np.ndarray, "N G K"],
        labels: Int[np.ndarray, " N"] | None,
        action: OutputAction | None,
    ) -> np.ndarray:
        """Returns the values [N], in the type in which they are stored."""
        given: dict[str, Any] = {"labels": labels, "action": action}
        return self.function(outputs, **{name: given[name] for name in self.uses}).astype(self.dtype)


# Numbers of group elements go beyond 255: orbits of 256 elements and more would be counted as 0.
MEMBER_METRICS: dict[str, MemberMetric] = {
    "correct": MemberMetric(correct, np.uint8, ("labels",)),
    "cross_entropy": MemberMetric(cross_entropy, np.float32, ("labels",)),
    "equivariance_error": MemberMetric(equivariance_error, np.float32, ("action",), needs_action=True),
    "mean_output": MemberMetric(mean_output, np.float32),
    "orbit_mse": MemberMetric(orbit_mse, np.float32, ("action",), needs_action=True),
    "orbit_same_predictions": MemberMetric(orbit_same_predictions, np.uint16, ("action",)),
    "orbit_std": MemberMetric(orbit_std, np.float32),
    "symmetric_kl": MemberMetric(symmetric_kl, np.float32, ("action",)),
}
"""By their name in ``evaluate.member_metrics``."""


def member_metric(name: str) -> MemberMetric:
    """Returns the metric of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in MEMBER_METRICS:
        close = difflib.get_close_matches(name, MEMBER_METRICS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise ConfigError(f"evaluate.member_metrics: no metric {name!r}{hint} There are: {', '.join(MEMBER_METRICS)}.")
    return MEMBER_METRICS[name]
