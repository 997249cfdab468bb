"""Run ansible-test from any checkout, and without the file server that it takes pip from.

usage: tools/sanity_tree.py sanity|windows-integration|integration|units [arguments of ansible-test]

ansible-test wants to stand in ansible_collections/hyperlab/nested and sees through links, so each command is run in a copy of the
checkout below .ansible/test/<command>, which also is its home: two commands may run at once. For each of its own environments it
starts a script that installs pip, get_pip_<version>.py; the one that it finds here hands over to uv (30 instead of 109 seconds).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COLLECTION = Path("ansible_collections", "hyperlab", "nested")

GET_PIP = """\
import pathlib
import sysconfig

home = pathlib.Path(sysconfig.get_path("purelib")) / "pip"
home.mkdir(exist_ok=True)
(home / "__init__.py").write_text("")
(home / "__main__.py").write_text({main!r})
"""

# A pip that is uv. ansible-test only ever says install, uninstall and -V, and drops most of the environment before.
PIP = """\
import os
import subprocess
import sys

os.environ.update({environment!r})
arguments = [one for one in sys.argv[1:] if one not in ("--disable-pip-version-check", "-y")]
if arguments == ["uninstall", "pip"] or arguments[:1] == ["-V"]:
    print("pip 99 is uv")
    sys.exit(0)
extra = ["--compile-bytecode"] if arguments[0] == "install" else []
sys.exit(subprocess.call([{uv!r}, "pip", arguments[0], "-q", "-p", sys.executable, *extra, *arguments[1:]]))
"""


def copy_checkout(copy: Path) -> None:
    """Copy what git tracks or would add, and remove what is gone."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    names = {Path(name) for name in os.fsdecode(listed).split("\0") if name and (ROOT / name).is_file()}
    copy.mkdir(parents=True, exist_ok=True)
    if not (copy / ".git").exists():
        # or else ansible-test asks the checkout's git, to which all of this is ignored, and so finds nothing to test
        subprocess.run(["git", "init", "-q", str(copy)], check=True)
    for found in sorted(copy.rglob("*"), reverse=True):
        name = found.relative_to(copy)
        if name.parts[0] == ".git" or name.parts[:2] == ("tests", "output"):
            continue
        if not found.is_dir():
            if name not in names:
                found.unlink()
        elif not any(found.iterdir()):
            found.rmdir()
    for name in names:
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)


def write_get_pip(home: Path) -> None:
    """Put the script where ansible-test looks before it downloads one."""
    package = importlib.util.find_spec("ansible_test")
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if package is None or not package.submodule_search_locations or uv is None:
        sys.exit("This needs the environment of the Makefile, with ansible-core and uv: run `make sanity`, or .venv/bin/python.")
    requirements = Path(package.submodule_search_locations[0], "_internal", "python_requirements.py").read_text(encoding="utf-8")
    version = re.search(r"pip='([\d.]+)'", requirements) or re.search(r"get_pip_([\d_]+)\.py", requirements)
    if version is None:
        sys.exit("This ansible-test does not say which pip it wants: see python_requirements.py in it.")
    environment = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_CERT"))}
    # uv's cache is the caller's: the home of ansible-test is another one
    environment["UV_CACHE_DIR"] = subprocess.run([uv, "cache", "dir"], check=True, capture_output=True, text=True).stdout.strip()
    script = home / ".ansible" / "test" / "cache" / f"get_pip_{version[1].replace('.', '_')}.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(GET_PIP.format(main=PIP.format(environment=environment, uv=uv)), encoding="utf-8")


def environment_of(home: Path, programs: Path) -> dict[str, str]:
    """An environment in which only this Python and the system's are found; a pyenv shim that does not start would be fatal."""
    path = [str(programs), *(one for one in os.environ["PATH"].split(os.pathsep) if Path(one).parts[-2:] != (".pyenv", "shims"))]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_") and name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "HOME": str(home), "PATH": os.pathsep.join(path)}


def main() -> int:
    """Copy, prepare, and be ansible-test."""
    parser = argparse.ArgumentParser(description="ansible-test from any checkout", epilog="Further arguments go to ansible-test.")
    parser.add_argument("command", choices=["sanity", "windows-integration", "integration", "units"])
    parser.add_argument("--python", default=f"{sys.version_info.major}.{sys.version_info.minor}")
    chosen, arguments = parser.parse_known_args()
    tree = ROOT / ".ansible" / "test" / chosen.command
    copy_checkout(tree / COLLECTION)
    write_get_pip(tree / "home")
    with tempfile.TemporaryDirectory(prefix="hyperlab-nested-") as folder:
        programs = Path(sys.executable).parent
        if chosen.command != "sanity" and " " in str(programs):
            # here it puts the path of Python behind #!, where a blank ends it
            programs = Path(folder, "environment", "bin")
            programs.parent.symlink_to(sys.prefix)
        command = [
            str(programs / "python"),
            str(programs / "ansible-test"),
            chosen.command,
            "--color",
            "no",
            "--python",
            chosen.python,
            *arguments,
        ]
        return subprocess.call(command, cwd=tree / COLLECTION, env=environment_of(tree / "home", programs))


if __name__ == "__main__":
    sys.exit(main())
