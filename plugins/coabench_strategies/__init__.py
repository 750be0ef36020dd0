"""The built-in strategies. Their words stand in ``prompts/``; those that need more than a prompt file have it here."""

from __future__ import annotations

from coabench import hookimpl
from coabench.hookspecs import Register


@hookimpl
def coabench_register_strategies(register: Register) -> None:
    """Register the strategies, those that are prompt files first."""
    register(
        "chain-of-affect",
        "coabench_strategies.files:chain_of_affect",
        description="primary emotion, then the next strongest; the two make the compound",
        variants=("corrected", "published"),
    )
    register("direct", "coabench_strategies.files:direct", description="one question over all labels of the data set")
    register(
        "one-shot", "coabench_strategies.files:one_shot", description="the direct question after one exemplar image"
    )
    register(
        "action-units",
        "coabench_strategies.files:action_units",
        description="describe the action units, interpret them, then the label",
    )
    register(
        "think-answer",
        "coabench_strategies.files:think_answer",
        description="think step by step, then say what the answer is",
    )
    register(
        "few-shot",
        "coabench_strategies.few_shot:FewShot",
        description="the direct question after k exemplar images, each of another label",
    )
    register(
        "rank",
        "coabench_strategies.rank:Rank",
        description="all basic emotions in order; the first two but Neutral make the compound",
    )
    register(
        "pair-scores",
        "coabench_strategies.pair_scores:PairScores",
        description="the most probable pair, whichever of the two comes first",
    )
    register(
        "permute-vote",
        "coabench_strategies.permute_vote:PermuteVote",
        description="the direct question in several orders of its options; the majority decides",
    )
    register(
        "top-1",
        "coabench_strategies.top:TopOne",
        description="the basic emotion with the best score; for classifiers and basic labels",
    )
    register(
        "top-2-pair",
        "coabench_strategies.top:TopTwoPair",
        description="the two best scores but Neutral's make the compound; for classifiers",
        variants=("plain", "known"),
    )
