"""Files into a guest and out of it, by a pretended disk that stands behind the two command lines."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import typing as t

import pytest
from ansible.errors import AnsibleError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.hyperlab.nested.plugins.plugin_utils import _files
from ansible_collections.hyperlab.nested.plugins.plugin_utils._direct import Guest
from ansible_collections.hyperlab.nested.plugins.plugin_utils._files import FileRefused, GuestFile, fetch_line, put_line
from ansible_collections.hyperlab.nested.plugins.plugin_utils._request import PREFIX
from ansible_collections.hyperlab.nested.plugins.plugin_utils._wire import GuestLost
from ansible_collections.hyperlab.nested.tests import guests
from ansible_collections.hyperlab.nested.tests.guests import Disks

if t.TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

GUEST = Guest("hv01", "l1", "Administrator", "canary")
WHO = "the guest of VM 'l1' on host 'hv01'"
PATH = "C:\\Temp\\größer [1] 'x'.bin"
PART = f"{PATH}.hyperlab-part"
BYTES = bytes(range(256)) * 10
"""Ten pieces of the size that the tests set."""
AGAIN = "the next copy to the same place replaces it"


class Windows:
    """A guest that runs the command lines; `says` may stand for its answer to the call of that number."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.disks = Disks(folder / "disks")
        self.folder = self.disks.folder("L1", "C:\\Temp")
        self.orders: list[dict[str, t.Any]] = []
        self.says: dict[int, Callable[[bytes], bytes | Exception]] = {}

    def __call__(self, line: str, data: bytes) -> tuple[int, bytes, bytes]:
        self.orders.append(json.loads(data.split(b"\n")[0]))
        answer: bytes | Exception = self.disks.run("L1", line, data)
        if says := self.says.get(len(self.orders)):
            answer = says(t.cast("bytes", answer))
        if isinstance(answer, Exception):
            raise answer
        return 0, answer, b"stderr"

    def file(self, path: str = PATH) -> GuestFile:
        return GuestFile(GUEST, path, self)

    def write(self, data: bytes = BYTES, path: str = PATH) -> None:
        self.file(path).write(io.BytesIO(data))

    def read(self, path: str = PATH) -> bytes:
        return b"".join(self.file(path).read())

    def lies(self) -> set[str]:
        """The names of the files that lie in the folder."""
        return {each.name for each in self.folder.iterdir()}

    def holds(self, path: str = PATH) -> bytes | None:
        place = self.disks.at("L1", path)
        return place.read_bytes() if place.exists() else None


@pytest.fixture
def windows(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Windows:
    monkeypatch.setattr(_files, "PIECE", 256)
    return Windows(tmp_path)


def breaks(_answer: bytes) -> Exception:
    return GuestLost("the way broke")


def never_came(_answer: bytes) -> Exception:
    return GuestLost("the way broke", nothing_ran=True)


# --- what is sent


@pytest.mark.parametrize("line", [put_line(), fetch_line()])
def test_the_command_line_fits_and_says_nothing_of_the_file(line: str) -> None:
    assert line.startswith(PREFIX)
    assert len(line) < 8_191 - 100, "what cmd.exe takes, with its own switches around it"
    script = base64.b64decode(line.removeprefix(PREFIX)).decode("utf-16-le")
    assert script.isascii()
    assert "BODY" not in script
    assert [script.count(each) for each in "{(["] == [script.count(each) for each in "})]"]


def test_the_constants_in_the_scripts_are_those_of_the_file() -> None:
    assert f"$path + '{_files.PART}'" in _files._PUT
    own = {int(code) for code in re.findall(r"IO\.IOException '[a-z ]+', (\d+)\)", _files._FRAME + _files._PUT + _files._FETCH)}
    assert own == {guests.FOLDER, guests.OTHER_BYTES, guests.OTHER_LENGTH}
    assert own <= set(_files._REASONS)


SIZES = [(0, 1), (1, 1), (255, 1), (256, 1), (257, 2), (512, 2), (2560, 10)]


@pytest.mark.parametrize(("size", "pieces"), SIZES)
def test_a_file_goes_there_and_comes_back_piece_by_piece(windows: Windows, size: int, pieces: int) -> None:
    data = BYTES[:size]
    windows.write(data)
    assert windows.holds() == data
    assert len(windows.lies()) == 1
    digests = [order["sha256"] for order in windows.orders]
    assert digests == [""] * (pieces - 1) + [hashlib.sha256(data).hexdigest()]
    windows.orders.clear()
    assert windows.read() == data
    assert [order["offset"] for order in windows.orders] == [256 * number for number in range(pieces)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(data=st.binary(max_size=1000))
def test_any_bytes(windows: Windows, data: bytes) -> None:
    windows.write(data)
    assert windows.read() == data


def test_an_older_file_is_replaced_at_the_end_only(windows: Windows) -> None:
    windows.write(b"older")
    seen: list[bytes | None] = []
    windows.disks.meanwhile = lambda: seen.append(windows.holds())
    windows.write(BYTES)
    assert seen == [b"older"] * 9 + [BYTES]


def test_what_a_broken_run_left_is_replaced(windows: Windows) -> None:
    windows.disks.at("L1", PART).write_bytes(b"x" * 10_000)
    windows.write(BYTES)
    assert windows.holds() == BYTES
    assert len(windows.lies()) == 1


# --- what the guest refuses


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (guests.DENIED, "access is denied. Way out: connect as a user who may"),
        (guests.IN_USE, "another process has it open. Way out: "),
        (guests.NO_FOLDER, "there is no such folder. Way out: make the folder first"),
        (guests.OTHER_BYTES, "what arrived is not what was sent, and was thrown away. Way out: run"),
        (-2146233087, "ça ne va pas. Way out: "),
        (0x80040002 - (1 << 32), "ça ne va pas. Way out: "),  # ends like NOT_FOUND, and is none of Windows' own
    ],
)
def test_what_windows_says_is_said(windows: Windows, trouble: int, says: str) -> None:
    windows.disks.trouble["'x'.bin"] = trouble
    with pytest.raises(FileRefused, match=re.escape(f"{WHO}: '{PATH}' was not written: {says}")):
        windows.write()
    with pytest.raises(FileRefused, match=re.escape(f"{WHO}: '{PATH}' was not fetched: {says}")):
        windows.read()
    assert len(windows.orders) == 2
    assert windows.lies() == set()


@pytest.mark.parametrize(
    ("path", "writing", "reading"),
    [
        ("C:\\Temp", "it is a folder. Way out: name a file", "it is a folder"),
        ("C:\\Nowhere\\x", "there is no such folder. Way out: make", "there is no such folder"),
        ("C:\\Temp\\x", "", "there is no such file. Way out: check the name"),
    ],
)
def test_what_is_not_there_and_what_is_a_folder(windows: Windows, path: str, writing: str, reading: str) -> None:
    with pytest.raises(FileRefused, match=re.escape(f"'{path}' was not fetched: {reading}")):
        windows.read(path)
    if writing:
        with pytest.raises(FileRefused, match=re.escape(f"'{path}' was not written: {writing}")):
            windows.write(path=path)
    assert windows.lies() == set()


def test_a_disk_that_gets_full_keeps_nothing_unfinished(windows: Windows) -> None:
    windows.write(b"older")
    windows.disks.room = 600
    with pytest.raises(FileRefused, match=r"the disk is full\. Way out: make room"):
        windows.write(BYTES)
    assert windows.holds() == b"older"
    assert len(windows.lies()) == 1


def test_what_cannot_be_removed_is_named(windows: Windows) -> None:
    windows.disks.room = 600
    windows.disks.keep = True
    with pytest.raises(FileRefused, match=re.escape(f"the disk is full ('{PART}' is left there). Way out")):
        windows.write(BYTES)


@pytest.mark.parametrize("gone", [True, False])
def test_somebody_else_at_the_unfinished_file(windows: Windows, gone: bool) -> None:
    part = windows.disks.at("L1", PART)
    windows.disks.meanwhile = (lambda: part.unlink(missing_ok=True)) if gone else (lambda: part.write_bytes(b"x"))
    with pytest.raises(FileRefused, match=r"it changed while it was copied\. Way out: see that nothing else copies"):
        windows.write(BYTES)
    assert windows.holds() is None


def test_bytes_that_changed_on_the_way_get_no_name(windows: Windows) -> None:
    part = windows.disks.at("L1", PART)
    windows.disks.meanwhile = lambda: part.exists() and part.write_bytes(b"x" * part.stat().st_size)
    with pytest.raises(FileRefused, match="what arrived is not what was sent"):
        windows.write(BYTES)
    assert windows.holds() is None


# --- a file that changes while it is fetched


@pytest.mark.parametrize("change", ["longer", "shorter", "other bytes", "other time"])
def test_a_file_that_changes_while_it_is_fetched(windows: Windows, change: str) -> None:
    windows.write(BYTES)
    place = windows.disks.at("L1", PATH)
    time = place.stat().st_mtime_ns
    later = {"longer": BYTES + b"x", "shorter": BYTES[:-1], "other bytes": b"x" * len(BYTES), "other time": BYTES}[change]

    def happens() -> None:
        place.write_bytes(later)
        same = change != "other time"
        # as far as the time tells, nothing happened: the length and the hash have to
        os.utime(place, ns=(time, time if same else time + 1))

    windows.disks.meanwhile = happens
    with pytest.raises(FileRefused, match=re.escape(f"'{PATH}' was not fetched: it changed while it was copied. Way out: ")):
        windows.read()


# --- a way that breaks, and guests that lie


def test_a_way_that_was_never_there_is_only_that(windows: Windows) -> None:
    windows.says[1] = never_came
    with pytest.raises(GuestLost, match=r"^the way broke$"):
        windows.write()
    assert len(windows.orders) == 1


@pytest.mark.parametrize(("how", "nth"), [(breaks, 1), (breaks, 4), (breaks, 10), (never_came, 4)])
def test_a_way_that_breaks_leaves_no_half_of_a_file(windows: Windows, how: Callable[[bytes], Exception], nth: int) -> None:
    windows.says[nth] = how
    said = re.escape(f"the way broke. Whether '{PATH}' was written is unknown; it is never there in part")
    with pytest.raises(GuestLost, match=f"^{said}$") as caught:
        windows.write(BYTES)
    assert not caught.value.nothing_ran
    assert windows.holds() == (BYTES if nth == 10 else None)
    assert len(windows.lies()) == (nth == 10)
    assert len(windows.orders) == nth + 1, "one try to remove what is unfinished, and no more"


@pytest.mark.parametrize("broken", [{4: breaks}, {4: breaks, 5: breaks}])
def test_what_could_not_be_removed_is_said_and_replaced_by_the_next_one(windows: Windows, broken: dict[int, t.Any]) -> None:
    windows.says = broken
    windows.disks.keep = True
    with pytest.raises(GuestLost, match=re.escape(f"never there in part; '{PART}' may be left there, and {AGAIN}")):
        windows.write(BYTES)
    windows.disks.keep = False
    windows.write(BYTES)
    assert windows.holds() == BYTES
    assert len(windows.lies()) == 1


def test_a_way_that_breaks_while_reading(windows: Windows) -> None:
    windows.write(BYTES)
    windows.orders.clear()
    windows.says[2] = breaks
    with pytest.raises(GuestLost, match=r"^the way broke$"):
        windows.read()


def test_a_file_that_cannot_be_read_to_its_end_here(windows: Windows) -> None:
    class Torn(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 1000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(OSError, match="Input/output"):
        windows.file().write(Torn(BYTES))
    assert windows.lies() == set()


def told(**answer: t.Any) -> bytes:
    return b"hyperlab-file:%s::" % base64.b64encode(json.dumps(answer).encode())


MUTE = f"did not say whether '{PATH}' was DONE (exit code 0); it said: "
OTHER = f"answered in another form than agreed about '{PATH}'. "
LIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", f"{MUTE}stderr. Way out: see that Windows PowerShell"),
    "cut": (told(length=2560)[:-1], MUTE),
    "no base64": (b"hyperlab-file:a::", OTHER),
    "no JSON": (b"hyperlab-file:e30x::", OTHER),
    "no object": (b"hyperlab-file:W10=::", OTHER),
    "no length": (told(written=1), OTHER),
    "another length": (told(length=7, written=1), OTHER),
    "no number": (told(hresult="x"), OTHER),
    "no data": (told(length=2560, written=1), OTHER),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("done", ["written", "fetched"])
def test_a_guest_that_lies_is_named(windows: Windows, lie: str, done: str) -> None:
    answer, says = LIES[lie]
    windows.write(BYTES)
    windows.orders.clear()
    windows.says = {1: lambda _answer: answer}
    with pytest.raises(GuestLost, match="Way out: ") as caught:
        windows.write(BYTES) if done == "written" else windows.read()
    assert f"{WHO} {says.replace('DONE', done)}" in str(caught.value)
    assert not caught.value.nothing_ran


def test_a_guest_that_says_more_than_it_has_is_not_read_for_ever(windows: Windows) -> None:
    data = base64.b64encode(b"x" * 256)
    lie = told(length=256, written=1)[:-1] + data + b":"
    windows.says = dict.fromkeys(range(1, 4), lambda _answer: lie)
    windows.write(b"x" * 256)
    with pytest.raises(GuestLost, match="another form"):
        windows.read()


def test_refusals_are_errors_of_the_task_and_no_loss_of_the_host() -> None:
    assert issubclass(FileRefused, AnsibleError)
    assert not issubclass(FileRefused, GuestLost)
