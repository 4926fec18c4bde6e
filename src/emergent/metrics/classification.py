"""How well classes are predicted, on the untransformed samples; outputs come as ``[..., N, G, K]``, identity first.

Arrays of NumPy and of JAX alike; results are of the kind of the outputs.
"""

import numpy as np
from jaxtyping import Float, Int

from emergent.metrics.arrays import in_double, namespace


def correct(outputs: Float[np.ndarray, "... N G K"], labels: Int[np.ndarray, " N"]) -> np.ndarray:
    """Returns whether the untransformed sample is classified correctly, as 0 or 1."""
    predicted = outputs[..., 0, :].argmax(-1)
    return (predicted == namespace(outputs).broadcast_to(labels, predicted.shape)).astype(np.int8)


def cross_entropy(outputs: Float[np.ndarray, "... N G K"], labels: Int[np.ndarray, " N"]) -> np.ndarray:
    """Returns the cross-entropy of the untransformed samples in nats."""
    log_p = log_softmax(in_double(outputs[..., 0, :]))
    xp = namespace(log_p)
    return -xp.take_along_axis(log_p, xp.broadcast_to(labels, log_p.shape[:-1])[..., None], -1)[..., 0]


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Returns the logarithms of the probabilities of logits [..., K]."""
    # Probabilities stay the same and no exponential overflows: unscaled N(0, 1) weights make logits of tens and more.
    shifted = logits - logits.max(-1, keepdims=True)
    xp = namespace(logits)
    return shifted - xp.log(xp.exp(shifted).sum(-1, keepdims=True))
