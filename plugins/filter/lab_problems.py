# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter that tells what is wrong with a lab as it is written."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_problems
short_description: Tell what is wrong with a lab as it is written
version_added: 0.1.0
author:
  - hyperlab.nested contributors (@hyperlab)
description:
  - Reads what a host and all guests in it shall be, level by level, and tells everything in it that cannot be, before anything is made.
  - It asks no host. What it says of a single option is what the module would say that gets the option in the end.
  - The role P(hyperlab.nested.nested_lab_host#role) begins with it.
options:
  _input:
    description:
      - What the host shall be. V(name) is its inventory name, V(level) is V(0) for a physical host, V(1) for a guest of it, and so on,
        V(above) is the inventory name of its own Hyper-V host if it is a guest, V(vms) are the names of its VMs, and V(guests) the guests
        in them.
        All else is called like the variables of the role without C(nested_lab_host_), and V(none) means that it is not said.
    type: dict
    required: true
  inside:
    description: What holds for a guest with VMs that does not say it, V(network) and V(nat_prefix).
    type: dict
    required: true
  hosts:
    description: The hosts of the inventory with their variables, such as C(hostvars). A guest may not have the name of another host.
    type: dict
    required: true
  others:
    description: The names of other hosts in O(hosts) whose C(nested_lab_host_guests) are added to the inventory at the same time.
    type: list
    elements: str
    default: []
  removal:
    description: Whether the lab shall only be taken away. Then it does not matter how the networks of its levels go together.
    type: bool
    default: false
positional: inside, hosts, others, removal
"""

EXAMPLES = r"""
- name: Tell what is wrong
  ansible.builtin.debug:
    msg: "{{ wanted | hyperlab.nested.lab_problems({'network': 'nat', 'nat_prefix': '192.168.200.0/24'}, hostvars) }}"
  vars:
    wanted:
      name: hv01
      level: 0
      vms: [l1-a]
      network: nat
      nat_prefix: 192.168.100.0/24
      guests:
        - vm: l1-a
          user: Administrator
          password: "{{ vault_l1_password }}"
          ip: {address: 192.168.50.2/24}

# guest 'l1-a': its address 192.168.50.2/24 does not lie in 192.168.100.0/24, the NAT network of hv01.
# Way out: give it one there, such as 192.168.100.2/24 with gateway 192.168.100.1
"""

RETURN = r"""
_value:
  description: Each problem in words, with the machine that it is about and the way out. No password is in them. Empty where all is well.
  type: list
  elements: str
"""

import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleFilterError

from ..plugin_utils._lab import problems_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..plugin_utils._lab import Hosts


def lab_problems(wanted: t.Any, inside: Mapping[str, t.Any], hosts: Hosts, others: Sequence[str] = (), removal: bool = False) -> list[str]:
    """The problems in words."""
    if not isinstance(wanted, Mapping) or not {"name", "level"} <= wanted.keys():
        raise AnsibleFilterError("lab_problems takes what one host shall be, as a mapping with name and level")
    return [str(problem) for problem in problems_of(wanted, inside, hosts, others, removal=removal)]


class FilterModule:
    """What ansible-core asks for."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """The filter by its name."""
        return {"lab_problems": lab_problems}
