"""A ZIP in memory: what is safe is read, and each danger has its code."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ParseError
from engine.parsers import archive_zip
from engine.parsers.archive_zip import Limits
from tests.parsers.xdm_archives import Raw, archive, deflated, files, forged, raws, valid

GOOD = Raw(b"A.TXT", b"abc")


def code(data: bytes, limits: Limits = archive_zip.DEFAULT) -> str:
    """The code with which an archive, or one of its entries, is refused; "" when all of it is read."""
    try:
        found = archive_zip.read(data, limits)
        for entry in found.entries:
            found.content(entry)
    except ParseError as error:
        assert error.code in archive_zip.CODES
        assert error.where == "zip" or error.where.startswith("zip[")
        return error.code
    return ""


def contents(data: bytes | memoryview) -> dict[str, bytes]:
    """Every file of an archive, by its name."""
    found = archive_zip.read(data)
    return {entry.name: found.content(entry) for entry in found.entries if not entry.folder}


class TestWhatIsRead:
    """Ordinary archives."""

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    def test_stored_and_deflated(self, method: int) -> None:
        """Both methods of XDM, from bytes or a memoryview."""
        data = archive(files(), method)
        assert contents(data) == files()
        assert contents(memoryview(b"--" + data)[2:]) == files()

    def test_folders_empty_files_and_a_comment(self) -> None:
        """An entry for a folder holds nothing; an empty file and the archive's comment are no trouble."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
            made.mkdir("IHE_XDM")
            made.writestr("IHE_XDM/EMPTY.TXT", b"")
            made.comment = b"x" * 1000
        found = archive_zip.read(stream.getvalue())
        assert [entry.folder for entry in found.entries] == [True, False]
        assert found.content(found.entries[1]) == b""

    def test_an_empty_archive(self) -> None:
        """No entry at all is no error of the ZIP."""
        assert archive_zip.read(archive({})).entries == ()

    def test_written_as_a_stream(self) -> None:
        """Sizes that follow the data (a writer that could not seek) are those of the directory."""

        class Pipe(io.RawIOBase):
            def __init__(self) -> None:
                self.data = b""

            def writable(self) -> bool:
                return True

            def write(self, data: bytes) -> int:  # type: ignore[override]
                self.data += bytes(data)
                return len(data)

        pipe = Pipe()
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("A.TXT", b"abc" * 100)
        assert contents(pipe.data) == {"A.TXT": b"abc" * 100}

    def test_zip64_fields(self) -> None:
        """Sizes and offset in the zip64 field, and a zip64 end record, are read."""
        packed = deflated(b"abc" * 100)
        extra = struct.pack("<HH2Q", 1, 16, 300, len(packed))
        one = Raw(b"A.TXT", b"abc" * 100, size=0xFFFFFFFF, stored=0xFFFFFFFF, extra=b"xx\x00\x00" + extra)
        data = forged(one)
        assert contents(data) == {"A.TXT": b"abc" * 100}
        body, last = data[:-22], data[-22:]
        count, size, start = struct.unpack_from("<HLL", last, 10)
        record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body), 1)
        blank = struct.pack("<4s4H2LH", b"PK\x05\x06", 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        assert contents(body + record + locator + blank) == {"A.TXT": b"abc" * 100}
        assert contents(body + record + locator + last) == {"A.TXT": b"abc" * 100}
        other = last[:12] + struct.pack("<L", size + 1) + last[16:]
        assert code(body + record + locator + other) == "zip-directory-damaged"
        assert code(body + locator + blank) == "zip-directory-damaged"
        two = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body), 2)
        assert code(body + record + two + blank) == "zip-several-disks"

    def test_names(self) -> None:
        """UTF-8 where the entry says so, else CP437."""
        assert list(contents(forged(Raw("é.TXT".encode("cp437"), b"1"), Raw("ê.TXT".encode(), b"2", flags=0x800)))) == [
            "é.TXT",
            "ê.TXT",
        ]

    def test_nothing_is_inflated_but_what_is_asked_for(self) -> None:
        """A broken entry beside the one that is read changes nothing."""
        found = archive_zip.read(forged(GOOD, Raw(b"B.TXT", packed=b"\xff\xff\xff", size=9, crc=0)))
        assert found.content(found.entries[0]) == b"abc"
        with pytest.raises(ParseError, match="zip-data-damaged"):
            found.content(found.entries[1])
        assert found.head(found.entries[0], 2) == b"ab"
        assert found.head(found.entries[1], 2) == b""

    def test_nothing_personal_is_shown(self) -> None:
        """Neither the archive nor an entry shows a name."""
        found = archive_zip.read(forged(Raw(b"DUPONT.TXT", b"1")))
        assert "DUPONT" not in f"{found!r}{found.entries!r}{found.entries[0].__rich_repr__()!r}"


class TestDangers:
    """Each is refused by its own code, before anything is inflated where that can be known."""

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            (b"../../etc/passwd", "zip-name-parent"),
            (b"IHE_XDM/../../x", "zip-name-parent"),
            (b"/etc/passwd", "zip-name-absolute"),
            (b"C:x.txt", "zip-name-absolute"),
            (b"C:/x.txt", "zip-name-absolute"),
            (b"IHE_XDM\\SUBSET01\\METADATA.XML", "zip-name-backslash"),
            (b"A.TXT\x00.EXE", "zip-name-control"),
            (b"A\n.TXT", "zip-name-control"),
            (b"", "zip-name-empty"),
        ],
    )
    def test_names_that_lie_or_climb(self, name: bytes, expected: str) -> None:
        """Traversal, drives, roots, backslashes, NUL and controls."""
        assert code(forged(Raw(name, b"x"))) == expected
        assert code(forged(GOOD, Raw(name, b"x"))) == expected

    def test_name_that_is_not_utf8(self) -> None:
        """A name that says it is UTF-8 and is not."""
        assert code(forged(Raw(b"\xe9.TXT", b"x", flags=0x800))) == "zip-name-encoding"

    @pytest.mark.parametrize("mode", [0o120777, 0o060644, 0o010644, 0o140644])
    def test_links_and_devices(self, mode: int) -> None:
        """A symbolic link, a device, a pipe, a socket."""
        assert code(forged(Raw(b"A.TXT", b"/etc/passwd", attributes=mode << 16))) == "zip-symlink"

    @pytest.mark.parametrize("flags", [0x1, 0x41, 0x2001])
    def test_encryption(self, flags: int) -> None:
        """Whichever kind: traditional, strong, masked directory, AES, or in the entry's own header alone."""
        assert code(forged(Raw(b"A.TXT", b"x", flags=flags))) == "zip-encrypted"
        assert code(forged(Raw(b"A.TXT", b"x", method=99))) == "zip-encrypted"
        assert code(forged(Raw(b"A.TXT", b"x", local={"flags": 1}))) == "zip-encrypted"

    def test_one_name_twice(self) -> None:
        """Whatever the case of the letters, or whether one is a folder."""
        assert code(forged(GOOD, Raw(b"a.txt", b"other"))) == "zip-duplicate-name"
        assert code(forged(GOOD, Raw(b"A.TXT/", b""))) == "zip-duplicate-name"

    def test_other_compression(self) -> None:
        """bzip2, LZMA ...: only when the entry is asked for."""
        data = archive({"A.TXT": b"abc"}, zipfile.ZIP_BZIP2)
        assert archive_zip.read(data).entries
        assert code(data) == "zip-compression"

    def test_ratio_of_a_thousand(self) -> None:
        """1 GB of zeros in 1 MB is refused at once, without inflating it."""
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
        packed = block * 1024 + b"\x03\x00"
        size = 1 << 30
        bomb = forged(GOOD, Raw(b"B.TXT", packed=packed, size=size, crc=0))
        wide = Limits(entry=2 << 30, size=4 << 30)
        tracemalloc.start()
        try:
            assert code(bomb) == "zip-entry-too-large"
            assert code(bomb, Limits(size=2 << 30, entry=1 << 30)) == "zip-ratio"
            # The same, announced as a kilobyte: one byte more than announced is all that comes out.
            assert code(forged(Raw(b"B.TXT", packed=packed, size=1024, crc=0)), wide) == "zip-size-lies"
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 16 << 20

    def test_many_entries_that_are_large_together(self) -> None:
        """Each below its limit, all above theirs."""
        page = random.Random(1).randbytes(1 << 16)
        data = forged(*(Raw(b"%d" % number, page * 16, method=0) for number in range(4)))
        assert code(data, Limits(size=3 << 20)) == "zip-too-large"
        assert code(data) == ""

    def test_a_hundred_thousand_entries(self) -> None:
        """Refused by their announced number, and by their real one when the announced one lies."""
        record = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
        local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
        directory = record * 100_000

        def ended(count: int) -> bytes:
            return local + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), 31, 0)

        assert code(ended(100_000 & 0xFFFF)) == "zip-too-many-entries"
        assert code(ended(1)) == "zip-directory-damaged"
        assert not archive_zip.names_xdm(ended(1))
        assert not archive_zip.names_xdm(ended(0xFFFF))

    def test_overlapping_entries(self) -> None:
        """A bomb of the Fifield kind: the first entry quotes the header of the second, and inflates what it holds once more."""
        inner = deflated(bytes(1 << 16))
        head = struct.pack(
            "<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, zlib.crc32(bytes(1 << 16)), len(inner), 1 << 16, 1, 0
        )
        second = head + b"B" + inner
        first = b"\x00" + struct.pack("<HH", len(second), len(second) ^ 0xFFFF) + second  # a stored block: a quotation
        body = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 8, 8, 0, 0, 0, 0, 0, 1, 0) + b"A" + first + b"\x03\x00"

        def record(name: bytes, at: int, packed: int, size: int, flags: int, crc: int) -> bytes:
            fields = (b"PK\x01\x02", 20, 20, flags, 8, 0, 0, crc, packed, size, 1, 0, 0, 0, 0, 0, at)
            return struct.pack("<4s6H3L5H2L", *fields) + name

        directory = record(b"A", 0, len(first) + 2, len(second), 8, zlib.crc32(second)) + record(
            b"B", 31 + 5, len(inner), 1 << 16, 0, zlib.crc32(bytes(1 << 16))
        )
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, len(directory), len(body), 0)
        with zipfile.ZipFile(io.BytesIO(body + directory + end)) as lenient:
            assert (lenient.read("A"), lenient.read("B")) == (second, bytes(1 << 16))
        assert code(body + directory + end) == "zip-overlap"

    def test_an_entry_that_runs_into_the_directory(self) -> None:
        """Data may not reach the directory."""
        assert code(forged(Raw(b"A.TXT", b"abc", stored=500, local={"stored": 500}))) == "zip-overlap"

    @pytest.mark.parametrize(
        ("one", "expected"),
        [
            (Raw(b"A.TXT", b"abc", size=2), "zip-size-lies"),
            (Raw(b"A.TXT", b"abc", size=4), "zip-size-lies"),
            (Raw(b"A.TXT", b"abc", method=0, size=2), "zip-size-lies"),
            (Raw(b"A.TXT", b"abc", crc=1), "zip-crc"),
            (Raw(b"A.TXT", b"abc", method=0, crc=1), "zip-crc"),
            (Raw(b"A.TXT", b"abc", packed=deflated(b"abc") + b"x"), "zip-data-damaged"),
            (Raw(b"A.TXT", b"abc", packed=deflated(b"abc" * 9)[:-2], size=27), "zip-size-lies"),
            (Raw(b"A.TXT", b"abc", local={"name": b"B.TXT"}), "zip-header-differs"),
            (Raw(b"A.TXT", b"abc", local={"name": b"LONG.TXT"}), "zip-header-differs"),
            (Raw(b"A.TXT", b"abc", local={"method": 0}), "zip-header-differs"),
            (Raw(b"A.TXT", b"abc", local={"size": 1}), "zip-header-differs"),
            (Raw(b"A.TXT", b"abc", local={"stored": 1}), "zip-header-differs"),
            (Raw(b"A.TXT", b"abc", local={"crc": 1}), "zip-header-differs"),
            (Raw(b"A.TXT", b"abc", offset=5), "zip-header-differs"),
            (Raw(b"A.TXT", b"abc", offset=0xFFFFFFF0), "zip-header-differs"),
            (Raw(b"A.TXT", b"abc", offset=0xFFFFFFFF), "zip-directory-damaged"),
            (Raw(b"A.TXT", b"abc", size=0xFFFFFFFF, extra=struct.pack("<HHQ", 1, 4, 3)), "zip-directory-damaged"),
            (Raw(b"A.TXT", b"abc", disk=1), "zip-several-disks"),
        ],
    )
    def test_directories_and_headers_that_lie(self, one: Raw, expected: str) -> None:
        """Sizes, CRC, names, places: the directory, the header and the data must agree."""
        assert code(forged(Raw(b"0.TXT", b"0123456789" * 9, method=0), one)) == expected

    def test_sizes_that_come_later(self) -> None:
        """A header may leave sizes and CRC to what follows the data, but not tell others."""
        later = {"flags": 8, "crc": 0, "size": 0, "stored": 0}
        assert code(forged(Raw(b"A.TXT", b"abc", flags=8, local=later))) == ""
        assert code(forged(Raw(b"A.TXT", b"abc", flags=8, local=later | {"size": 1}))) == "zip-header-differs"

    @pytest.mark.parametrize(
        ("end", "expected"),
        [
            ({"disk": 1}, "zip-several-disks"),
            ({"here": 1}, "zip-several-disks"),
            ({"count": 3, "here": 3}, "zip-directory-damaged"),
            ({"count": 1, "here": 1}, "zip-directory-damaged"),
            ({"size": 1}, "zip-directory-damaged"),
            ({"start": 1}, "zip-directory-damaged"),
            ({"start": 0xFFFFFFFF, "size": 0xFFFFFFFF}, "zip-directory-damaged"),
            ({"comment": 9}, "zip-directory-damaged"),
        ],
    )
    def test_end_records_that_lie(self, end: dict[str, int], expected: str) -> None:
        """Several volumes, more or fewer entries than there are, a directory elsewhere, a comment that was cut."""
        assert code(forged(GOOD, Raw(b"B.TXT", b"x"), **end)) == expected

    @pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06", b"hello", b"PK\x03\x04" * 9, bytes(100_000)])
    def test_what_is_no_zip(self, data: bytes) -> None:
        """No directory, no archive."""
        assert code(data) == "zip-no-directory"
        assert not archive_zip.names_xdm(data)

    def test_cut_at_every_byte(self) -> None:
        """An archive that was cut is always told from a whole one."""
        data = forged(*raws())
        assert {code(data[:end]) for end in range(len(data))} <= {"zip-no-directory", "zip-directory-damaged"}

    def test_end_records_without_end(self) -> None:
        """A tail full of signatures is refused by the last of them."""
        assert code(b"PK\x05\x06" * 20_000) == "zip-no-directory"


def test_the_oracle_reads_the_same() -> None:
    """What the standard library reads of an ordinary archive, this reader reads too, byte for byte."""
    for data in (valid(), archive(files(), zipfile.ZIP_STORED), forged(*raws())):
        with zipfile.ZipFile(io.BytesIO(data)) as oracle:
            assert {name: oracle.read(name) for name in oracle.namelist()} == contents(data)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), st.binary(max_size=4)), min_size=1, max_size=4))
def test_any_damage(accidents: list[tuple[float, int, bytes]]) -> None:
    """Whatever happens to an archive: its files, or a code; and never other files than the standard library would see."""
    data = SMALL
    for place, lost, found in accidents:
        at = int(place * len(data))
        data = data[:at] + found + data[at + lost :]
    if code(data) == "":
        with zipfile.ZipFile(io.BytesIO(data)) as oracle:
            assert {name: oracle.read(name) for name in oracle.namelist()} == contents(data)
    archive_zip.names_xdm(data)


SMALL = forged(GOOD, Raw(b"IHE_XDM/S/METADATA.XML", b"<a/>" * 9), Raw(b"B.TXT", b"123", method=0))
