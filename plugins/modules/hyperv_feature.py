#!/usr/bin/python
# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hyperv_feature
short_description: Install or remove Hyper-V itself
version_added: 0.1.0
author:
  - hyperlab.nested contributors (@hyperlab)
description:
  - Installs the role Hyper-V with its PowerShell module, or removes them, and restarts Windows for it if it may.
  - Works on Windows Server (C(Install-WindowsFeature)) and on client Windows (C(Enable-WindowsOptionalFeature)); which one the host is,
    it finds out. The host can be a physical machine, or a VM that is to become a nested host.
  - Refuses to install Hyper-V where it could not run, which Windows itself does not always check. A VM needs to have its virtualization
    extensions exposed on its Hyper-V host; see M(hyperlab.nested.hyperv_nested).
  - Refuses to remove Hyper-V while VMs run on the host, and names them. VMs and their disks are not removed with it.
  - A host that has Hyper-V installed, while its hypervisor does not run, is an error with the way out, where that can be seen. Inside a VM
    it can be seen only while the extensions are exposed.
extends_documentation_fragment:
  - hyperlab.nested.attributes
  - hyperlab.nested.attributes.changes
options:
  state:
    description:
      - V(present) installs what is missing, V(absent) removes what is there.
    type: str
    choices: [present, absent]
    default: present
  management_tools:
    description:
      - Whether Hyper-V's PowerShell module is meant too. All other modules of this collection need it on the host.
      - Where Windows Server has a desktop, Hyper-V Manager comes and goes with the role (C(-IncludeManagementTools)). By itself it is
        neither looked at nor changed.
      - With V(false) only the role is installed or removed, and the module stays as it is.
    type: bool
    default: true
  check_extensions:
    description:
      - Whether to refuse installing Hyper-V on a host in whose Windows no virtualization extensions are visible.
      - Something else inside that runs on a hypervisor, such as WSL 2, hides them. Set V(false) only then; Windows Server makes a check
        of its own anyhow.
      - While virtualization-based security runs nothing can be seen, so nothing is refused, and there is a warning for a VM.
    type: bool
    default: true
  reboot:
    description:
      - Whether to restart Windows when Hyper-V was installed or removed, or when Windows waits for that restart already.
      - The restart is waited for, until Windows has another boot time and, if Hyper-V is installed then, its service answers. If Windows
        waits for a second restart, that is made too. Progress is shown with C(-v).
      - A host that refuses to restart may be restarting already, so that is waited for, too, for two minutes at most.
      - VMs that run on the host follow their automatic stop action, and their automatic start action afterwards. A warning names them.
      - With V(false), RV(reboot_required) says whether Windows waits for a restart. What waits for one cannot be changed back before it.
    type: bool
    default: false
  reboot_timeout:
    description:
      - How many seconds to wait for the host after each restart.
    type: int
    default: 1200
  answer_timeout:
    description:
      - How many seconds to wait for a host that does not answer at the beginning, because it was just started, or is still at the restart
        of a run that was interrupted. A logon that was refused is not waited for.
      - The same time is given to Hyper-V that is installed and whose service (vmms) does not answer yet, within five minutes after a start
        of Windows. If it still does not then, the task goes on with the host as it is.
      - If not given, a host that does not answer is unreachable at once, and nothing else is waited for.
    type: int
notes:
  - This module needs neither Hyper-V nor its PowerShell module on the host, but an administrator.
  - The connection is lost while Windows restarts, which is no error.
seealso:
  - module: hyperlab.nested.hyperv_nested
  - module: hyperlab.nested.hyperv_nested_info
"""

EXAMPLES = r"""
- name: Make Hyper-V hosts of plain Windows machines
  hyperlab.nested.hyperv_feature:
    reboot: true

- name: Install Hyper-V now
  hyperlab.nested.hyperv_feature:
    state: present
  register: hyperv

- name: Restart when it suits
  ansible.windows.win_reboot: {}
  when: hyperv.reboot_required

- name: Remove Hyper-V and its PowerShell module
  hyperlab.nested.hyperv_feature:
    state: absent
    reboot: true
"""

RETURN = r"""
features:
  description:
    - The features as they were read at the end; in check mode as they are. Each is V(installed), V(absent), V(install_pending) or
      V(uninstall_pending), which wait for a restart, or null if this Windows does not have it.
  returned: when the host could be read
  type: dict
  contains:
    hyperv:
      description: The role.
      type: str
    management_tools:
      description: The PowerShell module.
      type: str
  sample:
    hyperv: installed
    management_tools: installed
boot_time:
  description:
    - When Windows started, as it was read at the end. Windows may tell the same start some milliseconds earlier or later each time.
  returned: when the host could be read
  type: str
  sample: "2026-11-21T06:55:31.5000000Z"
reboot_required:
  description:
    - Whether Windows waits for a restart to install or remove a feature, as it was read at the end, or as Windows said when the features
      were changed.
  returned: when the host could be read
  type: bool
rebooted:
  description: Whether Windows was restarted, or would be in check mode.
  returned: when the host could be read
  type: bool
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
  sample: ["Install-WindowsFeature -Name 'Hyper-V' -IncludeManagementTools", "Restart-Computer"]
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
  sample: extensions_hidden
fix:
  description: The way out of the first failure.
  returned: when something failed
  type: str
"""

# Runs in plugins/action/hyperv.py; this file documents and validates.
from ansible.module_utils.basic import AnsibleModule

from ..module_utils._options import refuse_direct_run
from ..module_utils._resources.hyperv_feature import SPEC


def main() -> None:
    module = AnsibleModule(**SPEC.to_kwargs(), supports_check_mode=True)
    refuse_direct_run(module)


if __name__ == "__main__":
    main()
