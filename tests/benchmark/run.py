"""What the road costs for many VMs: remote processes, bytes on the wire, seconds of the controller. See `make benchmark`.

The host is simulated in memory; its own time is measured apart, because a real host has quite another.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import pathlib
import sys
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Sequence

TREE = pathlib.Path(__file__).resolve().parents[2] / ".ansible" / "tree"
SIZES = (1, 10, 100, 1_000)
CHUNK = 100
COLUMNS = ("VMs", "run", "processes", "sent kB", "payload kB", "received kB", "controller s", "per VM", "simulator s")


@dataclasses.dataclass(kw_only=True)
class Figures:
    """One run of one task."""

    vms: int
    run: str
    processes: int = 0
    sent: int = 0
    payload: int = 0
    received: int = 0
    controller: float = 0.0
    simulator: float = 0.0

    def row(self, base: float) -> str:
        """A line of the table; `base` is the controller's time for each VM at 100 VMs."""
        kilobytes = [f"{count / 1e3:.1f}" for count in (self.sent, self.payload, self.received)]
        seconds = [f"{self.controller:.3f}", f"{self.controller / self.vms / base:.2f}", f"{self.simulator:.3f}"]
        return line([str(self.vms), self.run, str(self.processes), *kilobytes, *seconds])


def line(cells: Sequence[str]) -> str:
    """Cells below their headings."""
    return "  ".join(cell.rjust(len(column) + 1) for cell, column in zip(cells, COLUMNS, strict=True)) + "\n"


def measure(size: int) -> list[Figures]:
    """The first and the second run of hyperv_nested on so many running VMs."""
    from ansible_collections.hyperlab.nested.tests.cases.lab import Lab  # noqa: PLC0415 - only now does it lie on the path

    class Counting(Lab):
        """A host that counts what passes, and the time that it takes for itself."""

        figures: Figures

        def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
            start = time.perf_counter()
            reply = super().exec_command(cmd, in_data, sudoable)
            first = (in_data or b"").partition(b" ")[2].partition(b"\n")[0]
            self.figures.processes += 1
            self.figures.sent += len(cmd) + len(in_data or b"")
            self.figures.payload += len(json.dumps(json.loads(first)["payload"]))
            self.figures.received += len(reply[1]) + len(reply[2])
            self.figures.simulator += time.perf_counter() - start
            return reply

    vms = [{"name": f"l1-{number:04}", "state": "Running"} for number in range(size)]
    lab = Counting({"based_on": "server2022-intel", "memory": "4TB", "vms": vms})
    runs = []
    for name in ("first", "second"):
        lab.figures = Figures(vms=size, run=name)
        gc.collect()
        start = time.perf_counter()
        result = lab.task("hyperv_nested", {"vms": [vm.name for vm in lab.host.vms], "when_running": "shutdown"})
        lab.figures.controller = time.perf_counter() - start - lab.figures.simulator
        assert not result.get("failed"), result["error_code"]
        assert len(result["changes"]) == (size if name == "first" else 0)
        runs.append(lab.figures)
    return runs


def main() -> int:
    """Print the table; an AssertionError when the numbers of processes or bytes are not what they have to be."""
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(TREE)
    from ansible.plugins.loader import init_plugin_loader  # noqa: PLC0415 - it reads the variable once

    init_plugin_loader([str(TREE)])
    measure(1)  # imports, and what is cached for good
    runs = {size: measure(size) for size in SIZES}
    base = {figures.run: figures.controller / figures.vms for figures in runs[100]}
    sys.stdout.write("hyperv_nested, when_running=shutdown, all VMs running; 'per VM': controller seconds for each VM, 1.00 at 100 VMs\n\n")
    sys.stdout.write(line(COLUMNS))
    for figures in (each for size in SIZES for each in runs[size]):
        sys.stdout.write(figures.row(base[figures.run]))
        chunks = -(-figures.vms // CHUNK)
        assert figures.processes == chunks * (2 if figures.run == "first" else 1)
    assert all(figures.payload < 1e6 for figures in runs[100]), "the payload for 100 VMs is 1 MB or more"
    return 0


if __name__ == "__main__":
    sys.exit(main())
