"""Self-consistency: a strategy's dialogue is sampled several times, and its conclusions are voted.

Source: X. Wang, J. Wei, D. Schuurmans, Q. Le, E. Chi, S. Narang, A. Chowdhery and D. Zhou, "Self-consistency improves
chain of thought reasoning in language models", ICLR 2023, arXiv 2203.11171: the majority vote among the final answers
of independently sampled paths, each with one vote, and the share that agrees as an estimate of uncertainty. The entropy
of the votes is the plug-in estimate in nats, -Σ p ln p over the outcomes, "no label" being one, and ln n at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log

from coabench.backbone import Viewing
from coabench.base.vocabulary import ERROR
from coabench.decode import SAMPLE
from coabench.dialogue import Prediction, Question, Task
from coabench.inference.engine import Outcome, hold_dialogues
from coabench.parser import Parser
from coabench.rewrite import Rewritten
from coabench.sampling import Draw, Sampling
from coabench.strategy import Strategy


def hold_and_vote(
    viewing: Viewing,
    strategy: Strategy,
    tasks: Sequence[Task],
    ids: Sequence[str],
    sampling: Sampling,
    seed: int,
    parser: Parser | None = None,
    rewrite: Callable[[Question], Rewritten] = Rewritten,
) -> list[Outcome]:
    """Run the strategy on the samples of a viewing as often as *sampling* says; return a voted outcome for each.

    Args:
        ids: of the samples.
        seed: of the run.
        parser, rewrite: as in `coabench.inference.engine.hold_dialogues`.
    """
    runs = []
    for path in range(sampling.samples):

        def draw(i: int, turn: int, path: int = path) -> Draw:
            return sampling.draw(seed, ids[i], path, turn)

        runs.append(hold_dialogues(viewing, strategy, tasks, SAMPLE.name, draw=draw, parser=parser, rewrite=rewrite))
    return [vote(paths) for paths in zip(*runs, strict=True)]


def vote(paths: Sequence[Outcome]) -> Outcome:
    """Return what sampled dialogues about one sample conclude together.

    The label that most paths conclude wins, of equals the one whose first path came first. A path without a label
    votes for none, however many there are, and counts in the agreement: the winner's votes divided by the number of
    paths. Where no path has a label, the most frequent reason stands for all, of equals the first.

    Returns:
        The turns of the first path that concluded so, and all *paths*. The prediction's details hold ``votes`` (label
        -> number, the most frequent first), ``unlabelled`` (the number of paths without one), ``entropy``, ``path``
        (the number of the one whose turns these are), ``agreement``, the same as ``confidence`` where there are several
        paths, and ``tied``: the labels that got as many votes as the winner, where there are any.
    """
    ends = [path.prediction or Prediction(None, ERROR) for path in paths]
    votes = Counter(end.label for end in ends if end.label is not None)
    details = {"samples": len(paths), "votes": dict(votes.most_common()), "unlabelled": len(paths) - votes.total()}
    details |= {"entropy": _entropy([*votes.values(), len(paths) - votes.total()])}
    if votes:
        [(label, most), *others] = votes.most_common()  # of equals the first to appear stands first
        first = next(i for i, end in enumerate(ends) if end.label == label)
        details["agreement"] = most / len(paths)
        if len(paths) > 1:  # one alone agrees with itself, whatever it says
            details["confidence"] = most / len(paths)
        if tied := [other for other, number in others if number == most]:
            details["tied"] = tied
    else:
        causes = [(end.status, end.reason) for end in ends]
        first = causes.index(Counter(causes).most_common()[0][0])
    return Outcome(paths[first].turns, replace(ends[first], details={**details, "path": first}), list(paths))


def _entropy(counts: Sequence[int]) -> float:
    """Return the entropy of a distribution of votes, in nats, to six decimals."""
    shares = [count / sum(counts) for count in counts if count]
    return round(sum(share * log(1 / share) for share in shares), 6)
