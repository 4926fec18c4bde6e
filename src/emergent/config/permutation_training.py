"""Typed settings of kind ``permutation_flow``; apart, so that its training depends on nothing else of a run."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import StrictModel

Probability = Annotated[float, Field(ge=0, le=1)]
TrainingMode = Literal["equivariant", "augmented", "nominal"]
"""``equivariant``: gradients projected onto E; ``augmented``: data permuted at random; ``nominal``: neither."""


class BlockGraphs(StrictModel):
    """Random graphs of two blocks of nodes, relabelled at random; the label says whether a graph is connected.

    Attributes:
        num: graphs.
        block_size: nodes per block.
        inside: probability of an edge within a block.
        across: probability of an edge between the blocks.
    """

    num: PositiveInt
    block_size: PositiveInt
    inside: Probability
    across: Probability


class GraphNetworkSettings(StrictModel):
    """Widths of the network on adjacency matrices.

    Attributes:
        channels: of the layer from matrices to matrices.
        features: of the layer from matrices to numbers that do not depend on the labelling.
        hidden: of the dense layer.
        weight_std: of the Gaussian draws before their projection onto E, times the root of the fan-in.
    """

    channels: PositiveInt
    features: PositiveInt
    hidden: PositiveInt
    weight_std: Annotated[float, Field(gt=0)]


class GradientSteps(StrictModel):
    """Gradient descent with one step per look at all the data.

    Attributes:
        num_steps: steps ("epochs").
        learning_rate: for the cross-entropy, averaged over graphs.
        batch_size: graphs that share a permutation; divides their number.
        num_passes: passes over the data per step of augmented training, each with new permutations.
    """

    num_steps: PositiveInt
    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: PositiveInt
    num_passes: PositiveInt
    matmul_precision: Literal["default", "highest"] = "highest"


class PermutationTask(StrictModel):
    """All settings that training reads, whatever the arm."""

    graphs: BlockGraphs
    network: GraphNetworkSettings
    train: GradientSteps

    @model_validator(mode="after")
    def _check(self) -> "PermutationTask":
        if self.graphs.num % self.train.batch_size:
            raise ValueError(
                f"batch_size: expected a divisor of the {self.graphs.num} graphs, found {self.train.batch_size}"
            )
        return self
