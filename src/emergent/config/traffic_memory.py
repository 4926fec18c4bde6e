"""Memory of training on speeds at sensors, by arithmetic on settings and on the size of the series.

The series is resident, and windows are cut out of it when a step needs them. Factors are from a training at the
published settings, and rather high than low.
"""

from emergent.config.evaluation import BASE_BYTES, FLOAT_BYTES
from emergent.config.traffic import TrafficStage

WINDOWS_AT_A_TIME = 64
"""Windows that networks see at a time where no gradient is taken."""
SERIES_COPIES = 12
"""Of the speeds in single precision: read, standardised with the time of day, on the host and on the device."""
KEPT = 16
"""Numbers in units of a sensor's state that a step in time keeps for the gradient."""
COPIES = 2
"""Of predictions on test windows: by piece and in one array."""


def training_bytes(stage: TrafficStage, num_steps: int, num_sensors: int, trials: int) -> int:
    """Returns the estimated peak memory, in bytes, of training one block of an arm.

    Args:
        stage: of the arm.
        num_steps: of the series.
        num_sensors: of the series.
        trials: of the block.
    """
    data, network = stage.data, stage.network
    series = SERIES_COPIES * num_steps * num_sensors
    windows = max(stage.train.batch_size, WINDOWS_AT_A_TIME)
    step = KEPT * windows * (data.past + data.future) * num_sensors * network.units
    outputs = COPIES * trials * network.networks * round(data.test * num_steps) * data.future * num_sensors
    return BASE_BYTES + FLOAT_BYTES * (series + step + outputs)
