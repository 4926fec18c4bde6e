"""How the samples of a data set are divided at random, member by member."""

from pydantic import Field, PositiveInt

from emergent.config.base import Many, StrictModel


class Splits(StrictModel):
    """Sizes of the parts.

    Attributes:
        train: sizes of the training set, ascending; smaller ones are parts of larger ones.
        validation: samples that choose the regulariser.
        test: samples that measure what is learnt.
    """

    train: Many[PositiveInt] = Field(min_length=1)
    validation: PositiveInt
    test: PositiveInt

    @property
    def total(self) -> int:
        """Returns the samples that one member needs."""
        return max(self.train) + self.validation + self.test
