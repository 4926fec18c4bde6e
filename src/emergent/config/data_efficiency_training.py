"""Typed settings of kind ``data_efficiency``; apart, so that its training depends on nothing else of a run.

References:
    arXiv 2104.09459 (networks on tensors) and arXiv 2106.06610 (functions of scalar products), experiments on learning
    with few samples.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel, require_ascending
from emergent.config.stages import ArmStage

Function = Literal["o5_invariant", "inertia", "scattering"]
"""What is learnt, see ``emergent.datasets.symmetric_functions``."""
SYMMETRY: dict[Function, str] = {"o5_invariant": "O(5)", "inertia": "O(3)", "scattering": "O(1,3)"}
"""Group under which it is invariant, or equivariant."""
SUBGROUPS: dict[Function, tuple[str, ...]] = {
    "o5_invariant": ("O(5)", "SO(5)"),
    "inertia": ("O(3)", "SO(3)"),
    "scattering": ("O(1,3)", "SO(1,3)", "SO+(1,3)"),
}
"""Groups that networks on tensors may be built for."""


class Task(StrictModel):
    """What is learnt, and from how much.

    Attributes:
        function: of vectors; inputs are drawn anew for every trial.
        sizes: of the training set, ascending; a smaller one is the beginning of a larger one.
        num_validation: samples that choose the checkpoint.
        num_test: samples on which errors are measured.
        test_batch: samples over which an equivariance error is taken; it is averaged over batches.
    """

    function: Function
    sizes: Many[PositiveInt] = Field(min_length=1)
    num_validation: PositiveInt
    num_test: PositiveInt
    test_batch: PositiveInt = 500

    @model_validator(mode="after")
    def _check(self) -> "Task":
        require_ascending("sizes", self.sizes)
        if self.num_test % self.test_batch:
            raise ValueError(f"test_batch: expected a divisor of num_test = {self.num_test}, found {self.test_batch}")
        return self


class Descent(StrictModel):
    """Adam on the mean squared error, with the parameters that are best on validation samples.

    Attributes:
        learning_rate: at the start.
        milestones: epochs at which it is multiplied by ``decay``; of ``max_epochs``.
        decay: see ``milestones``.
        batch_size: samples per step, at most: a smaller training set is one batch.
        max_epochs: passes over the training set, or over ``samples_per_epoch``.
        total_samples: presentations of samples after which training ends, where that is earlier; null never.
        samples_per_epoch: drawn with repetition; null goes through the training set in random order.
        num_checks: looks at the validation samples, evenly spread over training, at least where there are as many
            epochs.
    """

    learning_rate: PositiveFloat
    milestones: Many[PositiveInt] = ()
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    batch_size: PositiveInt
    max_epochs: PositiveInt
    total_samples: PositiveInt | None = None
    samples_per_epoch: PositiveInt | None = None
    num_checks: PositiveInt = 50
    matmul_precision: Literal["default", "highest"] = "highest"

    @model_validator(mode="after")
    def _check(self) -> "Descent":
        require_ascending("milestones", self.milestones)
        if self.samples_per_epoch is not None and self.samples_per_epoch % self.batch_size:
            raise ValueError(
                f"batch_size: expected a divisor of samples_per_epoch = {self.samples_per_epoch}, found "
                f"{self.batch_size}"
            )
        return self

    def batch(self, num: int) -> int:
        """Returns the samples per step with ``num`` training samples."""
        return self.batch_size if self.samples_per_epoch else min(self.batch_size, num)

    def epochs(self, num: int) -> int:
        """Returns the epochs with ``num`` training samples."""
        if self.total_samples is None:
            return self.max_epochs
        return max(1, min(self.total_samples // (self.samples_per_epoch or num), self.max_epochs))

    def epochs_between_checks(self, num: int) -> int:
        """Returns after how many epochs the validation samples are looked at: a divisor of their number."""
        epochs = self.epochs(num)
        fewest = min(self.num_checks, epochs)
        return max(every for every in range(1, epochs + 1) if epochs % every == 0 and epochs // every >= fewest)


class PlainMethod(StrictModel):
    """Fully connected network on the components, swish units.

    Attributes:
        augmented: every sample of a step is moved by a random element of the group, and the output moved back.
        networks: of a trial; ensembles are made of them.
    """

    method: Literal["mlp"]
    width: PositiveInt = 384
    depth: PositiveInt = 3
    augmented: bool = False
    networks: PositiveInt = 1


class FrameMethod(StrictModel):
    """The same network on components in frames that move with the input; outputs are averaged over the frames.

    The frames are the axes of the Gram matrix of the input vectors in the group's metric. Their signs are free: they
    are drawn in training, and all are averaged afterwards.
    """

    method: Literal["frames"]
    width: PositiveInt = 384
    depth: PositiveInt = 3
    networks: PositiveInt = 1


class TensorMethod(StrictModel):
    """Equivariant layers on tensors (arXiv 2104.09459).

    Attributes:
        group: that layers are equivariant under.
        channels: numbers in a hidden layer, spread over tensors of all ranks that fit.
        relaxed: a plain network is added, times a factor that starts at 0 and is learnt.
    """

    method: Literal["tensors"]
    group: str
    relaxed: bool = False
    channels: PositiveInt = 384
    depth: PositiveInt = 3
    networks: PositiveInt = 1


class ScalarMethod(StrictModel):
    """Networks on scalar products, ReLU units (arXiv 2106.06610).

    Attributes:
        width: of the hidden layers.
        depth: number of hidden layers.
        features: outputs of the networks on masses and of those on all products, for tensors of inertia.
    """

    method: Literal["scalars"]
    width: PositiveInt
    depth: PositiveInt
    features: PositiveInt = 1
    networks: PositiveInt = 1


Method = Annotated[PlainMethod | FrameMethod | TensorMethod | ScalarMethod, Field(discriminator="method")]


class DataEfficiencyStage(ArmStage):
    """Training of one arm at all sizes of the training set, and its errors on test samples.

    Attributes:
        ensemble_sizes: networks of a trial whose mean is measured.
        tolerance: largest equivariance error, before training, of what is called equivariant.
    """

    stage: Literal["train"] = "train"
    task: Task
    network: Method
    train: Descent
    ensemble_sizes: Many[PositiveInt]
    tolerance: PositiveFloat
