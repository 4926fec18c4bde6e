"""The papers, by the name of their folder of figures."""

from typing import Literal

Paper = Literal["gerken_kessel", "misof", "nordenfors_flinth", "flinth"]
"""arXiv 2403.03103, 2406.06504, 2410.01452 and 2303.13458."""
