"""Whether a figure can be believed and repeated, from Python: ``coabench stress``, ``explain`` and ``appendix``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

from coabench.api_runs import run_directory
from coabench.arguments import Name, assignments, crop_spec, read_argument, read_request
from coabench.decode import Decode
from coabench.errors import UserError
from coabench.evaluation.plan import Evaluation
from coabench.explanation.windows import Fill
from coabench.inference.batching import BatchSize
from coabench.recipe import Load
from coabench.registry.defaults import (
    BACKBONE,
    BATCH_SIZE,
    DATASET,
    DECODE,
    DEVICE,
    DTYPE,
    SEED,
    STRATEGY,
    SUITE,
    Dtype,
)

if TYPE_CHECKING:
    from coabench.api_runs import RunLike
    from coabench.explanation.explanation import Explanation
    from coabench.explanation.job import Progress, Which
    from coabench.render.document import DocumentFormat
    from coabench.robustness.summary import StressSummary
    from coabench.sweep.job import SweepProgress
    from coabench.training.result import FinishedTraining


def stress(
    *,
    backbone: str = BACKBONE,
    adapter: Name | None = None,
    strategy: Name = STRATEGY,
    dataset: Name = DATASET,
    data_root: Name | None = None,
    split: str | None = None,
    suite: Name = SUITE,
    crop: bool | str = False,
    limit: int | None = None,
    batch_size: BatchSize = BATCH_SIZE,
    decode: Decode = DECODE,
    temperature: float | None = None,
    top_p: float | None = None,
    samples: int | None = None,
    device: str = DEVICE,
    dtype: Dtype = DTYPE,
    load: Load | None = None,
    seed: int = SEED,
    fold: str | None = None,
    fold_seed: int | None = None,
    options: Mapping[str, object] | None = None,
    output: Name,
    executor: str = "local",
    jobs: int | None = None,
    ray_address: str | None = None,
    allow_trained_split: bool = False,
    parser: str | None = None,
    progress: bool | SweepProgress = False,
) -> StressSummary:
    """Evaluate, and again with pictures or questions changed, as ``coabench stress`` does; resume what stopped.

    The runs are carried out by processes of their own, so that everything is named: no function, no class.

    Args:
        suite: ``questions``, ``images``, ``occlusion``, ``all``, or a sheet of your own.
        output: the folder of the stress, with a run for each condition.
        executor: ``NAME:key=value,…``, what carries out the runs.
        jobs: how many at a time, with ``local``; 1 by default.
        ray_address: of the cluster, with ``ray``.
        progress: show progress on stderr or below a notebook's cell; or an object that is notified.

    The other arguments are those of `coabench.evaluate`.

    Returns:
        What the runs say together: ``rows()``, one for each condition, and ``as_json()``, all measures.

    Raises:
        UserError: bad input, or nothing to compare yet; where a condition is refused, nothing was written.
        JobError: a run could not be finished; the same call resumes it.
    """
    typed = dict(locals())
    from coabench.robustness.job import stress as run_stress
    from coabench.robustness.plan import make_plan
    from coabench.robustness.suites import find_suite
    from coabench.robustness.summary import summarise
    from coabench.sweep.choose import open_executor, runs_at_a_time
    from coabench.sweep.job import Silence, raise_failed

    named = {name: read_argument(str, typed[name], name) for name in ("backbone", "strategy", "dataset", "suite")}
    spec, at_once = read_argument(str, executor, "executor"), read_argument(int | None, jobs, "jobs")
    chosen = open_executor(spec, jobs=at_once, address=read_argument(str | None, ray_address, "ray_address"))
    made = {name: named[name] for name in named if name != "suite"}
    request = read_request(Evaluation, stress, typed, **made, crop=crop_spec(crop))
    assert request.output is not None
    plan = make_plan(request, find_suite(named["suite"]), request.output)
    if progress is True:
        from coabench.cli.progress import SweepTerminal

        progress = SweepTerminal()
    raise_failed(run_stress(plan, chosen, progress or Silence(), runs_at_a_time(spec, at_once)))
    return summarise(request.output)


def load_stress(directory: Name) -> StressSummary:
    """Return what the runs of a stress say together, as `coabench.stress` returned it.

    Raises:
        UserError: there is none, its clean run is not finished, or it is damaged.
    """
    from coabench.robustness.summary import summarise

    folder: Path = read_argument(Path, directory, "directory")
    return summarise(folder)


def explain(
    run: RunLike,
    *,
    samples: str = "wrong:12",
    question: Which = "all",
    window: float = 0.25,
    overlap: float = 0.5,
    fill: Fill = "mean",
    data_root: Name | None = None,
    batch_size: int = BATCH_SIZE,
    device: str = DEVICE,
    seed: int = SEED,
    options: Mapping[str, object] | None = None,
    output: Name | None = None,
    progress: bool | Progress = False,
) -> Explanation:
    """Return which parts of the images the answers of a finished run depend on, as ``coabench explain`` shows it.

    Args:
        run: a run or its directory.
        samples: ``wrong:N``, ``right:N`` or ``all:N``, drawn by *seed*; or ids with commas between them.
        question: of the questions with an answer: the first, the second, or all.
        window: the side of a covered window, in parts of the image's.
        overlap: the part of a side that neighbouring windows share.
        fill: what covers: the image's mean colour, mid grey, or the image blurred.
        output: a page to write, with its numbers in a ``.json`` beside it; None for none.
        progress: show progress on stderr or below a notebook's cell; or an object that is notified.

    Returns:
        ``samples`` with their maps, ``figures()`` with shares, pointing game and deletion test, and ``to_json()``.

    Raises:
        UserError: bad input, a run that cannot be explained, or no sample left that can.
    """
    typed = dict(locals())
    from coabench.explanation.job import Explaining
    from coabench.explanation.job import explain as run_explain
    from coabench.explanation.page import beside, write
    from coabench.explanation.windows import Windows

    page = read_argument(Path | None, output, "output")
    shape, hints = get_type_hints(Windows, include_extras=True), get_type_hints(Explaining)
    fields = {"window": "size", "overlap": "overlap", "fill": "fill"}
    windows = Windows(**{f: read_argument(shape[f], typed[name], name) for name, f in fields.items()})
    names = ("samples", "question", "data_root", "batch_size", "device", "seed")
    read = {name: read_argument(hints[name], typed[name], name) for name in names}
    settings = tuple(f"{key}={value}" for key, value in assignments("options", options).items())
    if page is not None:
        beside(page)
    if progress is True:
        from coabench.cli.progress import ExplainTerminal

        progress = ExplainTerminal()
    request = Explaining(run_directory(run, "run"), windows=windows, options=settings, **read)
    done = run_explain(request, progress or None)
    if page is not None:
        write(done, page)
    return done


def appendix(*runs: RunLike | FinishedTraining | StressSummary, format: DocumentFormat = "markdown") -> str:
    """Return the reproducibility appendix of runs, trainings and stresses, as ``coabench appendix`` writes it.

    Args:
        runs: each itself, or its directory.
        format: ``latex`` is a part to ``\\input`` into a paper.

    Raises:
        UserError: none is given, a directory holds none of these, is named twice, or what it holds is unfinished or
            damaged.
    """
    from coabench.render.document import DocumentFormat, render_document
    from coabench.robustness.appendix import appendix as read
    from coabench.robustness.summary import StressSummary
    from coabench.training.result import FinishedTraining

    if not runs:
        raise UserError("no run is given", remedy='name at least one: coabench.appendix("results/coa")')
    kind = read_argument(DocumentFormat, format, "format")
    folders = []
    for run in runs:
        if isinstance(run, StressSummary):
            folders.append(run.folder.directory)
        else:
            folders.append(run.directory if isinstance(run, FinishedTraining) else run_directory(run, "runs"))
    return render_document(read(folders), kind)
