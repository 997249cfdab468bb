#!/usr/bin/python
# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hyperv_mac_spoof
short_description: Let the network adapters of VMs send from MAC addresses that are not their own
version_added: 0.1.0
author:
  - hyperlab.nested contributors (@hyperlab)
description:
  - Turns MAC address spoofing on or off for network adapters of VMs (C(Set-VMNetworkAdapter -MacAddressSpoofing)).
  - A nested Hyper-V host needs it on the adapter through which the VMs inside it reach the network, because their frames carry their own
    MAC addresses. Without it the outer switch drops them. Public clouds do not allow it; use NAT there
    (M(hyperlab.nested.hyperv_nat_switch)).
  - Each adapter is brought to the wanted state on its own, whatever the others have. An adapter that has it already is not touched.
  - The VMs may be running; nothing is stopped or started.
  - Adapters of the host itself are never touched.
extends_documentation_fragment:
  - hyperlab.nested.attributes
  - hyperlab.nested.attributes.changes
  - hyperlab.nested.vms
options:
  state:
    description:
      - V(enabled) allows MAC address spoofing, V(disabled) forbids it.
    type: str
    choices: [enabled, disabled]
    default: enabled
  adapters:
    description:
      - Names of the network adapters to work on, in every VM of O(vms). One string is one name; it is never split at commas.
      - Names are compared whole and without case, and wildcards do not exist. All adapters of a VM that have the name are meant, and
        Hyper-V gives every new adapter the name V(Network Adapter).
      - A name that none of a VM's adapters has is refused with the error code V(adapter_not_found), and nothing is changed.
      - If not given, all adapters are meant. An empty list means no adapter.
    type: raw
    aliases: [adapter]
seealso:
  - module: hyperlab.nested.hyperv_nested
  - module: hyperlab.nested.hyperv_nat_switch
  - name: Microsoft's guide to nested virtualization
    description: The section on networking has both ways, MAC address spoofing and NAT.
    link: https://learn.microsoft.com/windows-server/virtualization/hyper-v/enable-nested-virtualization
"""

EXAMPLES = r"""
- name: Let the VMs of two nested hosts reach the network
  hyperlab.nested.hyperv_mac_spoof:
    vms: [l1-a, l1-b]

- name: Only through the adapter that leads to the lab's network
  hyperlab.nested.hyperv_mac_spoof:
    vm: l1-a
    adapters: [lab]

- name: Forbid it again on all adapters
  hyperlab.nested.hyperv_mac_spoof:
    vms: "{{ groups['l1'] }}"
    state: disabled
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
    adapters:
      description: All network adapters of the VM, also those that O(adapters) does not name.
      type: list
      elements: dict
      contains:
        name:
          description: The name, which several adapters can share.
          type: str
        id:
          description: The id, which no other adapter has.
          type: str
        mac_address:
          description: The MAC address without separators; V(000000000000) before the first start of a VM whose addresses are dynamic.
          type: str
        mac_address_spoofing:
          description: Whether the adapter may send from other MAC addresses.
          type: bool
        switch:
          description: The name of the virtual switch that it is connected to, or null.
          type: str
  sample:
    - name: l1-a
      id: 8c8c7b1e-5c5e-4f6b-9d7c-2f7d0f4f7a10
      power_state: running
      adapters:
        - name: Network Adapter
          id: 'Microsoft:8C8C7B1E-5C5E-4F6B-9D7C-2F7D0F4F7A10\3B5A1A4C-8F0E-4B8C-9D5E-6A7B8C9D0E1F'
          mac_address: 00155D006A01
          mac_address_spoofing: true
          switch: External
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
  sample: ["Set-VMNetworkAdapter -VMName 'l1-a' -Name 'Network Adapter' -MacAddressSpoofing On"]
power_cycled:
  description: Always empty; no VM is stopped for this.
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
  sample: adapter_not_found
fix:
  description: The way out of the first failure.
  returned: when something failed
  type: str
"""

# Runs in plugins/action/hyperv.py; this file documents and validates.
from ansible.module_utils.basic import AnsibleModule

from ..module_utils._options import refuse_direct_run
from ..module_utils._resources.hyperv_mac_spoof import SPEC


def main() -> None:
    module = AnsibleModule(**SPEC.to_kwargs(), supports_check_mode=True)
    refuse_direct_run(module)


if __name__ == "__main__":
    main()
