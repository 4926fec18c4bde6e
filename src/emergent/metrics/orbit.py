"""Symmetry metrics of a predictor, from its outputs on whole group orbits and the action on outputs: one family.

Outputs come as ``[..., N, G, K]``: N samples, G group elements (element 0 is the identity), K outputs. Every metric
compares f(g x) with rho(g) f(x), where rho is the action on outputs; without one, outputs are taken as invariant by
the metrics for which that is the usual meaning, and refused by those for which it is not. Works for one member and for
the mean of an ensemble alike, on arrays of NumPy and, for pools of many members on an accelerator, of JAX.

References:
    arXiv 2403.03103 (orbit same prediction, relative orbit standard deviation); arXiv 2410.01452 (divergence).
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from emergent.errors import ConfigError
from emergent.metrics.arrays import in_double, namespace
from emergent.metrics.classification import log_softmax
from emergent.metrics.output_actions import Invariant, OutputAction

Outputs = Float[np.ndarray, "... N G K"]


def _expected(outputs: np.ndarray, action: OutputAction | None) -> np.ndarray:
    """Returns rho(g) f(x), one for all elements [..., 1, K] where outputs do not move, else [..., G, K]."""
    if action is not None and action.order != outputs.shape[-2]:
        raise ValueError(
            f"the action does not fit the outputs: it has {action.order} elements, the orbits have {outputs.shape[-2]} "
            f"(shape {outputs.shape})."
        )
    if action is None or isinstance(action, Invariant):
        return outputs[..., :1, :]
    return action.moved(outputs[..., 0, :])


def _required(action: OutputAction | None, metric: str) -> OutputAction:
    if action is None:
        raise ConfigError(
            f"metric {metric!r} compares f(g x) with rho(g) f(x) and needs the action of the group on outputs, which "
            "these outputs have none of; say how outputs move (data.outputs), or leave the metric out."
        )
    return action


def orbit_same_predictions(outputs: Outputs, action: OutputAction | None = None) -> Int[np.ndarray, "... N"]:
    """Returns for how many group elements the predicted class is that of the untransformed sample, 1..G."""
    return (outputs.argmax(-1) == _expected(outputs, action).argmax(-1)).sum(-1)


def site_mean(outputs: Outputs) -> Float[np.ndarray, "... N G"]:
    """Returns the mean over outputs: of site energies the energy per site (up to -J)."""
    return outputs.mean(-1)


def mean_output(outputs: Outputs) -> Float[np.ndarray, "... N"]:
    """Returns the mean over outputs at the untransformed sample, e.g. an energy per site; no measure of a symmetry.

    It is stored of every member where differences of members to something else are asked for.
    """
    return site_mean(outputs[..., 0, :])


def orbit_std(outputs: Outputs, scalar: Callable[[np.ndarray], np.ndarray] = site_mean) -> Float[np.ndarray, "... N"]:
    """Returns the standard deviation (ddof 0) of a scalar over the orbit; 0 if invariant.

    Args:
        outputs: predictions on the orbits.
        scalar: outputs [..., K] to a number [...]; by default their mean, which permutations of outputs do not change.
    """
    # An orbit is the whole population and no sample of it: no n - 1. arXiv 2403.03103 does not say.
    return scalar(outputs).std(-1)


def symmetric_kl(outputs: Outputs, action: OutputAction | None = None) -> Float[np.ndarray, "... N"]:
    """Returns KL(p||p_g) + KL(p_g||p) in nats, averaged over all G elements, the identity included.

    p is the softmax of the logits at the untransformed sample, p_g at the one transformed by g.

    References:
        arXiv 2410.01452.
    """
    log_p = log_softmax(in_double(outputs))
    xp = namespace(log_p)
    # Log-probabilities may be moved in place of logits: the softmax commutes with permutations of classes.
    log_q = _expected(log_p, action)
    # Both divergences in one sum, of which no term is negative: nothing is lost to cancellation. The identity adds 0
    # and is counted, as in the released code of arXiv 2410.01452.
    return ((xp.exp(log_p) - xp.exp(log_q)) * (log_p - log_q)).sum(-1).mean(-1)


def orbit_mse(outputs: Outputs, action: OutputAction | None) -> Float[np.ndarray, "... N"]:
    """Returns the mean over g and outputs of |f(g x) - rho(g) f(x)|^2; 0 if equivariant.

    For the mean of M independent members its expectation is exactly ``floor + slope / M``, where the floor is that of
    the infinite ensemble, because the difference is linear in the outputs.

    Raises:
        ConfigError: no action on outputs.
    """
    outputs = in_double(outputs)
    return ((outputs - _expected(outputs, _required(action, "orbit_mse"))) ** 2).mean((-1, -2))


def squared_gap(outputs: Outputs) -> Float[np.ndarray, "... N"]:
    """Returns the mean over group elements and outputs of (f(g x) - f(x))^2, the orbit MSE of invariant outputs."""
    return orbit_mse(outputs, Invariant(outputs.shape[-2]))


def element_errors(outputs: Outputs, action: OutputAction | None = None) -> Float[np.ndarray, "... G"]:
    """Returns for each group element the root mean square of f(g x) - rho(g) f(x), over that of f(x); 0 if equivariant.

    Means run over samples and outputs; NaN where f(x) is 0 on all samples. Of networks that are equivariant by
    construction it tells elements that are exact from those that interpolate.
    """
    outputs = in_double(outputs)
    size = np.sqrt((outputs[..., 0, :] ** 2).mean((-1, -2)))[..., None]
    error = np.sqrt(((outputs - _expected(outputs, action)) ** 2).mean((-1, -3)))
    return np.divide(error, size, out=np.full_like(error, np.nan), where=size > 0)


def equivariance_error(outputs: Outputs, action: OutputAction | None) -> Float[np.ndarray, "... N"]:
    """Returns the root of the orbit MSE over that of the mean square of the outputs on the orbit; 0 if equivariant.

    Outputs that are zero on the whole orbit are equivariant. An output without any relation between the elements has
    an error of about the root of 2.

    Raises:
        ConfigError: no action on outputs.
    """
    outputs = in_double(outputs)
    xp = namespace(outputs)
    error = xp.sqrt(orbit_mse(outputs, _required(action, "equivariance_error")))
    size = xp.sqrt((outputs**2).mean((-1, -2)))
    return xp.where(size > 0, error / xp.where(size > 0, size, 1.0), 0.0)
