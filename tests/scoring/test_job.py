"""``coabench score``: predictions in a file, and a run's responses read again, become runs that can be trusted."""

import csv
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.process import ROOT, Run
from support.runs import manifest, metrics, records, untimed

CARD = ROOT / "tests/support/scripted/coabench_scripted/drawn.yaml"


@pytest.fixture
def refuse(coabench: Run, tmp_path: Path) -> Run:
    """Run ``coabench score`` with ``--output out``, which must be refused as the user's mistake, nothing written."""

    def refused(*arguments: object) -> "subprocess.CompletedProcess[str]":
        before = set(tmp_path.iterdir())
        result = coabench("score", *arguments, "--output", "out")
        assert result.returncode == 2, result
        assert "Traceback" not in result.stderr
        assert set(tmp_path.iterdir()) == before
        return result

    return refused


@pytest.fixture
def drawn(coabench: Run, tmp_path: Path) -> Path:
    """A run of the scripted backbone on the 24 samples of ``drawn``."""
    result = coabench("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--output", "run")
    assert result.returncode == 0, result.stderr
    return tmp_path / "run"


def write_csv(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def rows_about(run: Path, id_of: Callable[[Mapping[str, Any]], str] = lambda r: str(r["id"])) -> list[list[str]]:
    """Rows ``id, target, prediction`` about the samples of a run; every prediction is the target."""
    return [[id_of(r), r["target"], r["target"]] for r in records(run)]


def write_rows(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "target", "prediction"], *rows])
    return path


GOOD = ("id,truth,answer", "a,Happily Surprised,Happily Surprised", "b,Sadly Angry,4", "c,Sadly Angry,Sadly Fearful",
        "d,Angrily Disgusted,disgust and anger")  # fmt: skip
NAMED = ("--labels", "compound", "--target-column", "truth", "--prediction-column", "answer")


# --- a file of predictions ---------------------------------------------------------------------------------------


def test_a_file_becomes_a_run_like_any_other(coabench: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "answers.csv", *GOOD)
    result = coabench("score", "answers.csv", *NAMED, "--name", "my-model", "--output", "results/mine")
    assert result.returncode == 0, result.stderr
    assert "UAR                    83.33%" in result.stdout  # recalls 1, 1/2 and 1
    assert "coabench did not make them" in result.stderr
    run = tmp_path / "results/mine"
    made = manifest(run)
    assert made["status"] == "complete"
    assert (made["seconds"], made["images_per_second"]) == (None, None)
    assert made["identity"]["backbone"]["name"] == "my-model"
    assert made["identity"]["strategy"] == {"name": "external"}
    assert made["identity"]["dataset"]["split"] == "given"
    assert made["identity"]["source"]["file"] == "answers.csv"
    log = records(run)
    assert [r["id"] for r in log] == ["a", "b", "c", "d"]
    assert [r["prediction"] for r in log] == ["Happily Surprised", "Sadly Angry", "Sadly Fearful", "Angrily Disgusted"]
    assert log[3]["given"] == ["disgust and anger"]
    assert all(r["turns"] == [] and r["seconds"] is None for r in log)
    assert metrics(run)["plugins"]["silence"] == 0.0
    ranked = coabench("leaderboard", "results")
    assert ranked.returncode == 0, ranked.stderr
    assert "my-model" in ranked.stdout
    assert "Not ranked" not in ranked.stdout


def test_the_page_shows_what_is_printed(coabench: Run, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "guides" / "scoring.md").read_text(encoding="utf-8")
    table, command, printed = re.findall(r"```\w*\n(.*?)```", page, re.DOTALL)[:3]
    (tmp_path / "answers.csv").write_text(table)
    result = coabench(*command.replace("\\\n", " ").split()[1:])
    assert result.returncode == 0, result.stderr
    shown = [
        line
        for line in (result.stderr + result.stdout).splitlines()
        if not line.startswith(("metric", "silent", "labels-used", "words"))
    ]
    assert shown == printed.splitlines()


def test_observers_are_told_as_of_any_run(coabench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPTED_EVENTS", str(tmp_path / "events"))
    write_csv(tmp_path / "answers.csv", *GOOD)
    assert coabench("score", "answers.csv", *NAMED).returncode == 0
    message = (tmp_path / "events").read_text().splitlines()
    assert message == ["started running", *(f"predicted {i}" for i in "abcd"), "finished complete 4"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", b"id,truth,answer\na,Sadly Angry,4\nb,Sadly Fearful,\n"),
        ("mark.csv", b"\xef\xbb\xbfid,truth,answer\r\na,Sadly Angry,4\r\n\r\nb,Sadly Fearful,\r\n"),
        ("decimal-comma.csv", b"id;truth;answer\na;Sadly Angry;Sadly Angry\nb;Sadly Fearful;NaN\n"),
        ("tabs.tsv", b"id\ttruth\tanswer\na\t4\t4.0\nb\t3.0\tnan\n"),
        ("lines.jsonl", b'{"id": "a", "truth": 4, "answer": 4.0}\n\n'
                        b'{"answer": NaN, "id": "b", "truth": "Sadly Fearful"}'),
        ("null.jsonl", b'{"id": "a", "truth": "sadness+anger", "answer": 4}\n'
                       b'{"id": "b", "truth": 3, "answer": null}\n'),
    ],
)  # fmt: skip
def test_formats_say_the_same(coabench: Run, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    result = coabench("score", name, *NAMED, "--output", "out")
    assert result.returncode == 0, result.stderr
    made = [(r["id"], r["target"], r["prediction"], r["reason"]) for r in records(tmp_path / "out")]
    assert made == [("a", "Sadly Angry", "Sadly Angry", None), ("b", "Sadly Fearful", None, "unparsed-answer")]
    assert "1 prediction is empty or NaN, counted as INVALID: line " in result.stderr
    samples = b'["a", "Sadly Angry"]\n["b", "Sadly Fearful"]\n'
    assert manifest(tmp_path / "out")["identity"]["dataset"]["fingerprint"] == hashlib.sha256(samples).hexdigest()


@pytest.mark.parametrize(
    ("first", "second", "label", "reason"),
    [
        ("Happiness", "Surprise", "Happily Surprised", None),
        ("surprised", "HAPPY", "Happily Surprised", None),
        ("Fear", "Disgust", None, "no-class"),
        ("Fear", "afraid", None, "repeated"),
        ("Neutral", "Fear", None, "neutral-first"),
        ("Fear", "neutral", None, "neutral-second"),
        ("Fear", "", None, "unparsed-answer"),
        ("nan", "Fear", None, "unparsed-answer"),
    ],
)
def test_two_columns_are_two_emotions(
    coabench: Run, tmp_path: Path, first: str, second: str, label: str | None, reason: str | None
) -> None:
    write_csv(tmp_path / "pairs.csv", "t1,t2,first,second", f"Anger,Disgust,{first},{second}", "fear,sad,Sadness,Fear")
    columns = ("--prediction-column", "first,second", "--target-column", "t2, t1")
    assert coabench("score", "pairs.csv", "--labels", "compound", *columns, "--output", "out").returncode == 0
    (one, two) = records(tmp_path / "out")
    assert (one["target"], one["prediction"], one["reason"]) == ("Angrily Disgusted", label, reason)
    assert one["status"] == ("ok" if label else "invalid")
    assert (one["id"], two["id"]) == ("row_1", "row_2")
    assert two["prediction"] == two["target"] == "Sadly Fearful"


def test_a_typo_is_an_error_unless_it_is_to_count_as_invalid(coabench: Run, refuse: Run, tmp_path: Path) -> None:
    typos = [f'"cell\nof two lines {i}",Sadly Angry,Sadley Angry' for i in range(12)]
    right = [f"r{i},Sadly Angry,4" for i in range(13)]
    write_csv(tmp_path / "typos.csv", "id,truth,answer", "a,Sadly Angry,Sadly Angry", *typos, *right, "z,4,not sad")
    refused = refuse("typos.csv", *NAMED)
    assert "13 predictions are no label of raf-db-compound" in refused.stderr
    assert "line 3: 'Sadley Angry' (did you mean 'Sadly Angry'?)" in refused.stderr
    assert "line 5: 'Sadley Angry'" in refused.stderr
    assert refused.stderr.count("Sadley") == 10
    assert "and 3 more" in refused.stderr
    assert "--unknown invalid" in refused.stderr
    counted = coabench("score", "typos.csv", *NAMED, "--unknown", "invalid", "--output", "out")
    assert counted.returncode == 0
    assert "13 predictions are no label of raf-db-compound, counted as INVALID: lines 3, 5, 7" in counted.stderr
    assert metrics(tmp_path / "out")["reasons"] == {"unparsed-answer": 13}
    assert records(tmp_path / "out")[-1]["given"] == ["not sad"]


@pytest.mark.parametrize("given", ["0", "12", "-1", "3.5", "1e0", "Happiness", "Happily", "None", "inf", "٣", "³"])
def test_what_is_no_compound_label(refuse: Run, tmp_path: Path, given: str) -> None:
    write_csv(tmp_path / "a.csv", "truth,answer", f"Sadly Angry,{given}")
    assert f"line 2: '{given}'" in refuse("a.csv", *NAMED).stderr


@pytest.mark.parametrize("target", ["", "nan", "NaN", "Sadly", "12"])
def test_a_target_must_be_a_label(refuse: Run, tmp_path: Path, target: str) -> None:
    write_csv(tmp_path / "a.csv", "truth,answer", "Sadly Angry,4", f"{target},4")
    refused = refuse("a.csv", *NAMED, "--unknown", "invalid")
    assert "1 target is no label of raf-db-compound" in refused.stderr
    message = {"": "nothing", "nan": "NaN"}.get(target, target if target == "NaN" else f"'{target}'")
    assert f"line 3: {message}" in refused.stderr


@pytest.mark.parametrize(
    ("value", "message"), [("NaN", "NaN"), ("null", "nothing"), ("[4]", "'[4]'"), ("true", "'True'")]
)
def test_a_json_value_that_is_no_target(refuse: Run, tmp_path: Path, value: str, message: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"truth": {value}, "answer": 4}}\n')
    assert f"line 1: {message}" in refuse("a.jsonl", *NAMED).stderr


def test_a_typo_beside_an_empty_value_is_still_a_typo(refuse: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", "truth,one,two", "4,Feer,", "4,Surprize,Hapiness")
    refused = refuse("a.csv", "--labels", "compound", "--target-column", "truth", "--prediction-column", "one,two")
    assert "line 2: 'Feer' (did you mean 'Fear'?)" in refused.stderr
    assert "'Surprize' (did you mean 'Surprise'?), 'Hapiness' (did you mean 'Happiness'?)" in refused.stderr


def test_a_pair_without_a_class_is_no_target(refuse: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", "one,two,answer", "Fear,Disgust,4")
    refused = refuse("a.csv", "--labels", "compound", "--target-column", "one,two", "--prediction-column", "answer")
    assert "line 2: 'Fear' + 'Disgust' (no-class)" in refused.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"id,truth,answer\na,4,4\nb,3,3\na,3,3\n", "'a' in lines 2, 4"),
        ("a.csv", b"id,truth,answer\n,4,4\nnan,3,3\n", "2 rows are without an id"),
        ("a.csv", b"truth,answer\n4,4\n4,4,4\n", "line 3 cannot be read"),
        ("a.csv", b'truth,answer\n4,"4\n', "line 2 cannot be read"),
        ("a.csv", b"truth,answer,truth\n4,4,4\n", "two columns 'truth'"),
        ("a.csv", b"truth,answer\n", "no predictions"),
        ("a.csv", b"", "no predictions"),
        ("a.csv", b"truth,answer\n4,\xff\n", "byte 0xff in line 2"),
        ("a.csv", b"truht,answer\n4,4\n", "did you mean 'truht'"),
        ("a.csv", b"truth,anwser\n4,4\n", "did you mean 'anwser'"),
        ("a.jsonl", b'{"truth": 4, "answer": 4}\n{"truth": 4,\n', "line 2 cannot be read"),
        ("a.jsonl", b"[4, 4]\n", "found: list"),
        ("a.jsonl", b'{"truth": 4, "answer": ' + 100_000 * b"[", "more than 64 deep"),
        ("a.jsonl", b'{"truth": 4, "answer": 4, "answer": 5}', "the key 'answer' twice"),
        ("a.jsonl", b'{"truth": 4, "answer": ' + 5000 * b"1" + b"}", "line 1 cannot be read"),
        ("a.csv", b"truth,answer\n4," + 200_000 * b"4", "field larger than field limit"),
        ("a.xls", b"PK", ".csv, .tsv"),
        ("a", b"truth,answer\n4,4\n", "no ending"),
    ],
)
def test_a_file_that_cannot_be_read(refuse: Run, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert message in refuse(name, *NAMED).stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.csv"], "--labels compound"),
        (["a.csv", "--labels", "compond"], "did you mean 'compound'"),
        (["a.csv", "--labels", "nowhere.yaml"], "nowhere.yaml"),
        (["a.csv", *NAMED, "--labels", "basic", "--target-column", "id,truth"], "are no pairs"),
        (["a.csv", *NAMED, "--target-column", "id,truth,answer"], "names 3 columns"),
        (["a.csv", *NAMED, "--image-column", "img"], "no column 'img'"),
        (["a.csv", *NAMED, "--id-column", "name"], "'id', 'truth', 'answer'"),
        (["a.csv", *NAMED, "--attribute", "ansWer"], "did you mean 'answer'"),
        (["a.csv", *NAMED, "--split", "test"], "it belongs to --dataset"),
        (["a.csv", *NAMED, "--parser", "lenint"], "did you mean 'lenient'"),
        (["a.csv", *NAMED, "--logits"], "it belongs to --probability-columns"),
        (["a.csv", *NAMED, "--probability-columns", "id,truth"], "--prediction-column does not fit"),
        (["a.csv", *NAMED, "--format", "tabel"], "did you mean 'table'"),
        (["a.csv", *NAMED, "--format", "lm-eval"], "is not of the format lm-eval"),
        (["a.csv", *NAMED, "--like", "nowhere"], "holds no run"),
        (["a.csv", *NAMED, "--like", "x", "--dataset", "drawn"], "choose one of them"),
        (["nowhere.csv", *NAMED], "No such file"),
    ],
)
def test_wrong_usage_is_refused(refuse: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    write_csv(tmp_path / "a.csv", *GOOD)
    assert message in refuse(*arguments).stderr


def test_columns_are_kept(coabench: Run, tmp_path: Path) -> None:
    lines = ['{"target": 4, "prediction": 4, "img": "x.jpg", "age": 31, "group": "a ", "who": "p1", "far": 1e999}',
             '{"target": 4, "prediction": 4, "img": "", "age": NaN, "group": null, "who": 7}']  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    kept = ["--image-column=img", "--subject-column=who", *(f"--attribute={name}" for name in ("age", "group", "far"))]
    assert coabench("score", "a.jsonl", "--labels", "compound", *kept, "--output", "o").returncode == 0
    one, two = records(tmp_path / "o")
    assert (one["image"], two["image"]) == ("x.jpg", None)
    assert one["attributes"] == {"age": 31, "group": "a", "far": "1e999", "subject": "p1"}
    assert two["attributes"] == {"age": None, "group": None, "far": None, "subject": 7}


def test_a_card_brings_other_labels(coabench: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", "target,prediction", "Sadly Fearful,1")
    assert coabench("score", "a.csv", "--labels", CARD, "--output", "o").returncode == 0
    assert manifest(tmp_path / "o")["labels"]["space"] == "drawn"
    write_csv(tmp_path / "b.csv", "target,prediction", "happy,joy", "7,Surprise")
    assert coabench("score", "b.csv", "--labels", "basic", "--output", "b").returncode == 0
    assert [r["target"] for r in records(tmp_path / "b")] == ["Happiness", "Neutral"]


def test_two_files_about_the_same_samples_are_compared(coabench: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "one.csv", *GOOD)
    write_csv(tmp_path / "two.csv", *[row.replace(",4", ",5") for row in GOOD])
    write_csv(tmp_path / "other.csv", *[row.replace("c,", "e,") for row in GOOD])
    for name in ("one", "two", "other"):
        assert coabench("score", f"{name}.csv", *NAMED, "--output", f"runs/{name}").returncode == 0
    rows = json.loads(coabench("leaderboard", "runs", "--format", "json").stdout)
    prints = {row["backbone"]: row["fingerprint"] for row in rows}
    assert prints["one"] == prints["two"] != prints["other"]


def test_the_same_command_finds_its_run_and_another_is_refused(coabench: Run, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", *GOOD)
    assert coabench("score", "a.csv", *NAMED).returncode == 0
    assert "already complete" in coabench("score", "a.csv", *NAMED).stderr
    (run,) = (tmp_path / "results").iterdir()
    assert run.name.startswith("raf-db-compound.external.a.")
    write_csv(tmp_path / "a.csv", *GOOD[:-1])
    refused = coabench("score", "a.csv", *NAMED, "--output", run)
    assert refused.returncode == 2
    assert "source.sha256" in refused.stderr
    assert "samples: 4 -> 3" in refused.stderr
    assert len(records(run)) == 4
    assert coabench("score", "a.csv", *NAMED, "--output", run, "--overwrite").returncode == 0
    assert len(records(run)) == 3


def test_a_folder_with_other_files_is_never_touched(coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_csv(tmp_path / "out" / "a.csv", *GOOD)
    result = coabench("score", "out/a.csv", *NAMED, "--output", "out", "--overwrite")
    assert result.returncode == 2
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.csv"]


# --- about samples that are known --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "id_of",
    [
        lambda r: r["id"],
        lambda r: r["id"].rpartition("/")[2],
        lambda r: r["image"],
        lambda r: r["image"].removesuffix(".png"),
    ],
    ids=["id", "last part", "file name", "without extension"],
)
def test_predictions_about_the_samples_of_a_run(
    coabench: Run, drawn: Path, tmp_path: Path, id_of: Callable[[Any], str]
) -> None:
    write_rows(tmp_path / "answers.csv", rows_about(drawn, id_of)[::-1])
    result = coabench("score", "answers.csv", "--like", "run", "--output", "mine")
    assert result.returncode == 0, result.stderr
    assert manifest(tmp_path / "mine")["identity"]["dataset"] == manifest(drawn)["identity"]["dataset"]
    assert manifest(tmp_path / "mine")["labels"] == manifest(drawn)["labels"]
    for new, old in zip(records(tmp_path / "mine"), records(drawn), strict=True):
        assert {k: new[k] for k in ("id", "image", "image_sha256", "target", "attributes")} == {
            k: old[k] for k in ("id", "image", "image_sha256", "target", "attributes")
        }
        assert new["prediction"] == new["target"]
    rows = json.loads(coabench("leaderboard", tmp_path, "--format", "json").stdout)
    assert {row["name"]: row["kind"] for row in rows} == {"mine": "run", "run": "run"}
    assert len({row["fingerprint"] for row in rows}) == 1


def test_a_data_set_gives_what_a_run_on_it_gives(coabench: Run, drawn: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", rows_about(drawn))
    assert coabench("score", "a.csv", "--like", "run", "--output", "one").returncode == 0
    assert coabench("score", "a.csv", "--dataset", "drawn", "--output", "two").returncode == 0
    assert records(tmp_path / "one") == records(tmp_path / "two")
    assert manifest(tmp_path / "one")["identity"] == manifest(tmp_path / "two")["identity"]
    refused = coabench("score", "a.csv", "--dataset", "drawn", "--set", "count=23", "--output", "three")
    assert refused.returncode == 2
    assert "line 25: 'drawn/test_023'" in refused.stderr


def test_the_target_column_may_be_left_out(coabench: Run, drawn: Path, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", "id,answer", *[f"{r['id']},{1 + i % 3}" for i, r in enumerate(records(drawn))])
    assert coabench("score", "a.csv", "--like", "run", "--prediction-column", "answer", "--output", "o").returncode == 0
    assert metrics(tmp_path / "o")["war"] == 1.0  # by code: the run's label space was found again


Edit = Callable[[list[list[str]]], list[list[str]]]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: [[i, "Sadly Fearful", p] for i, _, p in rows],
         ["16 targets are other than in the run run", "line 2: 'Sadly Fearful', but drawn/test_000 is 'Happily Surp"]),
        (lambda rows: rows[2:], ["2 samples are without a row", "'drawn/test_001'"]),
        (lambda rows: [*rows, ["drawn/tset_000", *rows[0][1:]]], ["1 row is about no sample", "line 26: 'drawn/tset"]),
        (lambda rows: [*rows, ["test_003.png", *rows[3][1:]]], ["line 26: 'test_003.png' is the sample of line 5"]),
    ],
    ids=["targets", "missing", "extra", "twice"],
)  # fmt: skip
def test_other_samples_are_refused(refuse: Run, drawn: Path, tmp_path: Path, edit: Edit, message: list[str]) -> None:
    write_rows(tmp_path / "a.csv", edit(rows_about(drawn)))
    refused = refuse("a.csv", "--like", "run")
    for text in message:
        assert text in refused.stderr


def test_an_ambiguous_id_is_refused(refuse: Run, drawn: Path, tmp_path: Path) -> None:
    log = drawn / "predictions.jsonl"
    log.write_text(log.read_text().replace('"test_001.png"', '"other/test_000.png"'))
    write_rows(tmp_path / "a.csv", rows_about(drawn, lambda r: r["image"].rpartition("/")[2]))
    refused = refuse("a.csv", "--like", "run")
    assert "'test_000.png' in lines 2, 3" in refused.stderr  # twice in the file
    write_rows(tmp_path / "a.csv", rows_about(drawn, lambda r: "test_000.png" if "000" in r["id"] else r["id"]))
    refused = refuse("a.csv", "--like", "run")
    assert "line 2: 'test_000.png' may be 'drawn/test_000' or 'drawn/test_001'" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image-column", "target"], "--image-column does not fit"),
        (["--attribute", "target"], "those of its samples"),
        (["--id-column", "nmae"], "no column 'nmae'"),
        (["--labels", "compound"], "are not those of the run"),
    ],
)
def test_options_that_do_not_fit_known_samples(
    refuse: Run, drawn: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    write_rows(tmp_path / "a.csv", rows_about(drawn))
    assert message in refuse("a.csv", "--like", "run", *arguments).stderr


def test_rows_without_ids_are_about_no_known_sample(refuse: Run, drawn: Path, tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", "prediction", *[r["target"] for r in records(drawn)])
    assert "--id-column" in refuse("a.csv", "--like", "run").stderr


# --- a run's responses, read again -------------------------------------------------------------------------------


def answer(run: Path, position: int, turn: int, response: str) -> None:
    """Change what the model said."""
    log = records(run)
    log[position]["turns"][turn]["response"] = response
    (run / "predictions.jsonl").write_text("".join(json.dumps(record) + "\n" for record in log))


@pytest.mark.parametrize(
    ("strategy", "parser"),
    [("chain-of-affect", "standard"), ("chain-of-affect:published", "exact"), ("one-shot", "standard")],
)
def test_its_own_parser_reproduces_a_run(coabench: Run, tmp_path: Path, strategy: str, parser: str) -> None:
    base = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--set", "broken=4")
    assert coabench(*base, "--strategy", strategy, "--output", "run").returncode == 0
    result = coabench("score", "run", "--parser", parser, "--output", "again")
    assert result.returncode == 0, result.stderr
    assert "0 of 24 predictions differ" in result.stderr
    assert untimed(tmp_path / "again") == untimed(tmp_path / "run")
    old, new = metrics(tmp_path / "run"), metrics(tmp_path / "again")
    assert {k: v for k, v in new.items() if k != "log_sha256"} == {k: v for k, v in old.items() if k != "log_sha256"}
    identity, before = manifest(tmp_path / "again")["identity"], manifest(tmp_path / "run")["identity"]
    assert identity.pop("rescored") == {"run": "run", "log_sha256": old["log_sha256"]}
    assert identity == before
    assert manifest(tmp_path / "again")["images_per_second"] is None


def test_another_parser_is_followed_as_far_as_the_model_was_asked(coabench: Run, drawn: Path, tmp_path: Path) -> None:
    log = records(drawn)
    two = [i for i, r in enumerate(log) if len(r["turns"]) == 2 and r["turns"][1]["label"]]
    one = [i for i, r in enumerate(log) if len(r["turns"]) == 1]
    same, other, second = two[:3]
    primary = log[same]["turns"][0]["label"]
    answer(drawn, same, 0, f"{primary}, because the brows say so")
    answer(drawn, other, 0, next(o for o in log[other]["turns"][0]["options"] if o != log[other]["turns"][0]["label"]))
    answer(drawn, second, 1, f"{log[second]['turns'][1]['label']} - the mouth is open")
    answer(drawn, one[0], 0, "1. Happiness")  # invalid then: the second question was never asked
    result = coabench("score", "run", "--parser", "lenient", "--output", "lenient")
    assert result.returncode == 0, result.stderr
    assert "2 samples are invalid (not-asked)" in result.stderr
    new = records(tmp_path / "lenient")
    assert new[same]["prediction"] == log[same]["prediction"]
    assert [t["match"] for t in new[same]["turns"]] == ["because", "exact"]
    assert new[second]["prediction"] == log[second]["prediction"]
    assert new[second]["turns"][1]["match"] == "explained"
    for position in (other, one[0]):
        assert (new[position]["status"], new[position]["reason"]) == ("invalid", "not-asked")
        assert len(new[position]["turns"]) == 1
    assert metrics(tmp_path / "lenient")["reasons"]["not-asked"] == 2
    standard = coabench("score", "run", "--parser", "standard", "--output", "standard")
    assert standard.returncode == 0
    strict = records(tmp_path / "standard")
    assert strict[same]["reason"] == "unparsed-primary"  # read so, the recorded second answer is not used
    assert len(strict[same]["turns"]) == 1


def test_a_limit_stays(coabench: Run, tmp_path: Path) -> None:
    base = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--limit", 5, "--output", "run")
    assert coabench(*base).returncode == 0
    assert coabench("score", "run", "--parser", "lenient", "--output", "runs/again").returncode == 0
    assert manifest(tmp_path / "runs/again")["identity"]["dataset"]["limit"] == 5
    assert "not comparable: --limit 5" in coabench("leaderboard", "runs", "--format", "csv").stdout


def test_runs_without_responses_are_refused(coabench: Run, refuse: Run, drawn: Path, tmp_path: Path) -> None:
    base = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn")
    assert coabench(*base, "--decode", "score", "--output", "scored").returncode == 0
    assert "there is nothing to parse" in refuse("scored", "--parser", "lenient").stderr
    write_csv(tmp_path / "a.csv", *GOOD)
    assert coabench("score", "a.csv", *NAMED, "--output", "external").returncode == 0
    assert "come from a file" in refuse("external", "--parser", "lenient").stderr
    assert coabench("score", "run", "--parser", "exact", "--output", "again").returncode == 0
    assert "rescored from run" in refuse("again", "--parser", "lenient").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "add --parser"),
        (["run", "--parser", "lenint"], "did you mean 'lenient'"),
        (["run", "--parser", "lenient", "--unknown", "invalid"], "--unknown does not fit"),
        (["run", "--parser", "lenient", "--like", "run"], "--like does not fit"),
        (["nowhere", "--parser", "lenient"], "holds no run"),
        (["run", "--parser", "lenient", "--labels", "compound"], "are not those of the run"),
        (["run", "--parser", "lenient", "--strategy", "direct"], "name: \"chain-of-affect:corrected\" -> \"direct\""),
    ],
)  # fmt: skip
def test_wrong_usage_with_a_run_is_refused(refuse: Run, drawn: Path, arguments: list[str], message: str) -> None:
    assert message in refuse(*arguments).stderr


def test_the_run_that_is_read_is_never_written(coabench: Run, drawn: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in drawn.iterdir()}
    write_rows(tmp_path / "a.csv", rows_about(drawn))
    for arguments in (["run", "--parser", "exact"], ["a.csv", "--like", "run"]):
        refused = coabench("score", *arguments, "--output", tmp_path / "run", "--overwrite")
        assert refused.returncode == 2
        assert "is the run that is read" in refused.stderr
    assert {path.name: path.read_bytes() for path in drawn.iterdir()} == before


@pytest.mark.parametrize(
    ("status", "lines", "message"), [("failed", 24, "is not finished"), ("complete", 23, "24 records")]
)
def test_an_unfinished_run_is_refused(
    refuse: Run, drawn: Path, tmp_path: Path, status: str, lines: int, message: str
) -> None:
    write_rows(tmp_path / "a.csv", rows_about(drawn))
    (drawn / "run.json").write_text(json.dumps({**manifest(drawn), "status": status}))
    log = drawn / "predictions.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:lines]))
    assert message in refuse("run", "--parser", "lenient").stderr
    assert message in refuse("a.csv", "--like", "run").stderr


def test_a_prompt_file_is_found_again_or_asked_for(coabench: Run, refuse: Run, tmp_path: Path) -> None:
    prompt = "name: mine\nquestions:\n  - name: answer\n    prompt: Which of {{ options | listed }}?\n"
    (tmp_path / "mine.yaml").write_text(prompt)
    base = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--strategy", "mine.yaml", "--output", "run")
    assert coabench(*base).returncode == 0
    assert coabench("score", "run", "--parser", "lenient", "--output", "one").returncode == 0
    (tmp_path / "mine.yaml").rename(tmp_path / "moved.yaml")
    refused = refuse("run", "--parser", "lenient")
    assert "'mine.yaml'" in refused.stderr
    assert "--strategy FILE.yaml" in refused.stderr
    moved = ("--strategy", "moved.yaml")
    assert coabench("score", "run", "--parser", "lenient", *moved, "--output", "two").returncode == 0
    assert records(tmp_path / "one") == records(tmp_path / "two")
    (tmp_path / "moved.yaml").write_text(prompt.replace("Which", "What"))
    assert "prompts.answer: " in refuse("run", "--parser", "lenient", *moved).stderr


def test_a_card_is_found_again_or_asked_for(coabench: Run, refuse: Run, tmp_path: Path) -> None:
    shutil.copy(CARD, tmp_path / "card.yaml")
    text = (tmp_path / "card.yaml").read_text()
    (tmp_path / "card.yaml").write_text(text.replace("code: 1, ", "code: 1, aliases: [glad shock], "))
    always = ("--backbone", "scripted", "--strategy", "direct", "--set", "always=Glad shock", "--set", "noise=no")
    assert coabench("evaluate", "--dataset", "card.yaml", *always, "--output", "run").returncode == 0
    assert coabench("score", "run", "--parser", "standard", "--output", "one").returncode == 0
    (tmp_path / "card.yaml").rename(tmp_path / "moved.yaml")
    assert "--labels CARD.yaml" in refuse("run", "--parser", "standard").stderr
    assert coabench("score", "run", "--parser", "standard", "--labels", "moved.yaml", "--output", "two").returncode == 0
    assert {r["prediction"] for r in records(tmp_path / "two")} == {"Happily Surprised"}
    assert "codes or aliases may differ" in refuse("run", "--parser", "standard", "--labels", "drawn").stderr


def test_a_run_whose_labels_were_edited_leaves_nothing(refuse: Run, drawn: Path) -> None:
    file, name = drawn / "run.json", manifest(drawn)["labels"]["names"][0]
    file.write_text(file.read_text().replace(f'"{name}"', f'" {name}"'))
    assert "is no label of this label space" in refuse("run", "--parser", "lenient").stderr
