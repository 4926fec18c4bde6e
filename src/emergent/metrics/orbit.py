"""Symmetry metrics of a predictor, from its outputs on whole group orbits.

Outputs come as ``[..., N, G, K]``: N samples, G group elements (element 0 is the identity), K outputs. Works for one
member and for the mean of an ensemble alike. NumPy only: the arrays are small and live on the host.

References:
    arXiv 2403.03103 (orbit same prediction, relative orbit standard deviation); arXiv 2410.01452 (divergence).
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int


def orbit_same_predictions(outputs: Float[np.ndarray, "... N G K"]) -> Int[np.ndarray, "... N"]:
    """Returns for how many group elements the predicted class is that of the untransformed sample, 1..G."""
    classes = outputs.argmax(-1)
    return (classes == classes[..., :1]).sum(-1)


def correct(outputs: Float[np.ndarray, "... N G K"], labels: Int[np.ndarray, " N"]) -> np.ndarray:
    """Returns whether the untransformed sample is classified correctly, as 0 or 1."""
    return (outputs[..., 0, :].argmax(-1) == labels).astype(np.int8)


def cross_entropy(outputs: Float[np.ndarray, "... N G K"], labels: Int[np.ndarray, " N"]) -> np.ndarray:
    """Returns the cross-entropy of the untransformed samples in nats."""
    log_p = _log_softmax(outputs[..., 0, :].astype(np.float64))
    return -np.take_along_axis(log_p, np.broadcast_to(labels, log_p.shape[:-1])[..., None], -1)[..., 0]


def squared_gap(outputs: Float[np.ndarray, "... N G K"]) -> Float[np.ndarray, "... N"]:
    """Returns the mean over group elements and outputs of (f(g x) - f(x))^2; 0 if invariant.

    For the mean of N independent members its expectation is exactly ``floor + slope / N``, where the floor is the gap
    of the infinite ensemble.
    """
    return np.square(outputs - outputs[..., :1, :]).mean((-1, -2))


def site_mean(outputs: Float[np.ndarray, "... N G K"]) -> Float[np.ndarray, "... N G"]:
    """Returns the mean over output sites: the energy per site (up to -J) predicted from site energies."""
    return outputs.mean(-1)


def orbit_energy_std(outputs: Float[np.ndarray, "... N G K"]) -> Float[np.ndarray, "... N"]:
    """Returns the standard deviation (ddof 0) of the predicted energy per site over the orbit; 0 if invariant."""
    return site_mean(outputs).std(-1)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def symmetric_kl(outputs: Float[np.ndarray, "... N G K"]) -> Float[np.ndarray, "... N"]:
    """Returns KL(p||p_g) + KL(p_g||p) in nats, averaged over all G elements, the identity included.

    p is the softmax of the logits at the untransformed sample, p_g at the one transformed by g.

    References:
        arXiv 2410.01452.
    """
    log_p = _log_softmax(outputs.astype(np.float64))
    log_q = log_p[..., :1, :]
    return ((np.exp(log_p) - np.exp(log_q)) * (log_p - log_q)).sum(-1).mean(-1)


def orbit_mse(
    outputs: Float[np.ndarray, "... N G K"], output_representation: Float[np.ndarray, "G K K"]
) -> Float[np.ndarray, "... N"]:
    """Returns the mean over g and outputs of |f(g x) - rho(g) f(x)|^2; 0 if equivariant.

    Args:
        outputs: predictions on the orbits.
        output_representation: rho(g) for every element, in the group's order.
    """
    moved = np.einsum("gij,...j->...gi", output_representation, outputs[..., 0, :])
    return np.square(outputs - moved).mean((-1, -2))


MEMBER_METRICS: dict[str, tuple[Callable[..., np.ndarray], np.dtype]] = {
    "orbit_same_predictions": (lambda outputs, labels: orbit_same_predictions(outputs), np.dtype(np.uint8)),
    "correct": (correct, np.dtype(np.uint8)),
    "orbit_energy_std": (lambda outputs, labels: orbit_energy_std(outputs), np.dtype(np.float32)),
    "symmetric_kl": (lambda outputs, labels: symmetric_kl(outputs), np.dtype(np.float32)),
    "cross_entropy": (cross_entropy, np.dtype(np.float32)),
}
"""Reductions of one member's outputs to a number per sample, by their name in ``evaluate.member_metrics``."""

NEED_LABELS = frozenset({"correct", "cross_entropy"})
"""Metrics that sets without labels do not have."""
