"""The command line: ``magicnn COMMAND``, one thin module per group of commands, no physics."""

from __future__ import annotations

import functools
import inspect
import logging
import signal
from collections.abc import Callable
from typing import Annotated, Any, NoReturn, get_args

import typer
from typer.models import ParameterInfo

from magicnn import __version__
from magicnn.cli.arguments import require_folder_name
from magicnn.cli.baseline import baseline
from magicnn.cli.bench import bench
from magicnn.cli.bench import evaluate as bench_evaluate
from magicnn.cli.bench import features as bench_features
from magicnn.cli.bench import read as bench_read
from magicnn.cli.bench import simulate as bench_simulate
from magicnn.cli.convert import convert
from magicnn.cli.evaluate import evaluate
from magicnn.cli.export import export
from magicnn.cli.features import features
from magicnn.cli.info import info
from magicnn.cli.irf import irf
from magicnn.cli.predict import predict
from magicnn.cli.report import report
from magicnn.cli.run import run
from magicnn.cli.simulate import simulate
from magicnn.cli.source import signal as signal_command
from magicnn.cli.train import train
from magicnn.errors import InputError, MagicnnError

__all__ = ["app", "main"]

_INTERRUPTED = 130
_TERMINATED = 143

app = typer.Typer(
    name="magicnn",
    help="Gamma/hadron separation and energy estimation for MAGIC from the pixels, judged against lookup tables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"magicnn {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and stop.", is_eager=True, callback=lambda v: _version(wanted=v)
        ),
    ] = False,
) -> None:
    pass


_FOLDER_WRITERS = (predict, baseline, evaluate, irf, signal_command, report, run)


def _guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``-v`` and ``-q``, its log, and one line with the right exit code instead of a traceback."""

    @functools.wraps(command)
    def wrapper(*args: Any, verbose: int, quiet: bool, **kwargs: Any) -> None:
        from magicnn.runs import configure_logging

        configure_logging(-1 if quiet else verbose)
        try:
            if command in _FOLDER_WRITERS:
                require_folder_name(kwargs["output"])
            command(*args, **kwargs)
        except MagicnnError as error:
            if verbose:
                logging.getLogger("magicnn").debug("where it happened", exc_info=True)
            typer.echo(f"magicnn: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except OSError as error:
            if verbose:
                logging.getLogger("magicnn").debug("where it happened", exc_info=True)
            typer.echo(f"magicnn: {error.filename or 'a file'}: {error.strerror or error}", err=True)
            raise typer.Exit(InputError.exit_code) from None
        except KeyboardInterrupt:
            typer.echo(
                "magicnn: interrupted; simulate, convert, features, train, predict and run continue when called again",
                err=True,
            )
            raise typer.Exit(_INTERRUPTED) from None

    signature = inspect.signature(command, eval_str=True)
    for told in (part for p in signature.parameters.values() for part in get_args(p.annotation)):
        if isinstance(told, ParameterInfo):
            told.readable = False  # what cannot be read is told by the readers, one line for each file
    keyword = inspect.Parameter.KEYWORD_ONLY
    extra = [
        inspect.Parameter(
            "verbose",
            keyword,
            default=0,
            annotation=Annotated[
                int,
                typer.Option("-v", "--verbose", count=True, show_default=False, help="Say more; tracebacks of errors."),
            ],
        ),
        inspect.Parameter(
            "quiet",
            keyword,
            default=False,
            annotation=Annotated[bool, typer.Option("-q", "--quiet", help="Only warnings and errors.")],
        ),
    ]
    wrapper.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *extra])  # type: ignore[attr-defined]
    annotations = dict(inspect.get_annotations(command, eval_str=True))
    wrapper.__annotations__ = annotations | {p.name: p.annotation for p in extra}
    return wrapper


for _command in (
    simulate,
    convert,
    features,
    info,
    train,
    baseline,
    predict,
    evaluate,
    irf,
    signal_command,
    report,
    export,
    run,
):
    app.command(_command.__name__)(_guarded(_command))
bench.command("simulate")(_guarded(bench_simulate))
bench.command("features")(_guarded(bench_features))
bench.command("read")(_guarded(bench_read))
bench.command("evaluate")(_guarded(bench_evaluate))
app.add_typer(bench)


def _terminate(*_: object) -> NoReturn:
    raise SystemExit(_TERMINATED)


def main() -> None:
    """Run the command line; exit code 0 done, 2 configuration, 3 input data, 130 interrupted, 143 terminated."""
    signal.signal(signal.SIGTERM, _terminate)
    app()


if __name__ == "__main__":
    main()
