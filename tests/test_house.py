"""The house's own rules: who imports whom, how long a file may be, what must be documented."""

from __future__ import annotations

import ast
import csv
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "engine"
MODULES = sorted(ENGINE.rglob("*.py"))
IGNORED = {
    ".git",
    "node_modules",
    ".venv",
    ".venv-bench",
    ".venv-lock",
    ".bench",
    ".hypothesis",
    "__pycache__",
    "build",
    "dist",
}


def files(*suffixes: str) -> list[Path]:
    """Every file of the tree that people wrote, optionally with one of these suffixes."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in IGNORED and not name.endswith("_cache")]
        found += [Path(folder, name) for name in names if not suffixes or Path(name).suffix in suffixes]
    return sorted(found)


def name_of(path: Path) -> str:
    """The dotted name of a module of the engine."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever the import stands: ``engine.a`` and ``engine.a.b`` alike."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield f"relative import on line {node.lineno}"


def ours(path: Path) -> set[str]:
    """What a file imports of the engine, without ``engine.``."""
    return {name.removeprefix("engine.") for name in imports(path) if name.split(".")[0] == "engine"}


def within(names: set[str], *places: str) -> set[str]:
    """Those of the names that are one of these modules or inside one of these packages."""
    return {name for name in names if any(name == place or name.startswith(f"{place}.") for place in places)}


# Package or module -> what it may import of the engine; everything else is forbidden.
ONLY = {
    "facts": (),
    "errors": (),
    "receipt": (),
    "resources": (),
    "standing": (),
    "privacy": ("errors", "secret"),
    "secret": ("errors", "owner"),
    "tls": ("errors",),
    "tokens": ("errors", "secret"),
    "strict": ("errors", "owner", "secret"),
    "parsers": ("parsers", "facts", "errors", "receipt"),
}
# Package or module -> what it must never import.
NEVER = {
    "ledger": ("listeners", "simulator", "pipeline", "service", "cli", "config", "web"),
    "metrics": ("listeners", "simulator", "pipeline", "service", "cli", "config", "web"),
    "listeners": ("ledger", "metrics", "simulator", "pipeline", "service", "cli", "web"),
    # What is shown is handed to it: it knows neither where that comes from nor who makes its pages.
    "web": (
        "listeners",
        "parsers",
        "ledger",
        "evidence",
        "page",
        "simulator",
        "pipeline",
        "service",
        "cli",
        "config",
        "commands",
    ),
    "page": ("listeners", "simulator", "pipeline", "service", "cli", "commands"),
    # The message and the proof of PS4.1: their settings and their state are read by others, they know no one above.
    "evidence": ("ledger", "metrics", "simulator", "pipeline", "service", "cli", "config", "commands"),
    # The hospital knows the truth by its own bookkeeping: were it to call the rules, it would only agree with them.
    "simulator": ("ledger", "metrics", "pipeline", "service", "cli"),
}
TOP = ("service", "cli", "assembly", "observer")
"""Those who know everyone; nobody knows them but each other."""


class TestLayers:
    """Imports point one way."""

    @pytest.mark.parametrize("place", ONLY)
    def test_lower_layers_import_nothing_else(self, place: str) -> None:
        """Formats, facts and errors stand alone: they import each other's data types and nothing else of ours."""
        wrong = {}
        for path in MODULES:
            module = name_of(path).removeprefix("engine.")
            if within({module}, place):
                names = ours(path)
                wrong[module] = names - within(names, *ONLY[place])
        assert not {module: names for module, names in wrong.items() if names}

    @pytest.mark.parametrize("place", NEVER)
    def test_layers_do_not_look_up(self, place: str) -> None:
        """Memory and sums know no transport; transports know no memory; the synthetic hospital knows no rule."""
        wrong = {}
        for path in MODULES:
            module = name_of(path).removeprefix("engine.")
            if within({module}, place):
                wrong[module] = within(ours(path), *NEVER[place])
        assert not {module: names for module, names in wrong.items() if names}

    def test_nobody_imports_the_top(self) -> None:
        """Only the command line imports the service, and nothing imports the command line."""
        for path in MODULES:
            module = name_of(path).removeprefix("engine.")
            if not module.startswith(("service", "observer", "cli", "assembly", "__main__", "commands")):
                assert not within(ours(path), *TOP), module

    def test_no_relative_imports(self) -> None:
        """An import says in full where the thing is."""
        wrong = [
            f"{name_of(path)}: {name}" for path in MODULES for name in imports(path) if name.startswith("relative")
        ]
        assert not wrong

    def test_every_library_is_declared(self) -> None:
        """What the engine imports from others is a dependency of the project."""
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        declared = {re.split(r"[<>=;\[ ]", line)[0].lower().replace("_", "-") for line in project["dependencies"]}
        providers = packages_distributions()
        for path in MODULES:
            for name in {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - {"engine"}:
                packages = {package.lower().replace("_", "-") for package in providers.get(name, [name])}
                assert packages & declared, f"{name_of(path)} imports {name}"


class TestSize:
    """Small files, named by their noun."""

    def test_no_file_of_the_engine_is_long(self) -> None:
        """A file of the engine has at most 400 lines: past that, it holds two things."""
        long = {name_of(path): lines for path in MODULES if (lines := len(path.read_bytes().splitlines())) > 400}
        assert not long

    def test_no_drawer_for_everything(self) -> None:
        """No module is called utils, helpers, common or misc."""
        assert not {path.stem for path in MODULES} & {"utils", "util", "helpers", "common", "misc"}


def commands(group: click.Command | None = None, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command of ``jauge``, by its words."""
    command = group or import_module("engine.cli").main
    for name, child in getattr(command, "commands", {}).items():
        yield f"{prefix}{name}", child
        yield from commands(child, f"{prefix}{name} ")


def sections(page: str) -> dict[str, str]:
    """A page of docs/, cut at its headings: heading (without backquotes) -> text."""
    cut = re.split(r"^#+ (.+)$", (ROOT / "docs" / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {heading.replace("`", "").strip(): text for heading, text in zip(cut[1::2], cut[2::2], strict=True)}


class TestDocumentation:
    """What a person can type, set or read is documented, and nothing else is."""

    def test_every_command_is_documented(self) -> None:
        """docs/commands.md has a heading for each command, and each heading is a command."""
        documented = {
            heading.removeprefix("jauge ") for heading in sections("commands.md") if heading.startswith("jauge ")
        }
        assert {name for name, _ in commands()} == documented

    def test_every_option_is_documented(self) -> None:
        """The section of a command names each of its options and arguments, and has no option that does not exist."""
        for name, command in commands():
            text = sections("commands.md")[f"jauge {name}"]
            known = {"--help"}
            for parameter in command.params:
                if isinstance(parameter, click.Argument):
                    assert parameter.human_readable_name.rstrip(".").strip("[]") in text, f"{name}: {parameter.name}"
                else:
                    known |= {word for word in (*parameter.opts, *parameter.secondary_opts) if word.startswith("--")}
                    assert f"`{parameter.opts[0]}" in text, f"{name}: {parameter.opts[0]}"
            assert set(re.findall(r"`(--[a-z-]+)", text)) <= known, name

    def test_every_command_explains_itself(self) -> None:
        """``--help`` of each command says what it does, and of each option what it is for."""
        for name, command in commands():
            assert command.help, name
            for parameter in command.params:
                if isinstance(parameter, click.Option):
                    assert parameter.help, f"{name}: {parameter.name}"

    def test_every_metric_is_documented(self) -> None:
        """docs/metrics.md names each metric that /metrics can show, and only those."""
        families = import_module("engine.metrics.families")
        known = {family.name for family in families.FAMILIES}
        documented = set(re.findall(r"`(jauge_[a-z0-9_]+)", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")))
        assert known <= documented
        stems = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in documented}
        assert stems <= known

    def test_every_setting_is_documented(self) -> None:
        """docs/configuration.md names each setting of jauge.yaml, and each has a sentence."""
        text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
        config = import_module("engine.config")
        for struct in (
            config.Config,
            config.Http,
            config.Log,
            config.Limits,
            config.Indicators,
            config.Mssante,
            config.Establishment,
            config.Feed,
        ):
            for name in struct.__struct_fields__:
                if (struct, name) not in {(config.Config, "file"), (config.Feed, "settings")}:
                    assert re.search(rf"`[a-z_.\[\]]*\b{name}`", text), f"{struct.__name__}.{name}"

    def test_every_indicator_is_documented(self) -> None:
        """docs/rules.md names each indicator of the catalogue."""
        text = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
        codes = re.findall(r"^  - id: (\S+)", (ROOT / "config" / "indicators.yaml").read_text("utf-8"), re.MULTILINE)
        assert codes
        assert not [code for code in codes if code not in text]

    def test_tests_that_the_readme_names_exist(self) -> None:
        """Each promise of the README names a test file that is there."""
        named = set(re.findall(r"`(tests/[\w/.]+?)(?:::\w+)*`", (ROOT / "README.md").read_text(encoding="utf-8")))
        assert named
        assert not [name for name in named if not (ROOT / name).exists()]

    def test_every_test_says_what_it_holds(self) -> None:
        """Every test has a docstring: the behaviour, in a sentence."""
        mute = [
            f"{path.relative_to(ROOT)}::{node.name}"
            for path in (ROOT / "tests").rglob("test_*.py")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name.startswith("test_")
            and not ast.get_docstring(node)
        ]
        assert not mute


class TestTree:
    """What the tree holds, and what it must not."""

    def test_no_trace_of_a_machine(self) -> None:
        """No file names a path of the machine it was written on, or a tracker's number."""
        words = [
            rb"/(?:work|root|tmp/jauge)/(?!\w+\.service)",
            rb"\.lib" + rb"rary/",
            rb"/opt/(?:wheels|pypi)",
            rb"\bissue #?\d",
            rb"\bT" + rb"ODO\b",
            rb"\bFIX" + rb"ME\b",
            rb"\bXX" + rb"X\b",
        ]
        found = [
            f"{path.relative_to(ROOT)}: {match.group().decode()}"
            for path in files()
            if path != Path(__file__).resolve()
            and path.suffix != ".png"  # compressed: any letters come there by chance
            for match in re.finditer(b"|".join(words), path.read_bytes())
        ]
        assert not found

    def test_scripts_run(self) -> None:
        """Each script may be executed and is POSIX shell without a syntax error."""
        scripts = [path for path in (ROOT / "scripts").iterdir() if path.suffix in {"", ".sh"}] + [ROOT / ".ci" / "run"]
        for path in scripts:
            assert os.access(path, os.X_OK) or path.suffix, path
            assert subprocess.run(["sh", "-n", path], check=False).returncode == 0, path

    def test_ci_runs_what_the_readme_says(self) -> None:
        """Continuous integration runs the test command of the README and nothing else."""
        assert "scripts/test" in (ROOT / "README.md").read_text(encoding="utf-8")
        lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]
        assert len(lines) == 1
        assert lines[0].endswith('scripts/test"')

    def test_locks_cover_the_dependencies(self) -> None:
        """Each lock pins every dependency of its kind, with hashes; the development lock agrees with the other."""
        document = tomllib.loads((ROOT / "pyproject.toml").read_text())
        pins = {}
        for kind in ("", "-dev", "-bench"):
            text = (ROOT / f"requirements{kind}.lock").read_text()
            pins[kind] = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", text, re.MULTILINE))
            assert text.count("--hash=sha256:") >= len(pins[kind])
        groups = document["dependency-groups"]
        for kind, more in (("", groups["build"]), ("-dev", groups["dev"]), ("-bench", groups["bench"])):
            wanted = [*document["project"]["dependencies"], *(line for line in more if isinstance(line, str))]
            names = {re.split(r"[<>=;\[ ]", line)[0].lower().replace(".", "-").replace("_", "-") for line in wanted}
            assert names <= set(pins[kind])
            assert {name: pins[kind].get(name) for name in pins[""]} == pins[""]

    def test_one_version(self) -> None:
        """pyproject.toml, the package and CHANGELOG.md name the same version."""
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        assert import_module("engine").__version__ == version

    def test_shipped_files_are_found(self) -> None:
        """``engine.resources`` finds what is shipped, and says what is missing."""
        from engine import resources

        assert resources.path("indicators.yaml").is_file()
        with (resources.path("applications.csv")).open(encoding="utf-8", newline="") as file:
            assert list(csv.reader(file))
        with pytest.raises(FileNotFoundError, match=r"absent\.yaml"):
            resources.path("absent.yaml")

    def test_the_wheel_carries_the_shipped_files(self, tmp_path: Path) -> None:
        """An installed wheel has config/ and docs/fr/ in it, and nothing that an engine run in the checkout left there."""
        from hatchling.builders.wheel import WheelBuilder

        (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
        for source, target, known in (("config", "_config", "jauge.yaml"), ("docs/fr", "_help", "index.md")):
            with zipfile.ZipFile(wheel) as archive:
                names = [name for name in archive.namelist() if f"/{target}/" in name]
            carried = {Path(name).relative_to(f"engine/{target}") for name in names}
            kept = (path.relative_to(ROOT / source) for path in (ROOT / source).rglob("*") if path.is_file())
            assert carried == {place for place in kept if place.parts[0] != "var"}
            assert Path(known) in carried
