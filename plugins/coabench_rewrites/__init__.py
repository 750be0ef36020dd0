"""Rewrites of questions for coabench: what a question may look like without asking for anything else."""

from __future__ import annotations

from coabench import hookimpl
from coabench.hookspecs import Register


@hookimpl
def coabench_register_rewrites(register: Register) -> None:
    here = "coabench_rewrites"
    register("order", f"{here}.options:Order", description="of the options: rotate=1 to 63 places, or at random: seed=")
    register("case", f"{here}.options:Case", description="of the options: style=lower, upper or capitalised")
    register("quotes", f"{here}.options:Quotes", description="around the options: style=none, single, double")
    register("numbering", f"{here}.options:Numbering", description="of the options: style=digits or letters")
    register("comma", f"{here}.options:Comma", description='before the last option\'s "or": last=true or false')
    register("synonyms", f"{here}.synonyms:Synonyms", description="of the labels, from a closed table: table=a or b")
    register("language", f"{here}.language:Language", description="to=de, fr, es, ja, zh; options=translate or keep")
    register("preamble", f"{here}.phrases:Preamble", description="a sentence before the first question: text=")
    register("polite", f"{here}.phrases:Polite", description="style=please, thanks or both")
