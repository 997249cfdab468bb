"""Begin a module: its resource, documentation, a case, an integration target and its routing, all of which work at once.

usage: tools/new_module.py NAME "Short description"

What it makes reads and sets the notes of VMs. Change it from there into what the module is for.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODEL = "hyperv_mac_spoof"
"""The module whose common return values and last lines are taken over."""

HEAD = """\
# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""

RESOURCE = '''\
{head}
"""Private: {name}: the notes of VMs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._options import VMS, Options, Spec, text
from .._plan import Change, Plan
from .._steps import Answers, Step
from .._vms import HOST, VM_FIELDS, Vm, find_vms, vm_queries

SPEC = Spec(
    VMS,
    notes=text(required=True, blank=True),
)

FIELDS = (*VM_FIELDS, "Notes")


def queries(options: Options) -> tuple[Step, ...]:
    """The host, and the VMs with their notes."""
    return (HOST, *vm_queries(options.vms, FIELDS))


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The named VMs."""

    vms: tuple[Vm, ...]

    @classmethod
    def from_answers(cls, options: Options, answers: Answers) -> State:
        """Raises HypervError when a name means no VM or several."""
        return cls(vms=tuple(find_vms(options.vms, answers)))

    def result(self) -> dict[str, t.Any]:
        """What the task's result shows."""
        return {{"vms": [{{"name": vm.name, "id": vm.id, "notes": vm.row["Notes"]}} for vm in self.vms]}}


def plan(options: Options, state: State) -> Plan:
    """One change for each VM; those in which nothing differs are dropped."""
    return Plan.of(_change(vm, options.notes) for vm in state.vms)


def _change(vm: Vm, notes: str) -> Change:
    """The call, on a VM whose notes are still as they were read, and the call that takes it back.

    What Hyper-V changes only while a VM is off gets needs_off=True, and the SPEC gets POWER.
    """
    found = vm.row["Notes"]
    undo = Step("Hyper-V\\\\Set-VM", {{"VM": vm.again, "Notes": found}})
    step = Step("Hyper-V\\\\Set-VM", {{"VM": vm.row.ref("Id", "Notes", shown=vm.shown), "Notes": notes}}, undo=undo)
    return Change(subject=vm, attributes={{"notes": (found, notes)}}, steps=(step,))
'''

MODULE = '''\
#!/usr/bin/python
{head}
from __future__ import annotations

DOCUMENTATION = r"""
---
module: {name}
short_description: {short}
version_added: {version}
author:
  - hyperlab.nested contributors (@hyperlab)
description:
  - {short}.
extends_documentation_fragment:
  - hyperlab.nested.attributes
  - hyperlab.nested.attributes.changes
  - hyperlab.nested.vms
options:
  notes:
    description:
      - The notes of the VMs. An empty text removes them.
    type: str
    required: true
seealso:
  - module: hyperlab.nested.hyperv_nested_info
"""

EXAMPLES = r"""
- name: Say what two VMs are for
  hyperlab.nested.{name}:
    vms: [l1-a, l1-b]
    notes: Nested hosts of the lab
"""

RETURN = r"""
vms:
  description: The VMs as they were read at the end; in check mode as they are.
  returned: when the VMs could be read
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
    id:
      description: The id.
      type: str
    notes:
      description: The notes.
      type: str
{common}'''

COMMANDS = """["Set-VM -VMName 'l1-a' -Notes 'Nested hosts of the lab'"]"""

CASE = """\
about: notes are set where they differ, whether the VM runs or not
profile:
  based_on: server2022-intel
  vms:
    - {name: l1-a, state: Running, notes: old}
    - {name: l1-b, notes: new}
    - {name: l1-c}
options: {vms: [l1-a, l1-b], notes: new}
expect:
  changed: true
  commands: ["Set-VM -VMName 'l1-a' -Notes 'new'"]
  changes: {l1-a: {notes: [old, new]}}
  host: {vms.l1-a.notes: new, vms.l1-a.state: Running, vms.l1-c.notes: ""}
  result: {vms.0.notes: new, vms.1.notes: new}
"""

HOST = """\
based_on: server2022-intel
vms: [{name: l1-a}]
"""

TARGET = """\
---
- name: Test %(name)s
  vars:
    ansible_simulator_profile: "{{ role_path }}/files/host.yml"
    ansible_simulator_state: "{{ output_dir }}/%(name)s.json"
  block:
    - name: Foretell the change
      hyperlab.nested.%(name)s: &wanted
        vms: l1-a
        notes: a nested host
      check_mode: true
      register: foretold

    - name: Make it
      hyperlab.nested.%(name)s: *wanted
      register: done

    - name: Make it again
      hyperlab.nested.%(name)s: *wanted
      register: again

    - name: Look with another module
      hyperlab.nested.hyperv_nested_info:
        vms: l1-a
      register: found

    - name: Compare
      ansible.builtin.assert:
        that:
          - foretold is changed
          - done is changed
          - done.changes == foretold.changes
          - done.commands == foretold.commands
          - again is not changed
          - found.vms[0].notes == "a nested host"
"""

NEXT = """\
Next:
  1. plugins/module_utils/_resources/{name}.py: SPEC, queries(), State and plan() are all that the module is
  2. plugins/modules/{name}.py: describe each option, what "not given" means, and whether the VM has to be off
  3. tests/cases/{name}/: one file for each thing that it does and for each thing that it refuses
  4. tests/integration/targets/{name}/: the same road as a user's play takes it
  5. README.md: a line in the table of modules
and check: python -m pytest -q tests/cases -k {name}; make lint sanity integration
A cmdlet that the simulator lacks goes to plugins/plugin_utils/_simulator/cmdlets/, with a row in the ledger of docs/simulator.md."""


def main() -> int:
    """Write the files of a module that does not exist yet."""
    parser = argparse.ArgumentParser(description="begin a module of this collection")
    parser.add_argument("name", help="such as hyperv_checkpoint")
    parser.add_argument("short", metavar="description", help="a short one, without a full stop")
    chosen = parser.parse_args()
    if not re.fullmatch(r"hyperv(_[a-z0-9]+)+", chosen.name):
        parser.error("a name is hyperv_, and words in lower case")
    short = chosen.short.strip().rstrip(".")
    if not short or re.search(r"[:#'\"\n]", short):
        parser.error("the description stands in YAML as it is: no colon, number sign, quote or line break")
    files = _files(chosen.name, short[0].upper() + short[1:])
    there = [str(path) for path in files if (ROOT / path).exists()]
    if there:
        parser.error(f"exists already: {', '.join(there)}")
    for path, content in files.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(content, encoding="utf-8")
        print(f"made {path}")
    _route(chosen.name)
    print("changed meta/runtime.yml")
    print(NEXT.format(name=chosen.name))
    return 0


def _files(name: str, short: str) -> dict[Path, str]:
    version = re.search(r"^version: *(\S+)", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    if version is None:
        sys.exit("galaxy.yml has no version")
    common = _common().replace(f"_resources.{MODEL}", f"_resources.{name}")
    target = Path("tests", "integration", "targets", name)
    return {
        Path("plugins", "module_utils", "_resources", f"{name}.py"): RESOURCE.format(head=HEAD, name=name),
        Path("plugins", "modules", f"{name}.py"): MODULE.format(head=HEAD, name=name, short=short, version=version[1], common=common),
        Path("tests", "cases", name, "set.yml"): CASE,
        target / "aliases": "windows\nshippable/windows/group1\n",
        target / "files" / "host.yml": HOST,
        target / "tasks" / "main.yml": TARGET % {"name": name},
    }


def _common() -> str:
    """From a module that exists: the return values that all modules have, and the Python below the documentation."""
    module = (ROOT / "plugins" / "modules" / f"{MODEL}.py").read_text(encoding="utf-8")
    common = "changes:\n" + module.partition('\nRETURN = r"""\n')[2].partition("\nchanges:\n")[2]
    return re.sub(r"^  sample: \[.*\]$", lambda _found: f"  sample: {COMMANDS}", common, count=1, flags=re.MULTILINE)


def _route(name: str) -> None:
    """Add the module to the routing and to the action group, in the order of their names."""
    path = ROOT / "meta" / "runtime.yml"
    text = path.read_text(encoding="utf-8")
    text = _inserted(
        text, r"^    (hyperv_\w+):\n      action_plugin: \S+\n", name, f"    {name}:\n      action_plugin: hyperlab.nested.hyperv\n"
    )
    path.write_text(_inserted(text, r"^    - (hyperv_\w+)\n", name, f"    - {name}\n"), encoding="utf-8")


def _inserted(text: str, pattern: str, name: str, entry: str) -> str:
    entries = list(re.finditer(pattern, text, re.MULTILINE))
    if not entries:
        sys.exit("meta/runtime.yml has another form than this tool knows")
    place = next((found.start() for found in entries if found[1] > name), entries[-1].end())
    return text[:place] + entry + text[place:]


if __name__ == "__main__":
    sys.exit(main())
