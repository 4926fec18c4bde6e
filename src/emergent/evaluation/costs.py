"""What one network costs, counted from its own computation: the same on every machine, unlike times."""

from typing import Any

import jax
import numpy as np

from emergent.config.stages import EvaluateStage
from emergent.domains.registry import example
from emergent.models.registry import build
from emergent.models.size import multiplications
from emergent.storage import Array


def cost_arrays(stage: EvaluateStage) -> dict[str, Array]:
    """Returns the costs of one network of an arm, as arrays to be stored.

    Args:
        stage: of the arm. What is trained may be another use of the same parameters than what is evaluated.
    """
    inputs = example(stage.data)
    used, trained = build(stage.model), build(stage.model.trained())
    parameters = jax.eval_shape(used.init, jax.random.key(0), inputs)

    def total(weights: Any, values: Any) -> Any:
        return trained.apply(weights, values).sum()  # pyright: ignore[reportAttributeAccessIssue]

    counts = {
        "inference": (multiplications(used.apply, parameters, inputs), "multiplications to evaluate one input"),
        "training": (
            multiplications(jax.grad(total), parameters, inputs),
            "multiplications for the gradient of one training input",
        ),
    }
    return {
        f"costs/{name}": Array(np.asarray([value]), ("network",), "1", text) for name, (value, text) in counts.items()
    }
