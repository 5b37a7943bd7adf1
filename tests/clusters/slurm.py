"""A SLURM cluster on the loopback device: munge, one controller, two nodes, with accounting or without.

Debian: apt-get install slurm-wlm munge; for the accounting also slurmdbd mariadb-server.
"""

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.clusters.daemons import NODES, Daemons, parent_of, wait_for

PROGRAMS = ("munged", "slurmctld", "slurmd")
ACCOUNTING = ("slurmdbd", "mariadbd")
FIRST_PORT = 17000

CONFIGURATION = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=bf_interval=2,sched_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
ReturnToService=2
SlurmdTimeout=8
SlurmctldTimeout=30
KillWait=15
MinJobAge=20
{accounting}
NodeName=node[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first_node_port}-{last_node_port}] CPUs=2 RealMemory=8000
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 MaxTime=INFINITE
PartitionName=high Nodes=ALL PriorityTier=10 MaxTime=INFINITE
"""

KEPT = f"""\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={FIRST_PORT + 9}
AccountingStoragePass={{folder}}/munge.socket
"""

DATABASE = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
"""

GRANT = """\
CREATE DATABASE slurm;
CREATE USER slurm@localhost IDENTIFIED BY 'slurm';
GRANT ALL ON slurm.* TO slurm@localhost;
"""


def missing(accounting: bool = False) -> list[str]:
    path = f"{os.environ['PATH']}:/usr/sbin"
    return [name for name in (*PROGRAMS, *(ACCOUNTING if accounting else ())) if shutil.which(name, path=path) is None]


class SlurmCluster(Daemons):
    """See this module."""

    def __init__(self, folder: Path, accounting: bool) -> None:
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        super().__init__(folder, {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path})
        self.accounting, self.host = accounting, socket.gethostname()

    def begin(self) -> None:
        self._munge()
        if self.accounting:
            self._database()
        self._configure()
        self.start("slurmctld", "slurmctld", "-D", "-i")
        for number in range(1, NODES + 1):
            self.start_node(number)
        self._wait_for_nodes()

    def start_node(self, number: int) -> None:
        self.start(f"node{number}", "slurmd", "-D", "-N", f"node{number}")

    def kill_node(self, number: int) -> None:
        """All processes of a node at once, as when its power is lost."""
        mark = f"SLURMD_NODENAME=node{number}".encode()
        tasks = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if mark in _content(path)]
        steps = {
            parent for task in tasks if b"slurmstepd" in _content(Path(f"/proc/{(parent := parent_of(task))}/cmdline"))
        }
        self.kill(f"node{number}")
        for pid in {*steps, *tasks}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def restart_nodes(self) -> None:
        for number in range(1, NODES + 1):
            if f"node{number}" not in self.processes:
                self.start_node(number)
        self._wait_for_nodes()

    def _wait_for_nodes(self) -> None:
        wait_for(
            "nodes of SLURM",
            lambda: self.says("sinfo", "-h", "-N", "-p", "low", "-o", "%T").split() == ["idle"] * NODES,
            60,
        )

    def _munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        places = [
            f"--{what}={self.folder}/munge.{what.partition('-')[0]}"
            for what in ("socket", "pid-file", "log-file", "seed-file")
        ]
        self.start("munged", "munged", "--foreground", "--force", f"--key-file={key}", *places)
        wait_for("munge", (self.folder / "munge.socket").exists, 20)

    def _configure(self) -> None:
        (self.folder / "state").mkdir()
        text = CONFIGURATION.format(
            folder=self.folder,
            host=self.host,
            port=FIRST_PORT,
            nodes=NODES,
            first_node_port=FIRST_PORT + 1,
            last_node_port=FIRST_PORT + NODES,
            accounting=KEPT.format(folder=self.folder) if self.accounting else "",
        )
        (self.folder / "slurm.conf").write_text(text)

    def _database(self) -> None:
        data, port = self.folder / "mariadb", FIRST_PORT + 8
        self.says("mariadb-install-db", f"--datadir={data}", "--auth-root-authentication-method=normal", "--user=root")
        (self.folder / "grant.sql").write_text(GRANT)
        options = [
            f"--datadir={data}",
            f"--socket={self.folder}/mariadb.socket",
            f"--port={port}",
            "--bind-address=127.0.0.1",
        ]
        self.start(
            "mariadbd", "mariadbd", "--no-defaults", *options, f"--init-file={self.folder}/grant.sql", "--user=root"
        )
        wait_for("MariaDB", (self.folder / "mariadb.socket").exists, 60)
        file = self.folder / "slurmdbd.conf"
        file.write_text(DATABASE.format(folder=self.folder, host=self.host, port=FIRST_PORT + 9, database_port=port))
        file.chmod(0o600)
        self.start("slurmdbd", "slurmdbd", "-D")
        wait_for("slurmdbd", lambda: _answers(FIRST_PORT + 9), 60)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def slurm_cluster(folder: Path, accounting: bool) -> Iterator[SlurmCluster]:
    """The cluster, for as long as a block takes."""
    cluster = SlurmCluster(folder, accounting)
    try:
        cluster.begin()
        yield cluster
    finally:
        cluster.stop()
