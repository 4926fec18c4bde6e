"""What all tests share: strict array semantics, modest use of the machine, no network, float64 on request."""

import os

# Before JAX starts: the test runner already keeps every core busy, with one process each.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from emergent.provenance import processor

jax.config.update("jax_numpy_rank_promotion", "raise")
# Tests compile more than they compute: a third of their time is spent on making programs fast that run once. What tests
# start as a program of its own is compiled as for users.
jax.config.update("jax_disable_most_optimizations", True)


LARGEST_CACHE = 2**30
"""Bytes of compiled programs that are kept for the next run of the tests."""


def pytest_configure(config: pytest.Config) -> None:
    """Forgets compiled programs when there are too many, before the processes that run tests begin."""
    if not hasattr(config, "workerinput") and (cache := getattr(config, "cache", None)) is not None:
        folder = compiled_folder(cache)
        if sum(path.stat().st_size for path in folder.iterdir()) > LARGEST_CACHE:
            shutil.rmtree(folder)


def compiled_folder(cache: pytest.Cache) -> Path:
    """Returns where compiled programs are kept; ``pytest --cache-clear`` empties it."""
    return cache.mkdir(f"compiled_{processor()}")


@pytest.fixture(scope="session", autouse=True)
def _compile_once(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Equal programs, of which the tests build many, are compiled once by all processes and kept for later runs.

    The environment tells the programs that tests start. Verbs that are called in a test's own process find it set, and
    leave JAX's settings alone.
    """
    cache = getattr(request.config, "cache", None)  # none with -p no:cacheprovider
    options = {
        "jax_compilation_cache_dir": str(compiled_folder(cache) if cache else tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in options.items():
            patch.setenv(name.upper(), str(value))
            jax.config.update(name, value)
        # JAX has looked for the folder already if a module compiled something as it was imported.
        compilation_cache.reset_cache()
        yield


@pytest.fixture
def float64() -> Iterator[None]:
    """Runs the test with JAX in double precision."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a connection to anything but this machine an error, in this process."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        is_remote = self.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple)
        if is_remote and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"tests must not use the network, but one connects to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _environment_of_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restores what a plan puts into the environment for its jobs; the next test is not one of them."""
    for name in ("EMERGENT_ACCELERATOR", "EMERGENT_MIRROR"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
