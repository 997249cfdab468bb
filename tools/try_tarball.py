"""Install the tarball into an empty folder, and play from there what a user would.

usage: tools/try_tarball.py TARBALL

The environment holds a link to the checkout (see the Makefile). It must not be found, or else this would test the checkout: Ansible
is told not to look among Python's packages, and asked afterwards which files it would use.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PLUGINS = {
    "connection": "hyperlab.nested.simulator",
    "module": "hyperlab.nested.hyperv_nested_info",
}
# one task over the whole road: routing, action plugin, wire, simulator
PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - hyperlab.nested.hyperv_nested_info:
      register: found
    - ansible.builtin.assert:
        that: [found is success, found is not changed]
        quiet: true
"""
INVENTORY = """\
all:
  hosts:
    simulated:
      ansible_connection: hyperlab.nested.simulator
      ansible_simulator_state: "{{ inventory_dir }}/state.json"
"""


def main() -> int:
    """Install, look, play."""
    tarball = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="hyperlab-nested-") as name:
        folder = Path(name).resolve()
        collections = folder / "collections"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        env = {
            **kept,
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_NOCOLOR": "true",
        }

        def run(*command: str) -> str:
            done = subprocess.run(
                [str(Path(sys.executable).parent / command[0]), *command[1:]],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
            return done.stdout

        run("ansible-galaxy", "collection", "install", "--offline", "-p", str(collections), str(tarball))
        run("ansible-galaxy", "collection", "verify", "--offline", "hyperlab.nested")
        for kind, plugin in PLUGINS.items():
            documented = json.loads(run("ansible-doc", "--json", "-t", kind, plugin))
            if plugin not in documented:
                sys.exit(f"{plugin} is not in the tarball, or Ansible cannot read its documentation")
            used = Path(documented[plugin]["doc"]["filename"])
            if not used.is_relative_to(collections):
                sys.exit(f"{plugin} was taken from {used}, and not from the tarball")
        (folder / "playbook.yml").write_text(PLAYBOOK, encoding="utf-8")
        (folder / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
        run("ansible-playbook", "-i", "inventory.yml", "playbook.yml")
        count = sum(one.is_file() for one in collections.rglob("*"))
        print(f"{tarball.name}: {count} files, {tarball.stat().st_size // 1024} KiB, installed and played")
    return 0


if __name__ == "__main__":
    sys.exit(main())
