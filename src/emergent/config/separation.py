"""Typed configuration of experiments of kind ``separation``: which invariants tell the orbits of a group apart.

Pairs of clouds of d vectors in d dimensions are made in several ways, some of which leave a pair on one orbit of a
group. Whether they do is measured by the nearest element of the group, and held against the distance of invariants.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase

Group = Literal["orthogonal", "special_orthogonal", "lorentz", "relabelled_orthogonal"]
"""O(d), SO(d), O(1,3), and O(d) with all orders of the vectors."""
Invariant = Literal["gram", "minors", "minkowski", "diagonal", "rest", "tie"]
"""Names of what ``emergent.groups.invariants`` has."""
PairKind = Literal["rotated", "mirrored", "boosted", "relabelled", "shuffled", "sheared", "unrelated"]
"""How the second cloud of a pair is made of the first. ``rotated``: turned. ``mirrored``: reflected and turned.
``boosted``: moved by a boost and a rotation of space. ``relabelled``: its vectors in another order, and turned.
``shuffled``: what stands beside the diagonal of its Gram matrix in an order that no order of the vectors makes; turned.
``sheared``: moved by a map of determinant 1. ``unrelated``: another cloud."""
LORENTZ_DIMENSION = 4


class Candidate(StrictModel):
    """Some invariants of a group.

    Attributes:
        name: in quantities.
        label: in figures, e.g. ``Gram and minors``.
        group: whose orbits they are to tell apart.
        symbol: of the group, as mathematics.
        invariants: which.
        complete: theory says that they do.
    """

    name: Name
    label: str
    group: Group
    symbol: str
    invariants: Many[Invariant] = Field(min_length=1)
    complete: bool


class CloudArm(ArmLabels):
    """Clouds of as many vectors as they have dimensions.

    Attributes:
        dimension: d.
    """

    dimension: Annotated[int, Field(ge=2, le=5)]


class SeparationStage(ArmStage):
    """Pairs of clouds, and distances of them."""

    stage: Literal["train"] = "train"
    dimension: PositiveInt
    num_pairs: PositiveInt
    pairs: Many[PairKind]
    candidates: Many[Candidate]


class SeparationSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        pairs: kinds of pairs, in order.
        candidates: in order.
        threshold: distances below count as none.
    """

    pairs: Many[PairKind]
    candidates: Many[Candidate]
    threshold: float


class SeparationExperiment(StudyBase):
    """Which invariants separate orbits.

    Attributes:
        num_pairs: pairs of each kind, of each member.
        pairs: kinds of pairs.
        candidates: sets of invariants.
        threshold: distances, in units of the first cloud, below which two clouds count as on one orbit, and their
            invariants as equal. Rounding stays far below, pairs that differ far above.
    """

    kind: Literal["separation"]
    arms: dict[Name, CloudArm] = Field(min_length=1, max_length=1)
    num_pairs: PositiveInt
    pairs: Many[PairKind] = Field(min_length=1)
    candidates: Many[Candidate] = Field(min_length=1)
    threshold: Annotated[float, Field(gt=0, lt=1)]

    @model_validator(mode="after")
    def _check_dimension(self) -> "SeparationExperiment":
        asked = [f"candidates.{one.name}" for one in self.candidates
                 if one.group == "lorentz" or "minkowski" in one.invariants]  # fmt: skip
        asked += ["pairs"] if "boosted" in self.pairs else []
        for name, arm in self.arms.items():
            if asked and arm.dimension != LORENTZ_DIMENSION:
                raise ValueError(
                    f"arms.{name}.dimension: expected {LORENTZ_DIMENSION}, which boosts of {asked[0]} act on, found "
                    f"{arm.dimension}; leave the boosts out, or take clouds of {LORENTZ_DIMENSION} dimensions"
                )
        for key, names in (("pairs", self.pairs), ("candidates", tuple(one.name for one in self.candidates))):
            if len(set(names)) < len(names):
                raise ValueError(f"{key}: expected each once, found {list(names)}")
        return self

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return SeparationSummary(
                **self.facts(), pairs=self.pairs, candidates=self.candidates, threshold=self.threshold
            )
        arm = self.trained_arm(stage, arm)
        return SeparationStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            dimension=self.arms[arm].dimension,
            num_pairs=self.num_pairs,
            pairs=self.pairs,
            candidates=self.candidates,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name))
