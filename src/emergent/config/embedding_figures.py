"""Entries of ``config/figures.yaml`` on embeddings that are learnt without labels."""

from typing import Literal

from emergent.config.figure_entry import Figure
from emergent.config.figure_options import NoOptions


class EmbeddingResiduals(Figure):
    """How well rotations of embeddings follow views, accuracies of readouts, and mean Gram matrices by their number."""

    plot: Literal["embedding_residuals"]
    options: NoOptions = NoOptions()


EmbeddingEntry = EmbeddingResiduals
"""All of them."""
