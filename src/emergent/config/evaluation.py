"""Typed configuration of what is measured on trained members, and of the ensembles that are made of them."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from emergent.config.base import Many, Name, StrictModel

# Runtime, compiled programs and Python itself.
BASE_BYTES = 600 * 2**20
FLOAT_BYTES = 4
# Arrays exist again, and once more in the file's image, while they are written.
WRITING_COPIES = 3.2
# All sets stay in memory, and while one is laid out in batches it is there twice more (seen: 2.0 to 2.1 times).
LAYING_COPIES = 2

EnergyScale = Literal["mean_absolute", "absolute_mean", "per_sample"]


class Evaluation(StrictModel):
    """What is measured on the trained members.

    Attributes:
        member_metrics: reductions of each member's outputs on the orbits, by name in ``emergent.metrics``.
        ensemble_sizes: sizes of the disjoint ensembles of consecutive members.
        max_ensembles: at most so many disjoint ensembles per size, the first ones.
        batch_size: inputs (samples x group elements) per forward pass; null takes 128 on a CPU, where small batches
            stay in the caches, and 8192 on accelerators.
        reference_ensemble_size: the size that claims about single numbers refer to; null takes the largest.
    """

    member_metrics: Many[Name] = ()
    ensemble_sizes: Many[PositiveInt]
    max_ensembles: PositiveInt
    batch_size: PositiveInt | None = None
    reference_ensemble_size: PositiveInt | None = None


class SpreadEvaluation(Evaluation):
    """Evaluation of scalar predictions beside the infinitely wide ensemble.

    Attributes:
        energy_scale: what orbit standard deviations are divided by, from the infinite ensemble's energies E on each
            set: ``mean_absolute`` mean |E|, ``absolute_mean`` |mean E|, ``per_sample`` |E|.
    """

    energy_scale: EnergyScale


class CurveEvaluation(Evaluation):
    """Evaluation of functions of one variable.

    Attributes:
        panels: checkpoints at which a figure shows them and their symmetry is measured.
    """

    panels: Many[NonNegativeInt] = Field(min_length=1)


class Bootstrap(StrictModel):
    """Resampled ensembles, whose members are drawn uniformly with replacement from the pool (arXiv 2410.01452).

    Attributes:
        sizes: ensemble sizes N.
        num: ensembles drawn per size; their spread is the published error bar, so at least 2.
        epochs: checkpoints at which every member's outputs are kept for resampling.
        published_pool: members of the published pool. In a smaller one, ensembles with replacement are noisier;
            numbers are then what they would be in the published one.
    """

    sizes: Many[PositiveInt] = Field(min_length=1)
    num: Annotated[int, Field(ge=2)]
    epochs: Many[NonNegativeInt] = Field(min_length=1)
    published_pool: PositiveInt


class DivergenceEvaluation(Evaluation):
    """Evaluation of resampled ensembles."""

    bootstrap: Bootstrap


class EvaluationSettings(StrictModel):
    """What the evaluation of a block may depend on; see ``Evaluation``.

    Attributes:
        output_epochs: checkpoints at which every member's outputs are kept.
        whole_blocks: keep the sum of the outputs of all members of the block.
        costs: count what one network costs.
    """

    member_metrics: Many[Name]
    ensemble_sizes: Many[PositiveInt]
    max_ensembles: PositiveInt
    batch_size: PositiveInt | None
    output_epochs: Many[NonNegativeInt]
    whole_blocks: bool
    costs: bool = False

    def memory_bytes(self, block: int, num_epochs: int, input_floats: Sequence[int], output_floats: int) -> int:
        """Returns the estimated peak memory, in bytes, of evaluating one block of members.

        Args:
            block: members.
            num_epochs: checkpoints.
            input_floats: numbers in the inputs of each set, on their orbits.
            output_floats: numbers in the outputs of one member on them.
        """
        # Sums over the members of each ensemble in the block, cut at its borders, and over the whole block.
        runs = 1 + sum(min(self.max_ensembles, math.ceil(block / size) + 1) for size in self.ensemble_sizes)
        outputs = (runs * num_epochs + block * len(self.output_epochs)) * output_floats
        return BASE_BYTES + round(FLOAT_BYTES * WRITING_COPIES * outputs) + orbit_bytes(input_floats)


def orbit_bytes(input_floats: Sequence[int]) -> int:
    """Returns the peak memory, in bytes, of evaluation sets laid out on their orbits.

    Args:
        input_floats: numbers in the inputs of each set, on their orbits.
    """
    return FLOAT_BYTES * (sum(input_floats) + LAYING_COPIES * max(input_floats, default=0))
