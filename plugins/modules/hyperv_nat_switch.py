#!/usr/bin/python
# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hyperv_nat_switch
short_description: An internal switch with NAT, through which VMs reach the network of their host
version_added: 0.1.0
author:
  - hyperlab.nested contributors (@hyperlab)
description:
  - Makes one object of an internal switch (C(New-VMSwitch)), the gateway address on the switch's management adapter (C(New-NetIPAddress)),
    and a NAT for its prefix (C(New-NetNat)), as in Microsoft's guide to nested virtualization. The NAT can forward ports of the host to
    guests (C(Add-NetNatStaticMapping)).
  - Keeps what is right already, and completes what is half there. The management adapter is found by the ids of switch and device and not by
    its name, so that a left-over C(vEthernet) adapter of the same name does no harm.
  - Whatever else is on the host is foreign, and is never changed or removed. Another NAT that overlaps, a NAT of the same name that
    belongs elsewhere, a switch of that name of another type, two switches of that name, and an address that another adapter has
    are errors. They are found before anything is touched, name the culprit, and say the way out.
  - When a step fails, the earlier ones are taken back.
  - What it makes is there again after a restart of Windows. What a restart has taken away is made anew, a gateway address that the next
    restart would take away (somebody made it in the active store only) is made to stay, and the service C(winnat), without which no NAT
    works, is started.
  - WinNAT has neither DHCP nor DNS. Give the guests an address of the prefix, the gateway, and a DNS server.
extends_documentation_fragment:
  - hyperlab.nested.attributes
  - hyperlab.nested.attributes.changes
options:
  name:
    description:
      - Name of the switch. Names are compared whole and without case, and wildcards do not exist.
    type: str
    default: VmNAT
  state:
    description:
      - V(present) makes or completes switch, address and NAT.
      - V(absent) removes the gateway address, the NAT with all that it forwards, and the switch, in this order.
        It refuses while VMs are connected to the switch, and while the switch's management adapter has a static address besides the
        gateway, because that would be lost with it.
        A NAT of the name that has nothing to do with the switch is left alone, with a warning.
    type: str
    choices: [present, absent]
    default: present
  prefix:
    description:
      - The IPv4 prefix of the VMs' network, such as V(192.168.100.0/24), of a length from 8 to 30.
      - If not given, it is V(192.168.100.0/24), and a NAT that is there with another prefix is an error (V(nat_prefix_differs))
        instead of being moved.
      - If given, a NAT that sits on the switch with another prefix is moved, and the former gateway address with it.
        Connections through it break. A NAT that forwards ports is moved only if O(forwards) is given. A NAT sits on the switch when the
        switch's host adapter has an address in its prefix.
    type: str
  gateway:
    description:
      - The host's own address on the switch, which is the gateway of the VMs. It must lie in O(prefix).
      - If not given, it is the prefix's first address, unless the management adapter has one other static address in the prefix;
        that one is kept then.
      - If given, it replaces the gateway that the NAT has had so far.
    type: str
  nat_name:
    description:
      - Name of the NAT. If not given, it is O(name).
    type: str
  forwards:
    description:
      - Ports of the host, on all its addresses, that the NAT forwards to guests. The list is the whole of it, so that what this NAT forwards
        besides is removed, whoever made it, and an empty list removes everything. Other NATs are left alone.
      - If not given, the NAT forwards what it has forwarded so far, and nothing in the beginning.
      - A forward cannot be changed. One that shall lead elsewhere is removed and made again, which breaks its connections only.
      - The host's own ports of SSH (22) and WinRM (5985, 5986), and the one in C(ansible_port), are refused (V(port_of_host)) unless they are
        forwarded already, for Ansible may be connected by them. Over PowerShell Direct, which needs no port, they are a warning, as those
        of RPC (135), SMB (445) and Remote Desktop (3389) always are.
      - A port that another NAT forwards (V(port_taken)) and one that Windows has reserved, or that a program uses (V(port_reserved)), are
        errors. Windows reserves ranges of its dynamic ports, from 49152 on, and other ones after each restart, so that lower ports
        are the safer choice.
    type: list
    elements: dict
    suboptions:
      protocol:
        description:
          - The protocol. One port number of both is two forwards.
        type: str
        choices: [tcp, udp]
        default: tcp
      external_port:
        description:
          - The port of the host, from 1 to 65535.
        type: int
        required: true
      internal_address:
        description:
          - The address of the guest. It must lie in O(prefix), and not be the gateway.
        type: str
        required: true
      internal_port:
        description:
          - The port of the guest, from 1 to 65535. If not given, it is the external one.
        type: int
notes:
  - Windows Server 2016 and Windows 10 1607 take one NAT at the most. Since 1703 several work, and Microsoft's how-to advises against them,
    so that the task then succeeds with a warning.
  - Container networks can have a NAT that C(Get-NetNat) does not show. C(New-NetNat) is refused then (V(nat_refused)).
  - Forwards do not open the firewalls of host and guest, and the host itself cannot use them. Connect to the guest's address there.
seealso:
  - module: hyperlab.nested.hyperv_switch
  - module: hyperlab.nested.hyperv_mac_spoof
    description: The other way to give nested VMs a network.
  - name: Microsoft's guide to a NAT network
    description: The same steps by hand.
    link: https://learn.microsoft.com/windows-server/virtualization/hyper-v/setup-nat-network
"""

EXAMPLES = r"""
- name: The guide's network, VmNAT with 192.168.100.0/24 and the gateway 192.168.100.1
  hyperlab.nested.hyperv_nat_switch: {}

- name: Another prefix, and a gateway at its end
  hyperlab.nested.hyperv_nat_switch:
    name: Lab
    prefix: 10.77.0.0/16
    gateway: 10.77.255.254

- name: Take over a NAT that was made by hand under another name
  hyperlab.nested.hyperv_nat_switch:
    name: VmNAT
    nat_name: LocalNAT

- name: Reach two guests through ports of the host
  hyperlab.nested.hyperv_nat_switch:
    forwards:
      - {external_port: 2222, internal_address: 192.168.100.2, internal_port: 22}
      - {external_port: 8443, internal_address: 192.168.100.3, internal_port: 443}

- name: Forward nothing any more
  hyperlab.nested.hyperv_nat_switch:
    forwards: []

- name: Take it away again
  hyperlab.nested.hyperv_nat_switch:
    state: absent
"""

RETURN = r"""
nat_switch:
  description: Switch, address and NAT as they were read at the end; in check mode as they are. What is not there is null.
  returned: when the host could be read
  type: dict
  contains:
    name:
      description: The name of the switch.
      type: str
    state:
      description: V(present) when all three parts are there, V(partial) when some are, V(absent) when none is.
      type: str
    switch_id:
      description: The id of the switch.
      type: str
    switch_type:
      description: The type of the switch, V(internal) once it is as it should be.
      type: str
    adapter:
      description: The name of the switch's management adapter.
      type: str
    interface_index:
      description: The interface index of the switch's management adapter. It changes when the switch is made anew, and at a reboot.
      type: int
    gateway:
      description: The gateway's address.
      type: str
    prefix_length:
      description: The length of the gateway address's prefix.
      type: int
    nat_name:
      description: The name of the NAT.
      type: str
    prefix:
      description: The prefix of the NAT.
      type: str
    active:
      description: Whether the NAT works.
      type: bool
    forwards:
      description: What the NAT forwards, also what this module did not make.
      type: list
      elements: dict
      contains:
        protocol:
          description: The protocol, such as V(tcp).
          type: str
        external_address:
          description: The address of the host, V(0.0.0.0) for all that it has.
          type: str
        external_port:
          description: The port of the host.
          type: int
        internal_address:
          description: The address of the guest.
          type: str
        internal_port:
          description: The port of the guest.
          type: int
  sample:
    name: VmNAT
    state: present
    switch_id: 3ad7c2f0-1e34-4f6b-9d7c-2f7d0f4f7a10
    switch_type: internal
    adapter: vEthernet (VmNAT)
    interface_index: 12
    gateway: 192.168.100.1
    prefix_length: 24
    nat_name: VmNAT
    prefix: 192.168.100.0/24
    active: true
    forwards:
      - {protocol: tcp, external_address: 0.0.0.0, external_port: 2222, internal_address: 192.168.100.2, internal_port: 22}
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
  sample: ["New-VMSwitch -Name 'VmNAT' -SwitchType Internal"]
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
  sample: nat_overlaps
fix:
  description: The way out of the first failure.
  returned: when something failed
  type: str
"""

# Runs in plugins/action/hyperv.py; this file documents and validates.
from ansible.module_utils.basic import AnsibleModule

from ..module_utils._options import refuse_direct_run
from ..module_utils._resources.hyperv_nat_switch import SPEC


def main() -> None:
    module = AnsibleModule(**SPEC.to_kwargs(), supports_check_mode=True)
    refuse_direct_run(module)


if __name__ == "__main__":
    main()
