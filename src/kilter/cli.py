"""The command line: one function a command, and nothing else.

Everything heavy is imported inside the commands, so that ``kilter --help`` answers at once.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from kilter._errors import ArgumentError
from kilter._terminal import STOPPED, console, dumps, fail, prepare_keras, put, run, say, writing

app = typer.Typer(
    help="Which remedy for imbalanced classes really helps on your data, and how sure that is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

GO_ON = "the same command with `--resume`"

Data = Annotated[
    Path,
    typer.Argument(
        help="A CSV or Parquet file, or a folder of class folders of images.", show_default=False
    ),
]
Table = Annotated[Path, typer.Argument(help="A CSV or Parquet file.", show_default=False)]
Target = Annotated[str | None, typer.Option(help="The column with the classes; images have none.")]
Size = Annotated[
    int | None, typer.Option(help="Pixels a side of images; their own, at most 64, if not given.")
]
Broken = Annotated[str, typer.Option(help="Images that cannot be read: refuse or skip.")]
Text = Annotated[str | None, typer.Option(help="The column of texts to learn from.")]
Embed = Annotated[
    str | None, typer.Option(help="Folder of a sentence model that turns texts into numbers.")
]
Drop = Annotated[str, typer.Option(help="Columns to leave out, separated by commas.")]
Group = Annotated[str | None, typer.Option(help="Keep rows with equal values here together.")]
Time = Annotated[str | None, typer.Option(help="Learn from the past, test on the future.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the result.")]
Folds = Annotated[int, typer.Option(help="Parts of the data, each the test part once.")]
Build = Annotated[
    str | None, typer.Option(help="A network of your own: FILE.py:FUNCTION or FILE.keras.")
]
Cost = Annotated[Path | None, typer.Option(help="CSV or JSON: cost of each mistake.")]
MinRecall = Annotated[float | None, typer.Option(help="Keep this recall of the rarest class.")]
Executor = Annotated[str, typer.Option(help="auto, lanes, sequential or ray.")]
Memory = Annotated[
    float | None, typer.Option(help="GiB that lanes may take; half of the machine's if not given.")
]
Devices = Annotated[
    int | None, typer.Option(help="JAX's devices to spread lanes over; all if not given.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the result.")] = Path("runs/demo"),
) -> None:
    """Run the main job on handwritten digits: find the rare eights."""
    prepare_keras()
    import pyarrow.csv

    from kilter.data.demo import TARGET, digits

    table = out.with_name(f"{out.name}-digits.csv")
    with writing(table):
        table.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.csv.write_csv(digits(), table)
    say(f"Is it an eight? Handwritten digits, 3.6% of them eights: {table}")
    go_on = f"kilter compare {table} --target {TARGET} --seeds 1 --out {out} --resume"
    _compare(table, TARGET, out, {"seeds": 1}, go_on=f"`{go_on}`")
    kilter = "kilter" if shutil.which("kilter") else sys.argv[0]
    say(
        "\nNow with your own table:\n"
        f"  {kilter} inspect {table} --target {TARGET}\n"
        f"  {kilter} compare {table} --target {TARGET} --out runs/mine\n"
        f"  {kilter} predict {out}/model.kilter {table}"
    )


@app.command()
def inspect(
    data: Data,
    target: Target = None,
    text: Text = None,
    embed: Embed = None,
    drop: Drop = "",
    group: Group = None,
    time: Time = None,
    size: Size = None,
    broken: Broken = "refuse",
    json: Json = False,
) -> None:
    """Show imbalance, traps, and what so few positives can show."""
    from kilter.data import audit, audit_lines, load

    columns: dict[str, Any] = {"text": text, "embed": embed, "drop": _names(drop)}
    others: dict[str, Any] = {"group": group, "time": time, "size": size, "broken": broken}
    report = audit(load(data, target, **columns, **others))
    put(dumps(report) if json else "\n".join(audit_lines(report)))


@app.command()
def compare(
    context: typer.Context,
    data: Data,
    target: Target = None,
    out: Out = None,
    remedies: Annotated[
        str | None, typer.Option(help="Names, separated by commas; the usual ones if not given.")
    ] = None,
    folds: Folds = 5,
    seeds: Annotated[
        int | None, typer.Option(help="Trainings a fold and remedy; 3 if not given, 1 for images.")
    ] = None,
    metric: Annotated[str, typer.Option(help="What chooses the remedy.")] = "auprc",
    network: Annotated[
        str | None,
        typer.Option(help="tabm, an ensemble in one; mlp, several times as fast."),
    ] = None,
    build: Build = None,
    pretrained: Annotated[
        str | None, typer.Option(help="Weights to begin with: a file that Keras wrote.")
    ] = None,
    learning_rate: Annotated[
        float, typer.Option(help="Of the optimizer; less for pretrained weights.")
    ] = 2e-3,
    confirm: Annotated[
        int | None,
        typer.Option(help="Remedies for the last layer to train end to end, too; 2 for images."),
    ] = None,
    augment: Annotated[
        str | None, typer.Option(help="Change images or texts in training: light or strong.")
    ] = None,
    augment_share: Annotated[
        float, typer.Option(help="Share of the largest class that is changed; all of the rarest.")
    ] = 1.0,
    synonyms: Annotated[
        str | None,
        typer.Option(help="Of changed texts: wordnet, or a file; by use if not given."),
    ] = None,
    length: Annotated[
        int | None, typer.Option(help="Words of a text that are read; those of most if not given.")
    ] = None,
    text: Text = None,
    embed: Embed = None,
    group: Group = None,
    time: Time = None,
    drop: Drop = "",
    size: Size = None,
    broken: Broken = "refuse",
    cost: Cost = None,
    min_recall: MinRecall = None,
    executor: Executor = "auto",
    memory: Memory = None,
    devices: Devices = None,
    resume: Resume = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it will take, and train nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Train every remedy on equal terms, and say which one helps."""
    settings = _settings(context)
    if dry_run:
        _forecast(data, target, settings, json)
        return
    _compare(data, target, out or Path("runs") / _run_name(data), settings, json)


@app.command()
def tune(
    context: typer.Context,
    data: Table,
    target: Annotated[str | None, typer.Option(help="The column with the classes.")] = None,
    out: Out = None,
    trials: Annotated[int, typer.Option(help="Candidates of each search.")] = 36,
    networks: Annotated[
        str, typer.Option(help="Networks to choose from, separated by commas.")
    ] = "tabm,mlp",
    folds: Folds = 5,
    seeds: Annotated[int, typer.Option(help="Trainings a fold.")] = 3,
    metric: Annotated[str, typer.Option(help="What chooses.")] = "auprc",
    build: Build = None,
    group: Group = None,
    time: Time = None,
    drop: Drop = "",
    cost: Cost = None,
    min_recall: MinRecall = None,
    executor: Executor = "auto",
    memory: Memory = None,
    devices: Devices = None,
    resume: Resume = False,
    json: Json = False,
) -> None:
    """Search for the best remedy, its numbers and the network."""
    settings = _settings(context)
    prepare_keras(users_code=build is not None)
    from kilter.comparison import tune

    _find(tune, data, target, out or Path("runs") / f"{_run_name(data)}-tuned", settings, json)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A .kilter file.", show_default=False)],
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="A .csv or .parquet file; the screen if not given.")
    ] = None,
    layers: Annotated[
        Path | None, typer.Option(help="A Python file that registers layers of your own.")
    ] = None,
) -> None:
    """Predict classes and calibrated probabilities."""
    prepare_keras(users_code=layers is not None)
    from kilter.artifact import check_predictions_path, load, write_predictions

    if out is not None:
        check_predictions_path(out)
        _refuse_overwriting(out, model, data)
    if layers is not None:
        from kilter.models.own import run_file

        run_file(layers, "layers")
    loaded = load(model)
    predictions = loaded.predict_table(data)
    written = write_predictions(predictions, out)
    if out is not None:
        say(f"{predictions.num_rows:,} rows predicted: {written}")


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a run.")],
) -> None:
    """Write report.html again, from the files of a run."""
    from kilter.report import read_summary, write

    path = run / "report.html"
    write(read_summary(run), path)
    put(str(path))


def _refuse_overwriting(out: Path, *inputs: Path) -> None:
    if out.exists() and any(path.exists() and out.samefile(path) for path in inputs):
        raise ArgumentError(f"`out` must not be a file that is read; got `{out}`. Name another.")


def _settings(context: typer.Context) -> dict[str, Any]:
    """Return the options of a command as the function that it calls takes them.

    A command names each option once, in its signature, and it arrives there by that name.
    """
    own = ("data", "target", "out", "dry_run", "json")
    given = {name: value for name, value in context.params.items() if name not in own}
    return {**given, "drop": _names(given["drop"])}


def _compare(
    data: Path,
    target: str | None,
    out: Path,
    settings: dict[str, Any],
    json: bool = False,
    go_on: str = GO_ON,
) -> None:
    prepare_keras(users_code=settings.get("build") is not None)
    from kilter.comparison import compare

    _find(compare, data, target, out, settings, json, go_on)


def _find(
    search: Callable[..., Any],
    data: Path,
    target: str | None,
    out: Path,
    settings: dict[str, Any],
    json: bool,
    go_on: str = GO_ON,
) -> None:
    """Run a comparison or a search, with a bar, and show its result."""
    from kilter.report.console import show
    from kilter.report.progress import progress

    try:
        with progress(console(stderr=True)) as observe:
            result = search(data, target, out=out, observe=observe, **settings)
    except KeyboardInterrupt:
        fail(_stopped(out, go_on), STOPPED)
    if json:
        put(dumps(result.summary))
        return
    show(console(), result.summary)
    say(f"Model:  {out / 'model.kilter'}\nReport: {out / 'report.html'}")


def _forecast(data: Path, target: str | None, settings: dict[str, Any], json: bool) -> None:
    prepare_keras(users_code=settings["build"] is not None)
    from dataclasses import asdict

    from kilter.comparison import forecast
    from kilter.report.console import show_forecast

    settings = {name: settings[name] for name in settings if name not in ("cost", "resume")}
    with console(stderr=True).status("reading the data, compiling, timing an epoch"):
        found = asdict(forecast(data, target, **settings))
    if json:
        put(dumps(found))
        return
    show_forecast(console(), found)


def _stopped(out: Path, go_on: str) -> str:
    from kilter.comparison.folder import hidden_folder

    if hidden_folder(out).exists():
        return f"stopped. What was trained is kept: {go_on} goes on."
    return "stopped before a training was done: nothing is kept. The same command begins anew."


def _run_name(data: Path) -> str:
    """Return the name of a file without its ending, or of a folder."""
    path = data.resolve()
    return path.name if path.is_dir() else path.stem


def _names(text: str) -> tuple[str, ...]:
    """Split a list of names as a line of CSV: a name with a comma stands in double quotes."""
    import csv

    names = next(csv.reader([text], skipinitialspace=True), [])
    return tuple(name.strip() for name in names if name.strip())


def main() -> None:
    """Run the command line."""
    run(app)
