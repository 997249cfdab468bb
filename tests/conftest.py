"""Make any checkout importable as the collection that it is, and play playbooks."""

from __future__ import annotations

import functools
import os
import pathlib
import typing as t

import hypothesis
import pytest

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ansible_collections.hyperlab.nested.tests.plays import Play
    from ansible_collections.hyperlab.nested.tests.remote_host.network import Network
    from ansible_collections.hyperlab.nested.tests.wire.site import Site

ROOT = pathlib.Path(__file__).resolve().parents[1]
MEDDLERS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSH_AUTH_SOCK")
"""What clients of WinRM and SSH read of the environment."""
PLACE = pathlib.Path("ansible_collections", "hyperlab", "nested")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--wire", action="store_true", help="play all cases over winrm, psrp and ssh, and not only some of them")
    parser.addoption("--older", action="store_true", help="leave out what is marked newest: what hardly depends on ansible-core")
    parser.addoption("--payloads", metavar="FILE", help="write every payload that the cases send into this file, one a line")


def pytest_configure(config: pytest.Config) -> None:
    """Set Ansible up before any test imports it: it reads its settings once."""
    own = ROOT / ".ansible"
    # a developer's configuration or an installed copy of the collection must not decide what is tested
    for name in list(os.environ):
        if name.upper() in MEDDLERS or (name.startswith("ANSIBLE_") and not name.startswith("ANSIBLE_TEST")):
            del os.environ[name]
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(own / "cache" / "hypothesis"))
    hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
    hypothesis.settings.load_profile("repeatable")
    os.environ |= {
        "ANSIBLE_COLLECTIONS_PATH": str(_tree(own / "tree")),
        "ANSIBLE_CONFIG": str(ROOT / "tests" / "ansible.cfg"),
        "ANSIBLE_HOME": str(own / "home"),
    }
    from ansible.plugins.loader import init_plugin_loader  # noqa: PLC0415
    from ansible.utils.collection_loader import AnsibleCollectionConfig  # noqa: PLC0415

    if AnsibleCollectionConfig.collection_finder is None:
        init_plugin_loader([os.environ["ANSIBLE_COLLECTIONS_PATH"]])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    from ansible.release import __version__ as core_version  # noqa: PLC0415 - only after pytest_configure

    items.sort(key=lambda item: not item.get_closest_marker("long"))
    if tuple(int(number) for number in core_version.split(".")[:2]) < (2, 19):
        for item in items:
            if item.get_closest_marker("psdirect"):
                item.add_marker(pytest.mark.skip("ansible-core before 2.19 does not tell a connection of other inventory hosts"))
    if not config.getoption("--older"):
        return
    left_out = [item for item in items if item.get_closest_marker("newest")]
    items[:] = [item for item in items if not item.get_closest_marker("newest")]
    config.hook.pytest_deselected(items=left_out)


def _tree(tree: pathlib.Path) -> pathlib.Path:
    """The folder above ansible_collections/: where the checkout lies, or else one with a link to it."""
    if ROOT.parts[-3:] == PLACE.parts:
        return ROOT.parents[2]
    link = tree / PLACE
    link.parent.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(ROOT, link.parent)
    if not link.is_symlink() or os.readlink(link) != target:  # noqa: PTH115
        mine = link.with_name(f".nested.{os.getpid()}")  # replacing is atomic: several workers, one link
        mine.symlink_to(target)
        mine.replace(link)
    return tree


@pytest.fixture
def play(tmp_path: pathlib.Path) -> Play:
    """play(playbook, inventory, *arguments) -> PlayResult: see tests/plays.py."""
    from ansible_collections.hyperlab.nested.tests.plays import Play  # noqa: PLC0415

    return Play(tmp_path)


@pytest.fixture(scope="session")
def loopback() -> Iterator[Network]:
    from ansible_collections.hyperlab.nested.tests.remote_host.network import Network  # noqa: PLC0415 - only after pytest_configure

    with Network() as network:
        yield network


@pytest.fixture
def network(loopback: Network) -> Iterator[Network]:
    """network.host(machine) -> RemoteHost: see tests/remote_host. It fails a test in which the remote host itself has failed."""
    yield loopback
    hosts = list(loopback.hosts)
    loopback.remove_all()
    assert [error for host in hosts for error in host.errors] == []


@pytest.fixture
def site(network: Network, play: Play) -> Callable[..., Site]:
    """site(way) -> Site, a play on remote hosts: see tests/wire/site.py."""
    from ansible_collections.hyperlab.nested.tests.wire.site import Site  # noqa: PLC0415 - as above

    return functools.partial(Site, network, play)
