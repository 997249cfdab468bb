"""What holds between files: who may import whom, and what a module consists of."""

from __future__ import annotations

import ast
import graphlib
import hashlib
import importlib
import inspect
import pathlib
import typing as t

import pytest
import yaml
from ansible.plugins.loader import filter_loader, fragment_loader, module_loader
from ansible.utils.plugin_docs import get_plugin_docs

from ansible_collections.hyperlab.nested.tests.cases.lab import RESOURCES

if t.TYPE_CHECKING:
    from ansible_collections.hyperlab.nested.plugins.module_utils._converge import Resource

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
FILES = sorted(PLUGINS.rglob("*.py"))
MODULES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))
RUNTIME = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))

LAYERS = (
    {"_steps"},
    {"_errors"},
    {"_options", "_render", "_nesting"},
    {"_vms"},
    {"_plan", "_disk_options"},
    {"*"},  # what several modules share: memory, disks, networks; they may import each other, but not in a circle
    {"_resources"},
    {"_outcome"},
    {"_report"},
    {"_converge"},
)
"""module_utils from the bottom to the top; a file imports from below its own layer only."""
SHARED = LAYERS.index({"*"})

MAY_IMPORT = {
    "action": {"module_utils._converge", "module_utils._errors", "module_utils._options", "module_utils._report", "plugin_utils._wire"},
    "connection/psdirect": {
        *{f"plugin_utils.{name}" for name in ("_direct", "_files", "_reply", "_request", "_wire")},
        "module_utils._vms",
    },
    "connection/simulator": {"plugin_utils._simulator"},
    "connection": {"plugin_utils", "module_utils._errors", "module_utils._steps", "module_utils._options"},
    "doc_fragments": set[str](),
    "filter": {"plugin_utils._lab"},
    "modules": {"module_utils._options", "module_utils._resources"},
    "plugin_utils/_direct": {
        *{f"plugin_utils.{name}" for name in ("_reply", "_request", "_wire")},
        *{f"module_utils.{name}" for name in ("_errors", "_steps", "_vms")},
    },
    "plugin_utils/_files": {"plugin_utils._direct", "plugin_utils._request", "plugin_utils._wire"},
    "plugin_utils/_reply": {"plugin_utils._request", "module_utils._errors", "module_utils._steps"},
    "plugin_utils/_request": {"module_utils._steps"},
    "plugin_utils/_lab": {"module_utils"},
    "plugin_utils/_simulator": {"plugin_utils._simulator"},
    "plugin_utils/_wire": {"plugin_utils._reply", "plugin_utils._request", "module_utils._steps"},
}
"""Who else imports from where; the longest beginning of the path counts."""

# What was proven on a real PowerShell: runner.ps1 and bootstrap.ps1 of reference/runner. There is none where the tests run.
PROVEN = {
    "_bootstrap.ps1": "4ac176089b47d57e2366c106b2403efb6eac486a53906ee01849401fd581612a",
    "_runner.ps1": "8d6d88ca04eb70e5b91aaeffeaad206e042d800fe953205747b4692fb61feb5f",
}


def name_of(path: pathlib.Path) -> str:
    return path.relative_to(PLUGINS).with_suffix("").as_posix()


def imports_of(path: pathlib.Path) -> set[str]:
    """The collection's own files that a file imports, wherever in it, as dotted names below plugins."""
    here = path.relative_to(PLUGINS).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*here[: len(here) - node.level + 1], *(node.module or "").split(".")]
            names = [".".join(filter(None, [*base, alias.name])) for alias in node.names]
            found |= {".".join(filter(None, base))} if node.module else set(names)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            absolute = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            assert not [name for name in absolute if name.startswith("ansible_collections")], f"{path}: imports of ours are relative"
    return found


def layer_of(name: str) -> int:
    """The layer of a dotted name in module_utils."""
    first = name.split(".")[1]
    return next((number for number, names in enumerate(LAYERS) if first in names), SHARED)


@pytest.mark.parametrize("path", [path for path in FILES if path.is_relative_to(PLUGINS / "module_utils")], ids=name_of)
def test_imports_point_downwards(path: pathlib.Path) -> None:
    own = layer_of(name_of(path).replace("/", "."))
    for name in imports_of(path):
        assert name.startswith("module_utils."), f"imports {name}"
        assert layer_of(name) < own or layer_of(name) == own == SHARED, f"imports {name}, which is not below it"


def test_nothing_imports_itself_by_detours() -> None:
    graph = {name_of(path).replace("/", "."): imports_of(path) for path in FILES}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", [path for path in FILES if not path.is_relative_to(PLUGINS / "module_utils")], ids=name_of)
def test_the_rest_imports_what_it_may(path: pathlib.Path) -> None:
    allowed = MAY_IMPORT[max((place for place in MAY_IMPORT if name_of(path).startswith(place)), key=len)]
    for name in imports_of(path):
        assert any(f"{name}.".startswith(f"{place}.") for place in allowed), f"imports {name}"


def test_only_the_simulator_reads_its_signatures() -> None:
    readers = [path for path in FILES if "signatures.json" in path.read_text(encoding="utf-8")]
    assert readers
    assert all(path.is_relative_to(PLUGINS / "plugin_utils" / "_simulator") for path in readers)


def test_only_converge_reads_check_mode() -> None:
    readers = {name_of(path) for path in FILES if path.parent.name != "modules" and "check_mode" in path.read_text(encoding="utf-8")}
    assert readers <= {"action/hyperv", "module_utils/_converge", "doc_fragments/attributes"}


def test_no_powershell_among_the_modules() -> None:
    assert [path for path in (PLUGINS / "modules").rglob("*") if path.suffix.lower() in {".ps1", ".psm1"}] == []


@pytest.mark.parametrize("name", PROVEN)
def test_the_scripts_are_the_proven_ones(name: str) -> None:
    assert hashlib.sha256((PLUGINS / "plugin_utils" / name).read_bytes()).hexdigest() == PROVEN[name]


# --- modules


def resource_of(module: str) -> Resource:
    return t.cast("Resource", importlib.import_module(f"{RESOURCES}.{module}"))


def documentation(module: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", get_plugin_docs(f"hyperlab.nested.{module}", "module", module_loader, fragment_loader, False)[0])


def documented(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Documented options as an argument spec says the same."""
    shown = {}
    for name, option in options.items():
        kept = {
            key: option[key]
            for key in ("type", "required", "default", "choices", "elements", "aliases")
            if option.get(key) not in (None, [])
        }
        shown[name] = {"type": "str", **kept}
        if not kept.get("required"):
            shown[name].pop("required", None)
        if "suboptions" in option:
            shown[name]["options"] = documented(option["suboptions"])
    return shown


def declared(spec: dict[str, t.Any]) -> dict[str, t.Any]:
    """An argument spec without what documentation does not say."""
    kept = {name: {key: value for key, value in option.items() if key in KEYS} for name, option in spec.items()}
    return {name: {**option, "options": declared(option["options"])} if "options" in option else option for name, option in kept.items()}


KEYS = ("type", "required", "default", "choices", "elements", "aliases", "options")


@pytest.mark.parametrize("module", MODULES)
def test_documentation_says_what_the_spec_says(module: str) -> None:
    assert documented(documentation(module)["options"]) == declared(resource_of(module).SPEC.argument_spec())


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_complete(module: str) -> None:
    assert RUNTIME["plugin_routing"]["modules"][module] == {"action_plugin": "hyperlab.nested.hyperv"}
    assert module in RUNTIME["action_groups"]["hyperv"]
    assert list((ROOT / "tests" / "cases" / module).glob("*.yml")), "it has no cases"
    assert (ROOT / "tests" / "integration" / "targets" / module / "tasks" / "main.yml").exists(), "it has no integration target"
    resource = resource_of(module)
    assert all(hasattr(resource, name) for name in ("SPEC", "State", "queries", "plan"))


@pytest.mark.parametrize("module", MODULES)
def test_main_has_two_statements(module: str) -> None:
    tree = ast.parse((PLUGINS / "modules" / f"{module}.py").read_text(encoding="utf-8"))
    [main] = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert main.name == "main"
    assert len(main.body) == 2


def test_a_resource_is_a_modules() -> None:
    assert {path.stem for path in (PLUGINS / "module_utils" / "_resources").glob("*.py")} <= set(RUNTIME["plugin_routing"]["modules"])


COMMON = ("changes", "commands", "power_cycled", "failures", "error_code", "fix")
"""The parts of RETURN that all changing modules have; a fragment cannot hold them."""


def returns_of(module: str) -> dict[str, t.Any]:
    """A module's RETURN without its samples; what `power_cycled` says is one of two things."""
    tree = ast.parse((PLUGINS / "modules" / f"{module}.py").read_text(encoding="utf-8"))
    [text] = [node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RETURN"]
    returns = yaml.safe_load(ast.literal_eval(text))
    return {name: {key: value for key, value in part.items() if key != "sample"} for name, part in returns.items()}


@pytest.mark.parametrize("module", [module for module in MODULES if not module.endswith("_info")])
def test_what_all_modules_return_is_documented_in_the_same_words(module: str) -> None:
    own, model = returns_of(module), returns_of("hyperv_nested")
    if "when_running" not in resource_of(module).SPEC.options:
        model["power_cycled"]["description"] = "Always empty; no VM is stopped for this."
    assert {name: own.get(name) for name in COMMON} == {name: model[name] for name in COMMON}


# --- filters


@pytest.mark.parametrize("name", sorted(path.stem for path in (PLUGINS / "filter").glob("*.py")))
def test_a_filter_takes_what_its_documentation_says(name: str) -> None:
    documented_as, examples, returned, _metadata = get_plugin_docs(
        f"hyperlab.nested.{name}", "filter", filter_loader, fragment_loader, False
    )
    module = importlib.import_module(f"ansible_collections.hyperlab.nested.plugins.filter.{name}")
    _piped, *others = inspect.signature(module.FilterModule().filters()[name]).parameters.values()
    options = {option: detail for option, detail in documented_as["options"].items() if option != "_input"}
    assert documented_as["positional"].split(", ") == [parameter.name for parameter in others] == [*options]
    assert {option for option, detail in options.items() if detail.get("required")} == {
        parameter.name for parameter in others if parameter.default is inspect.Parameter.empty
    }
    assert f"hyperlab.nested.{name}" in examples
    assert "_value" in returned
