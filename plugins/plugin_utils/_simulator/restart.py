# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: what a restart of Windows leaves of its network: what stands in a persistent store, under other interface indices."""

from __future__ import annotations

import typing as t

from . import ids

if t.TYPE_CHECKING:
    from .model import Host


def network_restarted(host: Host) -> None:
    """Call it when Windows has come up again: switches, NATs and their mappings stay (docs/simulator.md has the sources)."""
    host.addresses[:] = [address for address in host.addresses if address.persistent]
    host.routes[:] = [route for route in host.routes if route.persistent]
    for adapter in host.adapters:
        if adapter.switch is not None:
            _give_index(host, adapter.index, ids.new_interface_index(host))


def _give_index(host: Host, old: int, new: int) -> None:
    """The adapter with this interface index gets another one (facts 5.2), and what is on it follows."""
    for adapter in host.adapters:
        adapter.index = new if adapter.index == old else adapter.index
    for address in host.addresses:
        address.adapter = new if address.adapter == old else address.adapter
    for route in host.routes:
        route.adapter = new if route.adapter == old else route.adapter
