#!/usr/bin/python
# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hyperv_nested
short_description: Expose a VM's virtualization extensions, so that it can run Hyper-V itself
version_added: 0.1.0
author:
  - hyperlab.nested contributors (@hyperlab)
description:
  - Turns VMs into nested Hyper-V hosts, or back, by exposing or hiding the virtualization extensions of their processors
    (C(Set-VMProcessor -ExposeVirtualizationExtensions)).
  - Refuses before anything is touched where nesting cannot work, with an error code and the way out. That is a host that is too old,
    an AMD processor before Windows Server 2022 or Windows 11, and a VM whose configuration version is below 8.0 (Intel) or 9.3 (AMD).
  - All of these changes need the VM off; see O(when_running).
extends_documentation_fragment:
  - hyperlab.nested.attributes
  - hyperlab.nested.attributes.changes
  - hyperlab.nested.vms
  - hyperlab.nested.power
options:
  state:
    description:
      - V(enabled) exposes the virtualization extensions, V(disabled) hides them.
    type: str
    choices: [enabled, disabled]
    default: enabled
  processors:
    description:
      - Number of virtual processors.
      - If not given, the number stays as it is.
    type: int
  vbs_opt_out:
    description:
      - Whether the VM may not use virtualization-based security (C(Set-VMSecurity -VirtualizationBasedSecurityOptOut)).
      - It is set before the extensions are exposed. Builds 14352 to 14361 of Windows needed it; no later one is known to.
      - If not given, it is neither read nor changed.
    type: bool
  upgrade_version:
    description:
      - Whether a VM whose configuration version is below the host's default is upgraded to it (C(Update-VMVersion)).
      - This cannot be undone, and the VM can no longer move to hosts that do not know the new version.
    type: bool
    default: false
seealso:
  - module: hyperlab.nested.hyperv_vm_memory
  - module: hyperlab.nested.hyperv_mac_spoof
  - module: hyperlab.nested.hyperv_nested_info
  - name: Microsoft's guide to nested virtualization
    description: Prerequisites, steps and limits.
    link: https://learn.microsoft.com/windows-server/virtualization/hyper-v/enable-nested-virtualization
"""

EXAMPLES = r"""
- name: Let three VMs run Hyper-V, shutting down those that run
  hyperlab.nested.hyperv_nested:
    vms: [l1-a, l1-b, l1-c]
    processors: 4
    when_running: shutdown

- name: Upgrade an old VM on the way
  hyperlab.nested.hyperv_nested:
    vm: l1-old
    upgrade_version: true

- name: Hide the extensions again
  hyperlab.nested.hyperv_nested:
    vms: "{{ groups['l1'] }}"
    state: disabled
    when_running: shutdown
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
    version:
      description: The configuration version.
      type: str
    processors:
      description: Number of virtual processors.
      type: int
    expose_virtualization_extensions:
      description: Whether the VM can run Hyper-V.
      type: bool
    dynamic_memory:
      description: Whether dynamic memory is on.
      type: bool
    vbs_opt_out:
      description: Whether the VM may not use virtualization-based security.
      type: bool
      returned: when O(vbs_opt_out) was given
  sample:
    - name: l1-a
      id: 8c8c7b1e-5c5e-4f6b-9d7c-2f7d0f4f7a10
      power_state: running
      version: "10.0"
      processors: 4
      expose_virtualization_extensions: true
      dynamic_memory: false
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
  sample: ["Set-VMProcessor -VMName 'l1-a' -ExposeVirtualizationExtensions $true"]
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
from ..module_utils._resources.hyperv_nested import SPEC


def main() -> None:
    module = AnsibleModule(**SPEC.to_kwargs(), supports_check_mode=True)
    refuse_direct_run(module)


if __name__ == "__main__":
    main()
