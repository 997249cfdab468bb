"""A pretended Windows machine on loopback, for the real clients: WinRM and PSRP over HTTP and HTTPS, and SSH.

Only the doors are built here; behind them stands whatever runs a runner call, usually the simulator. From outside to inside:

    network.py       a thread with an event loop, on which remote hosts live; certificates and accounts are its own
    host.py          RemoteHost: three doors, the shells behind them, what was asked of it, and what was planned to go wrong
    http_door.py     an HTTP connection: reading, logging on, answering, breaking
    logon.py         Basic, and NTLM with message encryption
    ssh_door.py      the door for OpenSSH's client
    envelope.py      WS-Management messages and faults
    shells.py        WinRS: a shell's commands, their input and output
    runspaces.py     PSRP: the same shells with PowerShell remoting inside
    runner_call.py   tells the runner's command line from any other
    effects.py       what can go wrong with a request

What the protocols say, and what each client really reads of them, is told with sources in the project's notes on the WSMan
server; what is not measured on Windows says so there. Nothing here sleeps, and one thread serves any number of hosts.
"""
