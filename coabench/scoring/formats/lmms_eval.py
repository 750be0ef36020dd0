"""lmms-eval's sample logs: ``--log_samples`` writes ``DATE_samples_TASK.jsonl``.

`lmms_eval/loggers/evaluation_tracker.py`, `save_results_samples`: ``input`` is the prompt; ``arguments`` and ``doc``
are left out, ``resps`` where it equals ``filtered_resps``; ``target`` is a text. ``filtered_resps`` is a list of one in
0.2.4, a text in 0.7.3.
"""

from __future__ import annotations

from coabench.scoring.formats.harness import arrange, is_sample_log
from coabench.scoring.formats.table import Format

LMMS_EVAL = Format(
    name="lmms-eval",
    version=1,
    tool="lmms-eval 0.7.3",
    recognised="doc_id, target and filtered_resps, without the arguments of requests",
    reads="filtered_resps, target, doc_id; options in doc; others as doc.NAME",
    endings=(".jsonl",),
    fits=is_sample_log,
    arrange=arrange,
)
