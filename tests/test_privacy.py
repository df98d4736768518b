"""Pseudonyms and keys: stable under a key, strangers without it, and never printed."""

from __future__ import annotations

import copy
import os
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import privacy
from engine.errors import ConfigError
from engine.privacy import Digests, Key, Keys, Pseudonyms, key_file, open_keys

SECRET = bytes(range(32))
OTHER = bytes(range(1, 33))
WORDS = st.text(max_size=8)


class TestPseudonyms:
    """What a pseudonym tells, and does not."""

    def test_known_answer(self) -> None:
        """The same identifier under the same key has the same pseudonym in every version: the ledger depends on it."""
        assert Pseudonyms(SECRET)("ipp", "990000001", b"700001").hex() == "44c4a9c08dabca92af4f504988fed596"

    def test_sixteen_bytes(self) -> None:
        """A pseudonym has 16 bytes, of an empty value and of a large one."""
        names = Pseudonyms(SECRET)
        assert {len(names("ins", "", value)) for value in (b"", b"x" * 100_000)} == {16}

    def test_another_key(self) -> None:
        """Another key gives other pseudonyms and another id."""
        one, two = Pseudonyms(SECRET), Pseudonyms(OTHER)
        assert one("ins", "", b"1") != two("ins", "", b"1")
        assert one.key_id() != two.key_id()
        assert len(one.key_id()) == 8

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from(["ipp", "visit", "ins", "control"]), WORDS, st.binary(max_size=8)), unique=True
        )
    )
    def test_separate(self, things: list[tuple[str, str, bytes]]) -> None:
        """Two things of another kind, scope or value never share a pseudonym."""
        names = Pseudonyms(SECRET)
        assert len({names(*thing) for thing in things}) == len(things)

    def test_scope_and_value_do_not_run_together(self) -> None:
        """The border between scope and value is part of what is hashed."""
        names = Pseudonyms(SECRET)
        assert names("ipp", "1", b"23") != names("ipp", "12", b"3")

    def test_cache_changes_nothing(self) -> None:
        """A pseudonym is the same remembered, forgotten and made again."""
        small = Pseudonyms(SECRET, cache=3)
        first = [small.of("ipp", str(n % 2), b"%d" % n) for n in range(20)]
        assert first == [small("ipp", str(n % 2), b"%d" % n) for n in range(20)]
        small.forget()
        assert first == [Pseudonyms(SECRET).of("ipp", str(n % 2), b"%d" % n) for n in range(20)]

    def test_cache_is_bounded(self) -> None:
        """However many identifiers and scopes are seen, no more than the limit are remembered."""
        names = Pseudonyms(SECRET, cache=100)
        for number in range(1_000):
            names.of("control", f"APP{number}@HX", b"1")
        assert sum(len(values) for scopes in names._known.values() for values in scopes.values()) <= 100

    def test_broken_scope(self) -> None:
        """A scope that is no valid text still has its pseudonym: a hostile sender name is no reason to fail."""
        assert len(Pseudonyms(SECRET)("control", "\udcff", b"1")) == 16


class TestSecrets:
    """A key does not get out."""

    @pytest.mark.parametrize("make", [lambda k: Key(k, "pseudonyms"), Pseudonyms, Digests])
    def test_repr(self, make) -> None:
        """Printed, a key and what holds one show the id, not the secret."""
        for text in (repr(make(SECRET)), str(make(SECRET)), f"{make(SECRET)}"):
            assert SECRET.hex() not in text
            assert repr(SECRET)[2:-1] not in text
            assert "id " in text

    def test_keys_repr(self) -> None:
        """The same for the three together."""
        keys = Keys(Key(SECRET, "pseudonyms"), Key(OTHER, "sealing"), Key(SECRET[::-1], "digests"))
        assert SECRET.hex() not in repr(keys)

    @pytest.mark.parametrize("make", [lambda k: Key(k, "pseudonyms"), Pseudonyms])
    def test_not_pickled(self, make) -> None:
        """A key is neither pickled nor copied."""
        with pytest.raises(TypeError):
            pickle.dumps(make(SECRET))
        with pytest.raises(TypeError):
            copy.copy(make(SECRET))

    def test_wrong_length(self) -> None:
        """A key of another length is refused without being shown."""
        with pytest.raises(ValueError, match="32 bytes"):
            Pseudonyms(b"short")


class TestDigests:
    """Digests of contents."""

    def test_digest(self) -> None:
        """The same content has the same digest, of the size asked; another key or content another."""
        digests = Digests(SECRET)
        assert digests(b"MSH|", 8) == digests(memoryview(b"MSH|"), 8)
        assert len(digests(b"MSH|", 8)) == 8
        assert len({digests(b"a"), digests(b"b"), Digests(OTHER)(b"a")}) == 3


class TestKeyFiles:
    """The files of keys, from the first start on."""

    def test_first_start(self, tmp_path: Path) -> None:
        """The first start makes a folder 0700 with three different keys, each 0400 and whole, and nothing else."""
        folder = tmp_path / "a" / "keys"
        keys = open_keys(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert sorted(file.name for file in folder.iterdir()) == ["digests.key", "pseudonyms.key", "sealing.key"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o400}
        assert {file.stat().st_size for file in folder.iterdir()} == {32}
        assert len(set(keys.ids().values())) == 3

    def test_next_start(self, tmp_path: Path) -> None:
        """The next start finds the same keys, with or without what the store remembers."""
        ids = open_keys(tmp_path).ids()
        assert open_keys(tmp_path).ids() == ids
        assert open_keys(tmp_path, ids).ids() == ids

    def test_two_first_starts(self, tmp_path: Path) -> None:
        """Starts at the same instant agree on the keys of one of them."""
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: tuple(open_keys(tmp_path / "keys").ids().values()), range(16)))
        assert len(set(found)) == 1
        assert len(list((tmp_path / "keys").iterdir())) == 3

    def test_without_hard_links(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file system that has no hard links has its keys all the same."""

        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
        assert open_keys(tmp_path).ids() == open_keys(tmp_path).ids()
        assert len(list(tmp_path.iterdir())) == 3

    def test_umask_does_not_open_the_file(self, tmp_path: Path) -> None:
        """Whatever the umask, nobody else reads a key."""
        before = os.umask(0)
        try:
            open_keys(tmp_path / "keys")
        finally:
            os.umask(before)
        assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()} == {0o400}

    @pytest.mark.parametrize("purpose", privacy.PURPOSES)
    def test_missing(self, tmp_path: Path, purpose: str) -> None:
        """A key that is missing while the store has data is asked for, never replaced."""
        ids = open_keys(tmp_path).ids()
        key_file(tmp_path, purpose).unlink()
        with pytest.raises(ConfigError, match="is missing") as raised:
            open_keys(tmp_path, ids)
        assert "backup" in raised.value.mend
        assert not key_file(tmp_path, purpose).exists()

    def test_half_made(self, tmp_path: Path) -> None:
        """A first start that was killed after one key is finished by the next."""
        first = open_keys(tmp_path).ids()
        key_file(tmp_path, "digests").unlink()
        again = open_keys(tmp_path).ids()
        assert again["pseudonyms"] == first["pseudonyms"]
        assert again["digests"] != first["digests"]

    def test_new_purpose(self, tmp_path: Path) -> None:
        """A purpose that the store does not know yet gets its key, the known ones keep theirs."""
        ids = open_keys(tmp_path).ids()
        del ids["digests"]
        key_file(tmp_path, "digests").unlink()
        assert open_keys(tmp_path, ids).ids()["pseudonyms"] == ids["pseudonyms"]

    def test_wrong_key(self, tmp_path: Path) -> None:
        """A key that is not the store's is refused: it would give everybody a second identity."""
        open_keys(tmp_path)
        with pytest.raises(ConfigError, match="is not the key"):
            open_keys(tmp_path, {"pseudonyms": b"12345678"})

    @pytest.mark.parametrize("mode", [0o440, 0o404, 0o420, 0o402, 0o644, 0o777])
    def test_open_to_others(self, tmp_path: Path, mode: int) -> None:
        """A key that others may read or change is refused, with the command that mends it."""
        open_keys(tmp_path)
        key_file(tmp_path, "sealing").chmod(mode)
        with pytest.raises(ConfigError, match=f"mode {mode:04o}") as raised:
            open_keys(tmp_path)
        assert raised.value.mend.startswith("chmod 0400")

    def test_systemd_credentials(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """In systemd's credentials folder the group's read bit is the mask of an ACL, and is let pass; no other."""
        open_keys(tmp_path)
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
        key_file(tmp_path, "sealing").chmod(0o440)
        open_keys(tmp_path)
        key_file(tmp_path, "sealing").chmod(0o444)
        with pytest.raises(ConfigError):
            open_keys(tmp_path)

    @pytest.mark.parametrize("size", [0, 31, 33, 5_000])
    def test_wrong_length(self, tmp_path: Path, size: int) -> None:
        """A key file of another length is refused, and its content is not shown."""
        file = key_file(tmp_path, "pseudonyms")
        file.write_bytes(b"K" * size)
        file.chmod(0o400)
        with pytest.raises(ConfigError, match="32 bytes") as raised:
            open_keys(tmp_path)
        assert "KK" not in str(raised.value)

    def test_same_key_twice(self, tmp_path: Path) -> None:
        """One key copied for two purposes is refused."""
        open_keys(tmp_path)
        key_file(tmp_path, "sealing").unlink()
        key_file(tmp_path, "sealing").write_bytes(key_file(tmp_path, "digests").read_bytes())
        key_file(tmp_path, "sealing").chmod(0o400)
        with pytest.raises(ConfigError, match="same key"):
            open_keys(tmp_path)

    def test_not_a_file(self, tmp_path: Path) -> None:
        """A folder or a pipe in place of a key is refused, and does not hang the start."""
        key_file(tmp_path, "pseudonyms").mkdir(mode=0o700)
        with pytest.raises(ConfigError):
            open_keys(tmp_path)
        key_file(tmp_path, "pseudonyms").rmdir()
        os.mkfifo(key_file(tmp_path, "pseudonyms"), 0o400)
        with pytest.raises(ConfigError, match="is not a file"):
            open_keys(tmp_path)

    def test_folder_that_is_a_file(self, tmp_path: Path) -> None:
        """A file in place of the folder is refused."""
        (tmp_path / "keys").write_text("")
        with pytest.raises(ConfigError):
            open_keys(tmp_path / "keys")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file away")
    def test_of_another_account(self, tmp_path: Path) -> None:
        """A key that belongs to another account (neither ours nor root's) is refused."""
        open_keys(tmp_path)
        os.chown(key_file(tmp_path, "digests"), 12_345, -1)
        with pytest.raises(ConfigError, match="another account"):
            open_keys(tmp_path)
