"""A Slurm cluster of two nodes on this machine, from Debian's packages, that leaves nothing behind.

Every node is a slurmd in a process namespace of its own: whoever kills the first process of the namespace takes slurmd,
its jobs and all that they started with it, as a node that loses power does.

Privileges: root, for installing the packages, for process namespaces, and because Slurm looks for its configuration in
/etc/slurm: a path in the environment does not reach the steps of a job.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("slurm-wlm", "munge")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "munged", "unshare", "setpriv")
CONFIGURATION = Path("/etc/slurm/slurm.conf")
GENERIC_RESOURCES = Path("/etc/slurm/gres.conf")
FIRST_LINE = "# Of a test: a cluster of two nodes on one machine.\n"
NODES = ("n1", "n2")
PARTITION = "main"
CONTROLLER_PORT, FIRST_NODE_PORT = 17_000, 17_001
STARTED, STOPPED = 30, 10
"""Seconds that daemons may take."""

# No cgroups and no accounting, which need more than two daemons. Nodes claim memory and GPUs that they need not have.
TEMPLATE = """\
ClusterName=two_nodes
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
MpiDefault=none
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=15
MinJobAge=600
SchedulerParameters=sched_interval=5,batch_sched_delay=1
{nodes}
PartitionName={partition} Nodes={names} Default=YES MaxTime=INFINITE State=UP
"""
NODE = "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=64000 Gres=gpu:1"


class ClusterError(RuntimeError):
    """The cluster cannot be made here; the message says what to do."""


def install() -> None:
    """Installs Slurm where it is missing.

    Raises:
        ClusterError: it is missing, and this user or system cannot install it.
    """
    if all(shutil.which(program) for program in PROGRAMS):
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise ClusterError(f"Slurm is not installed. As root on Debian or Ubuntu: {' '.join(command)}")
    done = subprocess.run(
        command, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, capture_output=True, text=True
    )
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if done.returncode or missing:
        raise ClusterError(f"{' '.join(command)} failed (without lists of packages: apt-get update):\n{done.stderr}")


def require_privileges() -> None:
    """Checks what the cluster needs of this machine.

    Raises:
        ClusterError: not root, no process namespaces, or another cluster's configuration.
    """
    if os.geteuid() != 0:
        raise ClusterError(
            f"not root: the cluster needs {CONFIGURATION}, where the steps of a job look for it, and a process "
            "namespace for each node. Run as root, in a container for instance. All other tests need no privileges."
        )
    if subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True).returncode:
        raise ClusterError("no process namespaces: unshare --pid fails here, as in containers without CAP_SYS_ADMIN.")
    for path in (CONFIGURATION, GENERIC_RESOURCES):
        if path.exists() and not path.read_text(encoding="utf-8").startswith(FIRST_LINE):
            raise ClusterError(f"{path} exists: this machine is part of a cluster, which the test would disturb.")


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        folder: state and logs of its daemons.
        nodes: first process of each node's namespace.
    """

    folder: Path
    nodes: dict[str, subprocess.Popen[bytes]]

    def running(self, node: str) -> list[str]:
        """Returns the jobs that run on a node."""
        return _output("squeue", "--noheader", "--states=RUNNING", f"--nodelist={node}", "--format=%A").split()

    def state(self, node: str) -> str:
        """Returns a node's state, e.g. ``idle``."""
        return _output("sinfo", "--noheader", "--Node", f"--nodes={node}", "--format=%T").strip()

    def keep_free(self, node: str, free: bool) -> None:
        """Lets no new jobs start on a node, or lets them again."""
        state = ["State=DRAIN", "Reason=test"] if free else ["State=RESUME"]
        subprocess.run(["scontrol", "update", f"NodeName={node}", *state], check=True, timeout=30)

    def kill(self, node: str) -> None:
        """Takes a node away, with all that runs there."""
        # Its child is the namespace's first process, whose end the kernel makes the end of all others there.
        self.nodes[node].send_signal(signal.SIGKILL)
        self.nodes[node].wait()

    def logs(self) -> str:
        """Returns the last lines of all daemons."""
        parts = [f"{path.name}:\n{path.read_text()[-2000:]}" for path in sorted(self.folder.glob("*.log"))]
        return "\n".join(parts)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Starts a cluster of two nodes, and ends it with all that runs there.

    Args:
        folder: for state and logs; its path must be short enough for a socket.

    Raises:
        ClusterError: see ``require_privileges``; or a daemon did not start, with its log.
    """
    require_privileges()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("state", *(f"spool.{node}" for node in NODES)):
        (folder / name).mkdir(exist_ok=True)
    with ExitStack() as stack:
        _write_configuration(folder, stack)
        # As root: its folder and key are the test's own.
        _munge(folder, stack)
        controller = _start(["slurmctld", "-D"], stack)
        nodes = {name: _start_node(name, stack) for name in NODES}
        running = Cluster(folder, nodes)
        # Last in, first out: jobs end before the daemons.
        stack.callback(subprocess.run, ["scancel", "--partition", PARTITION], capture_output=True, timeout=30)
        for name in NODES:
            _wait(lambda name=name: running.state(name) == "idle", f"node {name}", running)
        assert controller.poll() is None
        yield running


def _write_configuration(folder: Path, stack: ExitStack) -> None:
    host = socket.gethostname()
    nodes = [NODE.format(name=name, host=host, port=FIRST_NODE_PORT + number) for number, name in enumerate(NODES)]
    text = TEMPLATE.format(
        folder=folder,
        host=host,
        controller_port=CONTROLLER_PORT,
        nodes="\n".join(nodes),
        partition=PARTITION,
        names=",".join(NODES),
    )
    for path, content in (
        (CONFIGURATION, text),
        (GENERIC_RESOURCES, f"NodeName={','.join(NODES)} Name=gpu File=/dev/null\n"),
    ):
        path.parent.mkdir(exist_ok=True)
        stack.callback(path.unlink, missing_ok=True)
        path.write_text(FIRST_LINE + content, encoding="utf-8")


def _munge(folder: Path, stack: ExitStack) -> None:
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    socket_path = folder / "munge.socket"
    _start(
        [
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            f"--socket={socket_path}",
            f"--pid-file={folder / 'munged.pid'}",
            f"--log-file={folder / 'munged.log'}",
            f"--seed-file={folder / 'munged.seed'}",
        ],
        stack,
    )
    _wait(socket_path.exists, "munged")


def _start_node(name: str, stack: ExitStack) -> subprocess.Popen[bytes]:
    node = _start(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "slurmd", "-D", "-N", name], stack)
    # It waits for its child whatever it is told, but takes it along.
    stack.callback(node.kill)
    return node


def _start(command: list[str], stack: ExitStack) -> subprocess.Popen[bytes]:
    # In a session of its own: Ctrl-C ends the test, which then ends its daemons in order. Where the test is killed, the
    # kernel ends them.
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    stack.callback(_stop, process)
    return process


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOPPED)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(ready: Callable[[], bool], what: str, running: Cluster | None = None) -> None:
    end = time.monotonic() + STARTED
    while not ready():
        if time.monotonic() > end:
            raise ClusterError(f"{what} did not start in {STARTED} s.\n{running.logs() if running else ''}")
        time.sleep(0.2)


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.stdout if done.returncode == 0 else ""
