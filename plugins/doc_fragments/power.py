# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: documentation of the options of modules that may have to stop a VM."""

from __future__ import annotations


class ModuleDocFragment:
    """The power cycle's options."""

    DOCUMENTATION = r"""
options:
  when_running:
    description:
      - What to do with a VM that is running or paused when something changes that Hyper-V changes only while the VM is off.
      - V(fail) refuses and changes nothing.
      - V(shutdown) asks the guest to shut down, makes the change, and brings the VM back to the power state that it had.
        It needs the shutdown integration service in the guest.
      - V(turn_off) does the same by cutting the power. The guest may lose data.
      - Of a VM that may run Hyper-V, a warning says what becomes of the VMs inside. Nobody outside sees whether there are any.
      - A VM for which nothing of that kind changes is not touched.
    type: str
    choices: [fail, shutdown, turn_off]
    default: fail
  shutdown_timeout:
    description:
      - Seconds that all VMs of the task together get to shut down. They shut down side by side.
      - For a VM that is still running then the task fails. Its guest was asked, and may still shut down later; nobody starts it then.
    type: int
    default: 300
  discard_saved_state:
    description:
      - Whether the saved state of a VM may be thrown away when something changes that needs the VM off.
      - Whatever was in the memory of the VM is lost, and it is left off.
    type: bool
    default: false
"""
