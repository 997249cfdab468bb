"""The tour of `make demo`: play site.yml on a pretended host twice, show what reached the host, and how the VMs stand."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
INVENTORY = ROOT / "inventory" / "demo" / "hosts.yml"

GB = 1024**3
OBJECT = re.compile(r"^V[A-Za-z]+ (?=')")
"""How the journal writes a live object: its type, then its name."""


def main() -> int:
    """0 when both runs went well and the second changed nothing."""
    with tempfile.TemporaryDirectory(prefix="hyperlab-demo-") as folder:
        state = pathlib.Path(folder) / "hv01.json"
        say("This is HV01, a pretended Windows Server 2022. Its lab is not as it should be:")
        code = play("status", state)
        say("site.yml makes nested hosts of l1-web (running), l1-old (too old) and l1-new (not there yet):")
        code = code or play("site", state)
        say("What reached the host, as its own journal has it:")
        show_journal(state)
        say("The same play again changes nothing:")
        second = pathlib.Path(folder) / "second.log"
        code = code or play("site", state, log=second)
        changed = "changed=0" not in second.read_text(encoding="utf-8")
        say("And this is how the VMs stand now (payroll was nobody's business):")
        code = code or play("status", state, whole_host=True)
    say(f"The inventory is {INVENTORY.parent.relative_to(ROOT)}/: copy it for playbooks and CI of your own.")
    return code or int(changed)


def play(playbook: str, state: pathlib.Path, *, log: pathlib.Path | None = None, whole_host: bool = False) -> int:
    """Run a playbook of the collection on the demo inventory; its output is shown, and kept in `log`."""
    arguments = ["-i", str(INVENTORY), f"hyperlab.nested.{playbook}", "-e", f"ansible_simulator_state={state}"]
    if whole_host:
        arguments += ["-e", '{"nested_lab_host_vms": []}']
    settings = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOWS": "true"}
    done = subprocess.run(
        ["ansible-playbook", *arguments],
        env={**os.environ, **settings},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    print(done.stdout.strip("\n"), flush=True)
    if log:
        log.write_text(done.stdout, encoding="utf-8")
    return done.returncode


def show_journal(state: pathlib.Path) -> None:
    """One line for each call that could change something."""
    for line in state.with_name(f"{state.name}.journal.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        words = [entry["cmdlet"], *(f"-{name} {shown(value)}" for name, value in entry["parameters"].items())]
        print("  " + " ".join(words) + ("" if entry["result"] == "ok" else f"   => {entry['result']}"))


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
