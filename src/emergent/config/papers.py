"""The papers, by the name of their folder of figures."""

from typing import Literal

Paper = Literal["gerken_kessel", "misof", "nordenfors_flinth", "flinth", "villar"]
"""arXiv 2403.03103, 2406.06504, 2410.01452 and 2303.13458; and the papers of S. Villar's talk on symmetries."""
