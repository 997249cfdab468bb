# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connection to a pretended Hyper-V host."""

from __future__ import annotations

DOCUMENTATION = r"""
name: simulator
short_description: Work on a pretended Hyper-V host
version_added: 0.1.0
author:
  - The hyperlab.nested contributors (@hyperlab)
description:
  - With this connection, the modules of this collection work on a Hyper-V host that exists only as a file on the Ansible
    controller. No Windows is needed, and nothing but that file is changed.
  - The pretended host takes exactly what the modules send to a real one, checks it by the documented signatures of Microsoft's cmdlets,
    and answers as Hyper-V is known to. What it cannot pretend it refuses, saying so. C(docs/simulator.md) lists each rule with its source.
  - Time is simulated too. Waiting for a virtual machine costs no real time.
notes:
  - There is no PowerShell behind this connection. Other modules than this collection's fail; set C(gather_facts) to V(false) in plays.
  - Files cannot be copied.
  - The host is made from O(profile) once and then lives on in O(state_file). To start again, remove the state file.
    A later change of the profile alone changes nothing.
options:
  remote_addr:
    description:
      - Which pretended machine this is. It serves for nothing but the default name of O(state_file).
      - Two inventory hosts with the same O(remote_addr) are one machine, as they would be over any other connection.
    type: str
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: ansible_host
  profile:
    description:
      - What the host is at the beginning. Either the name of a profile of this collection, or the path of a YAML file that describes a host.
      - Profiles of this collection are V(server2016-intel), V(server2016-amd), V(server2019-intel), V(server2019-amd),
        V(server2022-intel), V(server2022-amd), V(server2025-intel), V(server2025-amd), V(windows11-intel) and V(windows11-amd).
        They have no virtual machines.
      - A file of yours names the profile that it changes in the key C(based_on); in it, mappings are merged and lists are replaced.
      - A relative path starts from the directory that Ansible was started in. To have it beside the inventory, write
        C({{ inventory_dir }}/lab.yml).
    type: str
    default: server2022-intel
    vars:
      - name: ansible_simulator_profile
    env:
      - name: HYPERLAB_SIMULATOR_PROFILE
  state_file:
    description:
      - The file that the host lives in between tasks and plays. Missing directories are made.
      - By default C(hyperlab/simulator/NAME.json) in Ansible's home directory (usually C(~/.ansible)), where C(NAME) is O(remote_addr).
      - A relative path starts from the directory that Ansible was started in.
      - Beside it there are a file that ends in C(.lock), and one that ends in C(.journal.jsonl), which lists every call that
        could change something.
    type: path
    vars:
      - name: ansible_simulator_state
    env:
      - name: HYPERLAB_SIMULATOR_STATE
extends_documentation_fragment:
  - ansible.builtin.connection_pipelining
"""

EXAMPLES = r"""
# inventory.yml: two pretended hosts, the second one as a file beside this inventory describes it
hyperv_hosts:
  hosts:
    l0-a: {}
    l0-b:
      ansible_simulator_profile: "{{ inventory_dir }}/lab.yml"
  vars:
    ansible_connection: hyperlab.nested.simulator
    ansible_simulator_profile: server2025-amd

# lab.yml
# based_on: server2022-intel
# vms:
#   - name: l1-a
#     state: Running
#     adapters: [{}]
"""

import pathlib
import typing as t
import urllib.parse

from ansible import constants as C  # noqa: N812 - core's own name for it
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display

from ..plugin_utils._simulator import power
from ..plugin_utils._simulator.calls import NotSimulated
from ..plugin_utils._simulator.schema import ProfileError
from ..plugin_utils._simulator.session import NobodyAnswers, Request, read
from ..plugin_utils._simulator.steps import Session
from ..plugin_utils._simulator.store import open_host

if t.TYPE_CHECKING:
    from ..plugin_utils._simulator.commands import Entry

display = Display()


class Connection(ConnectionBase):
    """Feeds what the modules send to the simulator, and keeps the host in its state file."""

    transport = "hyperlab.nested.simulator"
    # what core asks of a connection to Windows, as its own winrm.py says it (the last two: ansible-core before 2.21)
    module_implementation_preferences = (".ps1", ".exe", "")
    allow_executable = False
    has_pipelining = True
    always_pipeline_modules = True
    has_native_async = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        self._shell_type = "powershell"  # ConnectionBase makes its shell from it
        super().__init__(*args, **kwargs)

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def close(self) -> None:
        """Nothing stays open between commands."""
        self._connected = False

    def reset(self) -> None:
        """The same, for the task `meta: reset_connection`."""
        self.close()

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run the runner's command line on the host of the state file."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        state_file, profile = self._state_file(), str(self.get_option("profile"))
        # sizes only: standard input holds the payload, and secrets
        display.vvv(f"SIMULATE {len(in_data or b'')} bytes on {state_file}", host=self.get_option("remote_addr"))
        journal: list[Entry] = []
        try:
            request = read(cmd, in_data)
            if not isinstance(request, Request):
                return request
            with open_host(state_file, profile, journal) as host:
                try:
                    return request.run(Session(host, request.secrets, journal=journal))
                except NobodyAnswers as error:
                    nobody = str(error)
            raise AnsibleConnectionFailure(f"The simulator pretends that nobody is there: {nobody}")
        except NotSimulated as error:
            return 1, b"", f"The simulator cannot do this, and changed nothing: {error}. See docs/simulator.md.".encode()
        except ProfileError as error:
            raise AnsibleConnectionFailure(f"The simulator has no host to work on: {error}") from error
        except OSError as error:
            raise AnsibleConnectionFailure(f"The simulator cannot use its state file {state_file}: {error}") from error

    def let_time_pass(self, seconds: float) -> None:
        """Wait on the pretended host, which costs no real time."""
        with open_host(self._state_file(), str(self.get_option("profile"))) as host:
            power.wait(host, seconds)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Refused: the host has no files."""
        raise AnsibleError(f"The simulator has no files, so {in_path} cannot be copied to {out_path}.")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Refused: the host has no files."""
        raise AnsibleError(f"The simulator has no files, so {in_path} cannot be fetched.")

    def _state_file(self) -> pathlib.Path:
        given = self.get_option("state_file")
        if given:
            return pathlib.Path(given)
        name = urllib.parse.quote(self.get_option("remote_addr"), safe="")
        return pathlib.Path(C.ANSIBLE_HOME) / "hyperlab" / "simulator" / f"{name}.json"
