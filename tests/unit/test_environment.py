"""The caller's shell bends no number and no picture."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emergent.cli._environment import pin


def test_what_bends_numbers_is_dropped_and_the_rest_kept() -> None:
    environment = {
        "JAX_ENABLE_X64": "1",
        "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
        "JAX_THREEFRY_PARTITIONABLE": "0",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": "/somewhere",
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=true --xla_force_host_platform_device_count=2",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "EDITOR": "vi",
    }
    dropped = pin(environment)
    assert dropped == [
        "JAX_DEFAULT_MATMUL_PRECISION",
        "JAX_ENABLE_X64",
        "JAX_THREEFRY_PARTITIONABLE",
        "--xla_cpu_enable_fast_math=true",
    ]
    assert environment == {
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": "/somewhere",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "MPLBACKEND": "agg",
        "PYTHONUTF8": "1",
        "EDITOR": "vi",
    }
    assert pin(environment) == []


LOOK = """
import emergent.cli.train, emergent.cli._drawing
import jax, jax.numpy as jnp, matplotlib
print(jnp.ones(1).dtype, matplotlib.get_backend().lower(), jax.config.jax_numpy_dtype_promotion)
"""


@pytest.mark.parametrize(
    "caller",
    [
        {},
        {"JAX_ENABLE_X64": "1"},
        {"JAX_NUMPY_DTYPE_PROMOTION": "strict"},
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    ],
    ids=lambda caller: next(iter(caller), "none"),
)
def test_a_verb_starts_alike_in_every_shell(caller: dict[str, str], tmp_path: Path) -> None:
    """In a process of its own: what JAX and Matplotlib read as they start cannot be taken back."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "MPL"))}
    environment = inherited | {"JAX_PLATFORMS": "cpu"} | caller
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["float32", "agg", "standard"]


def test_a_verb_that_ends_at_once_has_said_all_it_had_to_say(tmp_path: Path) -> None:
    """Into a file, which is written when the buffer is full or the process ends."""
    for error, code in (("", 0), ("raise EmergentError('no')", 1)):
        script = tmp_path / "verb.py"
        script.write_text(
            "import gc, sys\n"
            "from emergent.cli._run import main_guard\n"
            "from emergent.errors import EmergentError\n"
            f"def main():\n    assert gc.isenabled()\n    print('made')\n    {error or 'pass'}\n"
            "main_guard(main)\n"
        )
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (code, "made\n"), done.stderr
        assert done.stderr == ("error: no\n" if code else "")
