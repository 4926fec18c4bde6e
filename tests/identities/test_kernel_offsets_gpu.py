"""The program for GPUs computes the kernels of the one for CPUs: in a simulator, and on a GPU where there is one."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from simulated_gpu import CASES, images

from emergent.errors import ConfigError, ResourceError
from emergent.kernels import offset_cuda, offsets
from emergent.kernels.architectures import cnn_kernel
from emergent.kernels.offset_cuda import default_shape, fits, missing_cuda
from emergent.kernels.offsets import OffsetKernel

NO_GPU = missing_cuda()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> dict[str, np.ndarray]:
    path = tmp_path_factory.mktemp("simulated") / "kernels.npz"
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    program = Path(__file__).with_name("simulated_gpu.py")
    run = subprocess.run([sys.executable, program, path], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return dict(np.load(path))


@pytest.mark.parametrize("name", CASES)
def test_frames_have_the_kernels_of_the_layers(name, simulated):
    kernel, shape, _ = CASES[name]
    layered = cnn_kernel(
        [1] * kernel.num_layers,
        "mean",
        kernel.activation,
        kernel.weight_std,
        kernel.bias_std,
        filter_size=kernel.filter_size,
        padding=kernel.padding,
        last_activation=kernel.last_activation,
    ).layered
    with jax.enable_x64(True):
        theirs = np.stack([np.asarray(part) for part in layered(*images(*shape))])
    np.testing.assert_allclose(simulated[name], theirs, rtol=1e-12, atol=1e-14)


def test_frames_have_the_kernels_of_the_program_for_cpus(simulated):
    kernel, shape, _ = CASES["relu same"]
    first, second = images(*shape)
    np.testing.assert_allclose(simulated["relu same"], kernel(first, second, device="cpu"), rtol=1e-12, atol=1e-14)
    assert simulated["single precision"].dtype == np.float32
    np.testing.assert_allclose(simulated["single precision"], simulated["relu same"], rtol=1e-5)
    np.testing.assert_allclose(simulated["symmetric"], kernel(second, second, device="cpu"), rtol=1e-12)
    np.testing.assert_array_equal(simulated["symmetric"], simulated["symmetric"].swapaxes(1, 2))
    np.testing.assert_array_equal(simulated["in parts"], simulated["relu same"])


def test_images_too_large_for_a_gpu_are_refused(simulated):
    words = "images of 40 x 40 pixels do not fit into the shared memory of a GPU; the largest are 36 x 36 with numbers"
    assert words in str(simulated["too large"])


@pytest.mark.skipif(NO_GPU is None, reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_or_done_without(monkeypatch):
    kernel, (first, second) = OffsetKernel(1), images(3, 3, 1)
    with pytest.raises(ConfigError, match=r"device 'cuda' was asked for, but Numba .*use device 'cpu'"):
        kernel(first, second, device="cuda")
    with pytest.raises(ConfigError, match="expected 'cpu' or 'cuda', found 'tpu'"):
        kernel(first, second, device="tpu")  # type: ignore[arg-type]
    offset_cuda.on_gpu_if_there_is_one.cache_clear()
    monkeypatch.setenv("EMERGENT_ACCELERATOR", "1")
    with pytest.warns(UserWarning, match="kernels by offsets run on the host: Numba"):
        found = kernel(first, second)
    np.testing.assert_array_equal(found, kernel(first, second, device="cpu"))


def test_runs_that_ask_for_an_accelerator_take_it_where_images_fit(monkeypatch):
    taken = []

    def sums(work, activation, size, padding, pairs):
        taken.append(work.pixels.shape)
        return np.zeros((2, len(pairs)))

    monkeypatch.setattr("emergent.kernels.offsets.sums_on_gpu", sums)
    monkeypatch.setattr("emergent.kernels.offsets.on_gpu_if_there_is_one", lambda: True)
    # Zeros, by which the program that was taken is known, agree with nothing.
    monkeypatch.setattr(OffsetKernel, "_require_agreement", lambda *_: None)
    kernel = cnn_kernel([1], "mean")
    monkeypatch.setenv("EMERGENT_ACCELERATOR", "")
    assert np.max(kernel(*images(3, 3, 1)).ntk) > 0
    monkeypatch.setenv("EMERGENT_ACCELERATOR", "1")
    assert np.max(kernel(*images(3, 3, 1)).ntk) == 0
    large = np.ones((1, 1, 800, 1))
    assert np.max(kernel(large, large).ntk) > 0
    assert taken == [(2, 1, 3, 3)]


@pytest.mark.parametrize("side", [1, 2, 5, 8, 16, 28, 32])
def test_launch_shapes_keep_threads_at_work(side):
    rows, strips, frames = default_shape(side, side)
    assert rows * strips >= side > rows * (strips - 1)
    assert strips * side >= min(32, side**2) and strips * side <= 256
    assert frames >= 1
    assert fits((side, side), 3, "SAME", 8)


@pytest.mark.skipif(NO_GPU is not None, reason=f"no GPU: {NO_GPU}")
@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_computes_the_kernels_of_a_cpu(name, precision, tolerance):
    kernel, _, _ = CASES[name]
    first, second = images(13, 11, 3)
    theirs = kernel(first, second, device="cpu")
    ours = kernel(first.astype(precision), second.astype(precision), device="cuda")
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=1e-14)


@pytest.mark.parametrize(("factor", "refused"), [(1.0, False), (1 + 1e-8, True), (np.nan, True)])
def test_a_run_on_a_gpu_that_computes_something_else_is_stopped(
    factor: float, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = OffsetKernel(2, weight_std=2**0.5, bias_std=0.1)
    first, second = images(5, 4, 2)

    def sums(work, activation, size, padding, pairs):
        return factor * kernel._sums(work, pairs, 1)

    monkeypatch.setenv("EMERGENT_ACCELERATOR", "1")
    monkeypatch.setattr(offsets, "on_gpu_if_there_is_one", lambda: True)
    monkeypatch.setattr(offsets, "sums_on_gpu", sums)
    monkeypatch.setattr(offsets, "_AGREEING", set())
    if refused:
        with pytest.raises(
            ResourceError, match=r"the GPU and the processor differ by .* Run without accelerator: true"
        ):
            kernel(first, second)
    else:
        np.testing.assert_array_equal(kernel(first, second), kernel(first, second, device="cpu"))
