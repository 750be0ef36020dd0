"""The names of files that no output replaces are those that the jobs write."""

from coabench.cli.kept import KINDS
from coabench.cropping import card, job, originals
from coabench.robustness import folder
from coabench.runs.run import Run
from coabench.support import adapter_folder
from coabench.training.files import TrainingFolder


def test_the_names_are_those_of_the_jobs() -> None:
    jobs = [(each.declared.file, each.declared.kind, each.contents) for each in (Run, TrainingFolder)]
    adapter = (adapter_folder.CONFIG, adapter_folder.WEIGHTS)
    crops = (job.MANIFEST, originals.LOG, originals.ROOT, card.CARD)
    others = [
        (adapter[0], "adapter", adapter),
        (folder.FILE, "stress", (folder.FILE,)),
        (crops[0], "cropped data set", crops),
    ]
    assert [*KINDS] == [*jobs, *others]
