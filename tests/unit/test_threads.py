"""A job keeps to the processors it was given, and keeps what XLA compiled for the next job."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emergent.cli._run import COMPILED

# The pool of XLA, by the name of its threads; limits must be set before it starts, hence a process of its own.
COUNT = """
import pathlib, sys
from emergent.cli._run import prepare_xla
prepare_xla(int(sys.argv[1]))
import jax, jax.numpy as jnp
jax.block_until_ready(jax.jit(lambda a: jnp.tanh(a @ a).sum())(jnp.ones((300, 300))))
names = [path.read_text().strip() for path in pathlib.Path("/proc/self/task").glob("*/comm")]
print(names.count("tf_XLAEigen"))
"""


@pytest.mark.parametrize("threads", [1, 3])
def test_xla_starts_as_many_threads_as_the_job_has(threads: int) -> None:
    """Three also where the machine has two, which it would take by itself."""
    done = subprocess.run([sys.executable, "-c", COUNT, str(threads)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == threads


# Prints a result, and how many programs came from the folder.
COMPILE = """
from jax._src import monitoring
from emergent.cli._run import prepare_xla
found = []
monitoring.register_event_listener(lambda name, **_: found.append(name))
prepare_xla(1)
import jax, jax.numpy as jnp
print(jax.jit(lambda a: jnp.tanh(a @ a).sum())(jnp.arange(9.0).reshape(3, 3) / 9), end=" ")
print(found.count("/jax/compilation_cache/cache_hits") > 0)
"""


def compiled_in(folder: Path, **environment: str) -> list[str]:
    """Returns the result and whether anything was compiled before, as words."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    command = [sys.executable, "-c", COMPILE]
    environment = inherited | {"JAX_PLATFORMS": "cpu"} | environment
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_next_job_compiles_nothing_again(tmp_path: Path) -> None:
    result, before = compiled_in(tmp_path)
    assert before == "False"
    assert compiled_in(tmp_path) == [result, "True"]


def test_a_damaged_program_is_compiled_again(tmp_path: Path) -> None:
    """As a job leaves it that was killed while it wrote."""
    result, _ = compiled_in(tmp_path)
    programs = list((tmp_path / COMPILED).rglob("*-cache"))
    assert programs
    for program in programs:
        os.truncate(program, program.stat().st_size // 2)
    assert compiled_in(tmp_path)[0] == result


def test_a_folder_of_the_users_own_is_used(tmp_path: Path) -> None:
    compiled_in(tmp_path, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"))
    assert not (tmp_path / COMPILED).exists()
