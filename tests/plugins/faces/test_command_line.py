"""A card of ten lines, all the way: listed, verified, evaluated; and a mistake writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from support.faces_trees import put, write
from support.process import Run

CARD = """\
name: my-faces
loader: faces
labels:
  classes: [{name: Anger, code: 0}, {name: Happiness, code: 1}, {name: Sadness, code: 2}]
options:
  table: labels.csv
  image: file
  label: emotion
  subject: person
"""


def test_a_card_of_ten_lines_is_evaluated(coabench: Run, tmp_path: Path) -> None:
    rows = [f"faces/{i}.png,{i % 3},p{i // 3}" for i in range(12)]
    write(tmp_path / "data" / "labels.csv", "\n".join(["file,emotion,person", *rows]))
    for i in range(12):
        put(tmp_path / "data" / "faces" / f"{i}.png", ("Anger", "Happiness", "Sadness")[i % 3], i)
    write(tmp_path / "my-faces.yaml", CARD)
    where = ("--dataset", "my-faces.yaml", "--data-root", "data")
    result = coabench("evaluate", "--backbone", "scripted", "--strategy", "direct", *where, "--output", "run")
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (tmp_path / "run" / "predictions.jsonl").read_text().splitlines()]
    assert records[0]["id"] == "my-faces/faces/0"
    assert {r["attributes"]["subject"] for r in records} == {"p0", "p1", "p2", "p3"}
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["samples"], metrics["bootstrap"]["subjects"]) == (12, 4)  # intervals count persons

    write(tmp_path / "data" / "labels.csv", "\n".join(["file,emotion,person", *rows, "faces/0.png,7,p0"]))
    refused = coabench("evaluate", "--backbone", "scripted", "--strategy", "direct", *where, "--output", "other")
    assert refused.returncode == 2
    assert "labels.csv, line 14" in refused.stderr
    assert not (tmp_path / "other").exists()
    verified = coabench("datasets", "verify", "my-faces.yaml", "--data-root", "data")
    assert verified.returncode == 1
    assert "labels that are not on the card: 1" in verified.stdout
