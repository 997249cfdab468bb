# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: documentation that every module shares: its attributes and its common return values."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of all modules, of those that change something (CHANGES), and of those that only read (FACTS)."""

    DOCUMENTATION = r"""
options: {}
attributes:
  action:
    description: Runs on the controller, over the task's own connection, and in one or two remote PowerShell processes
      for up to 100 VMs, more while it waits.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
    details:
      - The task is refused. One task takes many VMs instead.
  become:
    description: Is usable alongside C(become) keywords.
    support: none
    details:
      - The task is refused, because C(become) does not reach the host. Connect as a Hyper-V administrator.
      - An inventory may set C(ansible_become); set C(become=false) for the task or the play then.
  connection:
    description: Works over any connection to a Windows host, and over P(hyperlab.nested.simulator#connection).
    support: full
  environment:
    description: Honours the C(environment) keyword.
    support: none
    details:
      - The task runs without it and says so in a warning.
  platform:
    description: Target OS that can be operated against.
    platforms: windows
    support: full
notes:
  - The inventory host is the machine whose Hyper-V is worked on. It needs Windows PowerShell 5.1 and the Hyper-V PowerShell module.
  - Messages of the host are in the host's language. Match O(ignore:error_code) of a failed task, never RV(ignore:msg).
"""

    CHANGES = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return what would change without changing it.
    support: full
    details:
      - Reports the same changes and commands as the real run, and refuses what the real run would refuse.
  diff_mode:
    description: Returns details on what has changed, or would change in check mode, when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row outside check mode with the same arguments, the second run changes nothing.
    support: full
"""

    FACTS = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return what would change without changing it.
    support: full
    details:
      - It changes nothing anyhow.
  diff_mode:
    description: Returns details on what has changed, or would change in check mode, when in diff mode.
    support: none
  idempotent:
    description: When run twice in a row outside check mode with the same arguments, the second run changes nothing.
    support: full
"""
