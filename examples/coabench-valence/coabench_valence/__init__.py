"""Valence and arousal for coabench. Imported at every start: it only registers, and imports nothing large."""

from coabench import hookimpl

COABENCH_API = 1


@hookimpl
def coabench_register_strategies(register):
    register(
        "valence-arousal",
        "coabench_valence.strategy:ValenceArousal",
        description="how pleasant, how excited, and then which of the labels that fit",
        variants=("both", "valence"),
    )


@hookimpl
def coabench_register_metrics(register):
    register(
        "across-valence",
        "coabench_valence.metric:across_valence",
        description="how many mistakes take pleasant for unpleasant, or the reverse",
        title="across valence",
        format="percent",
    )


@hookimpl
def coabench_register_sections(register):
    register(
        "valence",
        "coabench_valence.section:by_valence",
        description="how often pleasant, unpleasant and neither are taken for each other",
    )


@hookimpl
def coabench_run_finished(run, metrics):
    from coabench_valence.journal import note

    note(run, f"{metrics['plugins'].get('across-valence', {}).get('across', 'unknown')} mistakes across valence")


@hookimpl
def coabench_run_failed(run, error):
    from coabench_valence.journal import note

    note(run, f"failed after {run.done} samples: {error.splitlines()[0]}")


@hookimpl
def coabench_register_parsers(register):
    register("looks", "coabench_valence.parser:looks", description='the answer, or "the person looks" and the answer')
