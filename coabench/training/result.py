"""A training as Python gets it: its folder, its manifest, itself in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.render.tables import Column, Section, render_fragment
from coabench.runs.training_identity import TrainingIdentity


@dataclass(frozen=True)
class FinishedTraining:
    """A finished training: its folder and its manifest."""

    directory: Path
    manifest: Mapping[str, Any]

    def __repr__(self) -> str:
        """Return the result in a line; the manifest would fill a page."""
        uar = self._dev.get("uar")
        chosen = "" if uar is None else f", step {self._selected} selected with a dev UAR of {uar:.2%}"
        return f"<training {self.directory}: {self.manifest.get('steps')} steps{chosen}>"

    def _repr_html_(self) -> str:
        rows = [{"what": what, "value": value} for what, value in self._facts()]
        columns = [Column("Training", "what"), Column(str(self.directory), "value")]
        return render_fragment([Section(columns, rows, notes=list(self.manifest.get("notes", ())))])

    def _facts(self) -> Iterator[tuple[str, str]]:
        identity = TrainingIdentity.read(self.manifest["identity"])
        backbone = identity.backbone
        yield "Backbone", f"{backbone.name}:{backbone.model}" if backbone.model else backbone.name
        yield "Strategy", ", ".join(strategy.name for strategy in identity.strategies)
        for data in identity.data:
            yield f"Samples of {data.dataset}", f"{data.fit or 0:,} learnt from, {data.dev or 0:,} to select by"
        yield (
            "Trained",
            "every parameter" if identity.recipe.get("full") else f"LoRA, rank {identity.recipe.get('rank')}",
        )
        yield "Steps", f"{self.manifest.get('steps')}, with {self.manifest.get('examples')} questions"
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
