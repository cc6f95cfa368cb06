from __future__ import annotations

import io
import os
import shutil
import stat
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from coverage import CoverageData

from pytest_vmpilot_cov.cli import progress as progress_
from pytest_vmpilot_cov.cli.progress import Progress
from pytest_vmpilot_cov.collect import archives
from pytest_vmpilot_cov.collect import intake as intake_
from pytest_vmpilot_cov.collect.artifacts import open_artifacts
from pytest_vmpilot_cov.collect.collect import collect
from pytest_vmpilot_cov.collect.intake import is_wanted, why_outside
from pytest_vmpilot_cov.collect.processes import Scope
from pytest_vmpilot_cov.messages import UsageError
from server_hook.coverage_private import close_data
from server_hook.store.records import Record
from server_hook.store.segment import Source, bitmap, line_numbers, to_lines
from server_hook.systems.systems import system
from tests.unit.conftest import a_part, recorded, some_options

LATER = 1_700_000_000.0


def data_file(path: Path, *lines: int) -> Path:
    """Write a data file as coverage.py does, with lines of one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = CoverageData(basename=str(path))
    data.add_lines({"/app/main.py": lines})
    data.write()
    close_data(data)
    os.utime(path, (LATER, LATER))
    return path


def data_folder(path: Path, *lines: int) -> Path:
    """Leave what a server has recorded in a data folder."""
    record = Record("1-a", os.getppid(), "pipeline", ended=1.0)
    recorded(path, record, a_part("pipeline", {Source("/app/main.py"): bitmap(lines)}))
    return path


def read(tmp_path: Path, *words: str) -> tuple[dict[str, list[int]], list[str]]:
    """Gather and collect what was named; return the lines by origin, and the problems, without the folder's name."""
    lines: dict[str, int] = {}
    with open_artifacts(words, str) as found:
        scope = Scope(only=tuple(place.path for place in found.places), known_places=found.places)
        collected = collect(some_options(tmp_path), scope) if found.places else None
        for part in collected.parts if collected else ():
            for measured in part.files.values():
                lines[part.label.origin] = lines.get(part.label.origin, 0) | to_lines(measured)
        problems = [*found.problems, *(collected.problems if collected else ())]
    shown = [problem.replace(f"{tmp_path.resolve()}/", "") for problem in problems]
    return {origin: line_numbers(each) for origin, each in lines.items()}, shown


def refused(path: str, why: str) -> str:
    """Return the message on what cannot be read."""
    return f"{path} cannot be read as coverage data and does not count: {why} (data-unreadable)"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder to work in, and a place for temporary ones of which nothing must be left."""
    for name in ("work", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path / "work"


@pytest.fixture(autouse=True)
def nothing_is_left(here: Path) -> Iterator[None]:
    """See that every copy is removed, whatever was wrong with what it was made of."""
    yield
    assert not list((here.parent / "temporary").iterdir())


def artifacts(folder: Path) -> Path:
    """Make what a download of artifacts leaves: data files and a data folder, some folders down, and other files."""
    data_file(folder / "shard-1/.coverage.tests", 1)
    data_file(folder / "shard-2/deep/.coverage.host.7.x", 2)
    data_file(folder / "shard-3/renamed-coverage.sqlite", 3)
    data_folder(folder / "pod", 4)
    for name in ("coverage.xml", "coverage-notes", "pod/app.py", "shard-1/.coveragerc"):
        (folder / name).write_text("no data")
    return folder


def zipped(folder: Path, target: Path) -> Path:
    """Pack a folder as CI does."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, path.relative_to(folder))
    return target


def tarred(folder: Path, target: Path) -> Path:
    """Pack a folder as ``tar`` does, compressed as its name says."""
    kind = target.suffix.removeprefix(".").replace("tar", "").replace("tgz", "gz")
    with tarfile.open(target, f"w:{kind}") as packed:  # type: ignore[call-overload]
        packed.add(folder, arcname=".")
    return target


ALL = {"unit": [1], "pipeline": [2, 3, 4]}


@pytest.mark.parametrize("word", ["artifacts", "artifacts/*", "artifacts/**", "./art*/", "file://{here}/artifacts"])
def test_folders_are_searched(here: Path, word: str) -> None:
    """A folder without data of its own is searched, hidden files included; what is no data is passed over."""
    artifacts(here / "artifacts")
    assert read(here, word.format(here=here)) == (ALL, [])


def test_a_folder_with_data_of_its_own_is_read_alone(here: Path) -> None:
    """The search ends where it begins in a folder that has data of ours itself."""
    data_file(here / "own/.coverage.tests", 1)
    data_file(here / "own/below/.coverage.tests", 2)
    assert read(here, "own") == ({"unit": [1]}, [])


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz", "named-by-nothing"])
def test_archives_are_opened(here: Path, name: str) -> None:
    """Zip and tar archives are read wherever they are named, lie in a folder, or in each other; nothing else is."""
    artifacts(here / "artifacts")
    pack = tarred if "tar" in name or "tgz" in name else zipped
    pack(here / "artifacts", here / name)
    (here / "folder/inner").mkdir(parents=True)
    shutil.copy(here / name, here / "folder/inner" / (name if "." in name else "a.zip"))
    zipped(here / "folder", here / "outer.zip")
    for word in (name, "folder", "outer.zip", "outer.*"):
        assert read(here, word) == (ALL, []), word


def test_an_archive_keeps_the_age_of_its_files(here: Path) -> None:
    """Data of an archive is as old as it was, not as its copy is; it is called after the archive."""
    data_file(here / "a/.coverage.tests", 1)
    for pack, name in ((zipped, "a.zip"), (tarred, "a.tar")):
        pack(here / "a", here / name)
        with open_artifacts([name], str) as found:
            (place,) = found.places
            (file,) = collect(some_options(here), Scope(only=(place.path,), known_places=found.places)).data_files
        assert (LATER, f"{here}/{name}/.coverage.tests") == (file.written, file.label)


def test_an_uploaded_working_folder_is_known_by_its_processes(here: Path) -> None:
    """Uploading ``.vmpilot-cov`` alone strips its name: the folders of its processes say what it is."""
    data_folder(here / "server", 4)
    zipped(here / "server/.vmpilot-cov", here / "segments.zip")
    zipped(here / "server/.vmpilot-cov/1-a", here / "process.zip")
    for word in ("segments.zip", "process.zip", "server/.vmpilot-cov", "server/.vmpilot-cov/**"):
        assert read(here, word) == ({"pipeline": [4]}, []), word


def test_an_origin_may_be_told(here: Path) -> None:
    """A word in front says whose data a file is that does not say so itself; what says so itself is not changed."""
    artifacts(here / "artifacts")
    expected = {"e2e": [1, 2, 3], "pipeline": [4]}
    assert read(here, "e2e=artifacts") == (expected, [])
    data_file(here / "unit=x", 9)
    assert read(here, "./unit=x", "unit=artifacts/shard-2")[0] == {"pipeline": [9], "unit": [2]}


def test_what_was_named_twice_counts_once(here: Path) -> None:
    """Words that name the same data in several ways give each of it once."""
    artifacts(here / "artifacts")
    with open_artifacts(["artifacts", "artifacts/*", "artifacts/shard-1/.coverage.tests"], str) as found:
        scope = Scope(only=tuple(place.path for place in found.places), known_places=found.places)
        collected = collect(some_options(here), scope)
    assert (len(collected.data_files), len(collected.deliveries)) == (3, 1)


@pytest.mark.parametrize("word", ["gone", "gone/*.tar", "gone.zip"])
def test_what_is_not_there_is_a_mistake(here: Path, word: str) -> None:
    """A word that names nothing at all is a mistake of whoever typed it."""
    with pytest.raises(UsageError) as caught:
        read(here, word)
    assert str(caught.value) == refused(word, "there is no such file or folder")


@pytest.mark.parametrize("word", ["empty", "empty.zip", "memory://nobody/put/anything/here"])
def test_what_holds_nothing_is_named(here: Path, word: str) -> None:
    """A folder, an archive or a prefix without data is named."""
    if word.startswith("memory"):
        pytest.importorskip("fsspec")
    (here / "empty").mkdir()
    zipped(here / "empty", here / "empty.zip")
    expected = f"{word} holds no coverage data: no data file, no .vmpilot-cov and no archive of them (data-nowhere)"
    assert read(here, word) == ({}, [expected])


def hostile_zip(path: Path, octets: bytes) -> None:
    """Write a zip with names that lead out of it, a link, an encrypted member, and good data at the end."""
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("../.coverage.out", octets)
        packed.writestr("a/../../.coverage.out", octets)
        packed.writestr("/tmp/.coverage.out", octets)
        link = zipfile.ZipInfo(".coverage.link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
        packed.writestr(".coverage.secret", octets)
        packed.writestr("x/.coverage.tests", octets)
    raw = path.read_bytes()
    for mark, place in ((b"PK\1\2", 8), (b"PK\3\4", 6)):  # nothing in the standard library encrypts
        begin = [at for at in range(len(raw)) if raw.startswith(mark, at)][4] + place
        raw = raw[:begin] + bytes([raw[begin] | 1]) + raw[begin + 1 :]
    path.write_bytes(raw)


def hostile_tar(path: Path, octets: bytes) -> None:
    """Write a tar with names that lead out of it, links, a pipe, and good data at the end."""
    with tarfile.open(path, "w") as packed:
        for name, kind in [
            ("../.coverage.out", tarfile.REGTYPE),
            ("a/../../.coverage.out", tarfile.REGTYPE),
            ("/tmp/.coverage.out", tarfile.REGTYPE),
            (".coverage.link", tarfile.SYMTYPE),
            (".coverage.secret", tarfile.FIFOTYPE),
            ("x/.coverage.tests", tarfile.REGTYPE),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = len(octets) if kind == tarfile.REGTYPE else 0
            packed.addfile(member, io.BytesIO(octets))


@pytest.mark.parametrize(("write", "last"), [(hostile_zip, "it is encrypted"), (hostile_tar, "it is no file")])
def test_nothing_is_written_outside(here: Path, write: Callable[[Path, bytes], None], last: str) -> None:
    """Names that lead out of an archive, links, pipes and encrypted members are named; the rest counts."""
    write(here / "a.archive", data_file(here.parent / "x", 1).read_bytes())
    before = set(here.parent.rglob("*"))
    reasons = {
        "../.coverage.out": "its name leads out of the archive",
        "a/../../.coverage.out": "its name leads out of the archive",
        "/tmp/.coverage.out": "its name is absolute",
        ".coverage.link": "it is a link, and links are not followed",
        ".coverage.secret": last,
    }
    expected = [refused(f"a.archive/{name}", why) for name, why in reasons.items()]
    assert read(here, "a.archive") == ({"unit": [1]}, expected)
    assert before == set(here.parent.rglob("*"))


def damaged(here: Path) -> Iterable[tuple[str, str]]:
    """Write damaged archives and files; yield each one's name and why it cannot be read."""
    whole = zipped(artifacts(here / "artifacts"), here.parent / "whole.zip").read_bytes()
    (here / "cut.zip").write_bytes(whole[:-30])
    yield "cut.zip", "it is no zip file, or its end is missing"
    (here / "text.tar").write_text("no archive")
    yield "text.tar", "truncated header"
    (here / "packed.tar.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(99))
    if sys.version_info < (3, 14):
        yield "packed.tar.zst", "this Python reads no zstd (from 3.14 on it does); pack it with gzip"
    packed = tarred(here / "artifacts", here.parent / "whole.tar.gz").read_bytes()
    (here / "cut.tar.gz").write_bytes(packed[: len(packed) // 8])
    yield "cut.tar.gz/pod/.vmpilot-cov/1-a/000001.seg", "unexpected end of data"
    yield "cut.tar.gz", "unexpected end of data"
    (here / "text.coverage").write_text("no data file")
    yield "text.coverage", "file is not a database"
    os.mkfifo(here / ".coverage.pipe")
    yield ".coverage.pipe", "it is no file"


def test_what_is_damaged_is_named_and_the_rest_counts(here: Path) -> None:
    """Archives and files that cannot be read are named with the reason, and what was named beside them counts."""
    wrong = list(damaged(here))
    lines, problems = read(here, *(name for name, _ in wrong if "/" not in name), "artifacts")
    assert ALL.items() <= lines.items()
    assert problems[-1].startswith(refused(*wrong.pop(-2)).removesuffix(" (data-unreadable)"))
    assert problems[:-1] == [refused(name, why) for name, why in wrong]


def test_a_damaged_member_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip whose member does not match its checksum is named, and no half of a file counts."""
    monkeypatch.setattr(intake_, "CHUNK_BYTES", 1000)  # the damage is found after a part was copied
    whole = data_file(here / "x", 1).read_bytes()
    path = here / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("damaged/.coverage.tests", whole)
        packed.writestr("whole/.coverage.pipeline", data_file(here / "y", 2).read_bytes())
    raw = bytearray(path.read_bytes())
    raw[10_000] ^= 255
    path.write_bytes(raw)
    name = "damaged/.coverage.tests"
    assert read(here, "a.zip") == ({"pipeline": [2]}, [refused(f"a.zip/{name}", f"Bad CRC-32 for file '{name}'")])


@pytest.mark.skipif(system.user() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(here: Path) -> None:
    """A folder that this user may not list is named, and the rest counts."""
    artifacts(here / "artifacts")
    (here / "artifacts/closed").mkdir(mode=0)
    assert read(here, "artifacts") == (ALL, [refused("artifacts/closed", "Permission denied")])


def test_archives_that_lie_too_deep_are_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that lies in too many others is named, not opened."""
    monkeypatch.setattr(archives, "DEEPEST", 2)
    zipped(artifacts(here / "0"), here / "0.zip")
    for number in range(3):
        (here / f"f{number}").mkdir()
        shutil.move(here / f"{number}.zip", here / f"f{number}")
        zipped(here / f"f{number}", here / f"{number + 1}.zip")
    expected = [refused("3.zip/2.zip/1.zip", "it lies in 2 other archives; unpack some of them")]
    assert read(here, "3.zip")[1][:1] == expected


def test_what_unpacks_to_too_much_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that would fill the disk is stopped and named."""
    monkeypatch.setattr(intake_, "MOST_BYTES", 1 << 16)
    monkeypatch.setattr(intake_, "CHUNK_BYTES", 1000)
    zipped(artifacts(here / "artifacts"), here / "a.zip")
    lines, problems = read(here, "a.zip")
    assert " does not count: more than 6.10352e-05 GiB would have to be copied (data-unreadable)" in problems[0]
    assert (len(lines) > 0, lines != ALL) == (True, True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (".coverage", True),
        ("a/.coverage.host.1.x", True),
        ("a/dot-Coverage.unit", True),
        ("shard.tar.gz", True),
        (".vmpilot-cov/1-a/000001.seg", True),
        (".vmpilot-cov/1-a/record.json", True),
        ("a/.coveragerc", False),
        ("coverage.xml", False),
        (".coverage.x-journal", False),
        ("coverage/index", False),
    ],
)
def test_what_is_taken_out_of_an_archive(name: str, expected: bool) -> None:  # noqa: FBT001 - a parameter
    """Data files, segments and archives are taken out by name; sources, reports and everything else are not."""
    assert expected == is_wanted(name)


def test_names_that_stay_inside() -> None:
    """Two dots that are no folder lead nowhere."""
    assert not why_outside("a..b/..c/.coverage")


class Terminal(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self) -> bool:
        """Be a terminal."""
        return True


def test_progress_is_shown_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long says what it reads, takes it away at the end, and says nothing where nobody looks."""
    for stream, quiet_s in ((Terminal(), 0.0), (Terminal(), 99.0), (io.StringIO(), 0.0)):
        monkeypatch.setattr(progress_, "QUIET_S", quiet_s)
        monkeypatch.setattr(sys, "stderr", stream)
        progress = Progress()
        progress.tick("a.zip/.coverage.tests")
        progress.close()
        shown = "\r\x1b[Kvmpilot-cov: reading, 1 files so far: a.zip/.coverage.tests\r\x1b[K"
        assert stream.getvalue() == (shown if stream.isatty() and not quiet_s else "")
