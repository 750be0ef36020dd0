"""``coabench plugins new``: the package of a new plugin, whole and working, for its author to change."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template

from coabench.base.reading import exists, is_folder
from coabench.errors import UserError, did_you_mean
from coabench.hookspecs import API_VERSION

TEMPLATES = Path(__file__).parent / "templates"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 30


@dataclass(frozen=True)
class Kind:
    """What is particular to a kind of plugin.

    Attributes:
        registry: where its name is registered; ``commands`` for commands, None where it registers none.
        summary: what the package is, in a line.
        trial: a command that uses it.
        about: what the author finds in it.
        dependencies: what it imports beside coabench.
    """

    registry: str | None
    summary: str
    trial: str
    about: str
    dependencies: tuple[str, ...] = ()


KINDS = {
    "backbone": Kind(
        "backbones",
        "A backbone that answers by brightness",
        "coabench evaluate --backbone $name",
        "It measures how bright the query image is and answers with the option at that place in the list. Put your\n"
        "model in its place: check paths in `__init__`, bring in weights in `load`, run the vision part in `look` and\n"
        "the rest in `ask`. Whatever can change an answer belongs in `identity`.",
        ("pillow",),
    ),
    "strategy": Kind(
        "strategies",
        "A strategy that asks for the mood, then for the label",
        "coabench evaluate --strategy $name",
        "`converse` is a generator: it yields questions, receives answers, and returns the prediction. It never sees\n"
        "the image or the true label. `--set remind=no` leaves the reminder out of the second question.",
    ),
    "dataset": Kind(
        "datasets",
        "A data set of images in folders",
        "coabench evaluate --dataset $name",
        "Drawn faces come with it, so that it works at once. With `--data-root DIR` it reads `DIR/SPLIT/LABEL/*.png`.\n"
        "`card.yaml` says what the labels are, who may use the images and what to cite. Do not ship images of people\n"
        "without their consent.",
    ),
    "detector": Kind(
        "detectors",
        "A face detector that finds bright regions",
        "coabench webcam --detector $name",
        "It takes unbroken bright regions for faces. Put your detector in the place of `detect`; get its weights\n"
        "ready in `__init__`, and raise `UserError` where that is not possible. Register it with `rank=` for\n"
        "`--detector auto` to consider it.",
        ("numpy",),
    ),
    "metric": Kind(
        "metrics",
        "The geometric mean of the recalls as a metric",
        "coabench evaluate",
        "Every evaluation prints its result, which stands under `plugins` in the run's `metrics.json`.",
    ),
    "command": Kind(
        "commands",
        "A command that lists the mistakes of a run",
        "coabench $name results/RUN",
        "It reads a run directory and prints which labels are taken for which.",
        ("click",),
    ),
    "observer": Kind(
        None,
        "An observer that keeps a journal of runs",
        "coabench evaluate",
        "Runs and trainings are reported to it as they end; a line about each is added to `$name.txt` beside their\n"
        "folders. `coabench_run_started`, `coabench_sample_predicted` and `coabench_training_step` report more.",
    ),
    "section": Kind(
        "sections",
        "The most frequent mistakes as a section of the report",
        "coabench report results/RUN",
        "It returns what is to be shown as data: texts, tables, charts. The page draws them under\n"
        "a heading of their own.",
    ),
    "parser": Kind(
        "parsers",
        "A parser that also takes the letter of an option",
        "coabench evaluate --parser $name",
        "It turns a response into a label, or into none: it never guesses. A prompt file names it, too, as\n"
        "`parser: $name`. What it answers is part of every record.",
    ),
    "transform": Kind(
        "transforms",
        "A transform that turns images",
        "coabench evaluate --transform $name:degrees=30",
        "It turns every image by an angle that is drawn for its sample. Give each parameter bounds and a\n"
        "physical unit. A run with transforms is a variant, which the leaderboard never ranks.",
        ("pillow",),
    ),
    "rewrite": Kind(
        "rewrites",
        "A rewrite that adds a sentence to questions",
        "coabench evaluate --rewrite $name",
        "It adds a sentence to every question, whatever the strategy. Options may be reordered or get other words,\n"
        "too: say what they mean. A run with rewrites is a variant, which the leaderboard never ranks.",
    ),
}


def write(name: str, kind: str, output: Path) -> Path:
    """Write the package ``coabench-NAME`` in *output* and return its folder.

    It is written in a temporary folder beside it, which is then renamed: either all of it is there, or nothing.

    Raises:
        UserError: a name, kind or folder that cannot be used; nothing was written.
    """
    if kind not in KINDS:
        raise UserError(
            f"there is no kind of plugin {kind!r}",
            expected=", ".join(KINDS),
            remedy=f"{did_you_mean(kind, list(KINDS))}correct --kind",
        )
    _check_name(name, kind)
    folder = output / f"coabench-{name}"
    if not is_folder(output):
        raise UserError(f"--output {output} is no folder", expected="a folder that is there", remedy="make it first")
    if exists(folder):
        raise UserError(f"{folder} is there already", remedy="choose another NAME or --output, or remove it")
    try:
        with tempfile.TemporaryDirectory(prefix=f".coabench-{name}.", dir=output) as temporary:
            written = Path(temporary) / folder.name
            _fill(written, name, kind)
            written.rename(folder)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written", found=error.strerror or str(error), remedy="choose another --output"
        ) from error
    return folder


def _check_name(name: str, kind: str) -> None:
    from coabench.registry.commands import COMMANDS, plugin_commands
    from coabench.registry.detectors import AUTO
    from coabench.registry.loader import get_plugins

    plugins = get_plugins()
    short = re.sub(r"^coabench[-_]", "", name)
    if short != name:
        raise UserError(f"NAME {name!r} already says coabench", remedy=f"leave that out: {short}")
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise UserError(
            f"NAME {name!r} cannot be the name of a package",
            expected=f"small letters, digits and single hyphens, a letter first, at most {LONGEST} characters",
            remedy=f"take {_close_to(name)}, for instance",
        )
    package = f"coabench_{name.replace('-', '_')}"
    if find_spec(package) or any(plugin.name == name for plugin in plugins.loaded):
        raise UserError(f"a plugin {name!r} is installed already", remedy="choose another NAME, or uninstall it")
    registry = KINDS[kind].registry
    if registry == "commands":
        taken = [*COMMANDS, *plugin_commands().commands]
    else:
        taken = [*plugins.registries[registry], AUTO] if registry else []
    if name in taken:
        raise UserError(f"there is a {kind} named {name!r} already", remedy="choose another NAME")


def _close_to(name: str) -> str:
    """Return a name that can be used, as close as can be."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-0123456789")[:LONGEST].strip("-") or "mine"


def _fill(folder: Path, name: str, kind: str) -> None:
    words = _words(name, kind)
    for part in ("common", kind):
        for template in sorted(path for path in (TEMPLATES / part).rglob("*.txt") if path.is_file()):
            target = folder / _target(template.relative_to(TEMPLATES / part), words)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(Template(template.read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
    if kind == "dataset":
        for file, image in _drawn():
            target = folder / words["package"] / "images" / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(image)


def _words(name: str, kind: str) -> dict[str, str]:
    parts, about = name.split("-"), KINDS[kind]
    return {
        "name": name,
        "package": f"coabench_{'_'.join(parts)}",
        "Class": _class(parts, kind),
        "api": str(API_VERSION),
        "summary": about.summary,
        "about": Template(about.about).substitute(name=name),
        "try": trial(name, kind),
        "dependencies": ", ".join(f'"{package}"' for package in ("coabench", *about.dependencies)),
    }


def _class(parts: list[str], kind: str) -> str:
    """Return the name of the class: it ends in the kind, so that it is never that of something imported beside it."""
    own = parts[:-1] if len(parts) > 1 and parts[-1] == kind else parts
    return "".join(part.capitalize() for part in [*own, kind])


def _target(template: Path, words: dict[str, str]) -> Path:
    """Return where a template is written: PACKAGE is the package, and gitignore is .gitignore."""
    parts = [words["package"] if part == "PACKAGE" else part for part in template.with_suffix("").parts]
    return Path(*parts[:-1], ".gitignore" if parts[-1] == "gitignore" else parts[-1])


def _drawn() -> Iterator[tuple[str, bytes]]:
    """Yield drawn faces as PNG, each with its path below the folder of images."""
    from coabench.testing.pictures import Picture

    for shift, split in enumerate(("test", "train")):
        for emotion in ("Surprise", "Happiness", "Sadness", "Neutral"):
            for person in range(3):
                name = f"{split}/{emotion}/{person + 1:02}.png"
                yield name, Picture(name, emotion, person + 3 * shift).read()


def trial(name: str, kind: str) -> str:
    """Return a command that uses a new plugin."""
    return Template(KINDS[kind].trial).substitute(name=name)
