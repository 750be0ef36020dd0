"""What was probably meant by a command, an option or an option's value that there is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from coabench.errors import did_you_mean


def with_suggestion(error: click.ClickException, words: Sequence[str]) -> click.ClickException:
    """Return a usage error that says what is closest to what was typed; other errors as they are.

    Args:
        words: what was typed, without the name of the program.
    """
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return error
    known = [*_known(error)]
    meant = next((text for word in _typed(error, words) if (text := did_you_mean(word, known))), "")
    if not meant:
        return error
    message = error.format_message() if isinstance(error, click.BadParameter) else error.message
    return click.UsageError(f"{message.rstrip('. ')}. D{meant.strip()[1:]}", error.ctx)


def _known(error: click.UsageError) -> Iterator[str]:
    """Yield what could have stood where the error is."""
    assert error.ctx is not None
    command = error.ctx.command
    if isinstance(error, click.NoSuchOption):
        for parameter in command.get_params(error.ctx):
            yield from (*parameter.opts, *parameter.secondary_opts) if isinstance(parameter, click.Option) else ()
    elif isinstance(error, click.BadParameter):
        if error.param is not None and isinstance(error.param.type, click.Choice):
            yield from map(str, error.param.type.choices)
    elif isinstance(command, click.Group):
        yield from command.list_commands(error.ctx)


def _typed(error: click.UsageError, words: Sequence[str]) -> Iterator[str]:
    """Yield what the error may be about: what it quotes of what was typed."""
    if isinstance(error, click.NoSuchOption):
        yield error.option_name
        return
    for word in words:
        for part in (word, word.rpartition("=")[2]):
            if repr(part) in error.message:
                yield part
