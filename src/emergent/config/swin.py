"""Settings of transformers with shifted windows on the sphere."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel


class SwinNetwork(StrictModel):
    """Transformer with shifted windows, on the cells of HEALPix or of the grid of angles, taken as a square.

    Attributes:
        family: ``heal_swin`` sees the sphere on HEALPix, ``flat_swin`` the grid of 2 b x 2 b angles.
        nside: of HEALPix, which has 12 nside^2 cells; a power of two. None for ``flat_swin``, whose 2 b is one.
        channels: of the first stage; each later one has twice as many.
        depths: blocks of each stage.
        heads: of attention in each stage.
        window: cells that see each other; a power of four.
        shift: steps of every other block.
        ratio: hidden units to a channel.
    """

    family: Literal["heal_swin", "flat_swin"]
    nside: PositiveInt | None = None
    channels: PositiveInt
    depths: Many[PositiveInt] = Field(min_length=1)
    heads: Many[PositiveInt]
    window: PositiveInt
    shift: PositiveInt
    ratio: PositiveInt = 4

    @model_validator(mode="after")
    def _check(self) -> "SwinNetwork":
        if len(self.heads) != len(self.depths):
            raise ValueError(f"heads: expected {len(self.depths)} numbers, as of depths, found {len(self.heads)}")
        for stage, heads in enumerate(self.heads):
            if (self.channels << stage) % heads:
                raise ValueError(
                    f"heads: expected divisors of the channels of each stage, found {heads} for "
                    f"{self.channels << stage}"
                )
        if self.window & (self.window - 1) or self.window.bit_length() % 2 == 0:
            raise ValueError(f"window: expected a power of four (4, 16, 64), a square of cells, found {self.window}")
        if (self.family == "heal_swin") != (self.nside is not None):
            raise ValueError("nside: a setting of heal_swin, which needs one, and of no other")
        if self.nside is not None:
            self.require_cells(12, self.nside, "nside")
        return self

    def require_cells(self, squares: int, side: int, name: str) -> None:
        """Checks that windows fit on the cells of every stage.

        Args:
            squares: that the grid is made of.
            side: of each, in cells.
            name: of the setting that gives the side.

        Raises:
            ValueError: the side is no power of two, or there are too few cells.
        """
        if side & (side - 1):
            raise ValueError(f"{name}: expected squares with a side of a power of two (1, 2, 4, ...), found {side}")
        last = side >> len(self.depths)
        if last < 1 or (squares > 1 and last**2 < self.window):
            raise ValueError(
                f"window: expected at most {last**2} cells, of a square of the last of {len(self.depths)} stages on a "
                f"side of {side}, found {self.window}; take fewer stages, smaller windows or more cells"
            )
