# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private: documentation of the option that names VMs."""

from __future__ import annotations


class ModuleDocFragment:
    """The `vms` option."""

    DOCUMENTATION = r"""
options:
  vms:
    description:
      - The VMs to work on, by exact name or by id. One string is one name; it is never split at commas.
      - Names are compared whole and without case. Wildcards do not exist, so V(web[1]) means the VM of that very name.
      - A name that no VM or more than one VM has is an error, and nothing is changed; give the id then.
      - An empty list means no VM.
    type: raw
    required: true
    aliases: [vm]
"""
