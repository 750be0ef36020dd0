"""``coabench completion``, and what the scripts that it prints ask for at every press of Tab.

A script starts ``coabench`` with the variable `VARIABLE` and what was typed so far in ``COMP_LINE``. The answer is one
line that says whether the shell shall offer its own files or folders, then a line for each value. Nothing is written
to stderr, and whatever fails completes to nothing: a prompt is no place for errors.
"""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import ClassVar

import click
from click.shell_completion import ShellComplete, split_arg_string

from coabench.base.text import safe
from coabench.cli.command import Command
from coabench.cli.completing import VARIABLE

HELP = 70
"""Characters of what is said about a value."""

END = "\x1e"
"""Stands where the cursor is, so that a blank before it is seen."""


class _Shell(ShellComplete):
    """What all shells have in common."""

    def get_completion_args(self) -> tuple[list[str], str]:
        typed = split_arg_string(os.environ.get("COMP_LINE", "") + END)[1:]
        return typed[:-1], "".join(typed[-1:]).removesuffix(END)

    def complete(self) -> str:
        words, incomplete = self.get_completion_args()
        items = self.get_completions(list(words), incomplete)
        kind = next((item.type for item in items if item.type != "plain"), "plain")
        before = incomplete.partition("=")[0] + "=" if incomplete.startswith("-") and "=" in incomplete else ""
        lines = [self.format_value(before + item.value, item.help or "") for item in items if item.type == "plain"]
        return "\n".join([kind, *lines])

    def format_value(self, value: str, text: str) -> str:
        """Return the line of a value; *value* takes the place of the whole word."""
        about = safe(text, HELP)
        return f"{value}\t{about}" if about else value


class Bash(_Shell):
    """Bash, which replaces what follows the last of ``COMP_WORDBREAKS`` in a word, and takes values as they are."""

    name: ClassVar[str] = "bash"
    source_template: ClassVar[str] = """\
%(complete_func)s() {
    local kind value
    COMPREPLY=()
    {
        read -r kind
        while IFS= read -r value; do COMPREPLY+=("$value"); done
    } < <(%(complete_var)s=bash_complete COMP_LINE="${COMP_LINE:0:COMP_POINT}" \\
        COMP_WORDBREAKS="$COMP_WORDBREAKS" "$1" 2>/dev/null)
    case $kind in
        file) compopt -o default ;;
        dir) compopt -o dirnames ;;
    esac
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then compopt -o nospace; fi
    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null || complete -F %(complete_func)s %(prog_name)s
"""

    def format_value(self, value: str, text: str) -> str:
        breaks = [c for c in ":=" if c in os.environ.get("COMP_WORDBREAKS", ":=")]
        word = self.get_completion_args()[1]
        start = max((word.rfind(c) + 1 for c in breaks), default=0)
        return re.sub(r"([^\w@%+=:,./~-])", r"\\\1", value[start:])


class Zsh(_Shell):
    """Zsh, which quotes values itself and shows what they are."""

    name: ClassVar[str] = "zsh"
    source_template: ClassVar[str] = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local line
    local -a replies values shown folders
    replies=("${(@f)$(%(complete_var)s=zsh_complete COMP_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" \\
        $words[1] 2>/dev/null)}")
    for line in "${(@)replies[2,-1]}"; do
        if [[ $line == */ ]]; then
            folders+=("$line")
        elif [[ -n $line ]]; then
            values+=("${line%%%%$'\\t'*}")
            shown+=("${line/$'\\t'/  -- }")
        fi
    done
    case $replies[1] in
        file) _files ;;
        dir) _files -/ ;;
    esac
    (( $#values )) && compadd -V %(prog_name)s -d shown -a values
    (( $#folders )) && compadd -V folders -S '' -a folders
    return 0
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class Fish(_Shell):
    """Fish, which quotes values itself and shows what they are."""

    name: ClassVar[str] = "fish"
    source_template: ClassVar[str] = """\
function %(complete_func)s
    set -l line (commandline -cp | string collect)
    set -l replies (env %(complete_var)s=fish_complete COMP_LINE="$line" (commandline -opc)[1] 2>/dev/null)
    switch "$replies[1]"
        case file
            __fish_complete_path (commandline -ct)
        case dir
            __fish_complete_directories (commandline -ct)
    end
    set -e replies[1]
    for reply in $replies
        echo $reply
    end
end

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


SHELLS: dict[str, type[_Shell]] = {shell.name: shell for shell in (Bash, Zsh, Fish)}


@click.command("completion", cls=Command, examples=(
    ("for bash, in every shell that begins from now on", "coabench completion bash >> ~/.bash_completion"),
    ("for fish", "coabench completion fish > ~/.config/fish/completions/coabench.fish"),
))  # fmt: skip
@click.argument("shell", type=click.Choice([*SHELLS]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands, options and their values at a press of Tab.

    It completes names of what is registered, also by plugins, splits of data sets, run folders, adapters and files. For
    zsh: coabench completion zsh > FOLDER/_coabench, in a folder of $fpath. To try it in a shell that runs:
    eval "$(coabench completion bash)".
    """
    click.echo(SHELLS[shell](context.find_root().command, {}, "coabench", VARIABLE).source(), nl=False)


def answer(cli: click.Command, instruction: str) -> None:
    """Print what completes the line in ``COMP_LINE``, or the script; nothing where that fails.

    Args:
        instruction: the value of `VARIABLE`, such as ``bash_complete``.
    """
    shell, _, wanted = instruction.partition("_")
    out = sys.stdout
    nowhere = io.StringIO()  # what plugins print, and warn of
    with redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            said = _answer(SHELLS[shell](cli, {}, "coabench", VARIABLE), wanted)
        except BaseException:  # an exit of a plugin too
            said = ""
    out.write(said + "\n")
    out.flush()


def _answer(shell: _Shell, wanted: str) -> str:
    return shell.source() if wanted == "source" else shell.complete()
