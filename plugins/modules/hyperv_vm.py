#!/usr/bin/python
# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hyperv_vm
short_description: Make, change, start, stop and remove VMs
version_added: 0.1.0
author:
  - hyperlab.nested contributors (@hyperlab)
description:
  - Makes VMs that do not exist, with all that was asked for, and starts them when asked. A VM whose making fails is taken away
    again, with the disks that were made for it.
  - Corrects of VMs that exist what was asked for and differs, and nothing else. What can change while a VM runs does; for the rest
    O(when_running) says what to do, and each VM is stopped once at the most.
  - Brings VMs to a power state, and removes them. VMs that have to shut down do so side by side.
  - Refuses before anything is touched what cannot be, with an error code and the way out.
extends_documentation_fragment:
  - hyperlab.nested.attributes
  - hyperlab.nested.attributes.changes
  - hyperlab.nested.vms
  - hyperlab.nested.power
options:
  vms:
    description:
      - The VMs to work on, by exact name or by id. One string is one name; it is never split at commas.
      - Names are compared whole and without case. Wildcards do not exist, so V(web[1]) means the VM of that very name.
      - A name that no VM has is that of a VM to make, provided that O(memory) says how large; with O(state=absent) it is nothing to do.
      - A name that more than one VM has is an error, and nothing is changed; give the id then. A VM cannot be made with a given id.
      - An empty list means no VM.
    type: raw
    required: true
    aliases: [vm]
  state:
    description:
      - V(present) makes missing VMs, which are off then, and leaves the power state of the others alone.
      - V(running), V(off), V(saved) and V(paused) do the same and bring all of the VMs to that power state. Write V(off) in quotes.
      - V(off) asks the guests to shut down, unless O(when_running) says otherwise. A VM that is saved is brought to V(off) only with
        O(discard_saved_state).
      - V(absent) removes the VMs. One that is running or paused is stopped first as O(when_running) says; one that is saved is removed
        with its saved state. Its disks stay, unless O(remove_disks) is set. All other options about what a VM has are left out of account.
      - A clustered VM is neither stopped nor removed.
    type: str
    choices: [present, absent, running, "off", saved, paused]
    default: present
  generation:
    description:
      - Generation of a VM that is made, V(1) or V(2); V(2) if not given.
      - A VM that exists keeps its generation; another one is an error.
    type: int
  version:
    description:
      - Configuration version of a VM that is made, such as V("9.0"), in quotes. If not given, it is the host's default.
      - A VM that exists with another one is an error; see O(hyperlab.nested.hyperv_nested#module:upgrade_version).
    type: str
  processors:
    description:
      - Number of virtual processors. If not given, it stays as it is, and a new VM has what Hyper-V gives it, which is one.
      - It changes only while the VM is off.
    type: int
  memory:
    description:
      - How much memory the VM has. If not given, it stays as it is; a VM cannot be made without O(memory.startup).
      - The same as the options of M(hyperlab.nested.hyperv_vm_memory), which says what can change while the VM runs.
    type: dict
    suboptions:
      dynamic:
        description:
          - Whether memory is dynamic. If not given, it stays as it is, and a new VM has static memory.
          - It changes only while the VM is off.
        type: bool
      startup:
        description:
          - Memory at the start, such as V(4GB) or V(1536MB), a multiple of 2 MB; with static memory all that the VM has.
          - The static memory of a running VM can change, if its guest takes part and it cannot nest. Otherwise the VM must be off.
        type: str
      minimum:
        description:
          - What dynamic memory may shrink to. It can be lowered while the VM runs.
        type: str
      maximum:
        description:
          - What dynamic memory may grow to. It can be raised while the VM runs.
        type: str
      buffer:
        description:
          - Percentage of memory that dynamic memory keeps in reserve, from 5 to 2000.
        type: int
      priority:
        description:
          - Priority among the VMs when memory is short, from 0 to 100. It can change while a VM with dynamic memory runs.
        type: int
  disks:
    description:
      - The virtual hard disks that the VM shall have, each at a place. What else it has stays. If not given, disks are not managed.
      - A disk without a place comes, in the order of the list, on the first SCSI places; with generation 1 on the first IDE controller,
        from which such a VM boots, and then on SCSI. The place of a DVD drive is left out.
      - The first disk of a new VM stands first in its boot order.
      - A wanted disk under checkpoints is the wanted disk. Another file at a wanted place is taken out, and its file stays; that needs the
        VM off, and is refused for a VM with checkpoints.
      - A disk is added on SCSI while the VM runs; on IDE it needs the VM off.
      - A file that exists is never overwritten or resized; if it is not as asked for, that is an error.
      - A file that another VM of the host has in a drive is refused, whether that VM runs or not.
    type: list
    elements: dict
    suboptions:
      path:
        description:
          - Absolute path on the host, ending in V(.vhdx) or V(.vhd). V({vm}) stands for the name of the VM.
          - With neither O(disks[].size) nor O(disks[].parent) the file must exist.
        type: str
        required: true
      size:
        description:
          - Size of a disk that is made when the file does not exist, such as V(64GB).
        type: str
      type:
        description:
          - Kind of a disk that is made. If not given, it is dynamic, and a file that exists may be of either kind.
        type: str
        choices: [dynamic, fixed]
      parent:
        description:
          - Absolute path of the disk that a differencing disk is based on. V({vm}) stands for the name of the VM.
          - It must exist, end in the same way as O(disks[].path), and be in no drive of a VM, for nothing may write to it any more. Many
            disks can be based on one parent. O(disks[].size) and O(disks[].type) are the parent's matter.
        type: str
      controller_type:
        description:
          - Kind of the controller. Give all three parts of a place, or none. A VM of generation 2 has no V(IDE).
        type: str
        choices: [SCSI, IDE]
      controller_number:
        description:
          - Number of the controller, V(0) for V(SCSI), V(0) or V(1) for V(IDE). A VM begins with these; controllers that were added to it
            are not managed.
        type: int
      controller_location:
        description:
          - Location on the controller, from V(0) to V(63) on V(SCSI), V(0) or V(1) on V(IDE). It must not be a DVD drive's; that of a new
            VM of generation 1 is at IDE 1:0.
        type: int
  switch:
    description:
      - Name or id of the virtual switch that the VM's first network adapter is connected to; the switch must exist. An empty string
        disconnects the adapter.
      - It changes in any power state. If not given, it stays as it is.
    type: str
  dvd:
    description:
      - Absolute path of an ISO file on the host that shall be in a DVD drive; the file must exist. V({vm}) stands for the name of the VM.
        An empty string empties all DVD drives.
      - It changes while the VM runs; a VM without a DVD drive gets one, which needs it off. If not given, it stays as it is.
    type: str
  secure_boot:
    description:
      - Whether a VM of generation 2 boots signed code only. It changes only while the VM is off. If not given, it stays as it is.
    type: bool
  secure_boot_template:
    description:
      - Whose signatures count. Linux wants V(MicrosoftUEFICertificateAuthority). It changes only while the VM is off, and no more once a
        virtual TPM was used. If not given, it stays as it is.
    type: str
    choices: [MicrosoftWindows, MicrosoftUEFICertificateAuthority, OpenSourceShieldedVM]
  automatic_checkpoints:
    description:
      - Whether the VM makes a checkpoint at each start, as is the default on client Windows. It changes in any power state.
      - Windows Server 2016 does not know it. If not given, it stays as it is.
    type: bool
  automatic_stop_action:
    description:
      - What happens to the VM when its host shuts down. V(save) saves it, V(shutdown) asks its guest, V(turn_off) cuts its power.
      - It changes only while the VM is off. If not given, it stays as it is, and a new VM has what Hyper-V gives it, which is V(save).
      - A VM inside a nested host goes down with that. VMs that were saved then have been reported not to start any more, on Azure;
        V(shutdown) avoids that.
    type: str
    choices: [save, shutdown, turn_off]
  notes:
    description:
      - Notes of the VM. An empty string removes them. They change in any power state. If not given, they stay as they are.
      - How their lines end is no difference, for Windows rewrites that.
    type: str
  path:
    description:
      - Absolute path of the folder in which Hyper-V makes the folder of a new VM. V({vm}) stands for the name of the VM.
      - A VM that exists is not moved. If not given, it is the host's default.
    type: str
  remove_disks:
    description:
      - Whether O(state=absent) deletes the files in the drives of the VM, too. Their parents and ISO files stay.
      - Refused when any other VM of the host has such a file or a disk that is based on it, even if that VM is removed by the same task,
        for its removal may fail. Remove the VMs with the children in a task of their own first.
      - Refused as well when a disk of the VM, or one of another VM with its parents, cannot be read, and for a VM with checkpoints.
      - Empty drives and physical disks are left out of account. Whether a file is the parent of a disk that no VM of this host has,
        nobody can say.
    type: bool
    default: false
  wait_for:
    description:
      - What to wait for at the end, with every VM that runs then, whether the task started it or not. Waiting is no change.
      - V(heartbeat) is the sign of life of the integration services.
      - V(address) is an IP address that is reported by the guest and is not link-local.
    type: str
    choices: [heartbeat, address]
  wait_timeout:
    description:
      - Seconds to wait, for all VMs together. A VM that is late is a failure, and stays as it is.
    type: int
    default: 300
  when_running:
    description:
      - What to do with a VM that is running or paused when it has to be off, for O(state=off), O(state=absent) or something that Hyper-V
        changes only then.
      - V(fail) refuses and changes nothing.
      - V(shutdown) asks the guest to shut down. It needs the shutdown integration service in the guest.
      - V(turn_off) cuts the power. The guest may lose data.
      - If the VM does not have to be off in the end, it is brought back to the power state that it had.
      - If not given, it is V(shutdown) with O(state=off), and V(fail) otherwise.
    type: str
    choices: [fail, shutdown, turn_off]
    default: null
seealso:
  - module: hyperlab.nested.hyperv_nested
  - module: hyperlab.nested.hyperv_vm_memory
  - module: hyperlab.nested.hyperv_switch
  - module: hyperlab.nested.hyperv_nat_switch
  - module: hyperlab.nested.hyperv_nested_info
"""

EXAMPLES = r"""
- name: Make three VMs on differencing disks, start them, and wait until they can be reached
  hyperlab.nested.hyperv_vm:
    vms: [l1-a, l1-b, l1-c]
    state: running
    processors: 4
    memory:
      startup: 8GB
    disks:
      - path: D:\VMs\{vm}\os.vhdx
        parent: D:\base\server2022.vhdx
      - path: D:\VMs\{vm}\data.vhdx
        size: 64GB
    switch: lab
    wait_for: address

- name: Make a VM that installs Linux from an ISO file
  hyperlab.nested.hyperv_vm:
    vm: linux
    state: running
    memory:
      dynamic: true
      startup: 2GB
      maximum: 8GB
    disks:
      - path: D:\VMs\linux.vhdx
        size: 40GB
    dvd: D:\iso\debian.iso
    secure_boot_template: MicrosoftUEFICertificateAuthority

- name: Give a VM more processors, shutting it down for that if it runs
  hyperlab.nested.hyperv_vm:
    vm: l1-a
    processors: 8
    when_running: shutdown

- name: Shut down whatever runs, and cut nobody's power
  hyperlab.nested.hyperv_vm:
    vms: "{{ groups['l1'] }}"
    state: "off"

- name: Remove a VM and its disks
  hyperlab.nested.hyperv_vm:
    vm: l1-c
    state: absent
    remove_disks: true
    when_running: turn_off
"""

RETURN = r"""
vms:
  description: The VMs that exist, as they were read at the end; in check mode as they are.
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
    generation:
      description: The generation.
      type: int
    version:
      description: The configuration version.
      type: str
    processors:
      description: Number of virtual processors.
      type: int
    memory:
      description: The memory, under the names of O(memory). Minimum, maximum and buffer mean something with dynamic memory only.
      type: dict
    disks:
      description: The hard disk drives.
      type: list
      elements: dict
      contains:
        path:
          description: The file; under checkpoints that of the newest one.
          type: str
        controller_type:
          description: V(SCSI) or V(IDE).
          type: str
        controller_number:
          description: Number of the controller.
          type: int
        controller_location:
          description: Location on the controller.
          type: int
        parent:
          description: The file that a differencing one is based on.
          type: str
          returned: when O(disks) was given
    dvd:
      description: The ISO file in the first DVD drive that has one.
      type: str
    switch:
      description: The switch of the first network adapter.
      type: str
    secure_boot:
      description: Whether Secure Boot is on; null for generation 1.
      type: bool
    secure_boot_template:
      description: Whose signatures count; null for generation 1.
      type: str
    automatic_checkpoints:
      description: Whether the VM makes a checkpoint at each start; null where Windows does not know it.
      type: bool
    automatic_stop_action:
      description: What happens to the VM when its host shuts down, V(save), V(shutdown) or V(turn_off).
      type: str
    notes:
      description: The notes.
      type: str
    heartbeat:
      description: Hyper-V's own word, such as V(OkApplicationsUnknown) of a booted guest or V(NoContact); null for a VM that is off.
      type: str
    addresses:
      description: The IP addresses that the guest reports, of all adapters.
      type: list
      elements: str
  sample:
    - name: l1-a
      id: 8c8c7b1e-5c5e-4f6b-9d7c-2f7d0f4f7a10
      power_state: running
      generation: 2
      version: "10.0"
      processors: 4
      memory: {dynamic: false, startup: 8GB, minimum: 512MB, maximum: 1TB, buffer: 20, priority: 50}
      disks:
        - path: D:\VMs\l1-a\os.vhdx
          controller_type: SCSI
          controller_number: 0
          controller_location: 0
          parent: D:\base\server2022.vhdx
      dvd: null
      switch: lab
      secure_boot: true
      secure_boot_template: MicrosoftWindows
      automatic_checkpoints: false
      automatic_stop_action: save
      notes: ""
      heartbeat: OkApplicationsUnknown
      addresses: [192.168.100.2]
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
from ..module_utils._resources.hyperv_vm import SPEC


def main() -> None:
    module = AnsibleModule(**SPEC.to_kwargs(), supports_check_mode=True)
    refuse_direct_run(module)


if __name__ == "__main__":
    main()
