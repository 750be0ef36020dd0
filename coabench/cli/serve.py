"""``coabench serve``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from coabench.base.text import safe
from coabench.cli.command import Command, grouped
from coabench.cli.processes import say_interrupted

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("serve", cls=Command, examples=(
    ("the runs in results/, for this machine alone", "coabench serve"),
    ("for other machines, who need the token that is printed",
     "coabench serve results --address 0.0.0.0:8766 --allow-remote --tls-self-signed"),
))  # fmt: skip
@click.argument("directory", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("results"))
@grouped(
    "Pages",
    click.option("--images", is_flag=True,
                 help="Show small images of the samples whose data set is on this machine; none by default."),
)  # fmt: skip
@grouped(
    "Address",
    click.option("--address", metavar="HOST:PORT", default="127.0.0.1:8766", show_default=True,
                 help="Where the site is; port 0 takes a free one."),
    click.option("--allow-remote", is_flag=True,
                 help="Serve where other machines can come; a token is then needed, and TLS. Refused by default."),
    click.option("--tls-cert", metavar="FILE", type=FILE, help="The certificate of the site, PEM; none by default."),
    click.option("--tls-key", metavar="FILE", type=FILE, help="Its key, PEM; none by default."),
    click.option("--tls-self-signed", is_flag=True,
                 help="Make a certificate, once, and keep it in the user's settings; by default none is made."),
)  # fmt: skip
def command(
    directory: Path,
    images: bool,
    address: str,
    allow_remote: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_self_signed: bool,
) -> None:
    """Serve the runs in DIR (results) as a site that follows new ones: leaderboard, reports, comparisons.

    What runs is shown with its progress. The site only reads, and only this machine can reach it, unless
    --allow-remote is given. Ctrl-C ends it.
    """
    from coabench.site.job import SiteServing, serve

    folder = Path(click.get_app_dir("coabench")) / "tls"
    serving = SiteServing(address, allow_remote, tls_cert, tls_key, tls_self_signed, folder)
    try:
        serve(directory, serving, lambda text: click.echo(safe(text), err=True), images)
    except KeyboardInterrupt:
        code = say_interrupted()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # no page that is still being made is waited for, and nothing is being written
