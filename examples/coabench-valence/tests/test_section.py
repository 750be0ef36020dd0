import pytest
from coabench import JobError
from coabench.runs import read_records
from coabench.testing import ScriptedBackbone, SectionConformance

from coabench_valence.section import by_valence


class TestSection(SectionConformance):
    section = "valence"


def test_confusions_are_counted_by_valence(coabench_run):
    run = coabench_run(dataset="testing-basic", backbone=ScriptedBackbone(["Sadness"]))
    _, table = by_valence(run.manifest, run.metrics, list(read_records(run.directory))).parts
    assert table.headings == ["label", "pleasant", "neither", "unpleasant"]
    assert [row[0] for row in table.rows] == table.headings[1:]
    assert sum(row[3] for row in table.rows) == 14  # all are taken for unpleasant


def test_the_journal_is_kept_on_request(coabench_run, tmp_path, monkeypatch):
    coabench_run()
    monkeypatch.setenv("VALENCE_JOURNAL", str(tmp_path / "journal.txt"))
    coabench_run()

    def fail(question):
        raise JobError("the power is off")

    with pytest.raises(JobError):
        coabench_run(backbone=ScriptedBackbone(fail))
    assert (tmp_path / "journal.txt").read_text().splitlines() == [
        "run-2: 6 mistakes across valence",
        "run-3: failed after 0 samples: the power is off",
    ]
