"""A live session: what to look at and what to keep, as the command line says it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from coabench.base.reading import is_folder, what_is_at
from coabench.errors import UserError
from coabench.live.agreement import Agreement
from coabench.live.asker import Choice
from coabench.live.browser import Permissions, Serving
from coabench.live.publish import Publishing
from coabench.live.rates import Rates
from coabench.live.recording import check_new_file, check_recording
from coabench.live.settings import Settings
from coabench.registry.detectors import AUTO


@dataclass(frozen=True)
class Session:
    """What to look at and what to keep, as the command line says it.

    Attributes:
        beside: what answers beside the choice, see `coabench.live.beside.parse_answerer`.
        offers: what the page may ask in its place, spelt alike.
        permissions: what the page may do beside that.
        source: see `coabench.live.sources.open_source`.
        serving: look through the camera of a browser instead, without a window.
        window: show it. Without a window a source that is not live is worked through in order, nothing left out.
        detector, weights: see `coabench.registry.detectors.find_detector`.
        record, record_clean: videos with and without the overlay.
        log: a JSONL file of the answers.
        crops: a folder for the clean crop of every answer.
        stills: a folder for what the keys save.
        draw_on: ``newest``, or ``looked``: the frame in which the faces were found, so that boxes fit exactly.
        publishing: where answers go for programs.
        max_frames, seconds: end after so many frames, or so much time of the source.
        command: for the log.
    """

    choice: Choice = field(default_factory=Choice)
    beside: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    permissions: Permissions = field(default_factory=Permissions)
    source: str = "0"
    serving: Serving | None = None
    window: bool = True
    detector: str = AUTO
    weights: Path | None = None
    settings: Settings = field(default_factory=Settings)
    record: Path | None = None
    record_clean: Path | None = None
    log: Path | None = None
    crops: Path | None = None
    stills: Path = Path("stills")
    draw_on: str = "newest"
    publishing: Publishing = field(default_factory=Publishing)
    max_frames: int | None = None
    seconds: float | None = None
    command: tuple[str, ...] = ()

    @property
    def stored(self) -> list[str]:
        """What is stored of it or passed on, in words for those in the picture."""
        outputs = {
            "the answers, without pictures": self.log,
            "a picture of every face that is asked about": self.crops,
            "the answers, without pictures, for other programs, to which it passes them on": self.publishing.targets,
        }
        return [words for words, output in outputs.items() if output]

    def check_outputs(self) -> None:
        """Refuse outputs that exist, cannot be written, or are one file; `UserError` naming the option."""
        outputs = {"--record": self.record, "--record-clean": self.record_clean, "--log": self.log}
        paths = [path.absolute() for path in outputs.values() if path is not None]
        if len(set(paths)) < len(paths):
            raise UserError("two outputs have the same name", found=str(paths[0]), remedy="give each a name of its own")
        for option, path in outputs.items():
            if path is not None and option == "--log":
                check_new_file(path, option)
            elif path is not None:
                check_recording(path, option)
        for option, folder in (("--crops", self.crops), ("--stills", self.stills)):
            if folder is not None and (there := what_is_at(folder)) not in ("a folder", "nothing there"):
                raise UserError(f"{option} {folder} is no folder", found=there, remedy="choose another")
        if self.crops is not None and is_folder(self.crops) and any(self.crops.iterdir()):
            raise UserError(
                f"--crops {self.crops} is not empty",
                expected="a new or empty folder: crops of two sessions would have the same names",
                remedy="choose another --crops",
            )


@dataclass
class Summary:
    """The result of a session.

    Attributes:
        beside: the rates of those that answered beside the first, of its answers alone.
        agreements: how often each pair of answerers agreed.
        files: what was written.
        interrupted: ended by Ctrl-C or a termination signal; all files are closed and valid.
        left_behind: a thread hangs in a model or a driver and cannot be ended.
    """

    rates: Rates = field(default_factory=Rates)
    beside: tuple[Rates, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    files: list[Path] = field(default_factory=list)
    interrupted: bool = False
    left_behind: bool = False
