"""What an inventory can say of a connection: it works, or fails in plain words that hold no secret."""

from __future__ import annotations

import socket
import typing as t

import pytest

from ansible_collections.hyperlab.nested.tests.cases.lab import Lab
from ansible_collections.hyperlab.nested.tests.remote_host import clients
from ansible_collections.hyperlab.nested.tests.remote_host.network import PASSWORD
from ansible_collections.hyperlab.nested.tests.wire.site import NOTHING_CHANGED, PROFILE, Site

WRONG_PASSWORD = "canary-3d91-wrong"
WINRM, WINRM_NTLM, PSRP, PSRP_NTLM, SSH = clients.WAYS
DEAD_PROXY = "http://127.0.0.1:9"
PROXIES = {"HTTP_PROXY": DEAD_PROXY, "HTTPS_PROXY": DEAD_PROXY, "NO_PROXY": ""}


def closed_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


UNREACHABLE = [
    (WINRM, {"ansible_password": WRONG_PASSWORD}, "the specified credentials were rejected by the server"),
    (WINRM_NTLM, {"ansible_password": WRONG_PASSWORD}, "the specified credentials were rejected by the server"),
    (PSRP, {"ansible_password": WRONG_PASSWORD}, "failed to authenticate with the server"),
    (PSRP_NTLM, {"ansible_password": WRONG_PASSWORD}, "failed to authenticate with the server"),
    (SSH, {"ansible_user": "nobody"}, "Permission denied"),
    (WINRM, {"ansible_user": "nobody"}, "the specified credentials were rejected by the server"),
    (WINRM, {"ansible_host": "nowhere.invalid"}, "nowhere.invalid"),
    (PSRP, {"ansible_host": "nowhere.invalid"}, "nowhere.invalid"),
    (SSH, {"ansible_host": "nowhere.invalid"}, "Could not resolve hostname nowhere.invalid"),
    (WINRM, {"ansible_port": "closed"}, "Connection refused"),
    (PSRP, {"ansible_port": "closed"}, "Connection refused"),
    (SSH, {"ansible_port": "closed"}, "Connection refused"),
    (WINRM, {"ansible_winrm_ca_trust_path": None}, "CERTIFICATE_VERIFY_FAILED"),
    (PSRP, {"ansible_psrp_ca_cert": None}, "CERTIFICATE_VERIFY_FAILED"),
    (SSH, {"ansible_ssh_args": "-F none -o UserKnownHostsFile=/dev/null -o ControlMaster=no"}, "Host key verification failed"),
    (WINRM, {"ansible_winrm_path": "/elsewhere"}, "404"),
    (PSRP, {"ansible_psrp_path": "elsewhere"}, "404"),
    (WINRM, {"ansible_winrm_transport": "kerberos"}, "kerberos"),
    (WINRM_NTLM, {"ansible_winrm_transport": "basic"}, "the specified credentials were rejected by the server"),
    (WINRM_NTLM, {"ansible_winrm_scheme": "https"}, "SSL"),
    (WINRM, {"ansible_winrm_scheme": "http"}, "Connection"),
    (PSRP_NTLM, {"ansible_psrp_auth": "basic"}, "encrypt"),
    (WINRM, {"ansible_winrm_operation_timeout_sec": 60, "ansible_winrm_read_timeout_sec": 30}, "read_timeout_sec must exceed"),
]


@pytest.mark.parametrize(("way", "settings", "says"), UNREACHABLE, ids=lambda value: str(value) if isinstance(value, (str, dict)) else None)
def test_unreachable(site: t.Callable[[str], Site], way: str, settings: dict[str, t.Any], says: str) -> None:
    one = site(way)
    one.host()
    if settings.get("ansible_port") == "closed":
        settings = {"ansible_port": closed_port()}
    played = one.play(**settings)
    result = played.of("it")
    assert result.status == "unreachable", result.result
    assert says in result.result["msg"]
    assert NOTHING_CHANGED in result.result["msg"]
    for secret in (PASSWORD, WRONG_PASSWORD):
        assert secret not in played.output
    assert one.lab().plain() == Lab(PROFILE).plain()
    assert one.hosts["hv"].calls == 0
    one.converges()


WORKING = [
    (WINRM, {"ansible_winrm_server_cert_validation": "ignore", "ansible_winrm_ca_trust_path": None}),
    (WINRM, {"ansible_winrm_read_timeout_sec": 70, "ansible_winrm_operation_timeout_sec": 60}),
    (WINRM, {"ansible_winrm_connection_timeout": 60}),
    (WINRM, {"ansible_winrm_transport": "ntlm"}),
    (WINRM_NTLM, {"ansible_winrm_message_encryption": "always"}),
    (WINRM, {"ansible_winrm_transport": ["basic", "ntlm"]}),
    (PSRP, {"ansible_psrp_cert_validation": "ignore", "ansible_psrp_ca_cert": None}),
    (PSRP, {"ansible_psrp_read_timeout": 70, "ansible_psrp_operation_timeout": 60, "ansible_psrp_connection_timeout": 5}),
    (PSRP, {"ansible_psrp_auth": "negotiate"}),
    (PSRP, {"ansible_psrp_auth": "ntlm", "ansible_psrp_message_encryption": "always"}),
    (PSRP, {"ansible_psrp_max_envelope_size": 600_000}),
    (PSRP, {"ansible_psrp_reconnection_retries": 2, "ansible_psrp_reconnection_backoff": 1}),
    (SSH, {"ansible_shell_type": None}),
    (SSH, {"ansible_pipelining": True}),
    (SSH, {"ansible_ssh_retries": 2}),
]


@pytest.mark.parametrize(("way", "settings"), WORKING, ids=str)
def test_works(site: t.Callable[[str], Site], way: str, settings: dict[str, t.Any]) -> None:
    one = site(way)
    one.host()
    assert one.play(**settings).succeeded().of("it").status == "changed"
    assert one.hosts["hv"].calls == 2


def test_ssh_to_a_host_whose_default_shell_is_cmd(site: t.Callable[[str], Site]) -> None:
    one = site(SSH)
    one.host().default_shell = "cmd"
    assert one.play(ansible_shell_type="cmd").succeeded().of("it").status == "changed"


@pytest.mark.parametrize(
    ("way", "settings"),
    [(WINRM, {"ansible_winrm_proxy": None}), (PSRP, {"ansible_psrp_ignore_proxy": True})],
    ids=["winrm", "psrp"],
)
def test_a_proxy_of_the_environment(site: t.Callable[[str], Site], way: str, settings: dict[str, t.Any]) -> None:
    one = site(way)
    one.host()
    lost = one.play(env=PROXIES).of("it")
    assert lost.status == "unreachable"
    assert "roxy" in lost.result["msg"]
    assert one.play(env=PROXIES, **settings).succeeded().of("it").status == "changed"


@pytest.mark.parametrize("way", [WINRM, PSRP])
def test_a_certificate_for_another_name(site: t.Callable[..., Site], way: str) -> None:
    one = site(way, certificate_for="elsewhere.example")
    one.host()
    result = one.play().of("it")
    assert result.status == "unreachable"
    assert "certificate is not valid for '127.0.0.1'" in result.result["msg"]
    assert one.hosts["hv"].requests == []
