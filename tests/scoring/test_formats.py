"""Files of other tools are read as they are: each fixture below `FILES` is in the shape that its tool writes."""

import io
import json
import math
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.process import ROOT, Run
from support.runs import manifest, metrics, records

from coabench.metrics.calibration import confidence_of
from coabench.scoring.formats import archive
from coabench.scoring.formats.files import FORMATS
from coabench.scoring.formats.harness import unwrapped

FILES = Path(__file__).parent / "files"
TARGETS = ["Happiness", "Sadness", "Anger", "Neutral", "Surprise"]
PREDICTIONS = ["Happiness", "Sadness", "Fear", None, "Surprise"]
LABELS = ("--labels", "basic")
LOG = json.loads((FILES / "inspect-ai-log-2.json").read_text())


def pairs(run: Path) -> list[tuple[str, str | None]]:
    return [(record["target"], record["prediction"]) for record in records(run)]


def eval_archive(path: Path, log: dict[str, Any], **options: int) -> Path:
    """Write a log as inspect_ai's ``.eval``."""
    with zipfile.ZipFile(path, "w", **({"compression": zipfile.ZIP_DEFLATED} | options)) as file:
        file.writestr("_journal/start.json", "{}")
        for sample in log["samples"]:
            file.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        file.writestr("summaries.json", "[]")
        file.writestr("header.json", json.dumps({key: value for key, value in log.items() if key != "samples"}))
    return path


# --- the tools ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "format", "ids"),
    [
        ("lmms-eval-0.2.4.jsonl", "lmms-eval", "01234"),
        ("lmms-eval-0.7.3.jsonl", "lmms-eval", "01234"),
        ("lm-eval-0.4.13.jsonl", "lm-eval", "01234"),
        ("vlmevalkit-0.1.tsv", "vlmevalkit", "01234"),
        ("inspect-ai-log-2.json", "inspect-ai", "12345"),
    ],
)
def test_a_tool_s_file_is_read_as_it_is(coabench: Run, tmp_path: Path, file: str, format: str, ids: str) -> None:
    result = coabench("score", FILES / file, *LABELS, "--output", "run")
    assert result.returncode == 0, result.stderr
    assert pairs(tmp_path / "run") == list(zip(TARGETS, PREDICTIONS, strict=True))
    assert [record["id"] for record in records(tmp_path / "run")] == list(ids)
    assert f"read as {format}" in result.stderr
    assert manifest(tmp_path / "run")["identity"]["source"]["format"] == {"name": format, "version": 1}
    named = coabench("score", FILES / file, *LABELS, "--format", format, "--output", "run")
    assert "already complete" in named.stderr  # the same run, said or recognised


def test_an_eval_archive_says_what_its_json_says(coabench: Run, tmp_path: Path) -> None:
    eval_archive(tmp_path / "log.eval", LOG)
    result = coabench("score", "log.eval", *LABELS, "--output", "run")
    assert result.returncode == 0, result.stderr
    assert pairs(tmp_path / "run") == list(zip(TARGETS, PREDICTIONS, strict=True))
    assert "predictions from 'answer.choice'" in result.stderr
    parsed = coabench("score", "log.eval", *LABELS, "--parser", "standard", "--subject-column", "metadata.person",
                      "--output", "parsed")  # fmt: skip
    assert "predictions from 'completion'" in parsed.stderr
    assert "1 prediction is no label of raf-db-basic, counted as INVALID: sample 4" in parsed.stderr
    assert pairs(tmp_path / "parsed") == pairs(tmp_path / "run")
    first = records(tmp_path / "parsed")[0]
    assert (first["turns"][0]["response"], first["turns"][0]["match"]) == ("ANSWER: D", "anchored")
    assert first["attributes"] == {"subject": "p0"}
    assert manifest(tmp_path / "parsed")["identity"]["parsing"]["parser"] == "standard"


def test_zstandard_is_unpacked_where_there_is_a_package(
    coabench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """inspect_ai 0.3.285 packs so."""
    zstd = pytest.importorskip("backports.zstd.zipfile") if sys.version_info < (3, 14) else zipfile
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZipFile", zstd.ZipFile)
        eval_archive(tmp_path / "log.eval", LOG, compression=zstd.ZIP_ZSTANDARD)
    result = coabench("score", "log.eval", *LABELS, "--output", "run")
    assert result.returncode == 0, result.stderr
    assert pairs(tmp_path / "run") == list(zip(TARGETS, PREDICTIONS, strict=True))
    if sys.version_info < (3, 14):
        monkeypatch.setitem(sys.modules, "backports.zstd", None)
        refused = coabench("score", "log.eval", *LABELS, "--output", "other")
        assert refused.returncode == 2
        assert "pip install 'coabench[inspect]'" in refused.stderr


def _zstandard(data: bytes) -> bytes:
    """Say of every entry that it is packed with method 93."""
    for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = data.find(signature)
        while start >= 0:
            data = data[: start + at] + struct.pack("<H", 93) + data[start + at + 2 :]
            start = data.find(signature, start + 4)
    return data


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"PK" + data[2:40], "no zip archive"),
        (_zstandard, "inspect log convert"),
        (
            lambda data: data.replace(b"header.json", b"leader.json").replace(b"start.json", b"stark.json"),
            "header.json",
        ),
        (lambda data: data.replace(b'"epoch": 1', b'"epoch"; 1'), "cannot be read"),
    ],
    ids=["torn", "packed", "no-header", "damaged"],
)
def test_an_archive_that_cannot_be_read(
    coabench: Run, tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    file = eval_archive(tmp_path / "log.eval", LOG, compression=zipfile.ZIP_STORED)
    file.write_bytes(damage(file.read_bytes()))
    refused = coabench("score", "log.eval", *LABELS, "--output", "run")
    assert refused.returncode == 2, refused.stderr
    assert message in refused.stderr
    assert not (tmp_path / "run").exists()


def test_an_archive_is_bounded(coabench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    eval_archive(tmp_path / "log.eval", {**LOG, "padding": "0" * 100_000})
    monkeypatch.setattr(archive, "ENTRY", 50_000)
    refused = coabench("score", "log.eval", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert "50,000 of a file" in refused.stderr
    monkeypatch.setattr(archive, "ENTRIES", 3)
    assert "8 files in it; at most 3" in coabench("score", "log.eval", *LABELS, "--output", "run").stderr


def test_several_epochs_are_refused_and_an_aborted_evaluation_is_said(coabench: Run, tmp_path: Path) -> None:
    again = {**LOG["samples"][0], "epoch": 2}
    (tmp_path / "log.json").write_text(json.dumps({**LOG, "samples": [*LOG["samples"], again]}))
    refused = coabench("score", "log.json", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert "the epochs 1, 2" in refused.stderr
    (tmp_path / "log.json").write_text(json.dumps({**LOG, "status": "cancelled"}))
    assert "samples may be missing" in coabench("score", "log.json", *LABELS, "--output", "run").stderr


def test_an_attachment_is_looked_up(coabench: Run, tmp_path: Path) -> None:
    sample = {"id": 1, "epoch": 1, "target": "Fear", "output": {"completion": "attachment://ab12"},
              "attachments": {"ab12": "Fear"}}  # fmt: skip
    (tmp_path / "log.json").write_text(json.dumps({"eval": {}, "samples": [sample]}))
    assert coabench("score", "log.json", *LABELS, "--output", "run").returncode == 0
    assert pairs(tmp_path / "run") == [("Fear", "Fear")]


def test_log_likelihoods_are_scores(coabench: Run, tmp_path: Path) -> None:
    result = coabench("score", FILES / "lm-eval-0.4.13-multiple-choice.jsonl", *LABELS, "--attribute", "doc.person",
                      "--output", "run")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert pairs(tmp_path / "run") == list(
        zip(TARGETS, ["Happiness", "Sadness", "Fear", "Neutral", "Surprise"], strict=True)
    )
    first = records(tmp_path / "run")[0]
    likelihoods = [-3.5, -4.25, -5.0, -0.5, -2.75, -6.0, -1.5]
    assert list(first["turns"][0]["scores"].values()) == likelihoods
    assert confidence_of(first) == pytest.approx(math.exp(-0.5) / sum(map(math.exp, likelihoods)))
    assert first["attributes"] == {"doc.person": "p0"}
    parsed = coabench("score", FILES / "lm-eval-0.4.13-multiple-choice.jsonl", *LABELS, "--parser", "exact")
    assert parsed.returncode == 2  # there are no sentences in it
    assert "no column 'filtered_resps'" in parsed.stderr


def test_log_likelihoods_in_some_rows_are_refused(coabench: Run, tmp_path: Path) -> None:
    first, *others = (FILES / "lm-eval-0.4.13-multiple-choice.jsonl").read_text().splitlines(keepends=True)
    generated = json.dumps({**json.loads(first), "filtered_resps": ["Fear"]}) + "\n"
    (tmp_path / "some.jsonl").write_text("".join([generated, *others]))
    refused = coabench("score", "some.jsonl", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert "line 1" in refused.stderr
    assert "log-likelihoods" in refused.stderr


def test_a_letter_without_its_options_is_no_label(coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("target,prediction\nFear,B\n")
    refused = coabench("score", "a.csv", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert "the file does not list the options" in refused.stderr


def test_filters_are_columns(coabench: Run, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (FILES / "lm-eval-0.4.13.jsonl").read_text().splitlines()]
    other = [{**line, "filter": "strict", "filtered_resps": ["Fear"]} for line in lines]
    (tmp_path / "two.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, *other]))
    refused = coabench("score", "two.jsonl", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert "'filtered_resps:take_first', 'filtered_resps:strict'" in refused.stderr
    chosen = coabench("score", "two.jsonl", *LABELS, "--prediction-column", "filtered_resps:strict", "--output", "run")
    assert chosen.returncode == 0, chosen.stderr
    assert [prediction for _, prediction in pairs(tmp_path / "run")] == ["Fear"] * 5
    (tmp_path / "two.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines, *other[1:]]))
    assert "other documents" in coabench("score", "two.jsonl", *LABELS, "--output", "run").stderr


def test_several_responses_are_refused(coabench: Run, tmp_path: Path) -> None:
    line = {"doc_id": 0, "target": "Fear", "filtered_resps": [["Fear", "Anger"]]}
    (tmp_path / "a.jsonl").write_text(json.dumps(line) + "\n")
    refused = coabench("score", "a.jsonl", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert "2 in 'filtered_resps'" in refused.stderr


@pytest.mark.parametrize(
    ("value", "inside"),
    [("Fear", "Fear"), (["Fear"], "Fear"), ([["Fear"]], "Fear"), ("['Fear']", "Fear"), ('[["Fear"]]', "Fear"),
     ("[3]", "3"), (["Fear", "Anger"], ["Fear", "Anger"]), ("['Fear', 'Anger']", "['Fear', 'Anger']"), ("[]", "[]"),
     ("[" * 2000, "[" * 2000), ("[don't]", "[don't]"), (None, None)],
)  # fmt: skip
def test_lists_of_one(value: object, inside: object) -> None:
    assert unwrapped(value) == inside


# --- spreadsheets ------------------------------------------------------------------------------------------------


def spreadsheet(path: Path) -> Path:
    """Write the rows of the VLMEvalKit fixture as ``.xlsx``."""
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("defusedxml")
    from coabench.scoring.formats.files import _read  # the rows as they stand

    table = _read(FILES / "vlmevalkit-0.1.tsv")
    book = openpyxl.Workbook()
    book.active.append(list(table.columns))
    for row in table.rows:
        book.active.append([int(row.text("index")), *[row.values[column] or None for column in table.columns[1:]]])
    book.create_sheet("other").append(["nothing"])
    book.save(path)
    return path


def test_a_spreadsheet_says_what_its_table_says(coabench: Run, tmp_path: Path) -> None:
    spreadsheet(tmp_path / "model_RAF.xlsx")
    result = coabench("score", "model_RAF.xlsx", *LABELS, "--output", "run")
    assert result.returncode == 0, result.stderr
    assert pairs(tmp_path / "run") == list(zip(TARGETS, PREDICTIONS, strict=True))
    assert "read as vlmevalkit" in result.stderr
    assert "counted as INVALID: row 5" in result.stderr
    assert "2 sheets" in result.stderr


def test_entities_in_a_spreadsheet_are_refused(coabench: Run, tmp_path: Path) -> None:
    file = spreadsheet(tmp_path / "a.xlsx")
    made = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            if name.endswith("sheet1.xml"):
                head, _, rest = text.partition("<worksheet")
                text = f'{head}<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><worksheet{rest}'
            new.writestr(name, text)
    file.write_bytes(made.getvalue())
    refused = coabench("score", "a.xlsx", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert "EntitiesForbidden" in refused.stderr


@pytest.mark.parametrize("content", [b"", b"PK", b"no spreadsheet"])
def test_what_is_no_spreadsheet(coabench: Run, tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("openpyxl")
    pytest.importorskip("defusedxml")
    (tmp_path / "a.xlsx").write_bytes(content)
    refused = coabench("score", "a.xlsx", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert "a spreadsheet (.xlsx)" in refused.stderr


@pytest.mark.parametrize("package", ["openpyxl", "defusedxml"])
def test_a_missing_package_is_named(
    coabench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    refused = coabench("score", "a.xlsx", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert "pip install 'coabench[xlsx]'" in refused.stderr


# --- confusion matrices and plain tables ------------------------------------------------------------------------


def test_a_confusion_matrix_becomes_records(coabench: Run, tmp_path: Path) -> None:
    result = coabench("score", FILES / "confusion-matrix.csv", *LABELS, "--output", "results/run")
    assert result.returncode == 0, result.stderr
    assert "a confusion matrix has no samples" in result.stderr
    run = tmp_path / "results/run"
    assert len(records(run)) == 25
    assert metrics(run)["uar"] == pytest.approx((8 / 10 + 6 / 10 + 2 / 5) / 3)
    assert metrics(run)["war"] == pytest.approx(16 / 25)
    assert metrics(run)["invalid"] == 1
    text = (FILES / "confusion-matrix.csv").read_text()
    (tmp_path / "other.csv").write_text(text + "\n")  # the same counts of another file are other samples
    assert coabench("score", "other.csv", *LABELS, "--output", "results/other").returncode == 0
    rows = json.loads(coabench("leaderboard", "results", "--format", "json").stdout)
    assert len({row["fingerprint"] for row in rows}) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("8", "0.8", "'0.8'"), ("8", "-1", "'-1'"), ("8", "900000", "at most 500,000"), ("8", "8e0", "'8e0'")],
)
def test_cells_that_are_no_counts(coabench: Run, tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "m.csv").write_text((FILES / "confusion-matrix.csv").read_text().replace(old, new))
    refused = coabench("score", "m.csv", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert message in refused.stderr


def test_a_json_document_is_a_table(coabench: Run, tmp_path: Path) -> None:
    rows = [{"id": "a", "target": "Fear", "prediction": "Fear"}, {"id": "b", "target": "Anger", "prediction": None}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    assert coabench("score", "a.json", *LABELS, "--output", "run").returncode == 0
    assert pairs(tmp_path / "run") == [("Fear", "Fear"), ("Anger", None)]
    for text, message in (
        ('{"a": 1}', "an object with 'a'"),
        ('{"samples": 1}', "an object with 'samples'"),
        ("[1]", "sample 1"),
        ("3", "int"),
        ("[]", "no predictions"),
    ):
        (tmp_path / "a.json").write_text(text)
        refused = coabench("score", "a.json", *LABELS, "--output", "other")
        assert refused.returncode == 2
        assert message in refused.stderr


def test_the_identity_of_a_plain_table_is_that_of_0_1_0(coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("target,prediction\nFear,Fear\n")
    assert coabench("score", "a.csv", *LABELS, "--output", "run").returncode == 0
    identity = manifest(tmp_path / "run")["identity"]
    assert set(identity["source"]) == {"file", "sha256", "columns", "unknown"}
    assert set(identity["source"]["columns"]) == {"prediction", "target", "id", "image", "attributes"}
    assert identity["parsing"] is None


def test_the_formats_are_listed_here_and_in_the_docs(coabench: Run) -> None:
    listed = coabench("score", "--list-formats")
    assert listed.returncode == 0
    page = (ROOT / "docs" / "guides" / "scoring.md").read_text(encoding="utf-8")
    for name, format in FORMATS.items():
        assert name in listed.stdout
        assert f"| `{name}` | {format.tool} |" in page
