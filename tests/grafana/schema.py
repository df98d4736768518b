"""Grafana's own types (the package @grafana/schema) asked about a dashboard, by the TypeScript compiler."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

NODE = Path(__file__).resolve().parents[1] / "node"
COMPILER = NODE / "node_modules" / "typescript" / "bin" / "tsc"

_KINDS = {
    "stat": "stat",
    "bargauge": "bargauge",
    "timeseries": "timeseries",
    "table": "table",
    "state-timeline": "statetimeline",
}
"""Type of a panel -> the folder of its types in the package."""

# JSON holds the values of an enumeration, not its names. `Json` makes every enumeration of a type the union of its values;
# nothing else changes, and a property that the type does not have stays an error.
_HEAD = """\
import type * as g from "@grafana/schema";
%(imports)s
type Value<T> = `${T & (string | number)}` extends infer Text ? T extends number ? Text extends `${infer N extends number}` ? N : never : Text : never;
type Json<T> =
  T extends string ? (string extends T ? string : Value<T>)
  : T extends number ? (`${number}` extends `${T}` ? number : Value<T>)
  : T extends boolean | null | undefined ? T
  : T extends Array<infer Each> ? Json<Each>[]
  : unknown extends T ? T
  : T extends object ? { [Key in keyof T]: Json<T[Key]> }
  : T;

// What the Prometheus data source adds to a query: the package has no types for it.
type Query = Json<g.DataQuery> & {
  datasource: { type: "prometheus"; uid: "${datasource}" };
  editorMode: "code"; expr: string; format: "table" | "time_series"; instant: boolean; range: boolean; legendFormat: string;
};
type Link = { title: string; url: string; targetBlank: boolean };
type Field<Custom> = Omit<Json<g.FieldConfig>, "custom" | "links"> & { custom?: Json<Partial<Custom>>; links?: Link[] };
type Change<Custom> =
  | { [Key in keyof Field<Custom> & string]: { id: Key; value: Field<Custom>[Key] } }[keyof Field<Custom> & string]
  | { [Key in keyof Custom & string]: { id: `custom.${Key}`; value: Json<Custom[Key]> } }[keyof Custom & string]
  | (Custom extends g.HideableFieldConfig ? { [Key in keyof g.HideSeriesConfig]: { id: `custom.hideFrom.${Key}`; value: boolean } }[keyof g.HideSeriesConfig] : never);
type Panel<Type extends string, Options, Custom = {}> =
  Omit<Json<g.Panel>, "type" | "options" | "fieldConfig" | "targets"> & {
    type: Type; id: number; title: string; description: string; gridPos: Json<g.GridPos>; targets: Query[];
    options: Json<Options>;
    fieldConfig: {
      defaults: Field<Custom>;
      overrides: { matcher: Json<g.MatcherConfig>; properties: Change<Custom>[] }[];
    };
  };
type Annotation = Json<g.AnnotationQuery> & { expr: string; step: string; titleFormat: string; textFormat: string; tagKeys: string };
type Board = Omit<Json<g.Dashboard>, "panels" | "annotations"> & { uid: string; annotations: { list: Annotation[] } };
"""


def missing() -> str:
    """What is not here for asking; empty when all is."""
    if shutil.which("node") is None:
        return "node is not installed"
    return "" if COMPILER.exists() else "tests/node has no modules: scripts/tools brings them"


def source(boards: Iterable[Any]) -> str:
    """A program that only compiles when each dashboard, and each panel of it, is of Grafana's types."""
    imports = [
        f'import type * as {kind} from "@grafana/schema/dist/esm/raw/composable/{kind}/panelcfg/x/{name}PanelCfg_types.gen";'
        for kind, name in (
            ("stat", "Stat"),
            ("bargauge", "BarGauge"),
            ("timeseries", "TimeSeries"),
            ("statetimeline", "StateTimeline"),
        )
    ]
    types = {
        "stat": 'Panel<"stat", stat.Options>',
        "bargauge": 'Panel<"bargauge", bargauge.Options>',
        "timeseries": 'Panel<"timeseries", timeseries.Options, timeseries.FieldConfig>',
        "table": 'Panel<"table", g.TableOptions, g.TableFieldOptions>',
        "state-timeline": 'Panel<"state-timeline", statetimeline.Options, statetimeline.FieldConfig>',
        "row": "Json<g.RowPanel>",
    }
    lines = [_HEAD % {"imports": "\n".join(imports)}]
    for number, board in enumerate(boards):
        frame = {key: value for key, value in board.items() if key != "panels"}
        lines.append(f"export const board{number}: Board = {json.dumps(frame, ensure_ascii=False)};")
        for panel in board["panels"]:
            kind = types.get(panel["type"], "never")
            text = json.dumps(panel, ensure_ascii=False)
            lines.append(f"export const panel{number}_{panel['id']}: {kind} = {text};")
    return "\n".join(lines) + "\n"


def refusals(boards: Iterable[Any], folder: Path) -> list[str]:
    """What the compiler says against the dashboards, a line each; none when they are what Grafana calls dashboards."""
    program = folder / "dashboards.ts"
    program.write_text(source(boards), encoding="utf-8")
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(NODE / "node_modules")
    options = ("--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler")
    done = subprocess.run(
        ["node", str(COMPILER), *options, "--skipLibCheck", str(program)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    found = [line for line in done.stdout.splitlines() if "error TS" in line]
    assert done.returncode == 0 or found, done.stdout + done.stderr
    return found
