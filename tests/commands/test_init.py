"""``jauge init``: the folder it writes works, and it never overwrites one."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
import yaml
from click.testing import CliRunner, Result

from engine.certificates import certificates_of
from engine.cli import main
from engine.commands import answers, own_certificate
from engine.commands.init import RefusedError, init
from engine.errors import ConfigError
from engine.service import config_problems, load_config
from tests.e2e.engine import RunningEngine, free_port
from tests.messages import adt

SHIPPED = Path(__file__).resolve().parents[2] / "config"


def jauge(*words: str | Path) -> Result:
    """One command, without a terminal."""
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_defaults_are_a_working_configuration(tmp_path: Path) -> None:
    """Without a terminal nothing is asked: what is written is the shipped example, and right at once."""
    result = jauge("init", tmp_path / "site")
    assert result.exit_code == 0, result.output
    assert config_problems(tmp_path / "site" / "jauge.yaml") == []
    assert "doctor" in result.output
    assert answers.EXAMPLE_FINESS in result.output  # it has to be changed
    assert not (tmp_path / "site" / "secrets").exists()


@pytest.mark.parametrize("trace", answers.TRACES)
@pytest.mark.parametrize("mail", [False, True])
def test_every_trace_passes_check_config(tmp_path: Path, trace: str, mail: bool) -> None:
    """Each answer gives a configuration that is right, with the feed of the trace in it."""
    words = ["--mssante-domain", "ch-exemple.mssante.fr"] if mail else []
    folder = tmp_path / "site"
    assert jauge("init", folder, "--finess", "990000019", "--trace", trace, *words).exit_code == 0
    assert jauge("check-config", "-c", folder / "jauge.yaml").exit_code == 0
    config = load_config(folder / "jauge.yaml")
    listeners = {"log": ["logs"], "fhir": ["http"], "syslog": ["syslog"], "captures": ["captures"]}.get(trace, [])
    assert [feed.listener for feed in config.feeds] == ["mllp", *listeners, *(["smtp"] if mail else [])]
    assert {feed.establishment for feed in config.feeds} == {"990000019"}
    assert (folder / "correspondents.csv").exists() is mail


def test_the_answers_are_in_the_file(tmp_path: Path) -> None:
    """Whatever a name holds; and the comments of the example are there too."""
    name = 'CH "Sainte-Ève": l\'été # 1'
    assert (
        jauge("init", tmp_path / "s", "--name", name, "--listen", "10.1.2.3:2600", "--web", "127.0.0.1:9000").exit_code
        == 0
    )
    text = (tmp_path / "s" / "jauge.yaml").read_text(encoding="utf-8")
    found = yaml.safe_load(text)
    assert found["establishments"][0]["name"] == name
    assert (found["feeds"][0]["host"], found["feeds"][0]["port"]) == ("10.1.2.3", 2600)
    assert found["http"] == {"host": "127.0.0.1", "port": 9000}
    assert "# PV1-2" in text or "(PV1-2)" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--finess", "99000000"], "9 characters"),
        (["--listen", "10.1.2.3"], "10.1.2.3:2575"),
        (["--web", "a b:80"], "address of this machine"),
        (["--web", "10.1.2.3:0"], "address of this machine"),
        (["--mssante-domain", "x@y"], "what follows the @"),
        (["--certificate", __file__], "go together"),
        (["--trace-path", "/srv"], "--trace log"),
        (["--trace", "captures", "--trace-path", "/absent/folder"], "no folder"),
        (["--account", "nobody-has-this-name"], "no account"),
        (["--name", " "], "1 to 200"),
    ],
)
def test_an_answer_that_cannot_be(tmp_path: Path, words: list[str], said: str) -> None:
    """Wrong arguments are told, with how to write them; nothing is written."""
    result = jauge("init", tmp_path / "s", *words)
    assert result.exit_code == 2
    assert said in result.output.replace("\n", " ")
    assert not (tmp_path / "s").exists()


def test_two_listeners_of_one_port(tmp_path: Path) -> None:
    """Answers that do not go together are refused, and nothing stays behind."""
    result = jauge("init", tmp_path / "s", "--listen", "127.0.0.1:9464")
    assert result.exit_code == 1
    assert "port 9464 is taken twice" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """One file that is there already: the whole is refused, with another folder to give; everything is as before."""
    (tmp_path / "applications.csv").write_text("mine")
    (tmp_path / "other.txt").write_text("mine too")
    before = content(tmp_path)
    result = jauge("init", tmp_path)
    assert result.exit_code == 1
    assert "applications.csv" in result.stderr
    assert f"jauge init {tmp_path}-new" in result.stderr
    assert content(tmp_path) == before
    assert jauge("init", tmp_path / "second").exit_code == 0
    assert jauge("init", tmp_path / "second").exit_code == 1


def test_a_folder_that_is_there_keeps_what_it_holds(tmp_path: Path) -> None:
    """What has other names is left alone."""
    (tmp_path / "tls").mkdir()
    assert jauge("init", tmp_path).exit_code == 0
    assert {"tls", "jauge.yaml"} <= {path.name for path in tmp_path.iterdir()}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["applications.csv", "jauge.yaml", "prometheus/mine.yml"])
def test_what_appears_meanwhile_is_not_overwritten(tmp_path: Path, name: str) -> None:
    """Somebody else writes there at the same time: theirs stays, and nothing of ours."""

    def meanwhile(path: Path) -> list[ConfigError]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
        return []

    with pytest.raises(RefusedError):
        init(tmp_path, answers.Answers(), None, meanwhile)
    assert content(tmp_path) == {name: b"mine"}


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A file in place of the folder, or a place that takes nothing, is one sentence."""
    (tmp_path / "file").touch()
    assert jauge("init", tmp_path / "file" / "s").exit_code == 1
    result = jauge("init", "/proc/jauge")
    assert result.exit_code == 1
    assert "cannot write here" in result.stderr


def test_the_network_gets_a_password_a_token_and_a_certificate(tmp_path: Path) -> None:
    """Secrets are for their owner alone, different, named in the configuration, and not shown."""
    folder = tmp_path / "s"
    result = jauge("init", folder, "--web", "0.0.0.0:9464", "--trace", "fhir")
    assert "chgrp prometheus /etc/prometheus/jauge.token" in result.output
    assert result.exit_code == 0, result.stderr
    files = sorted((folder / "secrets").iterdir())
    assert [file.name for file in files] == ["fhir.token", "web.password", "web.token"]
    values = [file.read_text().strip() for file in files]
    assert len(set(values)) == 3
    assert all(len(value) >= 32 for value in values)
    assert not any(value in result.output or value in (folder / "jauge.yaml").read_text() for value in values)
    assert {file.stat().st_mode & 0o777 for file in (*files, folder / "tls" / "jauge.key")} == {0o600}
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o700
    http = load_config(folder / "jauge.yaml").http
    assert (http.password_file, http.token_file) == (folder / "secrets/web.password", folder / "secrets/web.token")
    assert jauge("check-config", "-c", folder / "jauge.yaml").exit_code == 0


def test_a_certificate_that_is_given(tmp_path: Path) -> None:
    """It is named where it is, for what is read and what is sent over the network; none is made."""
    given = trustme.CA().issue_cert("jauge.example")
    given.cert_chain_pems[0].write_to_path(tmp_path / "a.crt")
    given.private_key_pem.write_to_path(tmp_path / "a.key")
    words = ("--certificate", tmp_path / "a.crt", "--key", tmp_path / "a.key", "--trace", "syslog")
    folder = tmp_path / "s"
    assert jauge("init", folder, "--web", "0.0.0.0:9464", "--listen", "0.0.0.0:2575", *words).exit_code == 0
    config = load_config(folder / "jauge.yaml")
    assert certificates_of(config) == {"http": tmp_path / "a.crt", "feeds.atna": tmp_path / "a.crt"}
    assert not (folder / "tls").exists()


def test_a_proxy_in_front(tmp_path: Path) -> None:
    """No password, token or certificate is made: the proxy has them."""
    assert jauge("init", tmp_path / "s", "--web", "10.1.2.3:9464", "--behind-proxy").exit_code == 0
    http = load_config(tmp_path / "s" / "jauge.yaml").http
    assert http.behind_proxy
    assert http.password_file is None
    assert not (tmp_path / "s" / "secrets").exists()


@pytest.mark.parametrize("web", ["127.0.0.1:9470", "0.0.0.0:9470"])
def test_prometheus_has_what_it_needs(tmp_path: Path, promtool: str, web: str) -> None:
    """Its folder is right by Prometheus's own tool, and holds the address, and over the network the token and the certificate."""
    folder = tmp_path / "s"
    assert jauge("init", folder, "--web", web).exit_code == 0
    scrape = folder / "prometheus" / "prometheus.yml"
    checked = subprocess.run([promtool, "check", "config", scrape], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    job = yaml.safe_load(scrape.read_text(encoding="utf-8"))["scrape_configs"][0]
    links = "".join(path.read_text(encoding="utf-8") for path in scrape.parent.glob("alerts-*.yml"))
    if web.startswith("127."):
        assert job == {"job_name": "jauge", "static_configs": [{"targets": [web]}]}
        assert "https://" not in links
    else:
        assert job["static_configs"][0]["targets"][0].endswith(":9470")
        assert "0.0.0.0" not in job["static_configs"][0]["targets"][0]
        assert job["scheme"] == "https"
        token = scrape.parent / job["authorization"]["credentials_file"]
        assert token.read_text() == (folder / "secrets" / "web.token").read_text()
        assert token.stat().st_mode & 0o777 == 0o600
        certificate = scrape.parent / job["tls_config"]["ca_file"]
        assert certificate.read_bytes() == (folder / "tls" / "jauge.crt").read_bytes()
        assert "http://" not in links
    shipped = {str(path.relative_to(SHIPPED)) for name in ("grafana", "alertmanager") for path in files(SHIPPED / name)}
    assert {
        str(path.relative_to(folder)) for name in ("grafana", "alertmanager") for path in files(folder / name)
    } == shipped


def files(folder: Path) -> list[Path]:
    """Every file of a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_own_certificate_is_believed_by_who_has_it(tmp_path: Path) -> None:
    """TLS with the name and the address of this machine, checked as Prometheus does."""
    certificate, key = own_certificate.make("127.0.0.1")
    (tmp_path / "a.crt").write_bytes(certificate)
    (tmp_path / "a.key").write_bytes(key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "a.crt", tmp_path / "a.key")
    client = ssl.create_default_context(cafile=tmp_path / "a.crt")
    for name in own_certificate.names("127.0.0.1"):
        here, there = ssl.MemoryBIO(), ssl.MemoryBIO()
        one = client.wrap_bio(here, there, server_hostname=name)
        other = server.wrap_bio(there, here, server_side=True)
        for side in (one, other, one, other):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        assert one.version() is not None, name


def test_the_habits_of_who_runs_it_do_not_matter(tmp_path: Path) -> None:
    """With a narrow umask too, the engine's account reads everything but what is another's secret."""
    before = os.umask(0o077)
    try:
        assert jauge("init", tmp_path / "s", "--web", "0.0.0.0:9464", "--trace", "log").exit_code == 0
    finally:
        os.umask(before)
    shut = [path for path in (tmp_path / "s").rglob("*") if not path.stat().st_mode & 0o004]
    names = {"secrets", "web.password", "web.token", "tls", "jauge.crt", "jauge.key", "jauge.token"}
    assert {path.name for path in shut} == names
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another account")
def test_the_secrets_are_the_services(tmp_path: Path) -> None:
    """Run as root, the secrets are given to the account that reads them."""
    assert jauge("init", tmp_path / "s", "--trace", "fhir", "--account", "nobody").exit_code == 0
    secret = tmp_path / "s" / "secrets" / "fhir.token"
    assert secret.owner() == secret.parent.owner() == "nobody"


def test_the_service_keeps_its_data_elsewhere(tmp_path: Path) -> None:
    """The folder of the data is in the configuration: store, keys and positions."""
    data = tmp_path / "lib"
    assert jauge("init", tmp_path / "s", "--data", data, "--trace", "log").exit_code == 0
    config = load_config(tmp_path / "s" / "jauge.yaml")
    assert (config.store, config.keys) == (data / "jauge.db", data / "keys")
    assert config.feeds[1].settings.state == data / "logs"  # type: ignore[attr-defined]


def test_the_questions(tmp_path: Path) -> None:
    """At a terminal five questions are asked; a wrong answer is explained and asked again, Enter takes the default."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.cli", "init", str(tmp_path / "s")],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(slave)
    os.write(master, b"99\n990000019\nCH de Test\n\n\nnothing\nlog\n\n")
    output, _ = process.communicate(timeout=60)
    os.close(master)
    assert process.returncode == 0, output
    assert re.findall(r"([1-5])\. (?=[A-Z])", output) == ["1", "1", "2", "3", "4", "5", "5"]
    assert "9 characters" in output
    found = yaml.safe_load((tmp_path / "s" / "jauge.yaml").read_text(encoding="utf-8"))
    assert found["establishments"][0]["finess"] == "990000019"
    assert found["establishments"][0]["name"] == "CH de Test"
    assert [feed["name"] for feed in found["feeds"]] == ["his", "dmp-log"]


def test_the_engine_starts_and_counts(tmp_path: Path) -> None:
    """From the folder to a message on /metrics, without touching a file."""
    mllp, web = free_port(), free_port()
    folder = tmp_path / "s"
    words = ("--listen", f"127.0.0.1:{mllp}", "--web", f"127.0.0.1:{web}", "--trace", "log")
    assert jauge("init", folder, *words).exit_code == 0
    text = (folder / "jauge.yaml").read_text(encoding="utf-8")
    with RunningEngine(folder, text.replace("{", "{{").replace("}", "}}")) as engine:
        engine.http, engine.mllp = web, mllp
        engine.start()
        with socket.create_connection(("127.0.0.1", mllp), 60) as peer:
            peer.sendall(b"\x0b" + adt(1) + b"\x1c\r")
            assert b"MSA|AA" in peer.recv(65_536)
        engine.settle()
        assert engine.value("jauge_messages_received_total", feed="his") == 1
        assert engine.stop() == 0
