"""The command line: what it prints where, how it exits, and what it leaves behind."""

from __future__ import annotations

import errno
import gc
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import kilter.comparison.api as api
from kilter import cli, load
from kilter.comparison.executors.base import Executor, Forecast, Lane, Task, Trained
from kilter.comparison.remedy import USUAL_OF
from kilter.comparison.result import FILES
from made_images import save_shades

# `kilter.comparison.run` is the function; this is the module that holds it.
driver = importlib.import_module("kilter.comparison.run")

SMALL = ("--remedies", "class-weights", "--folds", "2", "--seeds", "1", "--network", "mlp")
FRAUD = ("--target", "fraud")
COMMANDS = ("demo", "inspect", "compare", "tune", "predict", "report")


class Said(NamedTuple):
    code: Any
    out: str
    err: str


def kilter(*words: Any) -> Said:
    """Run a command in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["kilter", *map(str, words)])
        patch.setenv("COLUMNS", "100")
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as stop:
            cli.main()
    return Said(stop.value.code, *(s.buffer.getvalue().decode() for s in (out, err)))


def start(*words: Any, stdout: Any = subprocess.PIPE, **environment: str) -> subprocess.Popen[str]:
    """Start a command in a process of its own, which heeds Ctrl-C even if this one ignores it."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "import kilter.cli; kilter.cli.main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        env={**os.environ, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Said:
    out, err = process.communicate(timeout=240)
    return Said(process.returncode, out, err)


def table(rows: int = 120, positives: int = 24, **columns: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(rows) < positives).astype(int)
    return {
        "amount": rng.normal(size=rows) + 1.5 * labels,
        "age": rng.normal(size=rows),
        "city": rng.choice(["Oslo", "Rome", "Bonn"], rows),
        "fraud": labels,
        **columns,
    }


def write(columns: dict[str, Any], path: str | Path = "t.csv") -> str:
    if Path(path).suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        pyarrow.csv.write_csv(pa.table(columns), path)
    return str(path)


def names(folder: str | Path) -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


def result_of(folder: str | Path) -> dict[str, Any]:
    return json.loads((Path(folder) / "result.json").read_text())


def leftovers() -> list[Path]:
    """Return what a comparison would have begun to write below the current folder."""
    return [p for p in Path().rglob("*") if p.name.endswith(".partial") or p.name in FILES]


def refused(said: Said, *fragments: str) -> None:
    """Check that a command said in one sentence what was wrong, and left nothing."""
    assert said.code == 2, said
    assert said.err.startswith("kilter: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith((".\n", "?\n"))
    assert "Traceback" not in said.err
    for fragment in fragments:
        assert fragment in said.err
    assert said.out == ""
    assert not leftovers()


class Quick(Executor):
    """Nearest class mean instead of training; raises an interrupt after ``stop_after`` lanes."""

    stop_after: int | None = None

    def __init__(self) -> None:
        self.trained: list[Lane] = []

    def train(self, task: Task, lanes: Sequence[Lane]) -> Iterator[Trained]:
        for lane in lanes:
            if len(self.trained) == self.stop_after:
                raise KeyboardInterrupt
            if not task.to_the_end:  # on all rows, when the folds are done
                self.trained.append(lane)
            fold = task.folds[lane.fold]
            given = (fold.x, fold.validation_x, fold.test_x)
            rows, *others = (x.reshape(len(x), -1).astype(np.float32) for x in given)
            means = np.stack([rows[fold.labels == c].mean(axis=0) for c in range(task.n_classes)])
            logits = [-0.5 * ((x[:, None] - means) ** 2).sum(axis=2) for x in others]
            weights = task.network(lane.fold, lane.seed).get_weights()
            yield Trained(lane, 0.5, 1, *logits, weights, 0.1)

    def forecast(self, task: Task, lanes: Sequence[Lane]) -> Forecast:
        return Forecast(len(lanes), 8, 2, 31, 5, 3 << 29, 12 << 30, 90.0, 7200.0)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Quick:
    """An executor that answers at once, in the place of all others."""
    executor = Quick()
    monkeypatch.setattr(driver, "find_executor", lambda *given: executor)
    return executor


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of the test's own."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(cache))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
    monkeypatch.delenv("KILTER_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Finished(NamedTuple):
    said: Said
    data: Path
    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model.kilter"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A real run, made once; tests must not change it."""
    home = tmp_path_factory.mktemp("finished")
    data, folder = home / "t.csv", home / "out"
    write(table(), data)
    return Finished(kilter("compare", data, *FRAUD, *SMALL, "--out", folder), data, folder)


class TestHelp:
    def test_it_answers_without_heavy_imports(self) -> None:
        heavy = ("keras", "sklearn", "pyarrow", "numpy", "jax", "rich")
        code = (
            "import sys, kilter.cli\n"
            "sys.argv = ['kilter', '--help']\n"
            "try: kilter.cli.main()\n"
            f"finally: print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "[]\n")
        for command in COMMANDS:
            assert f"\n  {command} " in done.stdout
        assert "..." not in done.stdout.replace("[ARGS]...", "")

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_help(self, command: str) -> None:
        said = kilter(command, "--help")
        assert (said.code, said.err) == (0, "")
        assert f"Usage: kilter {command}" in said.out

    def test_nothing_at_all_shows_the_help(self) -> None:
        said = kilter()
        assert said.code == 2
        assert "Usage: kilter" in said.err

    def test_a_table_needs_a_target(self) -> None:
        for command in ("compare", "inspect"):
            refused(kilter(command, write(table())), "`target` must name", "(`--target`)")

    @pytest.mark.parametrize(
        ("words", "fragment"),
        [
            (["compar"], "no such command `compar`. Did you mean `compare`?"),
            (["zzz"], "no such command `zzz`. `kilter --help`"),
            (["--bogus"], "no such option: --bogus"),
            (["compare", "t.csv", "--targt", "y"], "--target"),
            (["compare", "t.csv", "--target"], "`--target` requires an argument"),
            (["compare"], "missing argument"),
            (["predict", "a", "b", "c"], "unexpected extra argument"),
            (["compare", "t.csv", *FRAUD, "--folds", "abc"], "`--folds`"),
            (["compare", "t.csv", *FRAUD, "--seeds", "1.5"], "`--seeds`"),
            (["compare", "t.csv", *FRAUD, "--min-recall", "much"], "`--min-recall`"),
        ],
    )
    def test_a_typo_is_one_sentence(self, words: list[str], fragment: str) -> None:
        refused(kilter(*words), fragment, "--help`")


class TestCompare:
    def test_it_leaves_its_files_and_nothing_else(self, finished: Finished) -> None:
        assert finished.said.code == 0
        assert names(finished.folder) == set(FILES)
        assert names(finished.folder.parent) == {"t.csv", "out"}

    def test_progress_goes_to_one_stream_and_the_answer_to_the_other(
        self, finished: Finished
    ) -> None:
        _, out, err = finished.said
        verdict = result_of(finished.folder)["verdict"]
        assert "remedy" in out
        assert "class-weights" in out
        assert verdict.split(":")[0] in out
        assert "training" not in out
        assert "training" in err
        assert "5/5" in err
        assert str(finished.model) in err

    def test_json_is_all_there_is_and_what_the_file_holds(self, quick: Quick) -> None:
        said = kilter("compare", write(table()), *FRAUD, *SMALL, "--json")
        assert said.code == 0
        assert json.loads(said.out) == result_of("runs/t")
        assert len(quick.trained) == 4

    def test_a_second_run_takes_the_place_of_the_first(self, quick: Quick) -> None:
        data = write(table())
        kilter("compare", data, *FRAUD, *SMALL, "--out", "mine")
        assert kilter("compare", data, *FRAUD, *SMALL, "--seeds", 2, "--out", "mine").code == 0
        assert names("mine") == set(FILES)
        assert result_of("mine")["plan"]["seeds"] == 2
        assert names(".") == {"t.csv", "mine"}

    def test_a_network_of_ones_own(self, quick: Quick) -> None:
        Path("net.py").write_text(
            "import keras\n"
            "def wide(width, n_classes):\n"
            "    end = keras.layers.Dense(1, 'sigmoid')\n"
            "    return keras.Sequential([keras.Input((width,)), keras.layers.Dense(77), end])\n"
        )
        given = (*FRAUD, "--remedies", "vote", "--folds", 2, "--seeds", 1, "--out", "mine")
        assert kilter("compare", write(table()), *given, "--build", "net.py:wide").code == 0
        network = load(Path("mine") / "model.kilter").network
        assert 77 in {shape[-1] for shape in (weight.shape for weight in network.weights)}

    def test_an_empty_folder_will_do(self, quick: Quick) -> None:
        Path("mine").mkdir()
        assert kilter("compare", write(table()), *FRAUD, *SMALL, "--out", "mine").code == 0

    def test_markup_in_names_is_shown_as_it_is(self, quick: Quick) -> None:
        said = kilter("compare", write(table()), *FRAUD, *SMALL, "--out", "[bold]x")
        assert "[bold]x" in said.err


class TestOptions:
    def run(self, *options: Any, columns: dict[str, Any] | None = None, out: str = "o") -> pa.Table:
        """Compare and return the out-of-fold rows of the baseline, in the table's order."""
        data = write(columns or table())
        said = kilter("compare", data, *FRAUD, *SMALL, *options, "--out", out)
        assert said.code == 0, said
        rows = pq.read_table(f"{out}/predictions.parquet").to_pylist()
        baseline = [row for row in rows if row["remedy"] == "none+threshold"]
        return pa.Table.from_pylist(sorted(baseline, key=lambda row: row["row"]))

    def test_rows_of_a_group_stay_together(self, quick: Quick) -> None:
        groups = np.random.default_rng(1).integers(0, 30, 120)
        tested = self.run("--group", "who", "--folds", 3, columns=table(who=groups))
        fold = np.array(tested["fold"])
        assert len(tested) == 120
        assert set(fold) == {0, 1, 2}
        for group in set(groups):
            assert len(set(fold[groups == group])) == 1
        assert result_of("o")["data"]["split"] == "group"

    def test_tests_lie_later_than_what_was_learnt_from(self, quick: Quick) -> None:
        when = np.random.default_rng(1).permutation(120)
        tested = self.run("--time", "day", columns=table(day=when))
        moment, fold = when[np.array(tested["row"])], np.array(tested["fold"])
        assert moment.min() >= 50  # the first two of four blocks are learnt from only
        assert moment[fold == 0].max() < moment[fold == 1].min()

    def test_costs_move_the_decisions(self, quick: Quick) -> None:
        Path("cost.csv").write_text(",0,1\n0,0,1\n1,100,0\n")
        plain, costly = self.run(), self.run("--cost", "cost.csv", out="costly")
        assert sum(costly["predicted"].to_pylist()) > sum(plain["predicted"].to_pylist())
        for row in costly.to_pylist():  # of the ranking, nothing changes
            assert row["p_1"] == plain["p_1"][row["row"]].as_py()
        assert result_of("costly")["chosen"]["decision"] == {"matrix": [[0, 1], [100, 0]]}

    def test_the_same_costs_as_json(self, quick: Quick) -> None:
        Path("cost.json").write_text('{"0": {"1": 1}, "1": {"0": 100}}')
        self.run("--cost", "cost.json")
        assert result_of("o")["plan"]["costs"] == [[0, 1], [100, 0]]

    def test_a_recall_is_kept_by_a_lower_threshold(self, quick: Quick) -> None:
        plain, kept = self.run(), self.run("--min-recall", 0.95, out="kept")

        def recall(tested: pa.Table) -> float:
            truth = np.array(tested["target"]) == 1
            return float((np.array(tested["predicted"]) == 1)[truth].mean())

        assert recall(kept) > recall(plain)
        assert result_of("kept")["chosen"]["threshold"] < result_of("o")["chosen"]["threshold"]

    def test_dropped_columns_are_not_used(self, quick: Quick, finished: Finished) -> None:
        leaky = table()
        leaky = {"leak, sure": leaky["fraud"] * 1.0, **leaky}
        self.run("--drop", 'age,"leak, sure"', columns=leaky)
        assert result_of("o")["data"]["columns"] == 2
        assert "leak" not in json.dumps(result_of("o")["data"]["warnings"])
        without = {name: leaky[name] for name in ("amount", "city")}
        outputs = [kilter("predict", "o/model.kilter", write(c)) for c in (leaky, without)]
        assert outputs[0].code == 0
        assert outputs[0].out == outputs[1].out


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders to learn from and to test on, with a file that is no image."""
    root = tmp_path_factory.mktemp("pictures") / "shades"
    save_shades(root / "train", seed=1, dark=30, light=12)
    save_shades(root / "test", seed=2, dark=10, light=5)
    (root / "test" / "dark" / "broken.png").write_bytes(b"no image")
    return root


class TestImages:
    """A folder of class folders, by the network that they have if nothing else is said."""

    def test_they_are_looked_at(self, pictures: Path) -> None:
        refused(kilter("inspect", pictures), "1 file that cannot be read", "`--broken skip`")
        said = kilter("inspect", pictures, "--broken", "skip", "--size", 4)
        assert (said.code, said.err) == (0, "")
        assert "light" in said.out
        report = json.loads(kilter("inspect", pictures, "--broken", "skip", "--json").out)
        assert report["rows"] == 57

    def test_they_are_compared_and_predicted(self, quick: Quick, pictures: Path) -> None:
        words = ("compare", pictures, "--broken", "skip", "--folds", 2)
        said = kilter(*words)
        assert said.code == 0, said
        result = result_of("runs/shades")
        assert result["plan"]["network"] == "convnet"
        found = {row["remedy"] for row in result["leaderboard"]}
        assert len(result["confirmed"]) == 2
        assert set(USUAL_OF["image"]) | set(result["confirmed"]) == found
        assert names("runs/shades") == set(FILES)
        assert "set apart to test on" in Path("runs/shades/report.html").read_text()
        model = "runs/shades/model.kilter"
        said = kilter("predict", model, pictures / "test", "--out", "p.csv")
        assert said.code == 2
        assert "dark/broken.png (not an image, or damaged). Remove or mend" in said.err
        said = kilter("predict", model, pictures / "test/light", "--out", "p.csv")
        assert (said.code, said.out) == (0, "")
        assert said.err == "5 rows predicted: p.csv\n"
        rows = pyarrow.csv.read_csv("p.csv")
        assert rows.column_names == ["file", "prediction", "p_dark", "p_light"]
        assert rows["file"].to_pylist() == [f"{number}.png" for number in range(5)]
        alone = kilter("predict", model, pictures / "test/light/4.png").out.splitlines()
        assert alone[1].startswith('"4.png",')
        said = kilter("predict", model, write(table()))
        assert said.code == 2
        assert "t.csv (not an image, or damaged). Remove or mend" in said.err

    def test_a_dry_run_trains_nothing(self, quick: Quick, pictures: Path) -> None:
        said = kilter("compare", pictures, "--broken", "skip", "--folds", 2, "--dry-run")
        assert said.code == 0, said
        assert not quick.trained
        assert not leftovers()

    @pytest.mark.parametrize(
        ("words", "fragments"),
        [
            (("compare", "--target", "y"), ["`target` is for tables", "got 'y'. Leave it out."]),
            (("inspect", "--time", "y"), ["`time` is for tables", "Leave it out."]),
            (("compare", "--remedies", "smote"), ["`remedies` has `smote`", "`head-smote`"]),
            (("compare", "--network", "tabm"), ["`network` must be convnet for images", "`build`"]),
            (("compare", "--size", "0"), ["`size` must be a number of pixels", "Try 64."]),
            (("compare", "--broken", "mend"), ["`broken` must be one of refuse, skip; got `mend`"]),
            (("compare", "--confirm", "-1"), ["`confirm` must be at least 0; got -1."]),
            (("tune",), ["`tune` is for tables, and got a folder.", "as `build`"]),
        ],
        ids=lambda value: "-".join(map(str, value))[:40],
    )
    def test_what_is_not_for_images(self, words: Any, fragments: list[str]) -> None:
        folder = save_shades(Path("shades"), dark=9, light=8)
        command, *options = words
        refused(kilter(command, folder, *options), *fragments)

    def test_what_is_for_images_only(self) -> None:
        data = write(table())
        refused(kilter("compare", data, *FRAUD, "--size", 8), "`size` is for a folder of images")
        said = kilter("compare", data, *FRAUD, "--network", "convnet")
        refused(said, "`network` must be tabm or mlp for a table; got `convnet`.")
        said = kilter("compare", data, *FRAUD, "--remedies", "crt")
        refused(said, "`remedies` has `crt`", "(`--network mlp`)")


class TestInterrupt:
    def test_a_search_goes_on_as_well(self, quick: Quick, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("kilter.comparison.nested.find_executor", lambda *given: quick)
        few = ("--folds", 2, "--seeds", 1, "--networks", "mlp", "--trials", 2)
        words = ("tune", write(table()), *FRAUD, *few, "--out", "mine")
        quick.stop_after = 3
        said = kilter(*words)
        assert said.code == 130
        assert said.err.endswith("the same command with `--resume` goes on.\n")
        quick.stop_after = None
        assert kilter(*words, "--resume").code == 0
        assert len(quick.trained) == len(set(quick.trained)) > 3
        assert names(".") == {"t.csv", "mine"}

    def test_what_is_trained_is_kept_and_gone_on_with(self, quick: Quick) -> None:
        words = ("compare", write(table()), *FRAUD, *SMALL, "--out", "mine")
        quick.stop_after = 3
        said = kilter(*words)
        assert said.code == 130
        assert said.err.endswith(
            "kilter: stopped. What was trained is kept: the same command with `--resume` goes on.\n"
        )
        assert (said.out, Path("mine").exists()) == ("", False)
        quick.stop_after = None
        assert kilter(*words, "--resume").code == 0
        assert len(quick.trained) == 4
        assert len(set(quick.trained)) == 4
        assert names(".") == {"t.csv", "mine"}

    def test_other_settings_cannot_go_on(self, quick: Quick) -> None:
        words = ("compare", write(table()), *FRAUD, *SMALL, "--out", "mine")
        quick.stop_after = 3
        kilter(*words)
        said = kilter(*words, "--seeds", 2, "--resume")
        assert said.code == 2
        assert said.err.startswith("kilter: `resume` found an interrupted run at `mine` with other")
        assert names(".") == {"t.csv", ".mine.partial"}

    def test_nothing_was_trained_and_nothing_is_kept(self, quick: Quick) -> None:
        quick.stop_after = 0
        said = kilter("compare", write(table()), *FRAUD, *SMALL)
        assert said.code == 130
        assert "stopped before a training was done" in said.err
        assert not leftovers()

    @pytest.mark.parametrize("command", ["compare", "inspect"])
    def test_while_the_table_is_read(self, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*args: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(api, "load", interrupt)
        monkeypatch.setattr("kilter.data.load", interrupt)
        said = kilter(command, write(table()), *FRAUD)
        assert said.code == 130
        assert said.err.splitlines()[-1].startswith("kilter: stopped")
        assert not leftovers()

    def test_the_demo_says_a_command_that_there_is(self, quick: Quick) -> None:
        quick.stop_after = 1
        said = kilter("demo", "--out", "d")
        assert said.code == 130
        words = said.err.split("`")[-2].split()
        assert words[:2] == ["kilter", "compare"]
        quick.stop_after = 3
        assert kilter(*words[1:]).code == 130
        assert len(set(quick.trained)) == 3

    @pytest.mark.slow
    def test_a_true_signal(self, quick: Quick) -> None:
        data = write(table(1500, 200))
        words = ("compare", data, *FRAUD, *SMALL, "--folds", 5, "--seeds", 3, "--out", "mine")
        process = start(*words)
        lanes = Path(".mine.partial/lanes")
        deadline = time.monotonic() + 120
        while not any(lanes.glob("*.npz")) and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = finish(process)
        assert said.code == 130, said
        assert said.err.endswith("the same command with `--resume` goes on.\n")
        assert "Traceback" not in said.err
        assert not Path("mine").exists()
        kept = len(list(lanes.glob("*.npz")))
        assert 0 < kept < 30
        assert kilter(*words, "--resume").code == 0
        assert len(quick.trained) == 30 - kept
        assert names("mine") == set(FILES)


class TestPredict:
    def predictions(self, *words: Any) -> pa.Table:
        said = kilter("predict", *words)
        assert (said.code, said.err) == (0, "")
        return pyarrow.csv.read_csv(io.BytesIO(said.out.encode()))

    def test_to_the_screen(self, finished: Finished) -> None:
        found = self.predictions(finished.model, finished.data)
        assert found.column_names == ["prediction", "p_0", "p_1"]
        assert found.num_rows == 120
        assert set(found["prediction"].to_pylist()) == {0, 1}
        total = np.array(found["p_0"]) + np.array(found["p_1"])
        np.testing.assert_allclose(total, 1, atol=1e-6)

    def test_it_has_learnt_something(self, finished: Finished) -> None:
        p = np.array(self.predictions(finished.model, finished.data)["p_1"])
        labels = table()["fraud"]
        assert p[labels == 1].mean() > p[labels == 0].mean() + 0.05

    @pytest.mark.parametrize("name", ["p.csv", "p.parquet", "P.CSV"])
    def test_to_a_file(self, finished: Finished, name: str) -> None:
        said = kilter("predict", finished.model, finished.data, "--out", name)
        assert (said.code, said.out, said.err) == (0, "", f"120 rows predicted: {name}\n")
        read = pq.read_table if name.endswith("parquet") else pyarrow.csv.read_csv
        screen = self.predictions(finished.model, finished.data)
        found = read(name)
        assert found.column_names == screen.column_names
        for column in screen.column_names:
            np.testing.assert_allclose(found[column], screen[column])

    def test_the_target_may_be_away_and_columns_in_any_order(self, finished: Finished) -> None:
        expected = kilter("predict", finished.model, finished.data).out
        for order in (["city", "age", "amount"], ["fraud", "city", "amount", "age"]):
            data = write({name: table()[name] for name in order})
            assert kilter("predict", finished.model, data).out == expected

    def test_no_rows(self, finished: Finished) -> None:
        Path("none.csv").write_text("amount,age,city\n")
        assert kilter("predict", finished.model, "none.csv").out == '"prediction","p_0","p_1"\n'

    @pytest.mark.parametrize(
        ("out", "fragment"),
        [
            ("p.xlsx", "`out` must end in .csv or .parquet; got `p.xlsx`"),
            ("p", "`out` must end in .csv or .parquet"),
            ("nowhere/p.csv", "`nowhere/p.csv`. Make its folder first"),
            ("t.csv", "must not be a file that is read"),
        ],
    )
    def test_a_bad_place(self, finished: Finished, out: str, fragment: str) -> None:
        data = write(table())
        before = Path(data).read_bytes()
        refused(kilter("predict", finished.model, data, "--out", out), fragment)
        assert Path(data).read_bytes() == before

    def test_a_full_disk(self, finished: Finished) -> None:
        Path("full.csv").symlink_to("/dev/full")
        said = kilter("predict", finished.model, finished.data, "--out", "full.csv")
        refused(said, "`out` cannot be written: full.csv: No space left on device")

    @pytest.mark.parametrize(
        ("change", "fragments"),
        [
            (lambda t: t.pop("age"), ("`age` is not there", "Add it")),
            (lambda t: t.update(Age=t.pop("age")), ("`age` is not there", "mean `Age`?")),
            (lambda t: t.update(more=t["age"]), ("`more` was not in it", "Remove it")),
            (lambda t: t.update(age=t["city"]), ("`age` must hold numbers", "holds text")),
            (lambda t: t.update(city=t["age"]), ("`city` must hold text", "holds numbers")),
            (lambda t: t.update(age=t["age"] / 0), ("`age` must be finite",)),
        ],
        ids=["missing", "renamed", "extra", "text", "numbers", "infinite"],
    )
    @pytest.mark.filterwarnings("ignore:divide by zero")
    def test_other_columns(
        self, finished: Finished, change: Callable[[dict[str, Any]], Any], fragments: Sequence[str]
    ) -> None:
        columns = table()
        change(columns)
        refused(kilter("predict", finished.model, write(columns, "t.parquet")), *fragments)


class TestModelFiles:
    def changed(self, finished: Finished, change: Callable[[bytearray], Any]) -> Said:
        content = bytearray(finished.model.read_bytes())
        change(content)
        Path("m.kilter").write_bytes(content)
        return kilter("predict", "m.kilter", finished.data)

    @pytest.mark.parametrize("left", [0, 1, 1000, -30])
    def test_truncated(self, finished: Finished, left: int) -> None:
        said = self.changed(finished, lambda content: content.__delitem__(slice(left, None)))
        refused(said, "`m.kilter` cannot be loaded", "cut off", "Copy it again")

    def test_a_flipped_byte(self, finished: Finished) -> None:
        said = self.changed(finished, lambda c: c.__setitem__(len(c) // 2, c[len(c) // 2] ^ 255))
        refused(said, "`m.kilter` cannot be loaded")

    def test_tampered(self, finished: Finished) -> None:
        with (
            zipfile.ZipFile(finished.model) as old,
            zipfile.ZipFile("m.kilter", "w") as new,
        ):
            for name in old.namelist():
                new.writestr(name, old.read(name) + (b" " if name.endswith("skops") else b""))
        said = kilter("predict", "m.kilter", finished.data)
        refused(said, "`m.kilter` cannot be loaded", "changed after it was written")

    def test_text(self, finished: Finished) -> None:
        refused(kilter("predict", finished.data, finished.data), "not a kilter model")

    @pytest.mark.parametrize("path", ["no.kilter", "."])
    def test_no_file(self, finished: Finished, path: str) -> None:
        refused(kilter("predict", path, finished.data), "model file", f"`{path}`")

    def test_no_data(self, finished: Finished) -> None:
        refused(kilter("predict", finished.model, "t.csw"), "`t.csw` does not exist. Check")


class TestInspect:
    def test_lines(self) -> None:
        said = kilter("inspect", write(table()), *FRAUD)
        assert (said.code, said.err) == (0, "")
        assert said.out.startswith("t: 120 rows, 2 number columns, 1 category column\n")
        assert "imbalance 4.0 : 1" in said.out

    def test_json(self) -> None:
        said = kilter("inspect", write(table()), *FRAUD, "--json")
        assert (said.code, said.err) == (0, "")
        assert json.loads(said.out)["imbalance_ratio"] == 4.0

    def test_many_classes_are_cut_short(self) -> None:
        labels = [f"k{i:02}" for i in range(40)] * 6 + ["most"] * 20
        said = kilter("inspect", write({"a": range(260), "kind": labels}), "--target", "kind")
        assert said.out.count("\nclass k") == 11
        assert "\n... 29 more classes ...\nclass most: 20 rows" in said.out

    def test_roles(self) -> None:
        data = write(table(who=np.arange(120) % 40))
        said = kilter("inspect", data, *FRAUD, "--group", "who", "--drop", "age", "--json")
        assert json.loads(said.out)["columns"] == {"number": 1, "category": 1}

    @pytest.mark.parametrize("unbuffered", ["", "1"])
    @pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
    def test_a_full_disk(self, form: list[str], unbuffered: str) -> None:
        words = ("inspect", write(table()), *FRAUD, *form)
        with Path("/dev/full").open("w") as full:
            said = finish(start(*words, stdout=full, PYTHONUNBUFFERED=unbuffered))
        assert said == Said(2, None, "kilter: cannot go on: No space left on device.\n")


class TestReport:
    @pytest.fixture
    def copy(self, finished: Finished) -> Path:
        Path("copy").mkdir()
        Path("copy/result.json").write_bytes((finished.folder / "result.json").read_bytes())
        return Path("copy")

    def test_it_writes_the_page_again(self, finished: Finished, copy: Path) -> None:
        said = kilter("report", copy)
        assert (said.code, said.out, said.err) == (0, "copy/report.html\n", "")
        page = (copy / "report.html").read_text()
        assert page == (finished.folder / "report.html").read_text()

    @pytest.mark.parametrize(
        "content",
        ["", "{", "{}", "[]", "null", '{"schema": 2}', '{"schema": 1}', "\udcff"],
    )
    def test_a_damaged_result(self, content: str) -> None:
        Path("bad").mkdir()
        Path("bad/result.json").write_bytes(content.encode(errors="surrogateescape"))
        said = kilter("report", "bad")
        assert said.code == 2
        assert said.err.startswith("kilter: `")
        assert said.err.endswith("Run the comparison again.\n")
        assert names("bad") == {"result.json"}

    @pytest.mark.parametrize("part", ["leaderboard", "data", "chosen", "verdict"])
    def test_a_part_is_missing(self, copy: Path, part: str) -> None:
        summary = result_of(copy)
        del summary[part]
        (copy / "result.json").write_text(json.dumps(summary))
        said = kilter("report", copy)
        assert said.code in (0, 2)
        assert "bug" not in said.err

    @pytest.mark.parametrize("folder", ["nowhere", "t.csv", "."])
    def test_no_run(self, folder: str) -> None:
        write(table())
        said = kilter("report", folder)
        refused(said, f"`{folder}` must be the folder of a finished run", "`kilter compare` wrote")


def latin(path: str) -> None:
    Path(path).write_bytes("name,fraud\nMüller,0\nJones,1\n".encode("latin1"))


TABLES: dict[str, tuple[Callable[[], Any], Sequence[str]]] = {
    "missing": (lambda: None, ["`t.csv` does not exist"]),
    "empty": (lambda: Path("t.csv").touch(), ["`t.csv` is an empty file", "Write"]),
    "header": (lambda: Path("t.csv").write_text("a,fraud\n"), ["no rows", "Add rows"]),
    "no column": (lambda: write(table(freud=range(120))), []),
    "one class": (lambda: write(table(positives=0)), ["`fraud`", "two classes", "Check"]),
    "two rows": (lambda: write(table(positives=2)), ["`1` has 2 distinct rows", "collect more"]),
    "all missing": (
        lambda: write({"m": pa.nulls(60), "fraud": [0, 1] * 30}),
        ["no feature columns left", "`m`"],
    ),
    "infinite": (lambda: write(table(m=[np.inf] * 120)), ["`m` must be finite", "Replace"]),
    "no labels": (lambda: write(table(fraud=[0, 1, None] * 40)), ["`fraud`", "40 rows", "Fill"]),
    "regression": (
        lambda: write({"a": range(10_000), "fraud": np.arange(10_000) / 7}),
        ["`fraud` must name classes", "10,000 different values", "regression"],
    ),
    "identifier": (
        lambda: write({"a": range(10_000), "fraud": range(10_000)}),
        ["`fraud` must name classes", "10,000 different values"],
    ),
    "same names": (lambda: Path("t.csv").write_text("a,a,fraud\n1,2,0\n"), ["`a`", "Rename"]),
    "latin": (lambda: latin("t.csv"), ["`t.csv` must be UTF-8", "line 2", "iconv"]),
    "folder": (lambda: Path("t.csv").mkdir(), ["`target` is for tables", "Leave it out"]),
    "ragged": (lambda: Path("t.csv").write_text("a,fraud\n1,0\n1,2,3\n"), ["row 3", "mend"]),
    "only a target": (lambda: write({"fraud": [0, 1] * 30}), ["no feature columns", "Add"]),
    "constant": (lambda: write({"a": [1] * 60, "fraud": [0, 1] * 30}), ["`a`", "constant"]),
}


@pytest.mark.parametrize("command", ["compare", "inspect"])
@pytest.mark.parametrize("case", [name for name in TABLES if name != "no column"])
def test_bad_tables(case: str, command: str) -> None:
    make, fragments = TABLES[case]
    make()
    if case == "two rows" and command == "inspect":  # says it in a warning
        said = kilter("inspect", "t.csv", *FRAUD)
        assert (said.code, "0 folds at most" in said.out) == (0, True)
        return
    refused(kilter(command, "t.csv", *FRAUD), *fragments)


@pytest.mark.parametrize(
    ("name", "content", "fragments"),
    [
        ("t.parquet", b"PAR1 and then not", ["`t.parquet` is not a whole Parquet file", "again"]),
        ("t.parquet", None, ["`t.parquet` is not a whole Parquet file", "again"]),
        ("t.xlsx", b"PK", ["`t.xlsx` must end in .csv", "got `.xlsx`", "convert it"]),
        ("t", b"a,b", ["`t` must end in .csv", "no extension"]),
    ],
)
def test_bad_files(name: str, content: bytes | None, fragments: Sequence[str]) -> None:
    if content is None:
        write(table(), name)
        content = Path(name).read_bytes()[:-100]
    Path(name).write_bytes(content)
    refused(kilter("compare", name, *FRAUD), *fragments)


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        (["--target", "freud"], ["`freud` was named as target", "Did you mean `fraud`?"]),
        (["--folds", 1], ["`folds` must be at least 2; got 1", "nothing to test on"]),
        (["--folds", 0], ["`folds` must be at least 2; got 0"]),
        (["--folds", 51], ["`folds` must be from 2 to 50; got 51", "Try 5"]),
        (["--folds", 20], ["24 distinct rows, and 20 folds need", "`folds=12` or fewer"]),
        (["--seeds", 0], ["`seeds` must be at least 1; got 0"]),
        (["--remedies", "smotte"], ["no `smotte`", "Did you mean `smote`?"]),
        (["--remedies", "focal,focal"], ["`focal` twice"]),
        (["--metric", "f1"], ["`metric` must be one of", "macro_f1", "`f1`"]),
        (["--metric", "macro-f1"], ["Did you mean `macro_f1`?"]),
        (["--network", "tabn"], ["`network` must be one of tabm, mlp", "Did you mean `tabm`?"]),
        (["--build", "none.py"], ["`build` names no file `none.py`"]),
        (["--memory", "0"], ["`memory` must be above 0; got 0.0. It counts GiB."]),
        (["--devices", "0"], ["`devices` must be a whole number of at least 1; got 0."]),
        (["--executor", "gpu"], ["`executor` must be one of auto, lanes", "`gpu`"]),
        (["--min-recall", 2], ["`min_recall` must be above 0, at most 1; got 2.0"]),
        (["--min-recall", "nan"], ["`min_recall` must be above 0"]),
        (["--cost", "no.csv"], ["`cost`", "no.csv", "Check the path"]),
        (["--cost", "."], ["`cost`", "Check the path"]),
        (["--cost", "wrong.csv"], ["names `2`", "The labels are 0, 1"]),
        (["--cost", "words.csv"], ["must hold numbers; got `dear`"]),
        (["--cost", "cost.csv", "--min-recall", 0.5], ["`min_recall` and `cost`", "one of"]),
        (["--group", "agee"], ["`agee` was named as group", "Did you mean `age`?"]),
        (["--time", "agee"], ["`agee` was named as time", "Did you mean `age`?"]),
        (["--drop", "age,agee"], ["`agee` was named as dropped", "Did you mean `age`?"]),
        (["--drop", "fraud"], ["`fraud` can have one role only"]),
        (["--group", "fraud"], ["`fraud` can have one role only"]),
        (["--drop", "age,amount,city"], ["no feature columns left", "Add columns"]),
        (["--time", "city"], ["`city` is the time", "Convert it"]),
        (["--out", "."], ["`out` must name a folder"]),
        (["--out", "t.csv"], ["`out` must be a folder; `t.csv` is a file", "another name"]),
        (["--out", "t.csv/below"], ["`out` cannot be written: t.csv/below", "another folder"]),
        (["--out", "t.csv/far/below"], ["`out` cannot be written", "another folder"]),
        (["--out", "full"], ["`full` holds other files", "another name"]),
        (["--out", "x" * 300], ["`out` cannot be", "name too long", "another folder"]),
    ],
    ids=lambda value: "-".join(map(str, value))[:40],
)
def test_bad_options(options: list[Any], fragments: list[str]) -> None:
    write(table())
    Path("cost.csv").write_text(",0,1\n0,0,1\n1,5,0\n")
    Path("wrong.csv").write_text(",0,2\n0,0,1\n2,5,0\n")
    Path("words.csv").write_text(",0,1\n0,0,dear\n1,5,0\n")
    Path("full").mkdir()
    Path("full/diary.txt").write_text("mine")
    refused(kilter("compare", "t.csv", *FRAUD, *SMALL, *options), *fragments)
    assert names(".") == {"t.csv", "cost.csv", "wrong.csv", "words.csv", "full"}
    assert Path("full/diary.txt").read_text() == "mine"


class TestDisk:
    @pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
    def test_a_place_that_cannot_be_written(
        self, quick: Quick, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        data = write(table())

        def mkdir(self: Path, *args: Any, **kwargs: Any) -> None:
            raise OSError(number, os.strerror(number), str(self))

        monkeypatch.setattr(Path, "mkdir", mkdir)
        said = kilter("compare", data, *FRAUD, *SMALL)
        refused(said, f"`out` cannot be written: runs/t: {os.strerror(number)}. Choose another")
        assert not quick.trained

    def test_full_before_the_first_training(
        self, quick: Quick, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = write(table())

        def full(*args: Any, **kwargs: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(Path, "write_text", full)
        said = kilter("compare", data, *FRAUD, *SMALL)
        refused(said, "`out` cannot be written", "No space left on device")

    def test_full_while_training(self, quick: Quick, monkeypatch: pytest.MonkeyPatch) -> None:
        words = ("compare", write(table()), *FRAUD, *SMALL)
        savez, calls = np.savez, []

        def full_after_two(*args: Any, **kwargs: Any) -> None:
            calls.append(1)
            if len(calls) > 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            savez(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(np, "savez", full_after_two)
            said = kilter(*words)
        assert (said.code, said.out) == (2, "")
        last = said.err.splitlines()[-1]
        assert last.startswith("kilter: `out` cannot be written: ")
        assert "No space left on device. Make room and go on with `resume` (`--resume`)." in last
        assert not Path("runs/t").exists()
        quick.trained.clear()
        assert kilter(*words, "--resume").code == 0
        assert len(quick.trained) == 2

    @pytest.mark.parametrize(
        "where", ["pyarrow.parquet.write_table", "zipfile.ZipFile.writestr", "tempfile.mkdtemp"]
    )
    def test_full_at_the_end(
        self, quick: Quick, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        words = ("compare", write(table()), *FRAUD, *SMALL)

        def full(*args: Any, **kwargs: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(where, full)
            said = kilter(*words)
        assert said.code == 2
        assert "No space left on device. Make room and go on with" in said.err
        assert not Path("runs/t").exists()
        quick.trained.clear()
        assert kilter(*words, "--resume").code == 0
        assert not quick.trained


class TestBackend:
    @pytest.mark.parametrize("command", ["compare", "predict", "demo"])
    def test_one_that_does_not_exist(self, command: str) -> None:
        words = {"compare": ["t.csv", *FRAUD], "predict": ["m.kilter", "t.csv"], "demo": []}
        said = finish(start(command, *words[command], KERAS_BACKEND="nosuch"))
        refused(said, "`KERAS_BACKEND`", "jax, tensorflow, torch; got `nosuch`")

    def test_one_that_cannot_train(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KERAS_BACKEND", "numpy")
        refused(kilter("compare", write(table()), *FRAUD), "jax, tensorflow, torch; got `numpy`")
        assert gc.isenabled()  # it rests while Keras is imported

    def test_one_in_the_file_that_does_not_exist(self) -> None:
        Path("keras.json").write_text('{"backend": "nosuch"}')
        said = finish(start("predict", "m", "t.csv", KERAS_BACKEND="", KERAS_HOME="."))
        refused(said, "keras.json", "nosuch")

    def test_one_that_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Missing:
            def find_spec(self, name: str, path: object = None, target: object = None) -> None:
                if name == "keras":
                    raise ModuleNotFoundError("No module named 'torch'", name="torch")

        data = write(table())
        monkeypatch.delitem(sys.modules, "keras")
        monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
        refused(kilter("compare", data, *FRAUD), "`torch` is not installed", "pip install")

    def test_an_executor_that_it_cannot_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import keras

        monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
        said = kilter("compare", write(table()), *FRAUD, *SMALL, "--executor", "lanes")
        assert said.code == 2
        assert "`executor` lanes needs the JAX backend; this is torch. Set" in said.err
        assert not leftovers()


def numbered(classes: int, each: int = 10) -> dict[str, Any]:
    labels = np.repeat(np.arange(classes), each)
    noise = np.random.default_rng(0).normal(size=(2, len(labels)))
    return {"a": labels + noise[0], "b": noise[1], "fraud": [f"kind {v}" for v in labels]}


def relabelled(no: Any, yes: Any, **columns: Any) -> dict[str, Any]:
    columns = table(**columns)
    return {**columns, "fraud": [yes if label else no for label in columns["fraud"]]}


def dates(rows: int) -> list[Any]:
    return list(np.arange(rows).astype("datetime64[D]").astype(object))


STRANGE: dict[str, Callable[[], dict[str, Any]]] = {
    "tags": lambda: {f"<b>{n}</b>" if n != "fraud" else n: v for n, v in table().items()},
    "names": lambda: table(
        **{"a/b": range(120), " ": range(120), "é ☃": range(120), "[red]": range(120)}
    ),
    "our names": lambda: table(p_0=range(120), prediction=range(120), row=range(120)),
    "no name": lambda: table(**{"": np.arange(120) % 7}),
    "booleans": lambda: relabelled(False, True),
    "floats": lambda: relabelled(0.0, 0.5),
    "markup": lambda: relabelled("no, never", "<b>[red]yes</b>"),
    "half": lambda: table(positives=60),
    "more than half": lambda: table(positives=100),
    "words only": lambda: (
        {n: v for n, v in table().items() if n in ("city", "fraud")}
        | {"other": np.random.default_rng(5).choice(list("abcdefghijkl"), 120)}
    ),
    "dates only": lambda: {"day": dates(120), "fraud": table()["fraud"]},
    "forty": lambda: numbered(40),
    "tiny": lambda: table(12, 6),
    "wide": lambda: (
        {f"v{i}": v for i, v in enumerate(np.random.default_rng(0).normal(size=(300, 120)))}
        | {"fraud": table()["fraud"]}
    ),
}


@pytest.mark.parametrize("extension", ["csv", "parquet"])
@pytest.mark.parametrize("case", STRANGE)
def test_strange_tables(quick: Quick, case: str, extension: str) -> None:
    columns = STRANGE[case]()
    data = write(columns, f"t.{extension}")
    assert kilter("inspect", data, *FRAUD).code == 0
    said = kilter("compare", data, *FRAUD, *SMALL, "--out", "o")
    assert said.code == 0, said.err
    page = Path("o/report.html").read_text()
    assert "<b>amount</b>" not in page
    assert "<b>[red]" not in page
    assert kilter("predict", "o/model.kilter", data, "--out", "p.parquet").code == 0
    found = pq.read_table("p.parquet")
    classes = sorted(set(np.asarray(columns["fraud"]).tolist()))
    assert found.column_names == ["prediction", *(f"p_{label}" for label in classes)]
    assert set(found["prediction"].to_pylist()) <= set(classes)
    assert len(found) == len(columns["fraud"])


def test_leading_zeros_make_other_labels(quick: Quick) -> None:
    data = write(relabelled("1", "01"), "t.parquet")
    assert kilter("compare", data, *FRAUD, *SMALL).code == 0
    assert [c["name"] for c in result_of("runs/t")["data"]["classes"]] == ["01", "1"]


def test_semicolons(quick: Quick) -> None:
    text = Path(write(table())).read_text()
    Path("s.csv").write_text(text.replace(",", ";"))
    whole, other = (kilter("compare", f, *FRAUD, *SMALL, "--json") for f in ("t.csv", "s.csv"))
    assert json.loads(other.out)["leaderboard"] == json.loads(whole.out)["leaderboard"]


def test_a_bug_is_called_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("kilter.data.load", broken)
    said = kilter("inspect", "t.csv", *FRAUD)
    assert said == (
        1,
        "",
        "kilter: unexpected ZeroDivisionError: by zero. This is a bug in kilter; "
        "KILTER_DEBUG=1 shows where.\n",
    )
    monkeypatch.setenv("KILTER_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        cli_main("inspect", "t.csv", *FRAUD)


def cli_main(*words: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["kilter", *words])
        cli.main()


@pytest.mark.slow
def test_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    run = cli._compare

    def quicker(data: Path, target: str, out: Path, settings: dict, **given: Any) -> None:
        run(data, target, out, {**settings, "network": "mlp", "epochs": 30}, **given)

    monkeypatch.setattr(cli, "_compare", quicker)
    said = kilter("demo", "--out", "runs/demo")
    assert said.code == 0
    assert names("runs") == {"demo", "demo-digits.csv"}
    assert names("runs/demo") == set(FILES)
    summary = result_of("runs/demo")
    assert summary["data"]["positive"] == "yes"
    assert len(summary["leaderboard"]) == 14
    assert min(row["auprc"] for row in summary["leaderboard"]) > 0.8
    said = kilter("predict", "runs/demo/model.kilter", "runs/demo-digits.csv")
    assert said.out.count("\n") == 1684


class TestDryRun:
    def test_it_says_what_a_comparison_takes_and_leaves_nothing(self, quick: Quick) -> None:
        said = kilter("compare", write(table()), *FRAUD, *SMALL, "--dry-run")
        assert said.code == 0
        rows = dict(line.split(maxsplit=1) for line in said.out.strip().splitlines())
        assert rows["trainings"].strip() == "5"
        assert quick.trained == []
        assert rows["lanes"].strip() == "8 at a time on 2 threads, 31 steps a call"
        assert rows["memory"].strip() == "1.5 GiB of 12.0 GiB, 5 folds at a time"
        assert rows["training"].strip() == "about 2.4 min; 3.3 h if none stops early"
        assert not leftovers()

    def test_json_has_the_same_numbers(self, quick: Quick) -> None:
        said = kilter("compare", write(table()), *FRAUD, *SMALL, "--dry-run", "--json")
        found = json.loads(said.out)
        assert (found["lanes"], found["limit"]) == (8, 12 << 30)
        assert found["seconds"] == pytest.approx(
            90 * 1.625, abs=5
        )  # with one on all rows  # and the time to make the folds

    def test_what_is_wrong_is_said_as_ever(self, quick: Quick) -> None:
        refused(
            kilter("compare", write(table()), *FRAUD, "--remedies", "smot", "--dry-run"), "`smote`"
        )


def test_texts_by_the_same_commands(tmp_path: Path) -> None:
    table, out = tmp_path / "notes.csv", tmp_path / "run"
    lines = [f"{'win cash' if row % 5 == 0 else 'tea'} no{chr(97 + row % 26)}" for row in range(60)]
    rows = {"note": lines, "spam": [int(row % 5 == 0) for row in range(60)], "hour": [7] * 60}
    pyarrow.csv.write_csv(pa.table(rows), table)
    said = kilter("inspect", table, "--target", "spam", "--text", "note")
    assert (said.code, said.err) == (0, "")
    assert "60 texts of 2 words on the median, 29 different ones" in said.out
    said = kilter("inspect", table, "--target", "spam")
    assert "if it is what to learn from, `--text note`" in said.out
    small = ("--folds", "2", "--seeds", "1", "--remedies", "focal", "--augment", "light")
    words = ("--target", "spam", "--text", "note", "--length", "3")
    said = kilter("compare", table, *words, *small, "--out", out)
    assert said.code == 0, said.err
    said = kilter("predict", out / "model.kilter", table)
    assert said.out.splitlines()[0] == '"prediction","p_0","p_1"'
    assert len(said.out.splitlines()) == 61
    said = kilter("compare", table, *words, "--remedies", "smote")
    assert said.code == 2
    assert "`remedies` has `smote`, which mixes two rows" in said.err
    said = kilter("compare", table, "--target", "spam", "--text", "nope", *small)
    assert "`nope` was named as text, and the table has no such column" in said.err
