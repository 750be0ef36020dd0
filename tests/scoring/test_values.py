"""What values mean: scores, rankings, codes, sentences; and where they mean nothing."""

import math
from pathlib import Path

import pytest
from support.process import Run
from support.runs import manifest, metrics, records

from coabench.metrics.calibration import calibrate, confidence_of

FILES = Path(__file__).parent / "files"
LABELS = ("--labels", "basic")
COLUMNS = ("--probability-columns", "Surprise,Fear,Disgust,Happiness,Sadness,Anger,Neutral=p6")
THREE = ("--probability-columns", "Fear,happy=h,Anger")


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def predictions(run: Path) -> list[str | None]:
    return [record["prediction"] for record in records(run)]


# --- scores ------------------------------------------------------------------------------------------------------


def test_the_highest_probability_is_the_prediction(coabench: Run, tmp_path: Path) -> None:
    result = coabench("score", FILES / "probabilities.csv", *LABELS, *COLUMNS, "--output", "run")
    assert result.returncode == 0, result.stderr
    run = tmp_path / "run"
    assert predictions(run) == ["Happiness", "Sadness", "Fear", "Neutral", "Surprise"]
    log = records(run)
    confidences = [confidence_of(record) for record in log]
    assert confidences == pytest.approx([0.82, 0.62, 0.52, 0.72, 0.92], abs=1e-6)
    # each alone in its bin: (.18 + .38 + .52 + .28 + .08) / 5
    assert calibrate(confidences, [True, True, False, True, True]).ece == pytest.approx(0.288, abs=1e-5)
    (turn,) = log[2]["turns"]
    assert turn["scores"]["Fear"] == round(math.log(0.52), 6)
    assert turn["scores"]["Happiness"] == -1e9
    assert log[2]["given"][:2] == ["0.05", "0.52"]
    source = manifest(run)["identity"]["source"]
    assert source["scale"] == "probabilities"
    assert source["columns"]["probabilities"]["Neutral"] == "p6"
    page = coabench("report", run, "--output", "page.html")
    assert page.returncode == 0, page.stderr
    text = (tmp_path / "page.html").read_text()
    assert "Expected calibration error" in text
    assert "null in the prompt" not in text


def test_logits_are_made_probabilities(coabench: Run, tmp_path: Path) -> None:
    write(tmp_path / "l.csv", "target,Fear,h,Anger", "Fear,2.0,1.0,-1000", "Anger,0.5,-2,3")
    refused = coabench("score", "l.csv", *LABELS, *THREE, "--output", "run")
    assert refused.returncode == 2
    assert "line 2: a probability below 0: -1000 for Anger" in refused.stderr
    assert "--logits" in refused.stderr
    result = coabench("score", "l.csv", *LABELS, *THREE, "--logits", "--output", "run")
    assert result.returncode == 0, result.stderr
    assert "no column has scores of Surprise, Disgust, Sadness, Neutral" in result.stderr
    assert predictions(tmp_path / "run") == ["Fear", "Anger"]
    assert confidence_of(records(tmp_path / "run")[0]) == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-6)
    assert manifest(tmp_path / "run")["identity"]["source"]["scale"] == "logits"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("Fear,0.5,0.3,0.1", "they add up to 0.9"),
        ("Fear,0.5,-0.1,0.6", "a probability below 0: -0.1 for Happiness"),
        ("Fear,0.5,nan,0.5", "NaN in 'h', which is no number"),
        ("Fear,0.5,inf,0.5", "'inf' in 'h'"),
        ("Fear,0.5,,0.5", "nothing in 'h'"),
        ("Fear,0.5,much,0.5", "'much' in 'h'"),
        ("Fear,0.5,0_0,0.5", "'0_0' in 'h'"),
    ],
)
def test_what_is_no_probability_is_refused_with_its_row(coabench: Run, tmp_path: Path, row: str, message: str) -> None:
    write(tmp_path / "p.csv", "target,Fear,h,Anger", "Fear,0.5,0.3,0.2", row)
    refused = coabench("score", "p.csv", *LABELS, *THREE, "--unknown", "invalid", "--output", "run")
    assert refused.returncode == 2
    assert f"line 3: {message}" in refused.stderr
    assert not (tmp_path / "run").exists()


def test_a_tie_is_no_prediction(coabench: Run, tmp_path: Path) -> None:
    write(tmp_path / "p.csv", "target,Fear,h,Anger", "Fear,0.4,0.4,0.2", "Fear,0.5,0.3,0.2", "Fear,,,")
    refused = coabench("score", "p.csv", *LABELS, *THREE, "--output", "run")
    assert refused.returncode == 2
    assert "line 2: 0.4 for Fear and Happiness" in refused.stderr
    counted = coabench("score", "p.csv", *LABELS, *THREE, "--unknown", "invalid", "--output", "run")
    assert counted.returncode == 0, counted.stderr
    assert "; over the 1 of 3 samples with a confidence)" in counted.stdout
    assert predictions(tmp_path / "run") == [None, "Fear", None]
    assert [confidence_of(record) is None for record in records(tmp_path / "run")] == [True, False, True]


def test_scores_of_known_samples(coabench: Run, tmp_path: Path) -> None:
    base = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--output", "drawn")
    assert coabench(*base).returncode == 0
    known = records(tmp_path / "drawn")
    labels = manifest(tmp_path / "drawn")["labels"]["names"]
    rows = [[r["id"], *("0.9" if label == r["target"] else str(0.1 / (len(labels) - 1)) for label in labels)]
            for r in reversed(known)]  # fmt: skip
    write(tmp_path / "p.csv", ",".join(["id", *labels]), *map(",".join, rows))
    columns = ("--probability-columns", ",".join(labels))
    result = coabench("score", "p.csv", "--like", "drawn", *columns, "--output", "run")
    assert result.returncode == 0, result.stderr
    assert [(r["id"], r["attributes"]) for r in records(tmp_path / "run")] == [
        (r["id"], r["attributes"]) for r in known
    ]
    assert metrics(tmp_path / "run")["war"] == 1
    assert metrics(tmp_path / "run")["bootstrap"]["subjects"] == metrics(tmp_path / "drawn")["bootstrap"]["subjects"]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas(coabench: Run, tmp_path: Path, delimiter: str) -> None:
    write(tmp_path / "p.csv", *(row.replace(";", delimiter) for row in ("target;Fear;h;Anger", "Fear;0,5;0,3;0,2")))
    assert coabench("score", "p.csv", *LABELS, *THREE, "--output", "run").returncode == 0
    assert predictions(tmp_path / "run") == ["Fear"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("Fear,Anger,Joy", "no column 'Joy'"),
        ("Fear,Anger,h", "'h' is no label"),
        ("Fear,fearful=h", "'fearful' is Fear again"),
        ("Fear", "names one column"),
        ("Feer=h,Anger", "did you mean 'Fear'"),
    ],
)
def test_probability_columns_that_do_not_fit(coabench: Run, tmp_path: Path, columns: str, message: str) -> None:
    write(tmp_path / "p.csv", "target,Fear,h,Anger", "Fear,0.5,0.3,0.2")
    refused = coabench("score", "p.csv", *LABELS, "--probability-columns", columns, "--output", "run")
    assert refused.returncode == 2
    assert message in refused.stderr


# --- rankings, codes, letters, sentences ---------------------------------------------------------------------------


def test_the_first_of_a_ranking_is_the_label(coabench: Run, tmp_path: Path) -> None:
    write(tmp_path / "r.csv", "target,prediction", 'Fear,"Fear, sad, Anger"', "Anger,happy > Anger", "Fear,Fear")
    result = coabench("score", "r.csv", *LABELS, "--output", "run")
    assert result.returncode == 0, result.stderr
    assert "2 predictions are ranked" in result.stderr
    assert predictions(tmp_path / "run") == ["Fear", "Happiness", "Fear"]
    assert [r.get("details") for r in records(tmp_path / "run")] == [
        {"rank": ["Fear", "Sadness", "Anger"]}, {"rank": ["Happiness", "Anger"]}, None
    ]  # fmt: skip
    assert manifest(tmp_path / "run")["identity"]["source"]["rankings"] is True


@pytest.mark.parametrize(
    ("cell", "label", "reason"),
    [
        ("Happiness, Surprise, Fear", "Happily Surprised", None),
        ("Neutral > surprised > happy", "Happily Surprised", None),
        ("Sadly Angry | Sadly Fearful", "Sadly Angry", None),
        ("Happiness, Surprise", "Happily Surprised", None),
        ("Fear; Disgust", None, "no-class"),
    ],
)
def test_rankings_where_labels_are_pairs(
    coabench: Run, tmp_path: Path, cell: str, label: str | None, reason: str | None
) -> None:
    write(tmp_path / "r.csv", "target,prediction", f'Sadly Angry,"{cell}"')
    assert coabench("score", "r.csv", "--labels", "compound", "--output", "run").returncode == 0
    (record,) = records(tmp_path / "run")
    assert (record["prediction"], record["reason"]) == (label, reason)


@pytest.mark.parametrize("cell", ["Fear, Fear", "Fear, Feer", "Fear,", "not Fear, Anger"])
def test_what_is_no_ranking(coabench: Run, tmp_path: Path, cell: str) -> None:
    write(tmp_path / "r.csv", "target,prediction", f'Fear,"{cell}"')
    assert coabench("score", "r.csv", *LABELS, "--output", "run").returncode == 2
    write(tmp_path / "r.csv", "prediction,target", 'Fear,"Fear, Anger, Sadness"')  # a target is one label
    assert coabench("score", "r.csv", *LABELS, "--output", "run").returncode == 2


def test_codes_count_from_where_the_user_says(coabench: Run, tmp_path: Path) -> None:
    write(tmp_path / "c.csv", "target,prediction", "0,0", "6,6.0", "3,4")
    refused = coabench("score", "c.csv", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert "line 2: '0'" in refused.stderr
    assert "--codes" in refused.stderr
    result = coabench("score", "c.csv", *LABELS, "--codes", "0-based", "--output", "run")
    assert result.returncode == 0, result.stderr
    assert "numbers are 0-based: 0 Surprise, 1 Fear, 2 Disgust" in result.stderr
    assert predictions(tmp_path / "run") == ["Surprise", "Neutral", "Sadness"]
    assert manifest(tmp_path / "run")["identity"]["source"]["codes"] == "0-based"
    write(tmp_path / "c.csv", "target,prediction", "1,1", "8,8")  # FERPlus has no codes of its own from 1
    assert coabench("score", "c.csv", "--labels", "ferplus", "--codes", "1-based", "--output", "other").returncode == 0


def test_sentences_are_read_by_a_parser(coabench: Run, tmp_path: Path) -> None:
    rows = ('Fear,"The answer is fear."', 'Anger,"Anger, because the brows meet"', "Sadness,I cannot tell")
    write(tmp_path / "s.csv", "target,prediction", *rows)
    refused = coabench("score", "s.csv", *LABELS, "--output", "run")
    assert refused.returncode == 2
    assert "3 of 3 predictions are no label" in refused.stderr
    assert "--parser" in refused.stderr
    result = coabench("score", "s.csv", *LABELS, "--parser", "lenient", "--output", "run")
    assert result.returncode == 0, result.stderr
    assert predictions(tmp_path / "run") == ["Fear", "Anger", None]
    assert [record["turns"][0]["match"] for record in records(tmp_path / "run")] == ["anchored", "because", None]
    identity = manifest(tmp_path / "run")["identity"]
    assert identity["parsing"]["parser"] == "lenient"


# --- nothing understood ------------------------------------------------------------------------------------------


def test_mostly_unknown_predictions_are_refused(coabench: Run, tmp_path: Path) -> None:
    write(tmp_path / "u.csv", "target,prediction", "Fear,Fear", "Fear,It is fear", "Anger,It is anger")
    for unknown in ("error", "invalid"):
        refused = coabench("score", "u.csv", *LABELS, "--unknown", unknown, "--output", "run")
        assert refused.returncode == 2
        assert "2 of 3 predictions are no label of raf-db-basic" in refused.stderr
        assert "line 3: 'It is fear'" in refused.stderr
        assert "--parser NAME" in refused.stderr
        assert not (tmp_path / "run").exists()
    assert coabench("score", "u.csv", *LABELS, "--parser", "exact", "--output", "run").returncode == 2
    meant = coabench("score", "u.csv", *LABELS, "--parser", "exact", "--unknown", "invalid", "--output", "run")
    assert meant.returncode == 0, meant.stderr
    assert metrics(tmp_path / "run")["invalid"] == 2


@pytest.mark.parametrize("options", [(), ("--unknown", "invalid"), ("--parser", "lenient", "--unknown", "invalid")])
def test_no_figures_where_nothing_is_understood(coabench: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    for cell in ("It shows something", ""):
        write(tmp_path / "u.csv", "id,target,prediction", f"a,Fear,{cell}", f"b,Anger,{cell}")
        refused = coabench("score", "u.csv", *LABELS, *options, "--output", "run")
        assert refused.returncode == 2
        assert "2 of 2 predictions are" in refused.stderr


# --- who is on the images ------------------------------------------------------------------------------------------


def test_a_card_that_knows_subjects_says_so(coabench: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "target,prediction,who", "Fear,Fear,KA", "Anger,Anger,KA")
    for card in ("jaffe", "kdef", "ck-plus"):
        silent = coabench("score", "a.csv", "--labels", card, "--output", card)
        assert silent.returncode == 0, silent.stderr
        assert f"{card} knows who is on an image, a.csv does not say" in silent.stderr
        assert any("intervals are too narrow" in note for note in manifest(tmp_path / card)["notes"])
    for arguments in (("--labels", "jaffe", "--subject-column", "who"), LABELS):
        named = coabench("score", "a.csv", *arguments, "--output", arguments[1] + "-named")
        assert "does not say" not in named.stderr
