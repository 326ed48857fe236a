"""What an experiment found, as values: tables, plots, findings and pictures; kept as JSON, told as Markdown."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flair_core.errors import MediaError

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
FILE = "record.json"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    label: str
    rises: bool | None = None
    """Whether more is better; None where that has no meaning."""

    @property
    def head(self) -> str:
        """The label with an arrow to the better side."""
        return self.label if self.rises is None else f"{self.label} {'↑' if self.rises else '↓'}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a name and numbers."""

    title: str
    columns: Sequence[Column]
    """The first one holds the rows' names."""
    rows: Sequence[tuple[str, Sequence[float | None]]]
    """None where nothing was measured."""

    def best(self, column: int) -> float | None:
        """The best number of a column (1 is the first with numbers), None where there is none."""
        rises = self.columns[column].rises
        values = [value for _, row in self.rows if (value := row[column - 1]) is not None]
        return None if rises is None or len(values) < 2 else (max if rises else min)(values)


@dataclass(frozen=True, slots=True)
class Line:
    """Points joined by a line."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over common axes."""

    title: str
    x: str
    y: str
    lines: Sequence[Line]
    log: bool = False
    """Whether x is logarithmic."""
    marks: Sequence[float] = ()
    """Places on the x axis that get a thin vertical line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim, and whether what was measured agrees with it."""

    claim: str
    holds: bool
    seen: str
    """The numbers behind it."""


@dataclass(frozen=True, slots=True)
class Illustration:
    """A picture or video beside the record."""

    file: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One experiment."""

    title: str
    text: str
    """What was done, in a few sentences."""
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    findings: Sequence[Finding] = ()
    pictures: Sequence[Illustration] = ()
    notes: Sequence[str] = ()
    """What a reader should know: metrics that were skipped, and why."""
    made: Mapping[str, Any] = field(default_factory=dict)
    """Settings, hashes of the networks, clips, device: what makes it again."""

    def to_json(self) -> str:
        """The record as its file holds it."""
        data = {"version": VERSION, **dataclasses.asdict(self)}
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Read what `to_json` made. Raises MediaError when it is something else."""
        try:
            data = json.loads(text)
            if (version := data.pop("version")) != VERSION:
                raise MediaError(
                    f"The record has version {version}, but this program reads version {VERSION}."
                )
            tables = [
                Table(
                    table["title"],
                    [Column(**column) for column in table["columns"]],
                    [(name, tuple(values)) for name, values in table["rows"]],
                )
                for table in data.pop("tables")
            ]
            plots = [
                Plot(**{**plot, "lines": [Line(**line) for line in plot["lines"]]})
                for plot in data.pop("plots")
            ]
            findings = [Finding(**finding) for finding in data.pop("findings")]
            pictures = [Illustration(**picture) for picture in data.pop("pictures")]
            return cls(tables=tables, plots=plots, findings=findings, pictures=pictures, **data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MediaError(
                f"This is no record of an experiment ({type(error).__name__}: {error})."
            ) from None

    def markdown(self) -> str:
        """The record for people; the best number of each column is bold. Plots are files named after their title."""
        lines = [f"# {self.title}", "", self.text, ""]
        for table in self.tables:
            lines += [f"## {table.title}", "", *_table(table), ""]
        for plot in self.plots:
            lines += [f"![{plot.title}]({plot_file(plot)})", ""]
        if self.findings:
            lines += ["## Findings", ""]
            lines += [f"- {'✔' if f.holds else '✘'} {f.claim}: {f.seen}" for f in self.findings]
            lines.append("")
        lines += [f"- {note}" for note in self.notes]
        return "\n".join(lines).rstrip() + "\n"


def _table(table: Table) -> list[str]:
    lines = [
        f"| {' | '.join(column.head for column in table.columns)} |",
        "|---" * len(table.columns) + "|",
    ]
    for name, row in table.rows:
        cells = []
        for at, value in enumerate(row, 1):
            text = number(value)
            cells.append(f"**{text}**" if value is not None and value == table.best(at) else text)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def number(value: float | None) -> str:
    """A number as tables show it: three digits after the point, fewer for large ones."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{max(0, 3 - max(0, math.floor(math.log10(abs(value))))) if value else 3}f}"


def plot_file(plot: Plot) -> str:
    """The name of a plot's file."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in plot.title.lower()).strip("_") + ".svg"


def read(folder: Path) -> Record:
    """The record in a folder. Raises MediaError."""
    path = folder / FILE
    try:
        return Record.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(
            f"{path} can't be read ({error}). Name a folder that flair compare or flair experiment wrote."
        ) from None
    except MediaError as error:
        raise MediaError(f"{path}: {error}") from None


def write(record: Record, folder: Path, figures: Mapping[str, str]) -> None:
    """Write record.json, record.md and the drawn plots (SVG by file name). Raises MediaError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, svg in figures.items():
            (folder / name).write_text(svg, encoding="utf-8")
        (folder / "record.md").write_text(record.markdown(), encoding="utf-8")
        (folder / FILE).write_text(record.to_json(), encoding="utf-8")
    except OSError as error:
        raise MediaError(f"{folder} can't be written ({error.strerror}). Name another folder.") from None
