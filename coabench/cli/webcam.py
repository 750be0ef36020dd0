"""``coabench webcam``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coabench.base import signals
from coabench.base.text import safe
from coabench.cli import completing
from coabench.cli.command import FACES, QUESTIONS, Command, grouped
from coabench.cli.options import (
    FiniteRange,
    adapter_option,
    align_option,
    allow_remote_option,
    backbone_option,
    data_root_option,
    decode_once_option,
    detector_option,
    device_option,
    dtype_option,
    exemplars_from_option,
    labels_option,
    load_option,
    margin_option,
    seed_option,
    set_option,
    strategy_option,
    weights_option,
)
from coabench.cli.output import write_facts
from coabench.cli.processes import say_interrupted
from coabench.cli.versions import checks_versions
from coabench.registry.defaults import SMOOTH
from coabench.registry.options import parse_assignments
from coabench.support.crop_settings import MARGIN, MIN_FACE

if TYPE_CHECKING:
    from coabench.live.job import Summary

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
CHOICE = (
    "backbone",
    "strategy",
    "labels",
    "adapter",
    "decode",
    "device",
    "dtype",
    "load",
    "seed",
    "exemplars_from",
    "data_root",
)


@click.command("webcam", cls=Command, examples=(
    ("the camera of this machine, with the model that ships", "coabench webcam"),
    ("a film without a window, its answers in a log", "coabench webcam --source film.mp4 --no-window --log log.jsonl"),
))  # fmt: skip
@grouped(
    "Source",
    click.option("--source", default="0", show_default=True, metavar="N|DEVICE|FILE|DIR|URL",
                 help="A camera's number or device, a video, an image, a folder, or a stream (rtsp://…)."),
    click.option("--max-frames", metavar="N", type=click.IntRange(min=1),
                 help="End after N frames; by default when the source ends."),
    click.option("--seconds", metavar="SECONDS", type=FiniteRange(min=0, min_open=True),
                 help="End after so much time of the source; by default when it ends."),
)  # fmt: skip
@backbone_option
@adapter_option
@device_option
@dtype_option
@load_option
@set_option
@allow_remote_option
@strategy_option
@grouped(
    QUESTIONS,
    click.option("--beside", multiple=True, metavar="KEY=VALUE,…",
                 help="Ask another answerer about the same crops: what differs from the first of backbone, adapter, "
                 "strategy, decode, load, as strategy=direct; up to two times, none by default."),
)  # fmt: skip
@labels_option
@exemplars_from_option
@grouped(QUESTIONS, data_root_option)
@grouped(QUESTIONS, decode_once_option)
@grouped(QUESTIONS, seed_option)
@detector_option
@weights_option
@margin_option
@align_option
@grouped(
    FACES,
    click.option("--min-face", metavar="PIXELS", type=click.IntRange(min=1), default=MIN_FACE, show_default=True,
                 help="Smaller faces, in width or height, are left out."),
    click.option("--faces", default="all", show_default=True, metavar="N|largest|all",
                 help="Which faces the model is asked about: all, the N largest, or the largest.",
                 shell_complete=completing.words("all", "largest")),
    click.option("--every", type=FiniteRange(min=0), default=0.0, show_default=True, metavar="SECONDS",
                 help="The pause between two questions about a face."),
)  # fmt: skip
@grouped(
    "Display",
    click.option("--no-window", "window", flag_value=False, default=True, type=bool,
                 help="Show nothing. A video or folder is then worked through in order, every frame."),
    click.option("--smooth", type=click.IntRange(min=1), default=SMOOTH, show_default=True, metavar="N",
                 help="Show what the last N answers about a face vote for; the log keeps each answer."),
    click.option("--stale-after", type=FiniteRange(min=0), metavar="SECONDS",
                 help="Mark older answers; by default when the next one should have come."),
    click.option("--draw-on", type=click.Choice(["newest", "looked"]), default="newest", show_default=True,
                 help="Draw on the newest frame, or, later and exactly, on the one in which the faces were found."),
)  # fmt: skip
@grouped(
    "Keep",
    click.option("--record", metavar="FILE", type=FILE,
                 help="A video of what the window shows (.mp4, .mkv, .avi, .webm); none by default."),
    click.option("--record-clean", metavar="FILE", type=FILE, help="A video without the overlay; none by default."),
    click.option("--log", metavar="FILE", type=FILE, help="A JSONL file, one line per answer; none by default."),
    click.option("--crops", metavar="DIR", type=FOLDER,
                 help="A folder for the clean crop of every answer, named as in the log; none by default."),
    click.option("--stills", metavar="DIR", type=FOLDER, default=Path("stills"), show_default=True,
                 help="Where the keys s and r save; a folder per session."),
    click.option("--publish", multiple=True, metavar="stdout|ws://HOST:PORT|mqtt://HOST/TOPIC",
                 help="Pass the answers on to programs as JSON lines, without pictures; repeatable; none by default."),
)  # fmt: skip
@grouped(
    "Serve",
    click.option("--serve", metavar="HOST:PORT", help="Take the camera of a browser: serve a page there, "
                 "for example on 127.0.0.1:8765."),
    click.option("--allow-remote", "serve_remote", is_flag=True,
                 help="Serve, or publish, where other machines can come; a token is then needed, and TLS."),
    click.option("--tls-cert", metavar="FILE", type=FILE,
                 help="The certificate of the page, or of --publish wss://…, PEM."),
    click.option("--tls-key", metavar="FILE", type=FILE, help="The key of --tls-cert, PEM."),
    click.option("--tls-self-signed", is_flag=True, help="Make a certificate, once, and keep it."),
    click.option("--offer", "offers", multiple=True, metavar="KEY=VALUE,…",
                 help="What the page may ask in place of the first answerer, spelt as for --beside; none by default."),
    click.option("--prompts/--no-prompts", default=True, show_default=True,
                 help="Whether the page may ask about a face in words of its own."),
    click.option("--films/--no-films", default=True, show_default=True,
                 help="Whether the page may upload a video, which is deleted afterwards."),
    click.option("--page-address", "addresses", multiple=True, metavar="HOST[:PORT]|any",
                 help="A host whose streams (rtsp://…, http://…) the page may let this machine open, or any that it "
                 "reaches; none by default."),
)  # fmt: skip
@checks_versions
def command(
    assignments: tuple[str, ...],
    faces: str,
    margin: float | None,
    serve: str | None,
    publish: tuple[str, ...],
    **rest: Any,
) -> None:
    """Try a backbone and a strategy live: on a camera, a video, a folder or a stream, or the camera of a browser.

    In the window: space pauses, s saves a still and its crops, r records, d shows less or more, q or Esc ends. Nothing
    is stored unless asked for.
    """
    from coabench.errors import UserError
    from coabench.live.asker import Choice
    from coabench.live.browser import Permissions, Serving
    from coabench.live.consent import first_notice
    from coabench.live.crops import parse_count
    from coabench.live.job import Session, webcam
    from coabench.live.publish import Publishing, SocketServing
    from coabench.live.settings import Settings

    def note(text: str) -> None:
        click.echo(safe(text), err=True)

    settings = Settings(
        margin=MARGIN if margin is None else margin,
        faces=parse_count(faces),
        **{name: rest.pop(name) for name in ("every", "smooth", "stale_after", "align", "min_face")},
    )
    choice = Choice(
        options=parse_assignments(assignments),
        allow_remote=rest.pop("allow_remote"),
        **{name: rest.pop(name) for name in CHOICE},
    )
    folder = Path(click.get_app_dir("coabench"))
    tls = {name: rest.pop(name) for name in ("tls_cert", "tls_key", "tls_self_signed")}
    remote = rest.pop("serve_remote")
    rest["publishing"] = Publishing(publish, SocketServing("", remote, **tls, certificates=folder / "tls"))
    if serve is not None:
        _check_served()
        rest["serving"] = Serving(serve, remote, **tls, certificates=folder / "tls")
        rest["window"] = False
    elif page_only := _given(
        {
            "offers": "--offer",
            "prompts": "--prompts" if rest["prompts"] else "--no-prompts",
            "films": "--films" if rest["films"] else "--no-films",
            "addresses": "--page-address",
        }
    ):
        raise UserError(
            f"{' and '.join(page_only)} without --serve: there is no page",
            remedy=f"add --serve HOST:PORT, or leave out {' and '.join(page_only)}",
        )
    elif (remote or any(tls.values())) and not any(text.startswith("ws") for text in publish):
        raise UserError(
            "--allow-remote and --tls-… need --serve or --publish ws://…",
            remedy="add --serve HOST:PORT, or leave them out",
        )
    rest["permissions"] = Permissions(**{name: rest.pop(name) for name in ("prompts", "films", "addresses")})
    session = Session(choice=choice, settings=settings, command=("coabench", *sys.argv[1:]), **rest)
    notice = first_notice(folder)
    if notice:
        click.echo(notice, err=True)
    done = webcam(session, note)
    _print_summary(done, err="stdout" in publish)
    code = signals.exit_code() if done.interrupted else 0
    if done.left_behind or done.interrupted:
        # All files are closed. A thread that computes on while the interpreter is torn down under it can crash, and
        # tearing down torch takes half a second that nobody who pressed Ctrl-C wants to wait.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)


def _check_served() -> None:
    """Refuse what makes no sense where a browser's camera is looked through."""
    from coabench.errors import UserError

    pointless = ("source", "record", "record_clean", "max_frames", "seconds", "draw_on")
    if found := _given({name: f"--{name.replace('_', '-')}" for name in pointless}):
        options = ", ".join(found)
        raise UserError(
            f"{options} and --serve do not go together",
            expected="the page chooses its camera, records, stops, and says what it draws on",
            remedy=f"leave out {options}",
        )


def _given(options: Mapping[str, str]) -> list[str]:
    """Return those of *options*, parameter -> how it is spelt, that the command line has."""
    from click.core import ParameterSource

    context = click.get_current_context()
    return [said for name, said in options.items() if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]


def _print_summary(done: Summary, err: bool) -> None:
    from coabench.live.agreement import NAMES

    rates = done.rates
    with_face = rates.detections - rates.faceless
    rows = [
        ("frames", f"{rates.frames}"),
        ("with a face", f"{with_face} of {rates.detections} looked at"),
        ("answers", f"{rates.answers}"),
    ]
    if rates.median is not None and rates.p95 is not None:
        rows.append(("latency", f"median {rates.median * 1000:.0f} ms, p95 {rates.p95 * 1000:.0f} ms"))
    if done.beside:
        rows.append((NAMES[0], "answered"))
    rows += [("", f"{n:>6}  {safe(label, 60)}") for label, n in rates.labels]
    for name, other in zip(NAMES[1:], done.beside, strict=False):
        rows.append((name, "answered"))
        rows += [("", f"{n:>6}  {safe(label, 60)}") for label, n in other.labels]
    for pair in done.agreements:
        if pair.share is not None:
            rows.append((f"{pair.first} = {pair.second}", f"{pair.agreed} of {pair.looks} ({pair.share:.0%})"))
    rows += [("wrote", safe(path)) for path in done.files]
    write_facts(rows, 14, err=err)
    if done.interrupted:
        say_interrupted("all files are closed")
