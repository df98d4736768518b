"""The configuration: typed when right, one error with line and mend when wrong, and never anything else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from engine import config
from engine.errors import ConfigError
from engine.listeners.listener import declarations
from engine.service import config_problems
from tests.configuration import GOOD, LISTENERS, Wire, faults, written

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Writes a file and gives its path."""
    return partial(written, tmp_path)


class TestRight:
    """What a good file gives."""

    def test_shipped_file(self) -> None:
        """The shipped file is read as it is, listens on the loopback only, and its ports are 2575 and 9464."""
        listeners = declarations()
        shipped = config.load(ROOT / "config/jauge.yaml", {name: one.settings for name, one in listeners.items()})
        assert (shipped.http.host, shipped.http.port) == ("127.0.0.1", 9464)
        assert [(feed.settings.host, feed.settings.port) for feed in shipped.feeds] == [("127.0.0.1", 2575)]
        assert shipped.inventory == ROOT / "config/applications.csv"
        assert shipped.store == ROOT / "config/var/jauge.db"

    def test_shipped_values_are_the_defaults(self) -> None:
        """The shipped file says in its comments what the engine would do without it."""
        listeners = declarations()
        shipped = config.load(ROOT / "config/jauge.yaml", {name: one.settings for name, one in listeners.items()})
        assert (shipped.http, shipped.log) == (config.Http(), config.Log())
        assert (shipped.limits, shipped.indicators) == (config.Limits(), config.Indicators())

    def test_defaults(self, write) -> None:
        """A file with only what is required has the documented defaults."""
        loaded = config.load(write(GOOD), LISTENERS)
        assert loaded.indicators == config.Indicators()
        assert loaded.feeds[0].settings == Wire()
        assert loaded.feeds[0].unreadable == "put_aside"
        assert loaded.inventory is None

    def test_paths_are_relative_to_the_file(self, write) -> None:
        """A relative path starts from the file's folder, wherever the engine was started; an absolute one stays."""
        path = write(GOOD.replace("var/keys", "/srv/keys"))
        loaded = config.load(path, LISTENERS)
        assert loaded.store == path.parent / "var/jauge.db"
        assert loaded.keys == Path("/srv/keys")
        assert loaded.file == path

    def test_leading_zero_of_a_finess_is_kept(self, write) -> None:
        """A FINESS without quotes is the text that was written, not an octal number."""
        loaded = config.load(write(GOOD.replace('"990000001"', "010000024")), LISTENERS)
        assert loaded.establishments[0].finess == "010000024"

    def test_zone_of_a_feed(self, write) -> None:
        """A feed without time zone has its establishment's."""
        text = GOOD.replace("    name: Centre", "    time_zone: Indian/Reunion\n    name: Centre")
        loaded = config.load(write(text), LISTENERS)
        assert loaded.zone(loaded.feeds[0]) == "Indian/Reunion"
        loaded = config.load(write(text + "    time_zone: Europe/Paris\n"), LISTENERS)
        assert loaded.zone(loaded.feeds[0]) == "Europe/Paris"

    def test_targets(self, write) -> None:
        """An establishment's target wins over the site's; without any there is none."""
        text = GOOD.replace("    name: Centre", "    targets: {DS1.1: 0.8}\n    name: Centre")
        loaded = config.load(write(text + "indicators: {targets: {DS1.1: 0.6, DS1.2: 1}}\n"), LISTENERS)
        assert loaded.target("DS1.1", "990000001") == 0.8
        assert loaded.target("DS1.2", "990000001") == 1.0
        assert loaded.target("DS1.3", "990000001") is None

    def test_domain(self) -> None:
        """Without identity domain an establishment's numbers are its own."""
        alone = config.Establishment(finess="990000001", name="A")
        shared = config.Establishment(finess="990000001", name="A", identity_domain="ght")
        assert (alone.domain, shared.domain) == ("990000001", "ght")

    def test_mail(self, write) -> None:
        """What the file says of mail; by default only the national test address is known."""
        assert config.load(write(GOOD), LISTENERS).mssante.test_addresses == (config.TEST_ADDRESS,)
        text = GOOD.replace(
            "    name: Centre",
            "    mssante_domains: [a.mssante.fr]\n    official_values: {P4.3: true}\n    name: Centre",
        )
        loaded = config.load(write(text + "mssante: {trusted_domains: [b.fr], test_addresses: [x@c.fr]}\n"), LISTENERS)
        assert loaded.establishments[0].mssante_domains == ("a.mssante.fr",)
        assert loaded.establishments[0].official_values == {"P4.3": True}
        assert (loaded.mssante.trusted_domains, loaded.mssante.test_addresses) == (("b.fr",), ("x@c.fr",))

    def test_undeclared_establishment(self, write) -> None:
        """Asking for an establishment that is not declared is a KeyError."""
        with pytest.raises(KeyError):
            config.load(write(GOOD), LISTENERS).establishment("990000019")

    def test_byte_order_mark_and_crlf(self, write) -> None:
        """A file saved by an editor of another system is read the same."""
        assert config.load(write(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()), LISTENERS)

    def test_one_setting_for_the_feed_and_its_listener(self, write) -> None:
        """A setting that both declare is given to both."""

        class Loud(Wire, frozen=True, kw_only=True):
            unreadable: str = "put_aside"

        loaded = config.load(write(GOOD + "    unreadable: refuse\n"), {"mllp": Loud})
        assert loaded.feeds[0].unreadable == "refuse"
        assert loaded.feeds[0].settings.unreadable == "refuse"


WRONG = [
    pytest.param("inventry: a.csv\n", 10, "'inventry' is not a setting", "did you mean inventory?", id="unknown key"),
    pytest.param("http: {prot: 1}\n", 10, "'prot' is not a setting of http", "did you mean port?", id="unknown nested"),
    pytest.param("log:\n  level: inf\n", 11, "log.level cannot be 'inf'", "did you mean info?", id="closed list"),
    pytest.param("log: {level: INFO}\n", 10, "log.level cannot be 'INFO'", "did you mean info?", id="capitals"),
    pytest.param('http: {port: "80"}\n', 10, "must be a whole number", "no quotes", id="quoted number"),
    pytest.param("http: {port: 08080}\n", 10, "must be a whole number", "no leading 0", id="octal"),
    pytest.param("http: {port: 21:30}\n", 10, "must be a whole number", "digits only", id="sexagesimal"),
    pytest.param("http: {port: 70000}\n", 10, "out of its limits", "from 0 to 65535", id="port"),
    pytest.param("http: {host: yes}\n", 10, "must be text", "quotes", id="boolean as text"),
    pytest.param("http: {host: !env HOME}\n", 10, "must be text", "quotes", id="tag"),
    pytest.param("indicators: {count_test_ins: yes}\n", 10, "must be true or false", "true or false", id="yes"),
    pytest.param("indicators: {months: 0}\n", 10, "out of its limits", "from 1 to 24", id="too small"),
    pytest.param("indicators: {classes: I}\n", 10, "must be a list", "[a, b]", id="not a list"),
    pytest.param("indicators: {classes: []}\n", 10, "is empty", "at least one", id="empty list"),
    pytest.param("indicators: {classes: [I, I]}\n", 10, "twice", "keep one", id="twice in a list"),
    pytest.param("indicators: {targets: {DS1.1: 60}}\n", 10, "out of its limits", "0.6 for 60 %", id="percent"),
    pytest.param("indicators: {targets: {ds: 0.6}}\n", 10, "'ds' is not a known indicator", "DS1.1", id="indicator"),
    pytest.param("indicators: {targets: [1]}\n", 10, "must hold settings", "name: value", id="not a mapping"),
    pytest.param("limits:\n", 10, "limits has no value", "remove the line", id="no value"),
    pytest.param("store: x.db\n", 10, "'store' is given twice", "line 1", id="duplicate key"),
    pytest.param("inventory: nope.csv\n", 10, "no such file", "looked for", id="missing inventory"),
    pytest.param("log: &a {level: info}\nhttp: *a\n", 11, "aliases", "", id="alias"),
    pytest.param("http: {port: 2575}\n", 7, "port 2575 is taken twice", "line 10", id="port of http"),
    pytest.param("http:\n  host: 0.0.0.0\n", 11, "0.0.0.0 shows the rates to the whole network", "add password_file (or token_file) and tls;",
                 id="http for everybody"),
    pytest.param("http: {host: 0.0.0.0, token_file: jauge.yaml}\n", 10, "shows the rates", "add tls; or behind_proxy: true", id="http without tls"),
    pytest.param("http: {password_file: nope}\n", 10, "no such file", "looked for", id="missing password"),
    pytest.param("? [a]\n: b\n", 10, "not a word", "name: value", id="list as a key"),
    pytest.param("http: [\n", 11, "not valid YAML", "", id="open bracket"),
    pytest.param("\thttp: 1\n", 10, "not valid YAML", "never tabs", id="tab"),
    pytest.param("---\n", 10, "not valid YAML", "", id="two documents"),
    pytest.param("http: {host: !!binary AA==}\n", 10, "must be text", "", id="binary"),
    pytest.param('http: {host: "\\0"}\n', 10, "control character", "one line", id="nul"),
    pytest.param('log: "\\UFFFFFFFF"\n', 10, "not valid YAML: found invalid Unicode character escape code", "", id="impossible character"),
    pytest.param("    time_zone: Europe/Pari\n", 10, "not a known time zone", "Europe/Paris?", id="time zone"),
    pytest.param("    idle_timeout_seconds: 0\n", 10, "out of its limits", "0 or more", id="listener's limit"),
    pytest.param("    idle_timeout_seconds: .nan\n", 10, "must be a number", "0.8", id="not a number"),
    pytest.param("    poll_seconds: 2\n", 10, "'poll_seconds' is not a setting of feeds[0]", "folder has it", id="other's"),
    pytest.param("    tls: {}\n", 10, "feeds[0].tls lacks 'certificate'", "certificate: ...", id="nested required"),
    pytest.param("    tls: {certificate: a.pem}\n", 10, "no such file", "a.pem", id="missing certificate"),
    pytest.param("    settings: {}\n", 10, "'settings' is not a setting", "", id="not a setting"),
    pytest.param(
        '  - {name: his, listener: mllp, port: 1, establishment: "990000001"}\n', 10, "feed his is declared twice", "line 7",
        id="feed twice",
    ),
    pytest.param(
        '  - {name: b, listener: mllp, establishment: "990000001"}\n', 10, "port 2575 is taken twice", "line 7 takes it",
        id="default port twice",
    ),
    pytest.param(
        '  - {name: b, listener: mllp, host: 0.0.0.0, establishment: "990000001"}\n', 10, "port 2575 is taken twice", "",
        id="every address",
    ),
    pytest.param('  - {name: b, listener: mlpp, establishment: "990000001"}\n', 10, "'mlpp' is not a known listener",
                 "did you mean mllp?", id="listener"),
    pytest.param('  - {name: b, establishment: "990000001"}\n', 10, "lacks 'listener'", "listener: ...", id="no listener"),
    pytest.param("  - {name: b, listener: mllp, port: 1, establishment: 990000002}\n", 10, "is not declared",
                 "did you mean 990000001?", id="undeclared establishment"),
    pytest.param("  - {name: b, listener: mllp, port: 1, establishment: 99000001}\n", 10, "cannot be '99000001'",
                 "9 characters", id="short finess"),
    pytest.param('  - {name: B, listener: mllp, port: 1, establishment: "990000001"}\n', 10, "feeds[1].name cannot be 'B'",
                 "small letters", id="feed name"),
    pytest.param('  - {name: b, listener: folder, path: nope, establishment: "990000001"}\n', 10, "no such folder", "nope",
                 id="missing folder"),
    pytest.param('  - {name: b, listener: folder, path: ".", poll_seconds: 61, establishment: "990000001"}\n', 10,
                 "longer than a minute", "", id="listener's own rule"),
    pytest.param("mssante: {trusted_domains: [Sante-Fictif.fr]}\n", 10, "mssante.trusted_domains[0] cannot be", "small letters",
                 id="domain in capitals"),
    pytest.param('mssante: {trusted_domains: ["@sante-fictif.fr"]}\n', 10, "mssante.trusted_domains[0] cannot be", "follows the @",
                 id="domain with its @"),
    pytest.param("mssante: {test_addresses: [robot]}\n", 10, "mssante.test_addresses[0] cannot be", "a mail address",
                 id="test address"),
    pytest.param("correspondents: nope.csv\n", 10, "no such file", "looked for", id="missing correspondents"),
    pytest.param("indicators: {message_days: -1}\n", 10, "out of its limits", "from 0 to 366", id="message days"),
    pytest.param("indicators: {directory_days: 0}\n", 10, "out of its limits", "from 1 to 3660", id="directory days"),
    pytest.param("  - his\n", 10, "feeds[1] must hold settings", "name: value", id="feed without settings"),
]  # fmt: skip


class TestWeb:
    """What the network may reach, and how."""

    @pytest.mark.parametrize(
        "text",
        [
            "http: {host: 0.0.0.0, behind_proxy: true}\n",
            "http: {host: 0.0.0.0, password_file: jauge.yaml, tls: {certificate: jauge.yaml, key: jauge.yaml}}\n",
            "http: {host: 0.0.0.0, tls: {certificate: jauge.yaml, key: jauge.yaml, client_ca: jauge.yaml}}\n",
            'http: {host: "::1"}\n',
        ],
    )
    def test_who_is_asked_may_come(self, write, text: str) -> None:
        """A proxy in front, a password or a client's certificate behind TLS, or this machine alone: no fault."""
        assert faults(write(GOOD + text)) == []

    def test_credentials_are_looked_for_by_the_unit_alone(self, write) -> None:
        """A file that systemd shows to the running unit does not have to be there for the other commands."""
        assert faults(write(GOOD + "http: {password_file: /run/credentials/jauge.service/web-password}\n")) == []


class TestWrong:
    """What a wrong file says."""

    @pytest.mark.parametrize(("extra", "line", "message", "mend"), WRONG)
    def test_one_fault(self, write, extra: str, line: int, message: str, mend: str) -> None:
        """A file with one fault gives one error, on its line, with the mend."""
        found = faults(write(GOOD + extra))
        assert [(at, message in said, mend in how) for at, said, how in found] == [(line, True, True)], found

    @pytest.mark.parametrize("name", ["store", "keys", "establishments", "feeds"])
    def test_required(self, write, name: str) -> None:
        """What is required and missing is asked for by its name."""
        lines = GOOD.splitlines(keepends=True)
        first = next(index for index, line in enumerate(lines) if line.startswith(name))
        after = next((i for i in range(first + 1, len(lines)) if not lines[i].startswith(" ")), len(lines))
        assert (1, f"the file lacks '{name}'", f"add `{name}: ...`") in faults(
            write("".join(lines[:first] + lines[after:]))
        )

    def test_every_fault_at_once(self, write) -> None:
        """check-config tells every fault of the file, by line; load raises the first."""
        path = write("stor: 1\nkeys:\n" + GOOD.partition("\n")[2].partition("\n")[2] + "log: {format: xml}\n")
        assert [line for line, _, _ in faults(path)] == [1, 1, 2, 10]
        with pytest.raises(ConfigError) as raised:
            config.load(path, LISTENERS)
        assert raised.value.line == 1
        assert str(path) in str(raised.value)

    def test_a_file_that_is_not_there_does_not_hide_the_rest(self, write) -> None:
        """Certificates come last on a new machine: what is between the settings is told with them, not at the next try."""
        found = faults(write(GOOD + "    tls: {certificate: a.pem}\nindicators: {targets: {DS1.9: 0.5}}\n"), ("DS1.1",))
        assert [(line, said) for line, said, _ in found] == [
            (10, "feeds[0].tls.certificate: there is no such file"),
            (11, "'DS1.9' is not a known indicator"),
        ]

    def test_known_indicators(self, write) -> None:
        """With the catalogue's codes, a target of an unknown indicator has the nearest code as its mend."""
        found = faults(write(GOOD + "indicators:\n  targets:\n    DS1.9: 0.5\n"), ("DS1.1", "P1.1"))
        assert found == [(12, "'DS1.9' is not a known indicator", "did you mean DS1.1?")]

    def test_establishment_twice(self, write) -> None:
        """A FINESS is declared once."""
        text = GOOD.replace("feeds:", '  - {finess: "990000001", name: B}\nfeeds:')
        assert faults(write(text)) == [(6, "establishment 990000001 is declared twice", "line 4 declares it already")]

    def test_mail_needs_the_domains_of_its_establishment(self, write) -> None:
        """A feed that reads mail cannot tell its sendings without the domains: the establishment's line asks for them."""
        error = config.problems(write(GOOD), LISTENERS, (), {"mllp"})[0]
        assert (error.line, error.mend.partition(":")[0]) == (4, "add `mssante_domains")
        assert error.message == "establishment 990000001 lacks 'mssante_domains', and feed his reads its mail"
        told = GOOD.replace("    name: Centre", "    mssante_domains: [ch-fictif.mssante.fr]\n    name: Centre")
        assert config.problems(write(told), LISTENERS, (), {"mllp"}) == []
        assert config.problems(write(GOOD), LISTENERS, (), {"imap"}) == []

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("mssante_domains: [patient.mssante.fr]", "patient.mssante.fr is the domain of the patients"),
            ("mssante_domains: [b.fr, a.fr]", "a.fr is among mssante.trusted_domains too"),
            ("official_values: {DS1.1: true}", "'DS1.1' has no official value of its own"),
            ("official_values: {P4.3: yes}", "must be true or false, not 'yes'"),
        ],
    )
    def test_mail_of_an_establishment(self, write, text: str, said: str) -> None:
        """A domain is the establishment's own or another's, never the patients'; only what is yes or no has an official value."""
        path = write(
            GOOD.replace("    name: Centre", f"    {text}\n    name: Centre") + "mssante: {trusted_domains: [a.fr]}\n"
        )
        assert [(line, said in message) for line, message, _ in faults(path)] == [(5, True)]

    def test_two_feeds_of_one_folder(self, write) -> None:
        """Two feeds cannot watch one folder: each would take the other's files."""
        feed = '  - {name: NAME, listener: folder, path: ".", establishment: "990000001"}\n'
        found = faults(write(GOOD + feed.replace("NAME", "a") + feed.replace("NAME", "b")))
        assert [line for line, _, _ in found] == [11]

    def test_any_free_port(self, write) -> None:
        """Port 0 is given by the system: two of them are not the same."""
        feed = '  - {name: b, listener: mllp, port: 0, establishment: "990000001"}\n'
        assert faults(write(GOOD + feed + feed.replace("b,", "c,"))) == []

    def test_keys_inside_the_store(self, write) -> None:
        """The folder of keys is not the store."""
        assert faults(write(GOOD.replace("var/keys", "var/jauge.db")))[0][0] == 2

    @pytest.mark.parametrize("name", ["nope.yaml", ".", "a\0b", "x" * 5_000])
    def test_no_file(self, tmp_path: Path, name: str) -> None:
        """A path that leads to no file is one error without line."""
        assert [line for line, _, _ in faults(Path(f"{tmp_path}/{name}"))] == [0]

    @pytest.mark.parametrize(
        ("data", "line"),
        [
            pytest.param(b"", 1, id="empty"),
            pytest.param(b"# nothing\n", 1, id="comment only"),
            pytest.param(b"store: a\nkeys: \xe9\n", 2, id="latin-1"),
            pytest.param(b"store: a\nkeys: \x01\n", 2, id="control character"),
            pytest.param("# éééé\n\n# é\n\nkeys: \x01\n\n\n\n".encode(), 5, id="control character after accents"),
            pytest.param(b"- a\n", 1, id="list"),
            pytest.param(b"store\n", 1, id="word"),
            pytest.param(b"[" * 20_000, 0, id="deep"),
            pytest.param(b"#" * 2_000_000, 0, id="large"),
        ],
    )
    def test_not_a_configuration(self, write, data: bytes, line: int) -> None:
        """A file of another kind is one error on the line that shows it."""
        assert [at for at, _, _ in faults(write(data))] == [line]

    def test_errors_stay_short(self, write) -> None:
        """A word of any length is cut in the message."""
        found = faults(write(GOOD + "a" * 100_000 + ": 1\n"))
        assert len(found[0][1]) < 200


def test_udp_and_tcp_may_share_a_number(tmp_path: Path) -> None:
    """Syslog over both on 6514: two ports; twice over UDP is one."""
    feed = '  - {{name: {name}, listener: syslog, establishment: "990000001", port: 6514, transport: {transport}}}\n'
    head = 'store: s.db\nkeys: k\nestablishments:\n  - {finess: "990000001", name: CH}\nfeeds:\n'
    path = tmp_path / "jauge.yaml"
    for transports, wrong in ((("tcp", "udp"), 0), (("udp", "udp"), 1)):
        feeds = "".join(feed.format(name=f"a{n}", transport=one) for n, one in enumerate(transports))
        path.write_text(head + feeds, encoding="utf-8")
        assert len(config_problems(path)) == wrong
