"""Typed form of ``config/throughput.yaml``: how fast jobs run, measured; what time limits and plans are made of.

A job takes the seconds that its verb needs to begin and end (imports, compilation, files), and its work over the rate
of its verb. What work is counted in is said in ``emergent.estimates.work``. No result depends on this file.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from emergent.config.base import StrictModel, read_yaml, validate

Device = Literal["cpu", "gpu"]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*( [a-z0-9_]+)?$")]
"""A verb, and where jobs of a verb differ a blank and what tells them apart: the family of a network for instance."""


SAME_UNITS = ("train", "evaluate")
"""Verbs whose work is counted in one unit whatever the network: one network's rate says something of another's."""


class Rate(StrictModel):
    """How fast jobs of one kind run.

    Attributes:
        start: seconds that a job takes beside its work.
        per_second: work a second, of one core or of one GPU; null where the work does not matter.
        num_bytes: of output, for each unit of work, where settings do not tell.
        jobs: measured; 0 where the rate was carried over from another kind of job, or from docs/performance.md.
    """

    start: NonNegativeFloat
    per_second: PositiveFloat | None = None
    num_bytes: PositiveFloat | None = None
    jobs: int = Field(default=0, ge=0)


class Hardware(StrictModel):
    """Rates on one kind of machine.

    Attributes:
        name: of the processor or GPU.
        rates: by verb.
    """

    name: str
    rates: dict[Key, Rate] = Field(min_length=1)


class LongestHours(StrictModel):
    """Hours that a job may take before plans and runs on clusters warn of it: what schedulers commonly give."""

    cpu: PositiveFloat = 168
    gpu: PositiveFloat = 24


class Throughput(StrictModel):
    """All of ``config/throughput.yaml``.

    Attributes:
        cpu: one core of a processor.
        gpu: one GPU, for the verbs that use it with ``accelerator=true``.
        safety: times of jobs, times this, are what a scheduler is asked for: another processor may be half as fast.
        grouped_minutes: experiments that take a core no longer than this are one job of a cluster each.
        longest_hours: by device; jobs that take longer are warned of.
    """

    cpu: Hardware
    gpu: Hardware
    safety: Annotated[float, Field(ge=1)]
    grouped_minutes: PositiveInt
    longest_hours: LongestHours = LongestHours()

    def longest_seconds(self, device: Device) -> float:
        """Returns how long a job may take on a device before it is warned of."""
        return 3600 * (self.longest_hours.gpu if device == "gpu" else self.longest_hours.cpu)

    def rates(self, device: Device) -> dict[str, Rate]:
        """Returns the rates of a device; verbs that no GPU was measured on, or that use none, run as on a core.

        Of networks none is taken from a core where some were measured on a GPU: it would be a hundred times too slow.
        """
        if device == "cpu":
            return self.cpu.rates
        return {key: rate for key, rate in self.cpu.rates.items() if self.is_of_a_core(key)} | self.gpu.rates

    def is_of_a_core(self, key: str) -> bool:
        """Returns whether no rate of a GPU says anything of work of a key."""
        measured = {key.partition(" ")[0] for key in self.gpu.rates} & set(SAME_UNITS)
        return key not in self.gpu.rates and key.partition(" ")[0] not in measured


def read_throughput(path: Path) -> Throughput:
    """Returns the measured rates.

    Raises:
        ConfigError: an unknown key, a wrong type, or a rate that is not positive.
    """
    return validate(Throughput, read_yaml(path), str(path))
