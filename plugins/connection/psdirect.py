# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connection to a guest through its Hyper-V host, by PowerShell Direct."""

from __future__ import annotations

DOCUMENTATION = r"""
name: psdirect
short_description: Work in a guest through its Hyper-V host, without a network
version_added: 0.1.0
author:
  - The hyperlab.nested contributors (@hyperlab)
description:
  - Connects to the Windows in a virtual machine through the Hyper-V host that it runs on, by PowerShell Direct.
    The guest needs no network, no WinRM, no SSH and no firewall rule.
  - Another inventory host is that Hyper-V host (O(host)), and its own connection is used as it stands in the inventory,
    for example P(ansible.builtin.winrm#connection), P(ansible.builtin.psrp#connection), P(ansible.builtin.ssh#connection),
    P(hyperlab.nested.simulator#connection), or this one again, for a guest in a guest at any depth.
  - The modules of this collection work as they do on any host, with as many remote processes on the Hyper-V host as anywhere.
    So do M(ansible.builtin.raw) and PowerShell modules of other collections.
requirements:
  - ansible-core 2.19 or later.
  - Windows 10 or Windows Server 2016 or later, on the Hyper-V host and in the guest.
  - The virtual machine runs on the very host that O(host) names, and the user of that host's connection is an administrator of it or a member
    of its Hyper-V Administrators.
  - A user of the guest with a password. Windows refuses one without over this channel.
notes:
  - C(become) is not supported. Connect as the user who is needed.
  - Files are copied in pieces of 512 KiB, each of which takes one remote process on the Hyper-V host; a file of 10 MB takes 20.
    That is for scripts and configuration. Larger files come quicker from a share or by C(ansible.windows.win_get_url).
  - A file that is copied into the guest lies beside its place under its name with C(.hyperlab-part), until it is there as a whole and its
    SHA-256 is right; then it gets its name. One that is fetched is compared as well, and is an error when it changed meanwhile.
  - M(ansible.builtin.script) needs nothing more. M(ansible.builtin.fetch), C(ansible.windows.win_copy) and C(ansible.windows.win_template)
    need the collection C(ansible.windows). M(ansible.builtin.copy) and M(ansible.builtin.template) are not for Windows.
  - The variables of O(host) have to be in the inventory, or be set with M(ansible.builtin.set_fact) or M(ansible.builtin.add_host), or on the
    command line with C(-e). Variables of a play (C(vars), C(vars_files), C(vars_prompt)) belong to the play's own hosts, and
    C(--ask-pass) to the guest.
  - The command of M(ansible.builtin.raw) is run by Windows PowerShell in the guest, as over P(ansible.builtin.winrm#connection).
  - A logon that the guest refused is not tried again in the same task, so that no account gets locked. A guest that was just made from a
    generalised image refuses everybody until its set-up has ended; play again then.
  - A session that did not open because of an error of the host's own, as it happens now and then to a guest in a guest, is opened again
    up to two times, for nothing was run there. One that broke is opened again only for a task that was just reading.
  - M(ansible.builtin.wait_for_connection) first looks at the guest's heartbeat, without logging on, and then needs the collection
    C(ansible.windows).
  - Every guest that is worked on at the same time holds a shell of its own on the Hyper-V host, of which WinRM gives a user 30 at once.
    The keyword C(throttle) limits how many hosts do a task at once.
  - PowerShell Direct has no time limit of its own. The keyword C(timeout) of a task ends waiting for a guest that hangs.
options:
  host:
    description:
      - Name of the inventory host that is the Hyper-V host of the virtual machine. It has to be set.
    type: str
    vars:
      - name: ansible_psdirect_host
  vm:
    description:
      - Name or id of the virtual machine on O(host). By default the name of the inventory host.
      - A name is compared whole and without case. Wildcards do not exist.
    type: str
    vars:
      - name: ansible_psdirect_vm
  remote_user:
    description:
      - The user in the guest. It has to be set.
    type: str
    vars:
      - name: ansible_user
    keyword:
      - name: remote_user
  remote_password:
    description:
      - The password of O(remote_user). It has to be set, and cannot be empty.
    type: str
    vars:
      - name: ansible_password
    aliases:
      - password
extends_documentation_fragment:
  - ansible.builtin.connection_pipelining
"""

EXAMPLES = r"""
# inventory.yml: a Hyper-V host, a guest of it that is a Hyper-V host itself, and a guest of that one
all:
  hosts:
    hv01:
      ansible_connection: winrm
      ansible_host: hv01.example.com
      ansible_port: 5986
      ansible_winrm_transport: ntlm    # kerberos, if the domain has it; basic knows no domain
      ansible_user: LAB\operator
      ansible_password: "{{ vault_hv01_password }}"
    l1-a:
      ansible_connection: hyperlab.nested.psdirect
      ansible_psdirect_host: hv01
      ansible_user: Administrator
      ansible_password: "{{ vault_l1_password }}"
    web:
      ansible_connection: hyperlab.nested.psdirect
      ansible_psdirect_host: l1-a
      ansible_psdirect_vm: l2 web    # what the VM is called on l1-a
      ansible_user: Administrator
      ansible_password: "{{ vault_l2_password }}"

# playbook.yml
# - hosts: l1-a
#   gather_facts: false
#   tasks:
#     - name: Wait until the guest has started
#       ansible.builtin.wait_for_connection:
#
#     - name: A NAT network inside the guest
#       hyperlab.nested.hyperv_nat_switch:
#         name: VmNAT
#         prefix: 192.168.100.0/24
"""

import contextlib
import os
import pathlib
import typing as t

from ansible import constants as C  # noqa: N812 - core's own name for it
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.playbook.play_context import PlayContext
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import connection_loader, get_shell_plugin
from ansible.release import __version__ as core_version
from ansible.template import Templar
from ansible.utils.display import Display

from ..plugin_utils._direct import Guest, LogonRefused, SessionLost, answered, broken, check_started, look, lost, seen, visit, visited
from ..plugin_utils._files import PART, GuestFile
from ..plugin_utils._request import Request, command, command_line, shell_line
from ..plugin_utils._wire import GuestLost, as_printed, pause

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..module_utils._vms import Vm
    from ..plugin_utils._reply import Printed

display = Display()

PAUSES = (1.0, 3.0)
"""Seconds before each further try to open a session. A third party needed up to four tries with pauses that grow (facts 6.4)."""


class Connection(ConnectionBase):
    """Takes what is to run in the guest there, in one remote process of its host."""

    transport = "hyperlab.nested.psdirect"
    # what core asks of a connection to Windows, as its own winrm.py says it
    module_implementation_preferences = (".ps1", ".exe", "")
    allow_executable = False
    has_pipelining = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        # Whatever ansible_shell_type says: the runner gives a command line to the system's shell.
        self._shell = get_shell_plugin(shell_type="cmd")
        self._variables: Mapping[str, t.Any] | None = None
        self.hosts: tuple[str, ...] = ()
        """The Hyper-V hosts on the way from the task's guest to this one, which is a host itself then."""
        self._outer: ConnectionBase | None = None
        """The connection to the Hyper-V host."""
        self._guest: Guest | None = None
        self._known: Vm | None = None
        """The VM, as soon as it was found."""
        self._refused = ""
        """What the guest said to the password; no second try."""
        self.let_time_pass: Callable[[float], None] | None = None
        """The clock of the pretended host at which the way begins (ConnectionTransport.sleep); a real one has none."""

    def _resolve_option_variables(self, variables: t.Any, templar: t.Any) -> t.Any:
        """Keep all variables of the inventory host that is meant, delegate_to included: the only place where core hands them over.

        They are only looked into when somebody connects: a broken variable of the Hyper-V host is no business of a local task.
        """
        self._variables = variables
        return super()._resolve_option_variables(variables, templar)

    def _connect(self) -> Connection:
        guest = self._wanted()
        if guest != self._guest:
            self.close()
            self._outer, self._guest, self._known, self._refused = None, guest, None, ""
        if self._outer is None:
            self._outer = self._open(guest)
        if not self._outer.connected:
            try:
                self._outer._connect()  # noqa: SLF001 - what exec_command would do; but now it is certain that nothing ran
            except Exception as error:
                raise broken(guest, error, nothing_ran=True) from error
        self.let_time_pass = getattr(self._outer, "let_time_pass", None)
        self._connected = True
        return self

    def close(self) -> None:
        """Hang up on the Hyper-V host. What is known of guests stays, so that a password is tried once also at the next level."""
        outer, self._connected = self._outer, False
        if outer is None:
            return
        if not isinstance(outer, Connection):
            self._outer = None
        outer.close()

    def reset(self) -> None:
        """Begin anew with the next command."""
        try:
            self.close()
        except Exception as error:  # noqa: BLE001 - a connection that broke cannot be closed in good order, and is given up
            display.vvv(f"PSDIRECT reset: {type(error).__name__}: {error}")

    def is_pipelining_enabled(self, wrap_async: bool = False) -> bool:
        """Always: standard input takes a module there, and a file would only cost more."""
        return True

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a runner call of this collection, or any other command line, in the guest."""
        if self.become:
            raise AnsibleError(
                "become is not supported over the connection hyperlab.nested.psdirect."
                " Way out: set become: false, and connect as the user who is needed (ansible_user, ansible_password)."
            )
        if cmd == command_line():
            return 0, self._visit(Request.read(in_data or b"")).encode(), b""
        request = command(shell_line(cmd), in_data or b"")
        try:
            line = self._visit(request)
        except GuestLost as error:
            if error.nothing_ran:
                raise
            raise GuestLost(f"{error}. Whether the command ran in the guest is unknown") from error
        return answered(self._reached(), request, line)

    def transport_test(self, connect_timeout: float) -> None:
        """Raise as long as the guest has not started, for wait_for_connection; nobody logs on for this."""
        self._connect()
        guest = self._reached()
        self._known = seen(guest, self._known, self._ask(look(guest, self._known)))
        check_started(guest, self._known)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Write a file in the guest, in one remote process of the host for each piece."""
        display.vvv(f"PSDIRECT PUT '{in_path}' TO '{out_path}'", host=self._play_context.remote_addr)
        try:
            with pathlib.Path(in_path).open("rb") as file:
                self._file(out_path).write(file)
        except FileNotFoundError as error:
            raise AnsibleFileNotFound(f"'{in_path}' does not exist here, so it is not copied. Way out: correct its name.") from error
        except OSError as error:
            raise _not_here(in_path, "read", error) from error

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Write a file of the guest here. It gets its name when it is there as a whole."""
        display.vvv(f"PSDIRECT FETCH '{in_path}' TO '{out_path}'", host=self._play_context.remote_addr)
        part = pathlib.Path(f"{out_path}.{os.getpid()}{PART}")
        try:
            with part.open("wb") as file:
                file.writelines(self._file(in_path).read())
            part.replace(out_path)
        except OSError as error:
            raise _not_here(out_path, "written", error) from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink()

    def _file(self, path: str) -> GuestFile:
        self._connect()
        return GuestFile(self._reached(), path, self._run_for_file)

    def _run_for_file(self, line: str, data: bytes) -> tuple[int, bytes, bytes]:
        request = command(line, data)
        try:
            return answered(self._reached(), request, self._visit(request))
        except GuestLost:
            self.reset()  # what is unfinished in the guest is removed next, and that needs a way that is not broken
            raise

    def _wanted(self) -> Guest:
        """Whom the options name."""
        if self._variables is None:
            raise lost(
                f"the connection hyperlab.nested.psdirect of '{self._play_context.remote_addr}' does not work with ansible-core {core_version}",
                "use ansible-core 2.19 or later: older ones do not tell a connection of other inventory hosts",
            )
        vm = self.get_option("vm") or _name_of(self._variables)
        needed = {"ansible_psdirect_host": "host", "ansible_user": "remote_user", "ansible_password": "remote_password"}
        given = {name: self.get_option(option) for name, option in needed.items()}
        for name, value in given.items():
            if value is None or (not value and name != "ansible_password"):
                raise lost(f"the connection hyperlab.nested.psdirect of '{vm}' has no {name}", f"set {name} for it in the inventory")
        if not given["ansible_password"]:
            raise lost(
                f"the password of '{given['ansible_user']}' for '{vm}' is empty, and Windows lets nobody in without one over PowerShell Direct",
                "give the account a password in the guest, and set ansible_password",
            )
        return Guest(given["ansible_psdirect_host"], vm, given["ansible_user"], given["ansible_password"])

    def _open(self, guest: Guest) -> ConnectionBase:
        """The connection of the Hyper-V host, as its own tasks would get it."""
        host = guest.host
        if host in self.hosts:
            ring = " -> ".join([*self.hosts[self.hosts.index(host) :], host])
            raise lost(f"the way to {guest} leads in a ring: {ring}", "correct ansible_psdirect_host of these hosts")
        hostvars = t.cast("Mapping[str, t.Any]", self._variables)["hostvars"]
        if host not in hostvars:
            raise lost(f"the inventory has no host '{host}', which ansible_psdirect_host of '{guest.vm}' names", "correct one of the two")
        raw = {**hostvars.raw_get(host), "hostvars": hostvars}  # raw_get leaves that one out; the next level needs it
        try:
            outer = self._load(host, raw)
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:
            raise lost(
                f"the connection of host '{host}' to {guest} cannot be made: {str(error).strip().rstrip('.')}",
                f"correct the variables of '{host}'; those of a play (vars, vars_files, vars_prompt) are not known here",
            ) from error
        if isinstance(outer, Connection):
            outer.hosts = (*self.hosts, host)
        return outer

    def _load(self, host: str, raw: dict[str, t.Any]) -> ConnectionBase:
        templar = Templar(loader=raw["hostvars"]._loader, variables=raw)  # noqa: SLF001 - lookups in variables need it
        name = templar.template(raw.get("ansible_connection", C.DEFAULT_TRANSPORT))
        # A new one: the task's own has the guest's user, and what -k asked for.
        context = PlayContext(connection_lockfd=self._play_context.connection_lockfd)
        context.remote_addr = host
        context.no_log = self._play_context.no_log
        context.shell = templar.template(raw.get("ansible_shell_type"))
        outer = connection_loader.get(name, context, None)
        if outer is None:
            raise AnsibleError(f"there is no connection plugin '{name}'")
        outer.set_options(var_options=outer._resolve_option_variables(raw, templar))  # noqa: SLF001 - as core does
        return t.cast("ConnectionBase", outer)

    def _visit(self, request: Request) -> str:
        """The line that the guest's runner printed.

        A session that was lost is opened again where nothing can happen twice by that: nothing ran there, or it is only being read.
        """
        for seconds in PAUSES:
            try:
                return self._visit_once(request)
            except SessionLost as error:
                if not error.nothing_ran and not request.only_reads:
                    raise
                display.vvv(f"PSDIRECT once more in {seconds} s: {error}", host=self._reached().vm)
            pause(self, seconds)
        return self._visit_once(request)

    def _visit_once(self, request: Request) -> str:
        self._connect()
        guest = self._reached()
        if self._refused:
            raise LogonRefused(self._refused)
        printed = self._ask(visit(guest, self._known, request))
        try:
            self._known, line = visited(guest, self._known, printed)
        except LogonRefused as error:
            self._refused = str(error)
            raise
        return line

    def _reached(self) -> Guest:
        return t.cast("Guest", self._guest)

    def _ask(self, request: Request) -> Printed:
        """What the Hyper-V host printed; one remote process there."""
        guest, outer, data = self._reached(), t.cast("ConnectionBase", self._outer), request.to_bytes()
        # sizes and names only: standard input holds secrets
        display.vvv(f"PSDIRECT {len(data)} bytes over '{guest.host}'", host=guest.vm)
        try:
            result = outer.exec_command(command_line(), in_data=data, sudoable=False)
        except Exception as error:
            raise broken(guest, error) from error
        return as_printed(outer, result, who="it")


def _name_of(variables: Mapping[str, t.Any]) -> str:
    """The inventory host that has these variables. Under delegate_to core leaves the task's own host in inventory_hostname.

    The short name is the right one always; of hosts who share it, the address tells, which core sets to the name where there is none.
    """
    name, short, hostvars = variables["inventory_hostname"], variables["inventory_hostname_short"], variables["hostvars"]
    found = [one for one in hostvars if one == short or one.partition(".")[0] == short]
    if len(found) > 1:
        found = [one for one in found if hostvars.raw_get(one).get("ansible_host", one) == variables.get("ansible_host", name)]
    if len(found) != 1:
        raise lost(
            f"Ansible does not tell which of its hosts called '{short}' this connection is for ('{name}', or one that it delegates to)",
            "set ansible_psdirect_vm for each of them in the inventory",
        )
    return str(found[0])


def _not_here(path: str, done: str, error: OSError) -> AnsibleError:
    """What is wrong with a file on the controller."""
    return AnsibleError(f"'{path}' cannot be {done} here: {error.strerror}. Way out: mend that, then run the task again.")
