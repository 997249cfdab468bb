"""The cases of tests/cases again, over Ansible's own connections: what comes of them is what comes without a wire.

A tenth of them, another one for each way to connect (on older ansible-core a thirtieth); `--wire` (`make wire`) takes all.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.hyperlab.nested.tests.cases.test_cases import FILES, Case, lab_of, load, name_of, without_texts
from ansible_collections.hyperlab.nested.tests.remote_host import clients

if t.TYPE_CHECKING:
    import pathlib

    from ansible_collections.hyperlab.nested.tests.cases.lab import Lab
    from ansible_collections.hyperlab.nested.tests.remote_host.host import RemoteHost
    from ansible_collections.hyperlab.nested.tests.remote_host.network import Network

SHARE, SHARE_ON_OLDER = 10, 30
"""One in so many cases, unless all are asked for."""
ALL = [pytest.param(path, way, id=f"{way}-{name_of(path)}") for way in clients.WAYS for path in FILES]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    asked = metafunc.config.getoption
    share = 1 if asked("--wire") else SHARE_ON_OLDER if asked("--older") else SHARE
    metafunc.parametrize(("path", "way"), ALL[::share])


def test_case(path: pathlib.Path, way: str, network: Network) -> None:
    case = load(path)
    near, far = (lab_of(case) for _side in range(2))
    host = network.host(far)
    for check_mode in (True, False, False):
        wanted = near.task(case["module"], case["options"], check_mode=check_mode)
        found = over_the_wire(case, far, host, way, check_mode=check_mode)
        if wanted.get("rebooted"):
            # each connection has its own words for a host that is away
            wanted, found = without_texts(wanted), without_texts(found)
        assert found == wanted
        assert far.plain() == near.plain()
        if wanted.get("error_code") == "restart_timed_out":
            break  # nobody is there for another run
    assert far.host.processes == near.host.processes
    assert host.calls == len(near.sent)
    assert not host.shells


def over_the_wire(case: Case, lab: Lab, host: RemoteHost, way: str, *, check_mode: bool) -> dict[str, t.Any]:
    """A task's result; like Ansible, with a connection of its own."""
    connection = clients.connect(host, way)
    try:
        return lab.task(case["module"], case["options"], check_mode=check_mode, connection=connection)
    finally:
        connection.close()
