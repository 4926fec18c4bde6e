"""How well classes are predicted, on the untransformed samples; outputs come as ``[..., N, G, K]``, identity first."""

import numpy as np
from jaxtyping import Float, Int


def correct(outputs: Float[np.ndarray, "... N G K"], labels: Int[np.ndarray, " N"]) -> np.ndarray:
    """Returns whether the untransformed sample is classified correctly, as 0 or 1."""
    return (outputs[..., 0, :].argmax(-1) == labels).astype(np.int8)


def cross_entropy(outputs: Float[np.ndarray, "... N G K"], labels: Int[np.ndarray, " N"]) -> np.ndarray:
    """Returns the cross-entropy of the untransformed samples in nats."""
    log_p = log_softmax(outputs[..., 0, :].astype(np.float64))
    return -np.take_along_axis(log_p, np.broadcast_to(labels, log_p.shape[:-1])[..., None], -1)[..., 0]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Returns the logarithms of the probabilities of logits [..., K]."""
    # Probabilities stay the same and no exponential overflows: unscaled N(0, 1) weights make logits of tens and more.
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
