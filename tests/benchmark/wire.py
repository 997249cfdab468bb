"""What the wire costs: Ansible's own winrm, psrp and ssh, and remote hosts on loopback (tests/remote_host). See `make benchmark`.

Counts are asserted, times are only told: a real host starts a PowerShell process for each runner call, which takes it longer than
all that is measured here. This process is the server; the controller is an ansible-playbook of its own, or else a connection in here.
"""

# Ansible reads its settings when it is first imported, and finds the collection only after that: so imports stand below both.
# ruff: noqa: E402

from __future__ import annotations

import contextlib
import dataclasses
import gc
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ROOT / ".ansible" / "tree"
os.environ |= {
    "ANSIBLE_COLLECTIONS_PATH": str(TREE),
    "ANSIBLE_CONFIG": str(ROOT / "tests" / "ansible.cfg"),
    "ANSIBLE_HOME": str(ROOT / ".ansible" / "home"),
}
from ansible.plugins.loader import init_plugin_loader

init_plugin_loader([str(TREE)])  # only now do the next ones lie on the path

from ansible_collections.hyperlab.nested.plugins.module_utils._steps import Step
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.session import LocalHost
from ansible_collections.hyperlab.nested.plugins.plugin_utils._wire import ConnectionTransport
from ansible_collections.hyperlab.nested.tests.cases.lab import Lab
from ansible_collections.hyperlab.nested.tests.conftest import MEDDLERS
from ansible_collections.hyperlab.nested.tests.plays import TaskResult
from ansible_collections.hyperlab.nested.tests.remote_host import clients
from ansible_collections.hyperlab.nested.tests.remote_host.network import Network
from ansible_collections.hyperlab.nested.tests.wire.test_requests import ONE_PROCESS, TWO_PROCESSES

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ansible_collections.hyperlab.nested.plugins.plugin_utils._wire import Connection
    from ansible_collections.hyperlab.nested.tests.remote_host.host import RemoteHost

FORKS = 10
HOSTS = 50
REPEATS = 20
MANY_VMS = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task of the play; each of its options has an inventory variable of the same name."""

    module: str
    options: tuple[str, ...] = ()
    processes: int

    @property
    def name(self) -> str:
        """What it is called in the play."""
        return f"{self.module} in {self.processes}"

    def verbs(self, way: str) -> list[str]:
        """What it has to ask of its host."""
        return (ONE_PROCESS if self.processes == 1 else TWO_PROCESSES)[way]


TASKS = (
    Task(module="hyperv_nested_info", processes=1),
    Task(module="hyperv_nested", options=("vms", "processors"), processes=2),
    Task(module="hyperv_nested", options=("vms", "processors"), processes=1),
    Task(module="hyperv_vm_memory", options=("vms", "startup"), processes=2),
    Task(module="hyperv_mac_spoof", options=("vms",), processes=2),
)


class Machine:
    """A pretended host with one VM. No other has one of that name or of that memory, so its answers can be told from any other's."""

    def __init__(self, number: int) -> None:
        self.name = f"hv{number:02}"
        self.variables = {"vms": f"l1-of-{self.name}", "processors": 2 + number % 7, "startup": f"{8_192 + 2 * number}MB"}
        vm = {"name": self.variables["vms"], "memory": {"startup": f"{4_096 + 2 * number}MB"}, "adapters": [{}]}
        self.lab = Lab({"based_on": "server2022-intel", "name": self.name.upper(), "vms": [vm]})

    def answers(self) -> dict[str, dict[str, t.Any]]:
        """Play the tasks on it with no wire between: their results by their names."""
        return {task.name: _result(self.lab, task.module, {name: self.variables[name] for name in task.options}) for task in TASKS}


def _result(lab: Lab, module: str, options: dict[str, t.Any], connection: Connection | None = None) -> dict[str, t.Any]:
    result = lab.task(module, options, diff=False, connection=connection)
    assert not result.get("failed"), result["msg"]
    return t.cast("dict[str, t.Any]", json.loads(json.dumps(result)))


# ---- what is counted of processes


def descriptors() -> int:
    """How many file descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - nothing else opens just one


def settled(wanted: int, seconds: float = 20) -> int:
    """The same, once the hosts' thread has noticed who hung up; it gets so many seconds to come to the number that is wanted."""
    end = time.monotonic() + seconds
    while (now := descriptors()) != wanted and time.monotonic() < end:
        time.sleep(0.01)
    return now


def collected(wanted: int) -> int:
    """The same, once Python's garbage collector has been there, too."""
    gc.collect()
    return settled(wanted)


def own_memory() -> float:
    """The megabytes that this process has in memory."""
    return _megabytes(pathlib.Path("/proc/self/smaps_rollup"), "Rss:")


def memory_of(process: int) -> float:
    """The megabytes that a process and its descendants have in memory; what they share counts once."""
    parents: dict[int, list[int]] = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, here and below
            parents.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
    family = [process]
    for member in family:
        family += parents.get(member, [])
    megabytes = 0.0
    for member in family:
        with contextlib.suppress(OSError):
            megabytes += _megabytes(pathlib.Path(f"/proc/{member}/smaps_rollup"), "Pss:")
    return megabytes


def _megabytes(path: pathlib.Path, key: str) -> float:
    kilobytes = (int(row.split()[1]) for row in path.read_text().splitlines() if row.startswith(key))
    return next(kilobytes, 0) / 1024


# ---- a play on many hosts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What an ansible-playbook said and took."""

    code: int
    output: str
    results: list[TaskResult]
    seconds: float
    memory: float


def play(inventory: Mapping[str, t.Any]) -> Played:
    """Play the tasks in a new process."""
    tasks = [{"name": task.name, f"hyperlab.nested.{task.module}": {name: f"{{{{ {name} }}}}" for name in task.options}} for task in TASKS]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = pathlib.Path(name)
        (folder / "playbook.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))  # JSON is YAML
        (folder / "inventory.yml").write_text(json.dumps(inventory))
        program = pathlib.Path(sys.executable).with_name("ansible-playbook")
        command = [str(program), "--forks", str(FORKS), "--inventory", str(folder / "inventory.yml"), str(folder / "playbook.yml")]
        record = folder / "results.jsonl"
        record.touch()
        memory, start = 0.0, time.perf_counter()
        with (folder / "output.txt").open("w+") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, "HYPERLAB_RECORD": str(record)}
            )
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.5)
                memory = max(memory, memory_of(process.pid))
            seconds = time.perf_counter() - start
            output.seek(0)
            said = output.read()
        results = [TaskResult(**json.loads(line)) for line in record.read_text().splitlines()]
        return Played(code=process.returncode, output=said, results=results, seconds=seconds, memory=memory)


def is_own(result: TaskResult, expected: Mapping[str, Mapping[str, t.Any]]) -> bool:
    """Whether it is word for word what this very host had to answer."""
    wanted = expected[result.task]
    return result.status == ("changed" if wanted["changed"] else "ok") and wanted == {name: result.result.get(name) for name in wanted}


def load(network: Network, way: str) -> dict[str, str]:
    """The play over one way, on hosts of its own, which are gone at the end with every file descriptor."""
    before = descriptors()
    machines = [Machine(number) for number in range(HOSTS)]
    twins = [Machine(number) for number in range(HOSTS)]
    expected = {twin.name: twin.answers() for twin in twins}
    hosts = {machine.name: network.host(LocalHost(machine.lab.host)) for machine in machines}
    inventory = {"all": {"hosts": {one.name: {**clients.variables(hosts[one.name], way), **one.variables} for one in machines}}}
    files, memory = descriptors(), own_memory()
    played = play(inventory)
    files_after, memory_after = settled(files), own_memory()
    requests = [request for host in hosts.values() for request in host.requests]
    shells = sum(len(host.shells) for host in hosts.values())
    wrong = sum(not is_own(result, expected[result.host]) for result in played.results)
    tasks = len(machines) * len(TASKS)

    assert played.code == 0, played.output
    assert wrong == 0, f"{wrong} replies are not their host's own"
    assert len({(result.host, result.task) for result in played.results}) == len(played.results) == tasks
    assert [machine.lab.plain() for machine in machines] == [twin.lab.plain() for twin in twins], "a host is not as it should be"
    verbs = [verb for task in TASKS for verb in task.verbs(way)]
    assert all(host.verbs() == verbs for host in hosts.values()), "other requests than tests/wire/test_requests.py counts"
    assert shells == 0, f"{shells} shells were left"
    assert files_after == files, f"{files} file descriptors became {files_after}"
    assert [error for host in hosts.values() for error in host.errors] == []
    network.remove_all()
    assert collected(before) == before
    return {
        "way": way,
        "hosts": str(len(machines)),
        "tasks": str(tasks),
        "wall s": f"{played.seconds:.1f}",
        "s/task": f"{played.seconds / tasks:.3f}",
        "requests/task": f"{len(requests) / tasks:.1f}",
        "kB/task": f"{sum(request.received + request.sent for request in requests) / tasks / 1e3:.1f}",
        "controller MB": f"{played.memory:.0f}",
        "server MB": f"{memory:.0f} - {memory_after:.0f}",
        "files": f"{files} - {files_after}",
        "shells": str(shells),
        "wrong": str(wrong),
    }


# ---- one connection, in this process


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def start_up(network: Network) -> float:
    """Median seconds until a remote host listens."""
    machine = LocalHost(Machine(0).lab.host)
    before = descriptors()
    seconds = statistics.median(seconds_of(lambda: network.host(machine)) for _time in range(REPEATS))
    network.remove_all()
    assert collected(before) == before
    return seconds


@contextlib.contextmanager
def connected(host: RemoteHost, way: str) -> Iterator[Connection]:
    """A connection, opened and closed as for a task."""
    connection = clients.connect(host, way)
    try:
        yield connection
    finally:
        connection.close()


def call(connection: Connection) -> None:
    """The smallest runner call."""
    ConnectionTransport(connection).run([Step("Hyper-V\\Get-VMHost", select=("Name",))])


def one_by_one(network: Network, way: str) -> dict[str, str]:
    """Calls over one way, and one task on many VMs, on hosts that are gone at the end with every file descriptor."""
    before = descriptors()
    host = network.host(LocalHost(Machine(0).lab.host))

    def anew() -> None:
        with connected(host, way) as connection:
            call(connection)

    files = descriptors()
    anew()  # imports, and what is cached for good
    first = statistics.median(seconds_of(anew) for _time in range(REPEATS))
    idle = settled(files, seconds=0.5) - files
    left = collected(files) - files
    assert left == 0, f"{REPEATS + 1} connections left {left} file descriptors"
    with connected(host, way) as connection:
        call(connection)
        again = statistics.median(seconds_of(lambda: call(connection)) for _time in range(REPEATS))
    assert not host.shells, f"{len(host.shells)} shells were left"
    times = {"call ms": f"{first * 1e3:.1f}", "next ms": f"{again * 1e3:.1f}"}
    runs = many_vms(network, way)
    assert collected(before) == before
    return {**runs, **times, "idle files": str(idle), "files left": str(left)}


def many_vms(network: Network, way: str | None = None) -> dict[str, str]:
    """One task on many VMs, with a change and again; None is no wire."""
    lab = Lab({"based_on": "server2022-intel", "memory": "4TB", "vms": [{"name": f"l1-{number:03}"} for number in range(MANY_VMS)]})
    host = network.host(LocalHost(lab.host))
    options = {"vms": [vm.name for vm in lab.host.vms]}

    def run() -> None:
        with contextlib.nullcontext(lab) if way is None else connected(host, way) as connection:
            result = _result(lab, "hyperv_nested", options, connection)
        assert len(result["changes"]) in (0, MANY_VMS)

    cells = {"way": way or "none"}
    for name, processes in (("first", TWO_PROCESSES), ("again", ONE_PROCESS)):
        host.requests.clear()
        cells[f"{name} s"] = f"{seconds_of(run):.3f}"
        if way:
            assert _without_receives(host.verbs()) == _without_receives(processes[way])
            cells[f"{name} kB"] = f"{sum(request.received + request.sent for request in host.requests) / 1e3:.0f}"
    assert not host.shells
    network.remove_all()
    return cells


def _without_receives(verbs: list[str]) -> list[str]:
    return [verb for verb in verbs if verb != "Receive"]  # how many a long reply takes is its size's business


# ---- tables

LOAD = {
    "way": "connection, with NTLM over HTTP instead of Basic over HTTPS, or with a key over SSH, each time anew",
    "hosts": f"hosts of the play, {FORKS} at a time",
    "tasks": f"{len(TASKS)} on each host, {sum(task.processes == 2 for task in TASKS)} of which change something: two runner calls",
    "wall s": "seconds of the whole ansible-playbook",
    "s/task": "the same for each task",
    "requests/task": "requests of HTTP, sessions of SSH; exactly those that tests/wire/test_requests.py counts",
    "kB/task": "their bodies and those of the answers",
    "controller MB": "most memory of ansible-playbook and its forks together, looked at twice a second",
    "server MB": "memory of the server, before and after the play",
    "files": "file descriptors of the server, before and after the play",
    "shells": "shells left open",
    "wrong": "replies that are not word for word their own host's",
}
CALLS = {
    "way": "as above; none: the pretended host alone, with no wire",
    "call ms": f"median of {REPEATS}: connect, one runner call, close, as a task does",
    "next ms": f"median of {REPEATS}: one more runner call on an open connection",
    "idle files": f"file descriptors open after {REPEATS + 1} connections: psrp leaves its HTTP sessions to Python's garbage collector",
    "files left": "those still open when that has been there",
    "first s": f"one task with {MANY_VMS} VMs that changes all: two runner calls, most of it the pretended host's own time",
    "first kB": "bodies of its requests and answers",
    "again s": "the same task again, which changes nothing: one runner call",
    "again kB": "bodies of its requests and answers",
}


def table(columns: Mapping[str, str], rows: Iterable[dict[str, str]]) -> None:
    """Print what the columns mean, and the rows as they come."""
    sys.stdout.write("".join(f"  {name:15}{meaning}\n" for name, meaning in columns.items()) + "\n" + _line(columns, columns))
    for row in rows:
        sys.stdout.write(_line(columns, [row.get(name, "-") for name in columns]))
        sys.stdout.flush()
    sys.stdout.write("\n")


def _line(columns: Iterable[str], cells: Iterable[str]) -> str:
    return "  ".join(cell.rjust(max(len(column), 9)) for column, cell in zip(columns, cells, strict=True)) + "\n"


def main() -> int:
    """Print the tables; an AssertionError when something that is counted is not what it has to be."""
    for name in [name for name in os.environ if name.upper() in MEDDLERS]:
        del os.environ[name]
    with Network() as network:
        many_vms(network)  # imports, and what is cached for good
        none = many_vms(network)
        sys.stdout.write(f"\nA remote host is there after {start_up(network) * 1e3:.1f} ms (median of {REPEATS}).\n\n")
        table(CALLS, itertools.chain([none], (one_by_one(network, way) for way in clients.WAYS)))
        table(LOAD, (load(network, way) for way in clients.WAYS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
