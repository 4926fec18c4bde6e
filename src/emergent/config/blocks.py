"""Blocks of members: how an ensemble is cut into them, and their names."""

import re

from pydantic import PositiveInt, model_validator

from emergent.config.base import StrictModel
from emergent.errors import ConfigError


class Members(StrictModel):
    """Size of the ensembles and of the blocks in which members are trained."""

    num: PositiveInt
    block: PositiveInt

    @model_validator(mode="after")
    def _check(self) -> "Members":
        # A shorter last block would get another name, and be trained again, as soon as the ensemble grows.
        if self.num % self.block:
            below = self.num - self.num % self.block
            choices = f"{below} or {below + self.block}" if below else str(self.block)
            raise ValueError(f"num: expected a multiple of block ({self.block}), found {self.num}; use {choices}")
        return self

    def blocks(self) -> tuple[str, ...]:
        """Returns the block names, e.g. ``("0000-0099", "0100-0199")``."""
        return tuple(f"{i:04d}-{i + self.block - 1:04d}" for i in range(0, self.num, self.block))

    def holding(self, name: str) -> str:
        """Returns the name of the block that holds all members of another one; that one's where none does."""
        wanted = set(parse_block(name))
        return next((block for block in self.blocks() if wanted <= set(parse_block(block))), name)


def parse_block(name: str) -> tuple[int, ...]:
    """Returns the member indices of a block name such as ``0000-0099``.

    Raises:
        ConfigError: not two numbers in ascending order.
    """
    match = re.fullmatch(r"(\d{4,})-(\d{4,})", name)
    if not match or int(match[1]) > int(match[2]):
        raise ConfigError(f"members: expected a range such as 0000-0099, found {name!r}.")
    return tuple(range(int(match[1]), int(match[2]) + 1))
