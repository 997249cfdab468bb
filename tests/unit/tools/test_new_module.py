"""tools/new_module.py, in a copy of this checkout: what it makes passes its own case, and Ansible can read it."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.newest

ROOT = pathlib.Path(__file__).resolve().parents[3]
NAME = "hyperv_made_up"
BIN = pathlib.Path(sys.executable).parent


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The checkout as it is, with a new module."""
    tree = tmp_path_factory.mktemp("scaffold") / "ansible_collections" / "hyperlab" / "nested"
    left_out = shutil.ignore_patterns(".*", "build", "collections", "output", "__pycache__")
    for part in ("changelogs", "galaxy.yml", "meta", "plugins", "pyproject.toml", "tests", "tools"):
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tree / part, ignore=left_out)
        else:
            shutil.copy(source, tree / part)
    made = run(tree, sys.executable, "tools/new_module.py", NAME, "Set the made-up notes of VMs")
    assert f"made plugins/modules/{NAME}.py" in made
    return tree


def run(tree: pathlib.Path, *command: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTEST_"))}
    env |= {"ANSIBLE_COLLECTIONS_PATH": str(tree.parents[2]), "ANSIBLE_HOME": str(tree.parents[2] / "home"), "ANSIBLE_NOCOLOR": "true"}
    done = subprocess.run(command, cwd=tree, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_case_passes(copy: pathlib.Path) -> None:
    said = run(copy, sys.executable, "-m", "pytest", "-q", "tests/cases", "-k", NAME)
    assert "3 passed" in said


def test_it_is_what_a_module_must_be(copy: pathlib.Path) -> None:
    said = run(copy, sys.executable, "-m", "pytest", "-q", "tests/unit/test_contracts.py", "-k", NAME)
    assert "passed" in said


def test_ansible_doc_reads_it(copy: pathlib.Path) -> None:
    documented = json.loads(run(copy, str(BIN / "ansible-doc"), "--json", f"hyperlab.nested.{NAME}"))[f"hyperlab.nested.{NAME}"]
    assert documented["doc"]["filename"].startswith(str(copy))
    assert documented["doc"]["short_description"] == "Set the made-up notes of VMs"
    assert set(documented["doc"]["options"]) == {"vms", "notes"}
    assert {"vms", "changes", "commands", "failures", "error_code", "fix"} <= set(documented["return"])


def test_its_target_plays(copy: pathlib.Path, tmp_path: pathlib.Path) -> None:
    target = copy / "tests" / "integration" / "targets" / NAME
    play = [{"hosts": "all", "gather_facts": False, "roles": [{"role": str(target)}]}]
    hosts = {"all": {"hosts": {"hv": {"ansible_connection": "hyperlab.nested.simulator", "output_dir": str(tmp_path)}}}}
    for name, content in (("play.yml", play), ("hosts.yml", hosts)):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML
    assert "failed=0" in run(copy, str(BIN / "ansible-playbook"), "-i", str(tmp_path / "hosts.yml"), str(tmp_path / "play.yml"))


def test_it_is_in_the_action_group_and_sorted(copy: pathlib.Path) -> None:
    import yaml  # noqa: PLC0415

    runtime = yaml.safe_load((copy / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    modules, group = list(runtime["plugin_routing"]["modules"]), runtime["action_groups"]["hyperv"]
    assert NAME in modules
    assert sorted(modules) == modules == group


@pytest.mark.skipif(not (BIN / "ruff").exists(), reason="no ruff in this environment")
def test_ruff_has_nothing_to_say(copy: pathlib.Path) -> None:
    made = [f"plugins/module_utils/_resources/{NAME}.py", f"plugins/modules/{NAME}.py"]
    run(copy, str(BIN / "ruff"), "check", "--no-cache", *made)
    run(copy, str(BIN / "ruff"), "format", "--no-cache", "--check", *made)


@pytest.mark.parametrize("arguments", [("checkpoint", "Take checkpoints"), ("hyperv_nested", "Again"), ("hyperv_x", "a: b")])
def test_it_refuses(copy: pathlib.Path, arguments: tuple[str, str]) -> None:
    done = subprocess.run([sys.executable, "tools/new_module.py", *arguments], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 2
