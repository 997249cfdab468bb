"""The tour of `make demo`: site.yml mends the lab of a pretended host, and lab.yml makes a whole lab on a bare one; each plays twice."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEMO, LAB = (ROOT / "inventory" / name / "hosts.yml" for name in ("demo", "lab"))

GB = 1024**3
OBJECT = re.compile(r"^V[A-Za-z]+ (?=')")
"""How the journal writes a live object: its type, then its name."""


def main() -> int:
    """0 when all runs went well and the second ones changed nothing."""
    with tempfile.TemporaryDirectory(prefix="hyperlab-demo-") as folder:
        return mended(pathlib.Path(folder) / "hv01.json") or whole_lab(pathlib.Path(folder) / "hv02.json")


def mended(state: pathlib.Path) -> int:
    """A lab that is not as it should be."""
    say("This is HV01, a pretended Windows Server 2022. Its lab is not as it should be:")
    code = play("status", DEMO, state)
    say("site.yml makes nested hosts of l1-web (running), l1-old (too old) and l1-new (not there yet):")
    code = code or play("site", DEMO, state)
    say("What reached the host, as its own journal has it:")
    show_journal(state)
    say("The same play again changes nothing:")
    code = code or changes_nothing("site", DEMO, state)
    say("And this is how the VMs stand now (payroll was nobody's business):")
    return code or play("status", DEMO, state, more={"nested_lab_host_vms": []})


def whole_lab(state: pathlib.Path) -> int:
    """From a bare Windows to a VM in a VM that reaches the network."""
    say("This is HV02, pretended as well, without Hyper-V. lab.yml makes it the host of a VM, which is the host of another VM:")
    code = play("lab", LAB, state)
    say("What reached the hosts, and in which VM it ran:")
    show_journal(state)
    say("The same play again changes nothing:")
    code = code or changes_nothing("lab", LAB, state)
    say("The inventories are inventory/demo/ and inventory/lab/: copy them for playbooks and CI of your own.")
    return code


def changes_nothing(playbook: str, inventory: pathlib.Path, state: pathlib.Path) -> int:
    """Play it once more, and show the recap; 0 when it went well and changed nothing."""
    done = played(playbook, inventory, state)
    recap = done.stdout[done.stdout.find("PLAY RECAP") :]
    print(done.stdout if done.returncode else recap.strip("\n"), flush=True)
    return done.returncode or int(any(count != "0" for count in re.findall(r"changed=(\d+)", recap)))


def play(playbook: str, inventory: pathlib.Path, state: pathlib.Path, *, more: dict[str, t.Any] | None = None) -> int:
    """Play it, and show what it says; what was skipped is not shown."""
    done = played(playbook, inventory, state, more=more)
    print(done.stdout.strip("\n"), flush=True)
    return done.returncode


def played(
    playbook: str, inventory: pathlib.Path, state: pathlib.Path, *, more: dict[str, t.Any] | None = None
) -> subprocess.CompletedProcess[str]:
    """A playbook of the collection."""
    variables = {"ansible_simulator_state": str(state), **(more or {})}
    settings = {
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOWS": "true",
    }
    return subprocess.run(
        ["ansible-playbook", "-i", str(inventory), f"hyperlab.nested.{playbook}", "-e", json.dumps(variables)],
        env={**os.environ, **settings},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def show_journal(state: pathlib.Path) -> None:
    """One line for each call that could change something."""
    for line in state.with_name(f"{state.name}.journal.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        words = [entry["cmdlet"], *(f"-{name} {shown(value)}" for name, value in entry["parameters"].items())]
        place = "".join(f"[{vm}] " for vm in entry.get("inside", ()))
        print(f"  {place}" + " ".join(words) + ("" if entry["result"] == "ok" else f"   => {entry['result']}"))


def shown(value: object) -> str:
    """A parameter of the journal: objects by their names, switches and sizes as PowerShell writes them."""
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, bool):
        return f"${str(value).lower()}"
    if isinstance(value, int) and value >= GB and value % GB == 0:
        return f"{value // GB}GB"
    return OBJECT.sub("", str(value))


def say(text: str) -> None:
    """A line of the tour."""
    print(f"\n=== {text}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
