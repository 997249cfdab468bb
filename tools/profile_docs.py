"""Write the generated parts of docs/simulator.md: the profile format, the shipped profiles and the simulated cmdlets.

usage: tools/profile_docs.py [--check]

The page keeps everything outside the lines `<!-- generated: NAME -->` and `<!-- end of NAME -->`. With --check nothing is written:
the exit code is 1 when the page is stale, which a unit test asks too. A key of the profile format is explained by the text below its
field in plugins/plugin_utils/_simulator/model.py, or by MEANINGS where there is none.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import sys
import types
import typing as t
from pathlib import Path

from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator import commands, model, profiles, simulates
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.calls import CMDLETS
from ansible_collections.hyperlab.nested.plugins.plugin_utils._simulator.schema import Size

PAGE = Path(__file__).resolve().parents[1] / "docs" / "simulator.md"

Field = tuple[str, str]

# In the order of the page: from what a user writes first to what is needed seldom.
CLASSES: tuple[type[t.Any], ...] = (
    model.Host,
    model.Cpu,
    model.Vm,
    model.Processor,
    model.Memory,
    model.Adapter,
    model.Drive,
    model.Checkpoint,
    model.Guest,
    model.HostAdapter,
    model.Lan,
    model.Lease,
    model.Switch,
    model.Address,
    model.Route,
    model.Nat,
    model.StaticMapping,
    model.PortRange,
    model.Disk,
    model.Fault,
    model.Event,
)

KEPT: t.Final[frozenset[Field]] = frozenset(
    {
        ("Address", "preferred_from"),
        ("Event", "done"),
        ("Fault", "seen"),
        ("Host", "answers_at"),
        ("Host", "asked"),
        ("Host", "booted"),
        ("Host", "clock"),
        ("Host", "configured"),
        ("Host", "machine"),
        ("Host", "made"),
        ("Host", "outer"),
        ("Host", "processes"),
        ("Host", "restart_at"),
        ("HostAdapter", "device"),
        ("Vm", "move"),
        ("Vm", "started"),
        ("Vm", "was_running"),
    }
)
"""What the simulator itself writes into the state file, and the links between hosts; nobody needs it in a profile."""

MEANINGS: t.Final[dict[Field, str]] = {
    ("Adapter", "addresses"): "What the guest reports once it has booted.",
    ("Adapter", "dynamic_mac"): "Whether the host chooses the MAC address.",
    ("Adapter", "id"): "A GUID; made from the name when left out.",
    ("Adapter", "legacy"): "An emulated adapter (generation 1 only).",
    ("Adapter", "mac"): "MAC address; zeros: the host chooses one at the first start.",
    ("Adapter", "mac_address_spoofing"): "Whether MAC address spoofing is on.",
    ("Adapter", "name"): "Several adapters may have one name.",
    ("Address", "address"): "IPv4 or IPv6 address.",
    ("Address", "on"): "Name of the host's network adapter that has the address.",
    ("Address", "origin"): "How the address came to be.",
    ("Address", "prefix_length"): "Length of the prefix.",
    ("Address", "state"): "State of duplicate address detection.",
    ("Checkpoint", "automatic"): "Made by Hyper-V itself when the VM was started.",
    ("Checkpoint", "id"): "A GUID; made from the name when left out.",
    ("Checkpoint", "name"): "Its name.",
    ("Checkpoint", "type"): "Its kind.",
    ("Cpu", "logical_processors"): "Number of logical processors.",
    ("Cpu", "name"): "As Windows shows it.",
    ("Cpu", "vendor"): "Decides which rules of nested virtualization hold.",
    ("Disk", "parent"): "Path of the parent of a differencing disk.",
    ("Disk", "path"): "Its path on the host.",
    ("Disk", "size"): "What the guest sees.",
    ("Disk", "type"): "Its kind.",
    ("Drive", "controller"): "Kind of the controller; IDE in generation 1 only.",
    ("Drive", "kind"): "Hard disk drive or DVD drive.",
    ("Drive", "location"): "Place on the controller.",
    ("Drive", "number"): "Number of the controller.",
    ("Drive", "path"): "The file in it; none: an empty DVD drive.",
    ("Fault", "category"): "PowerShell's error category.",
    ("Fault", "message"): "The error's text, in English.",
    ("Guest", "ignores_shutdown"): "It is asked to shut down, and goes on running.",
    ("Guest", "installed"): "Whether there is an operating system at all.",
    ("Guest", "shutdown_seconds"): "From being asked until the VM is off.",
    ("Host", "adapters"): "Network adapters of the host; those of switches are added where they are left out.",
    ("Host", "addresses"): "IP addresses of the host.",
    ("Host", "build"): "Build number of its Windows.",
    ("Host", "client"): "Client Windows (Windows 11), with what only a client has.",
    ("Host", "cpu"): "Its processor.",
    ("Host", "default_version"): "Configuration version of new VMs.",
    ("Host", "disks"): "Virtual hard disks and ISO files; those of drives are added where they are left out.",
    ("Host", "events"): "Things that somebody else does in between.",
    ("Host", "faults"): "Cmdlets that do not do what they should.",
    ("Host", "language"): "Language of the host's messages. They are not Windows's own words; ids and categories stay.",
    ("Host", "memory"): "Physical memory.",
    ("Host", "name"): "Computer name.",
    ("Host", "nats"): "NetNat objects.",
    ("Host", "product"): "Name of its Windows.",
    ("Host", "supported_versions"): "Configuration versions that it can run.",
    ("Host", "switches"): "Virtual switches.",
    ("Host", "virtual_hard_disk_path"): "Default folder of new disks.",
    ("Host", "virtual_machine_path"): "Default folder of new VMs.",
    ("Host", "vms"): "Virtual machines.",
    ("Host", "routes"): "IPv4 routes that were set by hand, besides the gateways of adapters.",
    ("HostAdapter", "description"): "Interface description; made up when left out.",
    ("HostAdapter", "hidden"): "Shown with -IncludeHidden only.",
    ("HostAdapter", "index"): "Interface index; 0: the next free one.",
    ("HostAdapter", "mac"): "MAC address; made up when left out.",
    ("HostAdapter", "name"): "Its name; no two have the same.",
    ("HostAdapter", "status"): "State of its link.",
    ("Lease", "address"): "IPv4 address.",
    ("Lease", "dns"): "IPv4 addresses of DNS servers.",
    ("Lease", "prefix_length"): "Length of the prefix.",
    ("Memory", "buffer"): "Per cent of memory held ready.",
    ("Memory", "dynamic"): "Whether dynamic memory is on.",
    ("Memory", "maximum"): "Upper limit of dynamic memory.",
    ("Memory", "minimum"): "Lower limit of dynamic memory.",
    ("Memory", "priority"): "Weight against other VMs.",
    ("Memory", "startup"): "Memory at the start; with static memory all there is.",
    ("Nat", "active"): "Whether the NAT works.",
    ("Nat", "external_prefix"): "External prefix, seldom used.",
    ("Nat", "hidden"): "It belongs to the container network service, and Get-NetNat does not show it.",
    ("Nat", "mappings"): "Forwarded ports.",
    ("Nat", "name"): "Its name.",
    ("Nat", "prefix"): "Internal prefix, such as 192.168.100.0/24.",
    ("PortRange", "first"): "Its first port.",
    ("PortRange", "last"): "Its last port.",
    ("PortRange", "protocol"): "The protocol.",
    ("Processor", "count"): "Number of virtual processors.",
    ("Processor", "expose_virtualization_extensions"): "Whether the VM can run Hyper-V.",
    ("Route", "destination"): "Prefix that it leads to; 0.0.0.0/0 is everything else.",
    ("Route", "metric"): "Of two to one destination, the lower is used.",
    ("Route", "on"): "Name of the host's network adapter by which it leads.",
    ("Route", "next_hop"): "IPv4 address of the router; 0.0.0.0: the destination is on the adapter's own network.",
    ("StaticMapping", "external_address"): "Address outside; 0.0.0.0 means every one.",
    ("StaticMapping", "external_port"): "Port outside.",
    ("StaticMapping", "id"): "Its number.",
    ("StaticMapping", "internal_address"): "Address of the guest.",
    ("StaticMapping", "internal_port"): "Port of the guest.",
    ("StaticMapping", "protocol"): "Its protocol.",
    ("StaticMapping", "remote_prefix"): "For whom it is there.",
    ("Switch", "allow_management_os"): "Whether the host shares an external switch's adapter.",
    ("Switch", "id"): "A GUID; made from the name when left out.",
    ("Switch", "name"): "Several switches may have one name.",
    ("Switch", "notes"): "Notes.",
    ("Switch", "type"): "Its kind.",
    ("Vm", "adapters"): "Network adapters; `[{}]` is one that is not connected.",
    ("Vm", "automatic_start_action"): "What happens when the host starts.",
    ("Vm", "automatic_stop_action"): "What happens when the host stops.",
    ("Vm", "checkpoint_type"): "Kind of new checkpoints.",
    ("Vm", "checkpoints"): "Checkpoints.",
    ("Vm", "clustered"): "It is a role of a failover cluster.",
    ("Vm", "drives"): "Drives.",
    ("Vm", "generation"): "1 or 2.",
    ("Vm", "guest"): "How its operating system behaves.",
    ("Vm", "id"): "A GUID; made from the name when left out.",
    ("Vm", "memory"): "Memory.",
    ("Vm", "name"): "Several VMs may have one name.",
    ("Vm", "notes"): "Notes.",
    ("Vm", "path"): "Folder of its configuration; the host's default when left out.",
    ("Vm", "processor"): "Virtual processors.",
    ("Vm", "secure_boot"): "Secure Boot of generation 2.",
    ("Vm", "secure_boot_template"): "Secure Boot template.",
    ("Vm", "shielded"): "A shielded VM.",
    ("Vm", "state"): "Power state in Hyper-V's own words.",
    ("Vm", "tpm"): "Has a virtual TPM.",
    ("Vm", "vbs_opt_out"): "May not use virtualization-based security.",
}


def main() -> int:
    """Write the page, or say that it is stale."""
    parser = argparse.ArgumentParser(description="write the generated parts of docs/simulator.md")
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 when the page is stale")
    before = PAGE.read_text(encoding="utf-8")
    after = renewed(before)
    if parser.parse_args().check:
        if after != before:
            print(f"docs/{PAGE.name} is stale: run tools/profile_docs.py")
        return int(after != before)
    PAGE.write_text(after, encoding="utf-8")
    return 0


def renewed(page: str) -> str:
    """The page with its generated parts as they should be."""
    for name, part in (("profile format", _format()), ("profiles", _shipped()), ("cmdlets", _cmdlets())):
        begin, end = f"<!-- generated: {name} -->\n", f"<!-- end of {name} -->\n"
        head, begun, rest = page.partition(begin)
        _old, ended, tail = rest.partition(end)
        if not begun or not ended:
            sys.exit(f"docs/{PAGE.name} has no lines {begin!r} and {end!r}")
        page = f"{head}{begin}\n{part}\n{end}{tail}"
    return page


# --- the profile format ---


def _format() -> str:
    documented = _documented()
    fields = {(kind.__name__, field.name) for kind in CLASSES for field in dataclasses.fields(kind)}
    wanted = fields - documented.keys() - KEPT
    unknown, missing = (MEANINGS.keys() | KEPT) - fields, wanted - MEANINGS.keys()
    if unknown or missing:
        sys.exit(f"MEANINGS: no such fields: {sorted(unknown)}; not explained: {sorted(missing)}")
    meanings = MEANINGS | documented
    return "\n".join(_table(kind, meanings) for kind in CLASSES)


def _documented() -> dict[Field, str]:
    """The texts below the fields in model.py."""
    found: dict[Field, str] = {}
    for kind in ast.parse(inspect.getsource(model)).body:
        if isinstance(kind, ast.ClassDef):
            for field, text in zip(kind.body, kind.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                    found[kind.name, t.cast("ast.Name", field.target).id] = " ".join(str(text.value.value).split())
    return found


def _table(kind: type[t.Any], meanings: dict[Field, str]) -> str:
    hints = t.get_type_hints(kind)
    name = kind.__name__
    purpose = " ".join((inspect.getdoc(kind) or "").split())
    lines = [f"### {name}", "", purpose, "", "| key | value | when left out | meaning |", "| --- | --- | --- | --- |"]
    for field in dataclasses.fields(kind):
        if (name, field.name) not in KEPT:
            cells = (f"`{field.name}`", _kind(hints[field.name]), _default(field, hints[field.name]), meanings[name, field.name])
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _kind(hint: t.Any) -> str:
    origin, arguments = t.get_origin(hint), t.get_args(hint)
    if origin in (t.Union, types.UnionType):
        return _kind(next(each for each in arguments if each is not types.NoneType))
    if origin is list:
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return "mapping"
    if origin is t.Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if hint is Size:
        return "size"
    if dataclasses.is_dataclass(hint):
        name = t.cast("type", hint).__name__
        return f"[{name}](#{name.lower()})"
    return {str: "text", int: "number", float: "number", bool: "true or false"}[hint]


def _default(field: dataclasses.Field[t.Any], hint: t.Any) -> str:
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
        return "its defaults" if dataclasses.is_dataclass(value) else _list(value)
    value = field.default
    if value is dataclasses.MISSING:
        return "required"
    if value is None or value == "":
        return ""
    if hint is Size:
        return f"`{_size(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _list(value: t.Any) -> str:
    return f"`{', '.join(value)}`" if value else "none"


def _size(count: int) -> str:
    unit, factor = next((unit, factor) for unit, factor in (("GB", model.GB), ("MB", model.MB)) if count % factor == 0)
    return f"{count // factor}{unit}"


# --- what is shipped, and what is simulated ---


def _shipped() -> str:
    lines = ["| profile | Windows | build | processor | configuration versions |", "| --- | --- | --- | --- | --- |"]
    for name in profiles.shipped():
        host = profiles.load_profile(name)
        lowest = host.supported_versions[0]
        lines.append(f"| `{name}` | {host.product} | {host.build} | {host.cpu.name} | {lowest} to {host.default_version} |")
    return "\n".join(lines) + "\n"


def _cmdlets() -> str:
    commands.load()
    lines = ["| cmdlet | parameters |", "| --- | --- |"]
    for name, cmdlet in sorted(CMDLETS.items()):
        known = inspect.getclosurevars(cmdlet).nonlocals["known"] - simulates._WITHOUT_MEANING  # noqa: SLF001
        module, _slash, short = name.partition("\\")
        words = " ".join(f"`-{parameter}`" for parameter in sorted(known, key=str.lower))
        lines.append(f"| `{short}` ({module}) | {words} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
