"""What all command-line verbs share: how they end, how they read a stage configuration, how they use processors."""

import atexit
import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from emergent import provenance
from emergent.config.base import canonical_json, validate_json
from emergent.config.stages import ArmStage, Stage
from emergent.errors import ConfigError, EmergentError

COMPILED = Path("results/compiled")
"""Programs that XLA has compiled, by processor, whose own instructions they use: folders may be shared by machines."""

StageModel = TypeVar("StageModel", bound=Stage)


def main_guard(main: Callable[[], None]) -> None:
    """Runs a verb; an ``EmergentError`` becomes one message on stderr and exit code 1."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    try:
        main()
    except EmergentError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read the output, such as ``head``, has seen enough; without this Python complains again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if main.__module__ == "__main__":
        atexit.register(_leave)


def _leave() -> None:
    """Ends this process at once: what it made is on disk, and taking JAX or pandas apart takes half a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def read_stage(path: Path, model: type[StageModel]) -> StageModel:
    """Returns the settings of a stage from its canonical JSON, as the plan wrote it.

    Raises:
        ConfigError: the file is missing, is not JSON, or holds the settings of another stage.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: not a readable stage configuration: {error}") from None
    return validate_json(model, text, str(path))


def prepare_xla(threads: int) -> None:
    """Keeps XLA to the cores that a job was given, and what it compiles for the next job.

    Must run before anything is computed.

    Single-threaded jobs side by side train small networks faster than one job on all cores, and only where XLA has no
    further threads to hand work to: with as many as the machine has cores it takes 40 % longer.
    """
    # Read by XLA when it starts its thread pool; it knows no flag for this.
    os.environ["NPROC"] = str(threads)
    if threads == 1:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false".strip()
    # Only here: the verbs that call this have loaded it already, the others do without.
    import jax

    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        # Arms share initialisation, order of data and more, and a small job spends half of its time on compiling.
        jax.config.update("jax_compilation_cache_dir", str(COMPILED / provenance.processor()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def file_attributes(stage: Stage, fingerprint: str) -> dict[str, str]:
    """Returns the root attributes of an output file: what determined its content."""
    return {
        "experiment": stage.experiment,
        "arm": stage.arm if isinstance(stage, ArmStage) else "",
        "seed": str(stage.seed),
        "config_json": canonical_json(stage),
        "code_fingerprint": fingerprint,
        "versions_json": json.dumps(provenance.versions(), sort_keys=True),
    }


def progress(total: int, unit: str, label: str, samples_per_unit: int = 0) -> Callable[[int], None]:
    """Returns ``advance(n)``: a bar with rate and time left, as one line every ten seconds when logged to a file.

    Args:
        total: units of work.
        unit: their name.
        label: in front of the bar.
        samples_per_unit: adds the mean number of samples per second so far.
    """
    # The workflow logs to files; whoever waits in front of it asks for more.
    interval = 0.5 if sys.stderr.isatty() or os.environ.get("EMERGENT_PROGRESS") else 10
    bar = tqdm(total=total, unit=unit, desc=label, mininterval=interval, file=sys.stderr)

    def advance(num: int) -> None:
        elapsed = bar.format_dict["elapsed"]
        if samples_per_unit and elapsed > 0:
            bar.set_postfix_str(f"{(bar.n + num) * samples_per_unit / elapsed:,.0f} samples/s", refresh=False)
        bar.update(num)
        if bar.n >= total:
            bar.close()

    return advance
