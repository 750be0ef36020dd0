"""A training as Python gets it: its folder, its manifest, itself in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base.text import plural
from coabench.errors import UserError
from coabench.render import plots
from coabench.render.plots import Dot
from coabench.render.tables import Column, Section, render_fragment
from coabench.runs.training_identity import TrainingIdentity
from coabench.runs.training_log import LOG, TrainingLog

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class FinishedTraining:
    """A finished training: its folder and its manifest."""

    directory: Path
    manifest: Mapping[str, Any]

    def __repr__(self) -> str:
        """Return the result in a line; the manifest would fill a page."""
        uar = self._dev.get("uar")
        chosen = "" if uar is None else f", step {self._selected} selected with a dev UAR of {uar:.2%}"
        return f"<training {self.directory}: {plural(self.manifest.get('steps') or 0, 'step')}{chosen}>"

    def _repr_html_(self) -> str:
        rows = [{"what": what, "value": value} for what, value in self._facts()]
        columns = [Column("Training", "what"), Column(str(self.directory), "value")]
        return render_fragment([Section(columns, rows, notes=list(self.manifest.get("notes", ())))])

    def plot_training(self, axes: Axes | None = None) -> Axes:
        """Draw loss or reward over the steps, and the mean dev UAR with its interval; a line marks the chosen step.

        Args:
            axes: where to draw; None for a new figure.

        Raises:
            UserError: matplotlib is not installed, or the training has no log of its losses.
        """
        log = TrainingLog.read(self.directory)
        if not log.losses:
            raise UserError(
                f"the training {self.directory} has no log to draw",
                expected=f"losses in {LOG}",
                found=log.problem,
                remedy="copy the log beside the adapter, or draw the folder that was trained",
            )
        scores = [(entry.step, Dot("uar", *entry.percents("uar"))) for entry in log.evaluations]
        aims = [(entry.step, entry.numbers[log.aim]) for entry in log.losses if log.aim in entry.numbers]
        chosen = self._selected if scores else None
        return plots.training(aims, scores, title=self.directory.resolve().name, aim=log.aim, chosen=chosen, axes=axes)

    def evaluate_command(self, backbone: str, crop: str | None) -> str:
        """Return the command that evaluates what came out.

        Args:
            backbone, crop: of the training, as typed.
        """
        identity = TrainingIdentity.read(self.manifest["identity"])
        whole = identity.recipe.get("full")
        use = f"{identity.backbone.name}:{self.directory}" if whole else f"{backbone} --adapter {self.directory}"
        held = next((data.fold for data in identity.data if data.fold is not None), None)
        use += f" --load {load}" if (load := identity.recipe.get("load")) else ""
        use += "" if held is None else f" {held.options}"
        return f"coabench evaluate --backbone {use}" + (f" --crop {crop}" if crop else "")

    def _facts(self) -> Iterator[tuple[str, str]]:
        identity = TrainingIdentity.read(self.manifest["identity"])
        backbone = identity.backbone
        yield "Backbone", f"{backbone.name}:{backbone.model}" if backbone.model else backbone.name
        yield "Strategy", ", ".join(strategy.name for strategy in identity.strategies)
        for data in identity.data:
            selecting = f", {data.dev:,} to select by" if data.dev else ""
            yield f"Samples of {data.dataset}", f"{data.fit or 0:,} learnt from{selecting}"
        yield "Trained", identity.trained
        yield (
            "Steps",
            f"{self.manifest.get('steps') or 0:,}, with {plural(self.manifest.get('examples') or 0, 'example')}",
        )
        for name, value in self._dev.items():
            if name.startswith(("uar", "invalid")):
                words = f"dev {name}".replace("uar", "UAR", 1)
                yield words, f"{value:.2%}" + (f" at step {self._selected}, selected" if name == "uar" else "")

    @property
    def _dev(self) -> Mapping[str, Any]:
        return self.manifest.get("dev") or {}

    @property
    def _selected(self) -> Any:
        return self.manifest.get("selected_step")
