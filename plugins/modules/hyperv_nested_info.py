#!/usr/bin/python
# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: hyperv_nested_info
short_description: Tell whether a host and its VMs can nest, and what stands in the way
version_added: 0.1.0
author:
  - hyperlab.nested contributors (@hyperlab)
description:
  - Reads what matters for nested virtualization of the host and of its VMs, in one remote process.
  - Returns RV(findings), everything that would stop nesting or make it pointless, all at once, with stable codes and the way out.
    A VM that does not exist is a finding, and so is a host without Hyper-V.
extends_documentation_fragment:
  - hyperlab.nested.attributes
  - hyperlab.nested.attributes.facts
options:
  vms:
    description:
      - The VMs to look at, by exact name or by id. One string is one name; it is never split at commas.
      - If not given, RV(vms) has every VM of the host, and RV(findings) speaks of those that expose their virtualization extensions.
      - An empty list means no VM.
    type: raw
    aliases: [vm]
  proof:
    description:
      - What the host shall prove of itself, in RV(proof) and RV(findings). An empty dictionary asks for its gateway only.
      - If not given, nothing is proven, and nobody on the network is asked.
    type: dict
    suboptions:
      hypervisor:
        description:
          - Whether a hypervisor of its own has to run on it.
          - No property of Windows in a VM tells that. A VM that runs on it is a proof, and so is the event with which Windows has
            launched it.
        type: bool
        default: false
      gateway:
        description:
          - Whether a default gateway has to be there and to answer now, as a neighbour on its network.
          - It is sent a ping, which it need not answer, only to be looked for by Windows. While nobody is there this takes up to a quarter of
            a minute.
          - Of a gateway that was reached less than a minute before, and of one whose MAC address was set by hand, Windows may not yet know
            that it is gone.
        type: bool
        default: true
      dns:
        description:
          - A name of which the host's DNS servers have to know an IPv4 address. Whatever they answer else is a finding, with Windows's
            own words.
        type: str
      outside:
        description:
          - Name or IPv4 address of a machine that has to answer a ping or, with O(proof.port), take a TCP connection.
          - While nobody answers this takes up to half a minute.
        type: str
      port:
        description:
          - A TCP port of O(proof.outside).
        type: int
  answer_timeout:
    description:
      - How many seconds to wait for a host that does not answer, such as a guest that was just started. Progress is shown with C(-v).
      - A logon that was refused is not waited for.
      - The same time is given to Hyper-V that is installed and whose service (vmms) does not answer yet, within five minutes after a start
        of Windows. If it still does not then, that is a finding.
      - If not given, a host that does not answer is unreachable at once, and nothing else is waited for.
    type: int
seealso:
  - module: hyperlab.nested.hyperv_nested
  - name: Microsoft's guide to nested virtualization
    description: Prerequisites, steps and limits.
    link: https://learn.microsoft.com/windows-server/virtualization/hyper-v/enable-nested-virtualization
"""

EXAMPLES = r"""
- name: Look at the host and two VMs
  hyperlab.nested.hyperv_nested_info:
    vms: [l1-a, l1-b]
  register: nested

- name: Stop when something makes nesting impossible
  ansible.builtin.assert:
    that: nested.findings | selectattr('severity', 'eq', 'blocker') | length == 0
    fail_msg: "{{ nested.findings | selectattr('severity', 'eq', 'blocker') | map(attribute='msg') | join('; ') }}"

- name: Wait for a guest that was just started, and see whether it reaches the network
  hyperlab.nested.hyperv_nested_info:
    vms: []
    answer_timeout: 600
    proof:
      dns: www.example.com
      outside: www.example.com
      port: 443
  register: guest
  failed_when: not guest.proof.proven
"""

RETURN = r"""
findings:
  description:
    - Everything that would stop nesting or make it pointless. An empty list means that nothing is in the way.
    - Codes of the host are V(host_too_old), V(amd_host_too_old), V(cpu_unsupported), V(edition_unsupported), V(hyperv_missing), V(vmms_stopped),
      V(firmware_disabled), V(hypervisor_not_running), V(host_is_vm), V(bridge_in_vm) and V(several_nats).
    - Codes of a VM are V(vm_not_found), V(vm_ambiguous), V(version_too_low), V(vm_critical), V(extensions_hidden), V(dynamic_memory),
      V(little_memory), V(no_network_adapter), V(adapter_disconnected), V(mac_spoofing_off), V(mac_spoofing_mixed), V(vm_clustered), V(vm_saved),
      V(power_cut_with_host), V(checkpoints) and V(no_heartbeat).
    - Codes of O(proof) are V(hypervisor_unproven), V(gateway_unreached), V(dns_unreached) and V(outside_unreached).
  returned: success
  type: list
  elements: dict
  contains:
    code:
      description: A stable code.
      type: str
    severity:
      description: V(blocker) stops nesting, V(warning) makes it pointless or risky, V(note) is worth knowing.
      type: str
    subject:
      description: The name of the host or of the VM.
      type: str
    msg:
      description: What was found.
      type: str
    fix:
      description: The way out.
      type: str
  sample:
    - code: version_too_low
      severity: blocker
      subject: l1-old
      msg: VM 'l1-old' has configuration version 5.0, and nesting on Intel needs 8.0
      fix: set upgrade_version=true in hyperv_nested (Update-VMVersion; it cannot be undone), or make the VM anew
host:
  description: The host. A value that this Windows does not tell is V(none).
  returned: success
  type: dict
  contains:
    name:
      description: Its computer name.
      type: str
    windows:
      description: The name of its Windows, in the host's language.
      type: str
    build:
      description: The build number, such as V(20348) for Windows Server 2022.
      type: int
    client:
      description: Whether it is a client Windows.
      type: bool
    cpu_vendor:
      description: V(Intel), V(AMD), or what else the processor says.
      type: str
    cpu:
      description: The processor's name.
      type: str
    logical_processors:
      description: Number of logical processors.
      type: int
    memory:
      description: Physical memory, as a size such as V(128GB).
      type: str
    hyperv_installed:
      description: Whether Hyper-V with its PowerShell module is there.
      type: bool
    hypervisor_running:
      description: Whether Windows runs on a hypervisor, which it does when Hyper-V works, and in every VM.
      type: bool
    vbs:
      description: Virtualization-based security, V(off), V(enabled) or V(running).
      type: str
    virtual_machine:
      description: Whether the host is a Hyper-V VM itself.
      type: bool
    hyperv_host:
      description: The computer name of the Hyper-V host that it is a VM of, as its data exchange service tells it.
      type: str
    vm_name:
      description: Its name as a VM there.
      type: str
    supported_versions:
      description: The configuration versions of VMs that the host can run.
      type: list
      elements: str
    default_version:
      description: The configuration version of new VMs.
      type: str
    switches:
      description: The virtual switches, each with C(name), C(id), C(type) and the physical C(adapter) of an external one.
      type: list
      elements: dict
    nats:
      description: The NAT networks, each with C(name) and C(prefix).
      type: list
      elements: dict
proof:
  description: What the host has proven of itself. What was not asked for is null.
  returned: when O(proof) was given
  type: dict
  contains:
    proven:
      description: Whether nothing is missing of what was asked for.
      type: bool
    hypervisor:
      description: Whether a hypervisor of its own runs, or null if that cannot be told.
      type: bool
    running_vms:
      description: The names of its VMs that run, which none does without a hypervisor.
      type: list
      elements: str
    launched:
      description:
        - When Windows has launched a hypervisor (event 1 of Microsoft-Windows-Hyper-V-Hypervisor in its System log), the last time since
          it started, in UTC. An empty text means that the log tells of none, null that the user cannot read it.
        - It need not be that of Hyper-V, where virtualization-based security or WSL 2 run.
      type: str
    extensions_seen:
      description:
        - Whether Windows has virtualization extensions to run a hypervisor on. True if it sees them, or if a hypervisor has them already.
        - Null if that cannot be told, as something may have taken and hidden them.
      type: bool
    gateway:
      description: The C(addresses) of the default gateways, and whether one of them was C(reached).
      type: dict
    dns:
      description: The C(name) that was asked for, its C(addresses), and whether it was C(reached), which is that DNS knows it.
      type: dict
    outside:
      description: The C(target) with its C(port) and C(address), and whether it was C(reached).
      type: dict
  sample:
    proven: true
    hypervisor: true
    running_vms: [l2-a]
    launched: "2026-11-21T08:00:04.0000000Z"
    extensions_seen: true
    gateway: {addresses: [192.168.100.1], reached: true}
    dns: {name: www.example.com, addresses: [203.0.113.80], reached: true}
    outside: {target: www.example.com, port: 443, address: 203.0.113.80, reached: true}
vms:
  description: The VMs.
  returned: success
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
    generation:
      description: The generation.
      type: int
    processors:
      description: Number of virtual processors.
      type: int
    expose_virtualization_extensions:
      description: Whether the VM can run Hyper-V.
      type: bool
    vbs_opt_out:
      description: Whether the VM may not use virtualization-based security; V(none) when it could not be told.
      type: bool
    clustered:
      description: Whether it is a role of a failover cluster.
      type: bool
    heartbeat:
      description: What the integration services say of the guest, such as V(OkApplicationsUnknown); V(none) when it does not run.
      type: str
    checkpoints:
      description: Whether it has checkpoints.
      type: bool
    automatic_stop_action:
      description: What happens to it when its host shuts down, V(save), V(shutdown) or V(turn_off).
      type: str
    notes:
      description: The VM's notes.
      type: str
    memory:
      description: Its memory, C(dynamic), the sizes C(startup), C(minimum), C(maximum) and C(assigned), and C(buffer) and C(priority).
      type: dict
    adapters:
      description: Its network adapters, each with C(name), C(mac_address), C(mac_address_spoofing), C(switch) and C(ip_addresses).
      type: list
      elements: dict
"""

# Runs in plugins/action/hyperv.py; this file documents and validates.
from ansible.module_utils.basic import AnsibleModule

from ..module_utils._options import refuse_direct_run
from ..module_utils._resources.hyperv_nested_info import SPEC


def main() -> None:
    module = AnsibleModule(**SPEC.to_kwargs(), supports_check_mode=True)
    refuse_direct_run(module)


if __name__ == "__main__":
    main()
