"""Entries of ``config/figures.yaml`` on samples that are moved to another class."""

from typing import Literal

from pydantic import Field, PositiveInt

from emergent.config.base import StrictModel
from emergent.config.figure_entry import Figure, Table
from emergent.config.figure_options import NoOptions


class AttackPaths(Figure):
    """Paths of points from a curve to another class, and how far from the curve they end, as boxes."""

    plot: Literal["attack_paths"]
    options: NoOptions = NoOptions()


class PictureOptions(StrictModel):
    """Images before and after."""

    images: PositiveInt = Field(description="rows of images, at most those that were kept")


class AttackPictures(Figure):
    """Images, what they are moved to in data and in latent space, and the differences; distances as boxes."""

    plot: Literal["attack_pictures"]
    options: PictureOptions


class AttackTable(Table):
    """Distances, likelihoods and what other classifiers see, by what is attacked and in which space."""

    plot: Literal["attack_table"]
    options: NoOptions = NoOptions()


CounterfactualEntry = AttackPaths | AttackPictures | AttackTable
"""All of them."""
