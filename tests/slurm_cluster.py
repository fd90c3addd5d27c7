"""A real SLURM of one node, on this machine alone, for as long as the tests run."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

CONFIG = """\
ClusterName=leyden
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
MpiDefault=none
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
SrunPortRange=60001-60100
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} CoresPerSocket={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Lets srun, sbatch, scancel and scontrol work."""
    if os.geteuid() or not shutil.which("slurmctld") or not shutil.which("munged"):
        pytest.skip("needs root, and SLURM: apt-get install slurm-wlm munge")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    config = folder / "slurm.conf"
    config.write_text(CONFIG.format(folder=folder, cpus=os.cpu_count()))
    os.environ["SLURM_CONF"] = str(config)
    munged = start_munge()
    subprocess.run(["slurmctld", "-f", config], check=True)
    subprocess.run(["slurmd", "-f", config, "-N", "localhost"], check=True)
    try:
        wait_for(lambda: "idle" in told("sinfo", "-h", "-o", "%T"), "the node to be idle")
        yield
    finally:
        subprocess.run(["scancel", "--user=root"], check=False)
        with suppress(AssertionError):  # what runs on would drain the node of the next SLURM
            wait_for(lambda: not told("squeue", "-h"), "the queue to be empty", seconds=40)
        for pid in [folder / "slurmd.pid", folder / "slurmctld.pid"]:
            if pid.is_file():
                os.kill(int(pid.read_text()), signal.SIGTERM)
        if munged:
            munged.terminate()
        del os.environ["SLURM_CONF"]


def start_munge() -> subprocess.Popen[bytes] | None:
    """The daemon that SLURM's messages are signed by; None where it runs already."""
    if subprocess.run("munge -n | unmunge", shell=True, capture_output=True, check=False).returncode == 0:
        return None
    shutil.rmtree("/run/munge", ignore_errors=True)
    Path("/run/munge").mkdir()
    shutil.chown("/run/munge", "munge", "munge")
    daemon = subprocess.Popen(["munged", "--foreground"], user="munge", stderr=subprocess.DEVNULL)
    wait_for(lambda: Path("/run/munge/munge.socket.2").exists(), "munged")
    return daemon


def told(*words: str) -> str:
    """What a command prints."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def start_again(job: str) -> None:
    """Starts a job that is queued again after 3 s, not the two minutes that SLURM waits.

    Within the second of its end SLURM takes the new start for the old one, and refuses it.
    """
    told("scontrol", "update", f"jobid={job}", "StartTime=now+3")


def wait_for(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Looks ten times a second, until it is so."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.1)
