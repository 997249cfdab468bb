#!/usr/bin/python
# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hyperv_switch
short_description: Make, change or remove a Hyper-V switch
version_added: 0.1.0
author:
  - hyperlab.nested contributors (@hyperlab)
description:
  - Makes external, internal and private switches (C(New-VMSwitch)), brings them to what is asked (C(Set-VMSwitch)), and removes them.
  - An external switch is compared by the interface description of its physical adapter, and not by the adapter's name, which may have
    changed since.
  - Refuses what would interrupt or end the connection to the host, unless O(allow_disconnect=true). That is taking the adapter that
    carries it, or taking the host off the switch that carries it.
  - Two switches of the name are an error that lists their ids, and Windows' own Default Switch is never changed.
extends_documentation_fragment:
  - hyperlab.nested.attributes
  - hyperlab.nested.attributes.changes
options:
  name:
    description:
      - Name of the switch. Names are compared whole and without case, and wildcards do not exist.
    type: str
    required: true
  state:
    description:
      - V(present) makes the switch, or changes what differs. What is not given stays as it is.
      - V(absent) removes it, and refuses while VMs are connected to it. A NAT that works with an address of the switch stays behind;
        use M(hyperlab.nested.hyperv_nat_switch) to remove both.
    type: str
    choices: [present, absent]
    default: present
  type:
    description:
      - An V(external) switch reaches the network of a physical adapter, an V(internal) one the host, and a V(private) one only its VMs.
      - A switch of another type is changed. VMs that are connected to it stay so, and may lose what they reached through it.
      - Needed to make a switch. If not given, the type of a switch that is there stays as it is.
    type: str
    choices: [external, internal, private]
  adapter:
    description:
      - The physical adapter of an external switch, or the team of such adapters, by its name or by its interface description, whole
        and without case.
      - Needed to make a switch external. If not given, an external switch keeps the adapter that it has.
    type: str
  allow_management_os:
    description:
      - Whether the host itself uses the external switch, by a management adapter of its own. V(false) removes that adapter, and its
        addresses with it.
      - If not given, a new external switch has it, and one that is there stays as it is.
    type: bool
  notes:
    description:
      - A text about the switch; an empty one removes it. If not given, it stays as it is.
    type: str
  allow_disconnect:
    description:
      - Whether the connection to the host may be interrupted or lost. The task can then end as unreachable although the change was made;
        running it again tells.
      - The adapter that has the address to which Ansible connects carries the connection. If that address is a name, or no adapter has
        it (as with port forwarding), every adapter to the outside with an address other than a link-local one is taken to carry it.
        To tell them apart, connect by an address (C(ansible_host=192.0.2.10)).
    type: bool
    default: false
seealso:
  - module: hyperlab.nested.hyperv_nat_switch
"""

EXAMPLES = r"""
- name: A private switch for the cluster network of nested hosts
  hyperlab.nested.hyperv_switch:
    name: Cluster
    type: private

- name: An external switch on the second adapter, which the host does not use
  hyperlab.nested.hyperv_switch:
    name: Outside
    type: external
    adapter: Ethernet 2
    allow_management_os: false

- name: An external switch on the only adapter, whatever becomes of the connection meanwhile
  hyperlab.nested.hyperv_switch:
    name: Outside
    type: external
    adapter: Ethernet
    allow_disconnect: true

- name: Remove a switch that no VM uses any more
  hyperlab.nested.hyperv_switch:
    name: Cluster
    state: absent
"""

RETURN = r"""
switch:
  description:
    - The switch as it was read at the end; in check mode as it is. One that is not there has only RV(switch.name) and RV(switch.state).
  returned: when the host could be read
  type: dict
  contains:
    name:
      description: The name.
      type: str
    state:
      description: V(present) or V(absent).
      type: str
    id:
      description: The id.
      type: str
    type:
      description: V(external), V(internal) or V(private).
      type: str
    adapters:
      description: The names of an external switch's physical adapters; more than one are a team.
      type: list
      elements: str
    adapter_descriptions:
      description: Their interface descriptions.
      type: list
      elements: str
    allow_management_os:
      description: Whether the host itself uses the switch.
      type: bool
    management_adapters:
      description: The names of the host's own adapters on the switch.
      type: list
      elements: str
    notes:
      description: The text about the switch.
      type: str
  sample:
    name: Outside
    state: present
    id: 3ad7c2f0-1e34-4f6b-9d7c-2f7d0f4f7a10
    type: external
    adapters: [Ethernet 2]
    adapter_descriptions: ["Intel(R) Ethernet Controller X710 for 10GbE #2"]
    allow_management_os: true
    management_adapters: [vEthernet (Outside)]
    notes: ""
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
  sample: ["New-VMSwitch -Name 'Cluster' -SwitchType Private"]
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
  sample: connection_would_break
fix:
  description: The way out of the first failure.
  returned: when something failed
  type: str
"""

# Runs in plugins/action/hyperv.py; this file documents and validates.
from ansible.module_utils.basic import AnsibleModule

from ..module_utils._options import refuse_direct_run
from ..module_utils._resources.hyperv_switch import SPEC


def main() -> None:
    module = AnsibleModule(**SPEC.to_kwargs(), supports_check_mode=True)
    refuse_direct_run(module)


if __name__ == "__main__":
    main()
