"""From runs to a paper: tables, figures and the reproducibility appendix, in one folder.

    python paper.py                          # the model and the faces that ship: some minutes on a laptop
    python paper.py --limit 22 --output try  # the same in short; the leaderboard ranks no run of a part of a split

What is complete is not done again: the same command resumes. Change STRATEGIES, MODEL and DATA for a paper of your own.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

STRATEGIES = ("chain-of-affect", "direct", "one-shot")
MODEL = ["--backbone", "tiny"]
DATA = ["--dataset", "synthface-compound"]
SCORED = ["--decode", "score"]  # reliability diagrams need the scores of all options
HERE = Path(__file__).resolve().parent


def coabench(*words: object) -> None:
    """Show a command and run it."""
    typed = [str(word) for word in words]
    print("$ coabench", shlex.join(typed), flush=True)
    subprocess.run([sys.executable, "-m", "coabench", *typed], check=True)


def main() -> None:
    """Make everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("paper"), help="where everything goes")
    parser.add_argument("--limit", type=int, help="so many samples only, of every label")
    parser.add_argument("--suite", default=str(HERE / "blur.yaml"), help="the conditions of the stress")
    options = parser.parse_args()
    folder: Path = options.output
    part = [] if options.limit is None else ["--limit", options.limit]

    results, stress = folder / "results", folder / "stress"
    for strategy in STRATEGIES:
        asked = ["--strategy", strategy, *MODEL, *DATA, *SCORED]
        coabench("evaluate", *asked, *part, "--output", results / strategy)
    first, second, third = (results / strategy for strategy in STRATEGIES)
    coabench("stress", "--strategy", STRATEGIES[0], *MODEL, *DATA, *SCORED, "--suite", options.suite,
             "--limit", options.limit or 110, "--output", stress)  # fmt: skip
    coabench("leaderboard", results, "--format", "latex", "--output", folder / "leaderboard.tex")
    coabench("compare", "--flips", 0, "--format", "latex", "--output", folder / "compare.tex", first, second)
    coabench("appendix", first, second, third, "--format", "latex", "--output", folder / "appendix.tex")
    draw(first, stress, folder)
    (folder / "paper.tex").write_text((HERE / "paper.tex").read_text(encoding="utf-8"), encoding="utf-8")
    print(f"written to {folder}; for the PDF: pdflatex paper.tex there")


def draw(run: Path, stress: Path, folder: Path) -> None:
    """Draw the figures of a run and a stress as PDF."""
    import matplotlib

    matplotlib.use("pdf")
    import coabench

    loaded = coabench.load_run(run)
    loaded.plot_reliability().figure.savefig(folder / "reliability.pdf")
    loaded.plot_confusion().figure.savefig(folder / "confusion.pdf")
    coabench.load_stress(stress).plot_severities().figure.savefig(folder / "severity.pdf")


if __name__ == "__main__":
    main()
