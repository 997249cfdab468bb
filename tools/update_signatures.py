# Copyright (c) 2026 hyperlab.nested contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make plugins/plugin_utils/_simulator/signatures.json from the cmdlet pages' extract and the corrections below.

python tools/update_signatures.py CMDLETS_JSON            write the file
python tools/update_signatures.py CMDLETS_JSON --check    exit 1 when the file differs from what would be written

CMDLETS_JSON is what was read from Microsoft's documentation: {cmdlet: {module, versions, supports_should_process, default_set,
parameter_sets: {version: {set: [name, or name* when mandatory]}}, parameters: {name: {type, aliases, accepted_values, versions}}}}.
The pages do not say everything, and not all they say can be so. "doubts" in comments is signature-doubts.md, the list of those
places; "facts" is hyperv-facts.md; "knowledge" is general knowledge of PowerShell that no document at hand confirms.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import typing as t

VERSIONS = ["2016", "2019", "2022", "2025"]
TARGET = pathlib.Path(__file__).resolve().parents[1] / "plugins" / "plugin_utils" / "_simulator" / "signatures.json"

# What stands after the comma of an error's id. CDXML modules (NetNat, NetTCPIP, NetAdapter, DnsClient) are functions: their name.
CLASSES = {
    "Hyper-V": "Microsoft.HyperV.PowerShell.Commands.{verb}{noun}",
    "Dism": "Microsoft.Dism.Commands.{verb}{noun}Command",  # knowledge
    "ServerManager": "Microsoft.Windows.ServerManager.Commands.{verb}{noun}Command",
    "CimCmdlets": "Microsoft.Management.Infrastructure.CimCmdlets.{verb}{noun}Command",
    "Microsoft.PowerShell.Core": "Microsoft.PowerShell.Commands.{verb}{noun}Command",
    "Microsoft.PowerShell.Diagnostics": "Microsoft.PowerShell.Commands.{verb}{noun}Command",
    "Microsoft.PowerShell.Management": "Microsoft.PowerShell.Commands.{verb}{noun}Command",
    "Microsoft.PowerShell.Utility": "Microsoft.PowerShell.Commands.{verb}{noun}Command",
}
# facts: Install-WindowsFeature fails as AddWindowsFeatureCommand; its opposite by analogy
CLASS_VERBS = {"Install-WindowsFeature": "Add", "Uninstall-WindowsFeature": "Remove"}

# The .NET namespaces of types; those of System need no entry. A module's own types are in its namespace, CDXML's below the noun.
NAMESPACES = {
    "Hyper-V": "Microsoft.HyperV.PowerShell",
    "Dism": "Microsoft.Dism.Commands",
    "ServerManager": "Microsoft.Windows.ServerManager.Commands",
    "": "Microsoft.PowerShell.Cmdletization.GeneratedTypes",
}
SHARED = {
    "CimClass": "Microsoft.Management.Infrastructure",
    "CimInstance": "Microsoft.Management.Infrastructure",
    "CimSession": "Microsoft.Management.Infrastructure",
    "RecordType": "Microsoft.DnsClient.Commands",
    "Hashtable": "System.Collections",
    "IDictionary": "System.Collections",
    "Job": "System.Management.Automation",
    "PSCredential": "System.Management.Automation",
    "PSObject": "System.Management.Automation",
    "SwitchParameter": "System.Management.Automation",
}
SYSTEM = set("Boolean Byte Guid Int16 Int32 Int64 String TimeSpan UInt16 UInt32 UInt64 Uri Version".split())  # noqa: SIM905
# doubts: Feature[] takes names, so the class converts; CimSession takes computer names (knowledge)
FROM_STRING = {"CimSession", "Feature"}

# Numbers of enums, and members that a page leaves out (facts 9.1). An enum that is not here counts from 0 in the page's order.
ENUMS: dict[str, dict[str, int]] = {
    "AddressFamily": {"IPv4": 2, "IPv6": 23},
    "AddressState": {"Invalid": 0, "Tentative": 1, "Duplicate": 2, "Deprecated": 3, "Preferred": 4},
    "CheckpointType": {"Disabled": 2, "Production": 3, "ProductionOnly": 4, "Standard": 5},
    "ConnectionState": {"Disconnected": 0, "Connected": 1},
    "CriticalErrorAction": {"None": 0, "Pause": 1},
    "Dhcp": {"Disabled": 0, "Enabled": 1},
    "OnOffState": {"On": 0, "Off": 1},
    # the members of Resolve-DnsName's page that name records of addresses; the others are many, and nothing here asks for them
    "RecordType": {"A_AAAA": 0, "A": 1, "AAAA": 28},
    "PrefixOrigin": {"Other": 0, "Manual": 1, "WellKnown": 2, "Dhcp": 3, "RouterAdvertisement": 4},
    "SnapshotType": {
        "Standard": 0,
        "Recovery": 1,
        "Planned": 2,
        "Missing": 5,
        "Replica": 6,
        "AppConsistentReplica": 7,
        "SyncedReplica": 8,
    },
    "StartAction": {"Nothing": 2, "StartIfRunning": 3, "Start": 4},
    "StopAction": {"TurnOff": 2, "Save": 3, "ShutDown": 4},
    "SuffixOrigin": {"Other": 0, "Manual": 1, "WellKnown": 2, "Dhcp": 3, "Link": 4, "Random": 5},
    "VMNetworkAdapterPortMirroringMode": {"None": 0, "Destination": 1, "Source": 2},
    "VMSwitchBandwidthMode": {"Default": 0, "Weight": 1, "Absolute": 2, "None": 3},
    "VMSwitchType": {"Private": 0, "Internal": 1, "External": 2},
    "WaitVMTypes": {"Heartbeat": 0, "IPAddress": 1, "Reboot": 2, "MemoryOperations": 3},
}

# What to add to or change in single parameters.
PARAMETERS: dict[tuple[str, str], dict[str, t.Any]] = {
    # ranges from the prose (doubts)
    ("Set-VMMemory", "Buffer"): {"range": [5, 2000]},
    ("Set-VMMemory", "Priority"): {"range": [0, 100]},
    ("Set-VMProcessor", "Maximum"): {"range": [0, 100]},
    ("Set-VMProcessor", "RelativeWeight"): {"range": [1, 10000]},
    ("Set-VMProcessor", "Reserve"): {"range": [0, 100]},
    # doubts: an enum of three, of which this one takes two
    ("New-VMSwitch", "SwitchType"): {"accepted": ["Internal", "Private"]},
    # facts 4: the one parameter that is known to be Nullable
    ("Set-VMNetworkAdapter", "MacAddressSpoofing"): {"nullable": True},
    # doubts: an enum without values
    ("Get-NetRoute", "State"): {"type": "String[]"},
    ("Remove-NetRoute", "State"): {"type": "String[]"},
    # doubts: the page gives a Boolean the accepted values False and True
    ("Set-NetNat", "UdpInboundRefresh"): {"accepted": None},
}
# doubts: ValidateNotNullOrEmpty on these of the Hyper-V module; one case is known
NOT_EMPTY = {"Name", "VMName"}

# CDXML ties an object parameter to one CIM class (doubts, assumed): -InputObject to that of its noun.
CIM_CLASSES = {
    "AssociatedAdapter": "MSFT_NetAdapter",
    "AssociatedIPAddress": "MSFT_NetIPAddress",
    "AssociatedIPInterface": "MSFT_NetIPInterface",
    "AssociatedNeighbor": "MSFT_NetNeighbor",
    "AssociatedRoute": "MSFT_NetRoute",
    "DnsClientServerAddress": "MSFT_DNSClientServerAddress",
}

# Not among the pages. Knowledge, and on purpose only the part that the collection can use: jobs as objects, not by id, name, session
# or computer, except that Remove-Job's default set is kept, so that a call without a job misses what it misses on Windows. Files by
# their literal path only: the other set of Remove-Item reads wildcards. Of Restart-Computer a part of its default set.
# Get-NetNeighbor, Test-NetConnection and Resolve-DnsName are documented, and only missing in the extract: docset winserver2022-ps of
# MicrosoftDocs/windows-powershell-docs at f113d6bd; the last of them is no CDXML, unlike its module (gh:MultiPoolMiner/MultiPoolMiner#439).
# So are Get-WinEvent, of which only the set that reads a log is here, and Test-Connection without what chooses a way to another machine:
# reference/5.1 of MicrosoftDocs/PowerShell-Docs.
BY_HAND: dict[str, dict[str, t.Any]] = {
    "Receive-Job": {
        "module": "Microsoft.PowerShell.Core",
        "versions": VERSIONS,
        "supports_should_process": False,
        "default_set": "Location",
        "parameter_sets": {"2025": {"Location": ["Job*", "Keep", "Wait", "Force", "NoRecurse", "AutoRemoveJob"]}},
        "parameters": {
            "Job": {"type": "Job[]"},
            "Keep": {"type": "SwitchParameter"},
            "Wait": {"type": "SwitchParameter"},
            "Force": {"type": "SwitchParameter"},
            "NoRecurse": {"type": "SwitchParameter"},
            "AutoRemoveJob": {"type": "SwitchParameter"},
        },
    },
    "Remove-Job": {
        "module": "Microsoft.PowerShell.Core",
        "versions": VERSIONS,
        "supports_should_process": True,
        "default_set": "SessionIdParameterSet",
        "parameter_sets": {"2025": {"SessionIdParameterSet": ["Id*", "Force"], "JobParameterSet": ["Job*", "Force"]}},
        "parameters": {
            "Job": {"type": "Job[]"},
            "Id": {"type": "Int32[]"},
            "Force": {"type": "SwitchParameter", "aliases": ["F"]},
        },
    },
    "Remove-Item": {
        "module": "Microsoft.PowerShell.Management",
        "versions": VERSIONS,
        "supports_should_process": True,
        "default_set": "Path",
        "parameter_sets": {"2025": {"Path": ["Path*", "Recurse", "Force"], "LiteralPath": ["LiteralPath*", "Recurse", "Force"]}},
        "parameters": {
            "Path": {"type": "String[]"},
            "LiteralPath": {"type": "String[]", "aliases": ["PSPath"]},
            "Recurse": {"type": "SwitchParameter"},
            "Force": {"type": "SwitchParameter"},
        },
    },
    "Get-ItemProperty": {
        "module": "Microsoft.PowerShell.Management",
        "versions": VERSIONS,
        "supports_should_process": False,
        "default_set": "Path",
        "parameter_sets": {"2025": {"Path": ["Path*", "Name"], "LiteralPath": ["LiteralPath*", "Name"]}},
        "parameters": {
            "Path": {"type": "String[]"},
            "LiteralPath": {"type": "String[]", "aliases": ["PSPath"]},
            "Name": {"type": "String[]", "aliases": ["PSProperty"]},
        },
    },
    "Get-NetNeighbor": {
        "module": "NetTCPIP",
        "versions": VERSIONS,
        "supports_should_process": False,
        "default_set": None,
        "parameter_sets": {
            "2025": {
                "__AllParameterSets": [
                    *("IPAddress", "InterfaceIndex", "InterfaceAlias", "LinkLayerAddress", "State", "AddressFamily"),
                    *("AssociatedIPInterface", "PolicyStore", "IncludeAllCompartments", "CimSession", "ThrottleLimit", "AsJob"),
                ]
            }
        },
        "parameters": {
            "IPAddress": {"type": "String[]"},
            "InterfaceIndex": {"type": "UInt32[]", "aliases": ["ifIndex"]},
            "InterfaceAlias": {"type": "String[]", "aliases": ["ifAlias"]},
            "LinkLayerAddress": {"type": "String[]"},
            "State": {
                "type": "State[]",
                "accepted_values": ["Unreachable", "Incomplete", "Probe", "Delay", "Stale", "Reachable", "Permanent"],
            },
            "AddressFamily": {"type": "AddressFamily[]", "accepted_values": ["IPv4", "IPv6"]},
            "AssociatedIPInterface": {"type": "CimInstance"},
            "PolicyStore": {"type": "String"},
            "IncludeAllCompartments": {"type": "SwitchParameter"},
            "CimSession": {"type": "CimSession[]", "aliases": ["Session"]},
            "ThrottleLimit": {"type": "Int32"},
            "AsJob": {"type": "SwitchParameter"},
        },
    },
    "Resolve-DnsName": {
        "module": "DnsClient",
        "class": "Microsoft.DnsClient.Commands.ResolveDnsName",
        "versions": VERSIONS,
        "supports_should_process": False,
        "default_set": None,
        "parameter_sets": {
            "2025": {
                "__AllParameterSets": [
                    *("Name*", "Type", "Server", "DnsOnly", "CacheOnly", "DnssecOk", "DnssecCd", "NoHostsFile", "LlmnrNetbiosOnly"),
                    *("LlmnrFallback", "LlmnrOnly", "NetbiosFallback", "NoIdn", "NoRecursion", "QuickTimeout", "TcpOnly"),
                ]
            }
        },
        "parameters": {
            "Name": {"type": "String"},
            "Type": {"type": "RecordType"},
            "Server": {"type": "String[]"},
            **{
                name: {"type": "SwitchParameter"}
                for name in (
                    *("DnsOnly", "CacheOnly", "DnssecOk", "DnssecCd", "NoHostsFile", "LlmnrNetbiosOnly", "LlmnrFallback", "LlmnrOnly"),
                    *("NetbiosFallback", "NoIdn", "NoRecursion", "QuickTimeout", "TcpOnly"),
                )
            },
        },
    },
    "Test-NetConnection": {
        "module": "NetTCPIP",
        "versions": VERSIONS,
        "supports_should_process": False,
        "default_set": "ICMP",
        "parameter_sets": {
            "2025": {
                "ICMP": ["ComputerName", "TraceRoute", "Hops", "InformationLevel"],
                "CommonTCPPort": ["ComputerName", "CommonTCPPort*", "InformationLevel"],
                "RemotePort": ["ComputerName", "Port*", "InformationLevel"],
                "NetRouteDiagnostics": [
                    *("ComputerName", "DiagnoseRouting*", "ConstrainSourceAddress", "ConstrainInterface", "InformationLevel")
                ],
            }
        },
        "parameters": {
            "ComputerName": {"type": "String", "aliases": ["RemoteAddress", "cn"]},
            "TraceRoute": {"type": "SwitchParameter"},
            "Hops": {"type": "Int32"},
            "CommonTCPPort": {"type": "String", "accepted_values": ["HTTP", "RDP", "SMB", "WINRM"]},
            "Port": {"type": "Int32", "aliases": ["RemotePort"]},
            "DiagnoseRouting": {"type": "SwitchParameter"},
            "ConstrainSourceAddress": {"type": "String"},
            "ConstrainInterface": {"type": "UInt32"},
            "InformationLevel": {"type": "String", "accepted_values": ["Quiet", "Detailed"]},
        },
    },
    "Get-WinEvent": {
        "module": "Microsoft.PowerShell.Diagnostics",
        "versions": VERSIONS,
        "supports_should_process": False,
        "default_set": "GetLogSet",
        "parameter_sets": {
            "2025": {"GetLogSet": ["LogName", "MaxEvents", "ComputerName", "Credential", "FilterXPath", "Force", "Oldest"]},
        },
        "parameters": {
            "LogName": {"type": "String[]"},
            "MaxEvents": {"type": "Int64"},
            "ComputerName": {"type": "String", "aliases": ["Cn"]},
            "Credential": {"type": "PSCredential"},
            "FilterXPath": {"type": "String"},
            "Force": {"type": "SwitchParameter"},
            "Oldest": {"type": "SwitchParameter"},
        },
    },
    "Test-Connection": {
        "module": "Microsoft.PowerShell.Management",
        "versions": VERSIONS,
        "supports_should_process": False,
        "default_set": "Default",
        "parameter_sets": {
            "2025": {
                "Default": ["ComputerName*", "AsJob", "BufferSize", "Count", "ThrottleLimit", "TimeToLive", "Delay"],
                "Quiet": ["ComputerName*", "BufferSize", "Count", "TimeToLive", "Delay", "Quiet"],
            }
        },
        "parameters": {
            "ComputerName": {"type": "String[]", "aliases": ["CN", "IPAddress", "__SERVER", "Server", "Destination"]},
            "AsJob": {"type": "SwitchParameter"},
            "BufferSize": {"type": "Int32", "aliases": ["Size", "Bytes", "BS"]},
            "Count": {"type": "Int32"},
            "ThrottleLimit": {"type": "Int32"},
            "TimeToLive": {"type": "Int32", "aliases": ["TTL"]},
            "Delay": {"type": "Int32"},
            "Quiet": {"type": "SwitchParameter"},
        },
    },
    "Restart-Computer": {
        "module": "Microsoft.PowerShell.Management",
        "versions": VERSIONS,
        "supports_should_process": True,
        "default_set": "DefaultSet",
        "parameter_sets": {"2025": {"DefaultSet": ["ComputerName", "Credential", "Force", "Wait", "Timeout", "Delay"]}},
        "parameters": {
            "ComputerName": {"type": "String[]", "aliases": ["CN", "__SERVER", "Server", "IPAddress"]},
            "Credential": {"type": "PSCredential"},
            "Force": {"type": "SwitchParameter"},
            "Wait": {"type": "SwitchParameter"},
            "Timeout": {"type": "Int32", "aliases": ["TimeoutSec"]},
            "Delay": {"type": "Int16"},
        },
    },
    "Get-Service": {
        "module": "Microsoft.PowerShell.Management",
        "versions": VERSIONS,
        "supports_should_process": False,
        "default_set": "Default",
        "parameter_sets": {"2025": {"Default": ["Name"]}},
        "parameters": {"Name": {"type": "String[]", "aliases": ["ServiceName"]}},
    },
    "Start-Service": {
        "module": "Microsoft.PowerShell.Management",
        "versions": VERSIONS,
        "supports_should_process": True,
        "default_set": "Default",
        "parameter_sets": {"2025": {"Default": ["Name*", "PassThru"]}},
        "parameters": {"Name": {"type": "String[]", "aliases": ["ServiceName"]}, "PassThru": {"type": "SwitchParameter"}},
    },
    "Start-Sleep": {
        "module": "Microsoft.PowerShell.Utility",
        "versions": VERSIONS,
        "supports_should_process": False,
        "default_set": "Seconds",
        "parameter_sets": {"2025": {"Seconds": ["Seconds*"], "Milliseconds": ["Milliseconds*"]}},
        "parameters": {"Seconds": {"type": "Int32"}, "Milliseconds": {"type": "Int32"}},
    },
    "Write-Output": {
        "module": "Microsoft.PowerShell.Utility",
        "versions": VERSIONS,
        "supports_should_process": False,
        "default_set": None,
        "parameter_sets": {"2025": {"__AllParameterSets": ["InputObject*", "NoEnumerate"]}},
        "parameters": {"InputObject": {"type": "PSObject[]"}, "NoEnumerate": {"type": "SwitchParameter"}},
    },
}


def build(cmdlets: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The content of signatures.json; raises ValueError when the versions differ in a way that the format cannot say."""
    book: dict[str, t.Any] = {"versions": VERSIONS, "types": {}, "cmdlets": {}}
    for name, page in {**cmdlets, **BY_HAND}.items():
        book["cmdlets"][f"{page['module']}\\{name}"] = _cmdlet(name, page, book["types"])
    return {key: dict(sorted(value.items())) if isinstance(value, dict) else value for key, value in book.items()}


def _cmdlet(name: str, page: t.Mapping[str, t.Any], types: dict[str, t.Any]) -> dict[str, t.Any]:
    verb, _dash, noun = name.partition("-")
    usual = CLASSES.get(page["module"], name).format(verb=CLASS_VERBS.get(name, verb), noun=noun)
    return {
        "class": page.get("class", usual),
        "compiled": page["module"] in CLASSES or "class" in page,
        "default": page["default_set"],
        "should_process": page["supports_should_process"],
        "sets": _sets(name, page),
        "parameters": {key: _parameter(name, key, page, types) for key in page["parameters"]},
    }


def _versions(page: t.Mapping[str, t.Any], parameter: str) -> list[str]:
    """CimCmdlets are documented once, as ps5.1: that is every Windows."""
    found = page["parameters"][parameter].get("versions", VERSIONS)
    return [version for version in VERSIONS if version in found] or VERSIONS


def _sets(name: str, page: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    """The newest version's sets, provided that an older one's are the same without the parameters that it lacks."""
    by_version: dict[str, dict[str, list[str]]] = page["parameter_sets"]
    newest = by_version[max(by_version)]
    for version, found in by_version.items():
        expected = {
            key: [one for one in members if version not in VERSIONS or version in _versions(page, one.rstrip("*"))]
            for key, members in newest.items()
        }
        if found != expected:
            raise ValueError(f"{name}: the sets of {version} differ from the newest by more than missing parameters")
    return newest


def _parameter(cmdlet: str, name: str, page: t.Mapping[str, t.Any], types: dict[str, t.Any]) -> str | dict[str, t.Any]:
    facts = page["parameters"][name]
    found: dict[str, t.Any] = {"type": facts["type"], "aliases": facts.get("aliases"), "accepted": facts.get("accepted_values")}
    if page["module"] == "Hyper-V" and name in NOT_EMPTY:
        found["not_empty"] = True
    if page["module"] not in CLASSES and facts["type"].startswith("CimInstance"):
        noun = cmdlet.partition("-")[2]
        found["cim_class"] = CIM_CLASSES.get(noun if name == "InputObject" else name, f"MSFT_{noun}")
    if _versions(page, name) != VERSIONS:
        found["versions"] = _versions(page, name)
    correction = PARAMETERS.get((cmdlet, name), {})
    found |= correction
    found["type"], is_enum = _type(cmdlet, found, page["module"], types)
    if is_enum and "accepted" not in correction:
        del found["accepted"]  # on a page these are an enum's members; on a number they are a ValidateSet
    found = {key: value for key, value in found.items() if value}
    return t.cast("str", found["type"]) if set(found) == {"type"} else found


def _type(cmdlet: str, found: t.Mapping[str, t.Any], module: str, types: dict[str, t.Any]) -> tuple[str, bool]:
    """The type as the file names it, registered in `types`, and whether it is an enum."""
    short = found["type"].removesuffix("[]")
    if short in SYSTEM:
        return found["type"], False
    is_enum = short in ENUMS or (bool(found["accepted"]) and short not in SHARED)
    key = short
    if short in SHARED:
        about: dict[str, t.Any] = {"name": f"{SHARED[short]}.{short}"}
    elif module in CLASSES:
        about = {"name": f"{NAMESPACES[module]}.{short}"}
    else:
        key = f"{cmdlet.partition('-')[2]}.{short}"
        about = {"name": f"{NAMESPACES['']}.{key}"}
    if is_enum:
        numbers = ENUMS.get(short) or {member: number for number, member in enumerate(found["accepted"])}
        about["members"] = dict(sorted(numbers.items(), key=lambda member: member[1]))
    if short in FROM_STRING:
        about["from_string"] = True
    if types.setdefault(key, about) != about:
        raise ValueError(f"{cmdlet}: two different types are called {key}")
    return key + found["type"].removeprefix(short), is_enum


def render(book: t.Mapping[str, t.Any]) -> str:
    """One type, set or parameter a line, so that a difference can be read."""
    parts = [
        f'"versions": {json.dumps(book["versions"])}',
        f'"types": {_block(book["types"], 1)}',
        '"cmdlets": {\n' + ",\n".join(f" {json.dumps(name)}: {_entry(entry)}" for name, entry in book["cmdlets"].items()) + "\n}",
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _entry(entry: t.Mapping[str, t.Any]) -> str:
    head = ", ".join(f"{json.dumps(key)}: {json.dumps(entry[key])}" for key in ("class", "compiled", "default", "should_process"))
    blocks = ",\n".join(f'  "{key}": {_block(entry[key], 3)}' for key in ("sets", "parameters"))
    return f"{{\n  {head},\n{blocks}\n }}"


def _block(values: t.Mapping[str, t.Any], indent: int) -> str:
    lines = ",\n".join(f"{' ' * indent}{json.dumps(key)}: {json.dumps(value)}" for key, value in values.items())
    return f"{{\n{lines}\n{' ' * (indent - 1)}}}"


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or with --check 1 when the file is not up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cmdlets", type=pathlib.Path, help="cmdlets.json, what was read from the documentation")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when the file would change")
    parser.add_argument("--target", type=pathlib.Path, default=TARGET, help="the file to write (default: %(default)s)")
    options = parser.parse_args(arguments)
    wanted = render(build(json.loads(options.cmdlets.read_text(encoding="utf-8"))))
    if options.check:
        same = options.target.exists() and options.target.read_text(encoding="utf-8") == wanted
        print(f"{options.target}: {'up to date' if same else 'differs from ' + str(options.cmdlets)}")
        return 0 if same else 1
    options.target.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
