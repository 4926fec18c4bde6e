"""How benchmarks take times."""

import time
from collections.abc import Callable


def best(function: Callable[[], object], rounds: int = 3) -> float:
    """Returns the seconds of the fastest of some calls, after one for compilation."""
    function()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)
