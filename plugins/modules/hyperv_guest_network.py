#!/usr/bin/python
# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hyperv_guest_network
short_description: IPv4 address, gateway and DNS servers of the inventory host itself
version_added: 0.1.0
author:
  - hyperlab.nested contributors (@hyperlab)
description:
  - Gives one network adapter of the inventory host an IPv4 address with its prefix (C(New-NetIPAddress)), a default gateway
    (C(New-NetRoute)) and DNS servers (C(Set-DnsClientServerAddress)), or hands it back to DHCP (C(Set-NetIPInterface)). It is meant for
    guests on a NAT network, which has no DHCP, and works on every Windows. Hyper-V need not be installed.
  - Brings half-made states to what is asked, such as an old default route, a second address, DHCP that is still on, and an address with
    another prefix length. What is right already is not touched, and other adapters never are.
  - Adds first and removes last, each thing by a call of its own, so that an address that was set by hand is there until the new one is.
    A lease goes earlier, with DHCP, and an address that a restart of Windows would lose (somebody made it in the active store only) has
    to go before it is made anew, so that the adapter is without an address for a moment. When a step fails, the earlier ones are taken
    back.
  - Waits until Windows knows whether another machine has the new address, for 30 seconds at the most. If one has (V(address_duplicate)), or
    Windows does not find out (V(address_tentative)), the address is taken back, and the task fails. An address that was there before is
    waited for in the same way and left as it is, and without a link there is a warning instead of a wait.
  - Manages IPv4 only.
extends_documentation_fragment:
  - hyperlab.nested.attributes
  - hyperlab.nested.attributes.changes
options:
  adapter:
    description:
      - The network adapter, by its name or by its MAC address, whole and without case. A MAC address may be written with colons,
        hyphens or dots, or without any separator, as Hyper-V shows it on the host of a guest.
      - If not given, it is the only physical adapter that is up. In a guest, the adapters of its VM are the physical ones.
    type: str
  address:
    description:
      - The IPv4 address with the length of its prefix, such as V(192.168.100.2/24), of a length from 1 to 30.
      - If given, it is the adapter's only address afterwards. Other static ones are removed, and DHCP is turned off.
      - With DHCP go the default route and the DNS servers that it gave. The task warns of that where O(gateway) or O(dns) does not say what
        shall be there instead.
      - A new one must not lie in the network of a static address of another adapter (V(prefix_in_use)), as it does where two levels of a
        lab have the same prefix.
      - If not given, the addresses stay as they are.
    type: str
  gateway:
    description:
      - The IPv4 address of the default gateway. It must lie in the prefix of O(address), or of an address that the adapter has, and be no
        address of the inventory host itself (V(gateway_is_own)).
      - If given, it is the adapter's only default gateway afterwards. V(none) removes the adapter's default routes.
      - If not given, they stay as they are. Default routes of other adapters always do, with a warning, because Windows uses the one
        with the lower metric.
    type: str
  dns:
    description:
      - The IPv4 addresses of the DNS servers, in the order in which they are asked. Nobody asks them whether they are there.
      - An empty list removes those that were set by hand, so that the ones from DHCP count, if there are any. That goes for those of IPv6,
        too, because the reset of C(Set-DnsClientServerAddress) knows no address family.
      - If not given, they stay as they are.
    type: list
    elements: str
  dhcp:
    description:
      - V(true) removes the adapter's static addresses and default routes, and has it ask for an address by DHCP. The task does not wait
        for an answer. Combine it with an empty O(dns) to take the DNS servers from DHCP, too.
      - V(false) needs O(address), and adds nothing to it.
      - If not given, DHCP stays as it is, unless O(address) turns it off.
    type: bool
  allow_disconnect:
    description:
      - Whether the connection to the host may be interrupted or lost. The task can then end as unreachable although the change was made.
        Running it again, perhaps by the new address, tells.
      - The adapter that has the address to which Ansible connects carries the connection. If that address is a name, or no adapter has
        it (as with port forwarding), every adapter with an address other than a link-local one is taken to carry it.
        To tell them apart, connect by an address (C(ansible_host=192.0.2.10)). PowerShell Direct needs no network, so nothing carries it.
      - DNS servers can be changed in any case.
    type: bool
    default: false
notes:
  - An adapter without a link takes no static address, and is refused (V(adapter_disconnected)).
  - Error 87 of C(New-NetIPAddress) has several causes, which only its localised text tells apart, and so has V(address_refused).
  - It is not documented whether Windows takes a lease and its default route away when DHCP is turned off. What is left of them is removed,
    by commands that check mode cannot foresee.
seealso:
  - module: hyperlab.nested.hyperv_nat_switch
    description: The network that such guests are on.
"""

EXAMPLES = r"""
- name: The guide's guest, behind the NAT network of its host
  hyperlab.nested.hyperv_guest_network:
    address: 192.168.100.2/24
    gateway: 192.168.100.1
    dns: [192.0.2.53]

- name: The same on one adapter of several, as Hyper-V names it on the guest's host
  hyperlab.nested.hyperv_guest_network:
    adapter: 00155D006A01
    address: 192.168.100.2/24
    gateway: 192.168.100.1

- name: An adapter to a network without a way out
  hyperlab.nested.hyperv_guest_network:
    adapter: Ethernet 2
    address: 10.77.0.2/24
    gateway: none

- name: Address and DNS servers from DHCP again
  hyperlab.nested.hyperv_guest_network:
    dhcp: true
    dns: []
"""

RETURN = r"""
guest_network:
  description: The adapter as it was read at the end; in check mode as it is.
  returned: when the host could be read
  type: dict
  contains:
    adapter:
      description: The adapter's name.
      type: str
    mac:
      description: The adapter's MAC address without separators, as Hyper-V shows it.
      type: str
    interface_index:
      description: The adapter's interface index. It may change at a reboot.
      type: int
    status:
      description: The state of the adapter's link in Windows' own words, V(Up) when it can be used.
      type: str
    dhcp:
      description: Whether the adapter asks for an address by DHCP.
      type: bool
    addresses:
      description: The adapter's IPv4 addresses with their prefix lengths, without link-local ones.
      type: list
      elements: str
    gateways:
      description: The next hops of the adapter's default routes.
      type: list
      elements: str
    dns:
      description: The IPv4 addresses of the DNS servers that hold, set by hand or given by DHCP.
      type: list
      elements: str
  sample:
    adapter: Ethernet
    mac: 00155D006A01
    interface_index: 4
    status: Up
    dhcp: false
    addresses: [192.168.100.2/24]
    gateways: [192.168.100.1]
    dns: [192.0.2.53]
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
  sample: ["New-NetRoute -DestinationPrefix '0.0.0.0/0' -NextHop '192.168.100.1' -InterfaceAlias 'Ethernet'"]
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
  sample: address_duplicate
fix:
  description: The way out of the first failure.
  returned: when something failed
  type: str
"""

# Runs in plugins/action/hyperv.py; this file documents and validates.
from ansible.module_utils.basic import AnsibleModule

from ..module_utils._options import refuse_direct_run
from ..module_utils._resources.hyperv_guest_network import SPEC


def main() -> None:
    module = AnsibleModule(**SPEC.to_kwargs(), supports_check_mode=True)
    refuse_direct_run(module)


if __name__ == "__main__":
    main()
