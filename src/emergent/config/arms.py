"""Typed configuration of one arm of an experiment with ensembles: network, augmentation, orbits of its evaluation."""

from pydantic import PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel
from emergent.config.groups import Augmentation, GroupName
from emergent.config.models import Model
from emergent.config.study import ArmLabels
from emergent.config.training import Loss, Optimiser
from emergent.point_groups import CONTINUOUS_GROUPS


class InfiniteWidth(StrictModel):
    """Prediction of the infinitely wide ensemble of an arm, at the same training time as its members.

    Attributes:
        tile_size: samples per side of one tile of the Gram matrix.
        readings: data sets whose infinite-width spread is laid beside the published one, because the published
            settings are not known.
    """

    tile_size: PositiveInt = 256
    readings: Many[Name] = ()


class MembersOf(StrictModel):
    """Trained members that another arm evaluates in another way, without training anew.

    Attributes:
        experiment: where they are trained; null means the arm's own experiment.
        arm: which trains them.
    """

    experiment: Name | None = None
    arm: Name


class Arm(ArmLabels):
    """One architecture with its initialisation and augmentation.

    Attributes:
        augmentation: applied in training.
        orbit_group: group on whose orbits the arm is evaluated; null takes that of the augmentation.
        orbit_elements: of a continuous group, the identity and Haar-uniform draws that make up the orbits.
        share_initialisation: arms with equal text here start member by member from the same parameters.
        learning_rate: in place of that of ``train``.
        loss: in place of that of ``train``.
        optimiser: in place of that of ``train``.
        infinite_width: predict the infinitely wide ensemble too.
        members_of: evaluate the members that another arm trains; model, augmentation and training are those.
        num_training_samples: in place of those of ``data.train``; null takes these.
        num_members: only the first so many of ``members.num``, where the question can compare pools of several sizes;
            null means all.
    """

    model: Model
    augmentation: Augmentation
    orbit_group: GroupName | None = None
    orbit_elements: PositiveInt | None = None
    share_initialisation: Name | None = None
    learning_rate: PositiveFloat | None = None
    loss: Loss | None = None
    optimiser: Optimiser | None = None
    infinite_width: InfiniteWidth | None = None
    members_of: MembersOf | None = None
    num_training_samples: PositiveInt | None = None
    num_members: PositiveInt | None = None

    @property
    def orbit(self) -> Augmentation:
        """Returns the elements on whose orbits the arm is evaluated."""
        group = self.orbit_group or self.augmentation.group
        # On the whole group, also where training used a part of it: there equivariance may fail.
        own = {"group": group, "elements": None, "num_elements": self.orbit_elements, "mode": "full"}
        return Augmentation.model_validate(self.augmentation.model_dump() | own)

    @model_validator(mode="after")
    def _check_orbit(self) -> "Arm":
        group = self.orbit_group or self.augmentation.group
        if (group in CONTINUOUS_GROUPS) != (self.orbit_elements is not None):
            found = "missing" if self.orbit_elements is None else f"{self.orbit_elements}"
            raise ValueError(f"orbit_elements: how many elements of {group} make up an orbit; found {found}")
        return self

    @model_validator(mode="after")
    def _check_training(self) -> "Arm":
        if self.infinite_width is not None and self.num_training_samples is not None:
            raise ValueError(
                "num_training_samples: the infinitely wide ensemble learns from data.train; leave this out"
            )
        return self

    @model_validator(mode="after")
    def _check_members_of(self) -> "Arm":
        if self.members_of is None:
            return self
        training = (
            "share_initialisation", "learning_rate", "loss", "optimiser", "num_training_samples", "infinite_width"
        )  # fmt: skip
        own = [key for key in training if getattr(self, key)]
        if own:
            raise ValueError(f"{own[0]}: the arm that members_of names has been trained; leave this out")
        return self
