"""Typed options of the data sets of speeds at sensors on roads, with the graph of these sensors."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from emergent.config.base import StrictModel


class WeekSeries(StrictModel):
    """The first seven days of METR-LA, and the graph of its sensors."""

    series: Literal["week"]


class MadeSeries(StrictModel):
    """Waves that travel along a ring of sensors, with noise.

    Attributes:
        num_sensors: on the ring, each linked to the next one and, less, to the one before.
        num_steps: of five minutes.
        seed: of noise and speeds.
    """

    series: Literal["made"]
    num_sensors: Annotated[int, Field(ge=4)]
    num_steps: PositiveInt
    seed: NonNegativeInt


class TrafficOptions(StrictModel):
    """Speeds at sensors.

    Attributes:
        source: where they come from.
    """

    source: Annotated[WeekSeries | MadeSeries, Field(discriminator="series")]
