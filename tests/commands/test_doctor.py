"""``jauge doctor`` beside a real engine: running, stopped, broken one thing at a time."""

from __future__ import annotations

import ast
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from engine.cli import main
from engine.codes import checks, codes
from engine.doctor.running import holder, running
from engine.service import load_config
from tests.e2e.engine import RunningEngine
from tests.messages import adt

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"clock-adrift", "account-root", "disk-low", "disk-volatile", "disk-container", "disk-slow", "memory-low"}
"""What a machine that runs the tests may rightly be told."""


def doctor(config: Path, *words: str) -> Result:
    """The command."""
    return CliRunner().invoke(main, ["doctor", "--config", str(config), *words], catch_exceptions=False)


def found(config: Path) -> dict[str, dict[str, str]]:
    """Code -> finding, of what is not well, without what the machine of the tests may lack."""
    said = json.loads(doctor(config, "--json").stdout)
    return {one["code"]: one for one in said["findings"] if one["code"] and one["code"] not in ENVIRONMENT}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RunningEngine]:
    """A configuration, and its engine, which is not started."""
    with RunningEngine(tmp_path) as made:
        yield made


def send(engine: RunningEngine, payload: bytes) -> bytes:
    """One message; its acknowledgement."""
    with socket.create_connection(("127.0.0.1", engine.mllp), 60) as peer:
        peer.sendall(b"\x0b" + payload + b"\x1c\r")
        return peer.recv(65_536)


def wait_for(engine: RunningEngine, name: str, **labels: str) -> None:
    """Until a value of /metrics is not zero."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if engine.metrics().get((name, frozenset(labels.items()))):
            return
        time.sleep(0.1)
    raise AssertionError(f"{name} stays at zero")


def test_before_the_first_start(engine: RunningEngine) -> None:
    """Nothing is a problem; nothing was made."""
    assert set(found(engine.config)) == {"finess-example", "engine-stopped"}
    assert doctor(engine.config).exit_code == 0
    assert {path.name for path in engine.folder.iterdir()} == {"jauge.yaml"}


def test_a_running_engine(engine: RunningEngine) -> None:
    """It is found by its store, asked over its port, and each feed is told alive; after its end it is told stopped."""
    engine.start()
    assert engine.process is not None
    config = load_config(engine.config)
    assert holder(config.store.with_name("jauge.db.lock")) == engine.process.pid
    assert running(config).ready
    assert set(found(engine.config)) == {"finess-example", "feed-never"}
    assert b"MSA|AA" in send(engine, adt(1))
    wait_for(engine, "jauge_feed_last_message_timestamp_seconds", feed="his")
    assert set(found(engine.config)) == {"finess-example"}
    result = doctor(engine.config)
    assert result.exit_code == 0
    assert f"process {engine.process.pid}, ready" in result.stdout
    assert "feeds.his: latest message" in result.stdout
    assert engine.stop() == 0
    assert set(found(engine.config)) == {"finess-example", "engine-stopped"}
    assert holder(config.store.with_name("jauge.db.lock")) == 0


def test_what_changed_since_the_start(engine: RunningEngine) -> None:
    """A feed that was added, a port that was moved, a choice of counting: the engine wants a restart, and the command says so with 1."""
    engine.start()
    text = engine.config.read_text()
    engine.config.write_text(
        text.replace("count_test_ins: true", "count_test_ins: true, grace_days: 9")
        + '  - {name: lab, listener: mllp, establishment: "990000001", port: 2599}\n'
    )
    said = found(engine.config)
    assert {code: one["place"] for code, one in said.items()} == {
        "finess-example": "establishments",
        "port-not-open": "feeds.lab",
        "feed-unknown": "feeds.lab",
        "figures-old": "store",
        "feed-never": "feeds.his",
    }
    assert all(one["do"] for one in said.values())
    assert doctor(engine.config).exit_code == 1


def test_messages_that_cannot_be_read(engine: RunningEngine) -> None:
    """The feed and the code are said, and nothing of the message."""
    engine.start()
    send(engine, b"MSH|^~\\&|SECRETSENDER")
    wait_for(engine, "jauge_aside_messages")
    said = found(engine.config)
    assert {"feed-unread", "engine-aside"} <= said.keys()
    assert said["feed-unread"]["place"] == "feeds.his"
    assert "SECRET" not in doctor(engine.config).output


def test_a_page_with_token_and_certificate(tmp_path: Path) -> None:
    """The doctor shows the token, to nobody but the engine whose certificate is that of the file."""
    runner = CliRunner()
    folder = tmp_path / "site"
    with RunningEngine(tmp_path) as engine:
        words = ["init", str(folder), "--web", f"0.0.0.0:{engine.http}", "--listen", f"127.0.0.1:{engine.mllp}"]
        assert runner.invoke(main, words).exit_code == 0
        config = load_config(folder / "jauge.yaml")
        engine.config = folder / "jauge.yaml"
        with engine.log.open("ab") as log:
            engine.process = _started(engine.config, log)
        deadline = time.monotonic() + 60
        while not running(config).samples and time.monotonic() < deadline:
            time.sleep(0.2)
        said = running(config)
        assert said.ready
        assert not said.old_certificate
        assert said.samples
        assert set(found(engine.config)) == {"finess-example", "inventory-example", "feed-never"}
        other = tmp_path / "other"
        assert runner.invoke(main, ["init", str(other), "--web", f"0.0.0.0:{engine.http}"]).exit_code == 0
        (other / "secrets" / "web.token").write_bytes((folder / "secrets" / "web.token").read_bytes())
        stranger = running(load_config(other / "jauge.yaml"))  # the token would open, and is not shown
        assert stranger.old_certificate
        assert not stranger.samples


def _started(config: Path, log: Any) -> Any:
    import subprocess
    import sys

    return subprocess.Popen([sys.executable, "-m", "engine.cli", "run", "-c", str(config)], stdout=log, stderr=log)


def test_a_wrong_configuration(engine: RunningEngine) -> None:
    """Every fault with its file, its line and its mend; exit code 3."""
    engine.config.write_text(engine.config.read_text().replace("listener: mllp", "listener: mlp"))
    result = doctor(engine.config, "--json")
    assert result.exit_code == 3
    said = json.loads(result.stdout)
    assert said["state"] == "problem"
    assert said["findings"][0]["code"] == "configuration-wrong"
    assert said["findings"][0]["place"].startswith(f"{engine.config}:")
    assert "mllp" in said["findings"][0]["do"]


def test_every_code_is_declared() -> None:
    """Each code that a check gives is in its CODES, each of CODES is given, and no message is ever given one of them."""
    for path in sorted((ROOT / "engine" / "doctor").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        given = {
            argument.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"problem", "warning"}
            for argument in node.args[1:2]
            if isinstance(argument, ast.Constant)
        }
        declared: set[str] = set()
        for node in tree.body:
            target = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and target.id == "CODES":
                declared = set(ast.literal_eval(node.value))  # type: ignore[union-attr, arg-type]
        assert given == declared, path.name
    assert not checks().keys() & codes().keys()
    assert all(len(sentence) > 30 for sentence in checks().values())
