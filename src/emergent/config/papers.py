"""The papers, by the name of their folder of figures."""

from dataclasses import dataclass
from typing import Literal

Paper = Literal["gerken_kessel", "misof", "nordenfors_flinth", "flinth", "villar", "group_list"]


@dataclass(frozen=True)
class PaperFacts:
    """What readers know a paper by.

    Attributes:
        authors: as they are cited.
        title: in full.
        arxiv: identifier; empty for a talk.
    """

    authors: str
    title: str
    arxiv: str


PAPERS: dict[Paper, PaperFacts] = {
    "gerken_kessel": PaperFacts("J. E. Gerken, P. Kessel", "Emergent Equivariance in Deep Ensembles", "2403.03103"),
    "misof": PaperFacts("P. Misof, P. Kessel, J. E. Gerken", "Equivariant Neural Tangent Kernels", "2406.06504"),
    "nordenfors_flinth": PaperFacts(
        "O. Nordenfors, A. Flinth", "Ensembles Provably Learn Equivariance Through Data Augmentation", "2410.01452"
    ),
    "flinth": PaperFacts(
        "A. Flinth, F. Ohlsson, O. Nordenfors",
        "Optimization Dynamics of Equivariant and Augmented Neural Networks",
        "2303.13458",
    ),
    "villar": PaperFacts("S. Villar and co-workers", "Exact and approximate symmetries in machine learning models", ""),
    "group_list": PaperFacts("J. E. Gerken and co-workers", "Further works on equivariance, with ensembles beside", ""),
}
"""All papers, in the order of pages."""
