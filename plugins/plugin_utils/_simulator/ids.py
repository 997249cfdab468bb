# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: ids that the pretended host gives out: the same ones each time, so that runs can be compared."""

from __future__ import annotations

import typing as t
import uuid

if t.TYPE_CHECKING:
    from .model import Host

_SPACE = uuid.UUID("6f6d1b8e-2f4b-5d0a-9a54-0d2f0e5b7c11")


def guid(host: Host, *words: t.Any) -> str:
    """A Guid that depends on nothing but the words, the host's name, and the VM that it is in, if it is in one."""
    where = () if host.machine is None else (host.machine.id,)
    return str(uuid.uuid5(_SPACE, "/".join(str(word) for word in (*where, host.name, *words))))


def new_guid(host: Host) -> str:
    """A Guid for something that is made while the simulator runs."""
    host.made += 1
    return guid(host, "made", host.made)


def new_mac(host: Host) -> str:
    """A MAC address of Microsoft's range, as VMNetworkAdapter.MacAddress writes it.

    Each Hyper-V has a range of its own, so that those of VMs inside VMs differ from those outside.
    """
    host.made += 1
    if host.machine is None:
        return f"00155D{host.made % 0x1000000:06X}"
    own = 1 + uuid.UUID(guid(host, "range")).int % 255
    return f"00155D{own:02X}{host.made % 0x10000:04X}"


def new_interface_index(host: Host) -> int:
    """An interface index that no adapter of the host has, nor the loopback, which is 1."""
    return max([3, *(adapter.index for adapter in host.adapters)]) + 1
