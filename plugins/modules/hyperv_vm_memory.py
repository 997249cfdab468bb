#!/usr/bin/python
# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hyperv_vm_memory
short_description: Set how much memory a VM has, and whether it is static or dynamic
version_added: 0.1.0
author:
  - hyperlab.nested contributors (@hyperlab)
description:
  - Sets the memory of VMs with one C(Set-VMMemory) for each VM that differs, which gets what differs and nothing else.
  - A VM that is to run Hyper-V itself should have static memory. While Hyper-V runs inside, dynamic memory does not move.
  - At least one of O(dynamic), O(startup), O(minimum), O(maximum), O(buffer) and O(priority) has to be given. What is not given stays as
    it is.
  - Sizes are written with a unit, such as V(4GB), V(1536MB) or V(1.5GB), and are exact; 1 KB is 1,024 bytes. A bare number is refused.
    Hyper-V takes multiples of 2 MB from 32 MB on.
  - With static memory, O(startup) changes while the VM runs if its configuration version is 6.2 or later, it does not expose its
    virtualization extensions, and its guest answers the host.
  - With dynamic memory, a lower O(minimum), a higher O(maximum), O(buffer) and O(priority) change while the VM runs.
  - Everything else needs the VM off; see O(when_running).
extends_documentation_fragment:
  - hyperlab.nested.attributes
  - hyperlab.nested.attributes.changes
  - hyperlab.nested.vms
  - hyperlab.nested.power
options:
  dynamic:
    description:
      - Whether Hyper-V gives the VM more and takes memory back while it runs. V(false) is static memory.
      - Needs the VM off to change.
      - If not given, it stays as it is.
    type: bool
  startup:
    description:
      - The memory that the VM starts with; with static memory all that it has.
      - With dynamic memory it needs the VM off to change.
      - If not given, it stays as it is.
    type: str
  minimum:
    description:
      - The least that dynamic memory leaves the VM. It may not be above O(startup).
      - Raising it needs the VM off.
      - For dynamic memory only. A VM that has static memory and keeps it is refused with the error code V(memory_is_static).
      - If not given, it stays as it is. A VM whose memory was static has a value from before.
    type: str
  maximum:
    description:
      - The most that dynamic memory gives the VM. It may not be below O(startup).
      - Lowering it needs the VM off.
      - For dynamic memory only, like O(minimum).
      - If not given, it stays as it is. A VM whose memory was static has a value from before.
    type: str
  buffer:
    description:
      - How much memory to keep in reserve for the VM, in percent of what it needs at the moment, from 5 to 2000.
      - For dynamic memory only, like O(minimum).
      - If not given, it stays as it is.
    type: int
  priority:
    description:
      - The VM's weight when the host has not enough memory for all its VMs, from 0 to 100. 50 is what new VMs have.
      - With static memory it needs the VM off to change.
      - If not given, it stays as it is.
    type: int
notes:
  - A VM that is running and is given more than the host has, or that is asked to give back what its guest uses, gets as near to O(startup)
    as it can, and the task fails for it. RV(vms) then shows what it has.
seealso:
  - module: hyperlab.nested.hyperv_nested
  - module: hyperlab.nested.hyperv_vm
  - name: Microsoft on nested virtualization
    description: What Hyper-V inside a VM does to its memory.
    link: https://learn.microsoft.com/windows-server/virtualization/hyper-v/nested-virtualization
"""

EXAMPLES = r"""
- name: Give the future nested hosts 8 GB of static memory, shutting down those that run
  hyperlab.nested.hyperv_vm_memory:
    vms: [l1-a, l1-b]
    dynamic: false
    startup: 8GB
    when_running: shutdown

- name: Turn dynamic memory on, with all its limits
  hyperlab.nested.hyperv_vm_memory:
    vm: web-1
    dynamic: true
    minimum: 512MB
    startup: 1536MB
    maximum: 4GB
    buffer: 20
    when_running: shutdown

- name: Let VMs with dynamic memory have more; this needs no power cycle
  hyperlab.nested.hyperv_vm_memory:
    vms: "{{ groups['web'] }}"
    maximum: 8GB
    priority: 80
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
    power_state:
      description: Hyper-V's own word in lower case, such as V(running), V(off), V(saved) or V(paused).
      type: str
    dynamic:
      description: Whether dynamic memory is on.
      type: bool
    startup:
      description: The memory that the VM starts with, and with static memory all that it has.
      type: str
    minimum:
      description: The least that dynamic memory leaves the VM. With static memory it is remembered and not in force.
      type: str
    maximum:
      description: The most that dynamic memory gives the VM. With static memory it is remembered and not in force.
      type: str
    buffer:
      description: The reserve of dynamic memory in percent. With static memory it is remembered and not in force.
      type: int
    priority:
      description: The VM's weight when memory is short.
      type: int
  sample:
    - name: l1-a
      id: 8c8c7b1e-5c5e-4f6b-9d7c-2f7d0f4f7a10
      power_state: running
      dynamic: false
      startup: 8GB
      minimum: 512MB
      maximum: 1TB
      buffer: 20
      priority: 50
changes:
  description: What changed, or would change in check mode.
  returned: always
  type: list
  elements: dict
  contains:
    subject:
      description: The name of what it is about.
      type: str
    attribute:
      description: What of it.
      type: str
    before:
      description: Its value before.
      type: raw
    after:
      description: Its value after.
      type: raw
commands:
  description:
    - The PowerShell commands that ran, or would run in check mode, as a person would type them. They are for reading only.
  returned: always
  type: list
  elements: str
  sample: ["Set-VMMemory -VMName 'l1-a' -DynamicMemoryEnabled $false -StartupBytes 8GB"]
power_cycled:
  description: The names of the VMs that were stopped for a change and brought back to their power state.
  returned: always
  type: list
  elements: str
failures:
  description: One entry for each VM or other object for which the task failed.
  returned: when something failed
  type: list
  elements: dict
  contains:
    subject:
      description: The name of what it is about.
      type: str
    error_code:
      description: A stable code for the reason.
      type: str
    msg:
      description: What is wrong.
      type: str
    fix:
      description: The way out.
      type: str
    done:
      description: The attributes that were changed and stay so.
      type: list
      elements: str
    undone:
      description: The attributes that were changed and taken back.
      type: list
      elements: str
    left:
      description: The attributes that were not changed.
      type: list
      elements: str
error_code:
  description: The stable code of the first failure.
  returned: when something failed
  type: str
  sample: vm_must_be_off
fix:
  description: The way out of the first failure.
  returned: when something failed
  type: str
"""

# Runs in plugins/action/hyperv.py; this file documents and validates.
from ansible.module_utils.basic import AnsibleModule

from ..module_utils._options import refuse_direct_run
from ..module_utils._resources.hyperv_vm_memory import SPEC


def main() -> None:
    module = AnsibleModule(**SPEC.to_kwargs(), supports_check_mode=True)
    refuse_direct_run(module)


if __name__ == "__main__":
    main()
