"""What an inventory says of a remote host, for each of Ansible's own connections to Windows."""

from __future__ import annotations

import os
import shutil
import typing as t

from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader

from .network import PASSWORD, USER

if t.TYPE_CHECKING:
    from ansible.plugins.connection import ConnectionBase

    from .host import RemoteHost

WINRM = "winrm"
WINRM_NTLM = "winrm-ntlm"
PSRP = "psrp"
PSRP_NTLM = "psrp-ntlm"
SSH = "ssh"
WAYS = (WINRM, WINRM_NTLM, PSRP, PSRP_NTLM, SSH)
"""Basic over HTTPS, NTLM with encrypted messages over HTTP, and a key over SSH."""


def variables(host: RemoteHost, way: str) -> dict[str, t.Any]:
    """The host's inventory variables for one way to connect."""
    folder = host.network.folder
    connection, _dash, ntlm = way.partition("-")
    door = "ssh" if way == SSH else "http" if ntlm else "https"
    common = {"ansible_connection": connection, "ansible_host": "127.0.0.1", "ansible_user": USER, "ansible_port": host.ports[door]}
    if way == SSH:
        if shutil.which("ssh") is None:
            raise RuntimeError("OpenSSH's client is missing (Debian: apt-get install openssh-client)")
        return common | {
            "ansible_shell_type": "powershell",
            "ansible_ssh_private_key_file": str(folder / "id_ed25519"),
            # nothing of the developer's own, and no connection that is kept for the next task
            "ansible_ssh_args": f"-F none -o UserKnownHostsFile={folder}/known_hosts -o ControlMaster=no -o IdentitiesOnly=yes",
        }
    common["ansible_password"] = PASSWORD
    if connection == "winrm":
        common |= {"ansible_winrm_scheme": door, "ansible_winrm_transport": "ntlm" if ntlm else "basic"}
        return common if ntlm else common | {"ansible_winrm_ca_trust_path": str(folder / "ca.pem")}
    common |= {"ansible_psrp_protocol": door, "ansible_psrp_auth": "ntlm" if ntlm else "basic"}
    return common if ntlm else common | {"ansible_psrp_ca_cert": str(folder / "ca.pem")}


def connect(host: RemoteHost, way: str, **more: t.Any) -> ConnectionBase:
    """Ansible's own connection plugin, made as its task executor makes it; `more` are further variables of the inventory."""
    given = variables(host, way) | more
    context = PlayContext()
    context.shell = given.get("ansible_shell_type")
    connection = connection_loader.get(given["ansible_connection"], context, os.devnull)
    extras = {name: value for name, value in given.items() if name.startswith("ansible_winrm_")}
    connection.set_options(var_options={**given, "_extras": extras})
    return t.cast("ConnectionBase", connection)
