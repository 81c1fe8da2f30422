"""How flags read in `--help`: a word for the value, and a default with its unit."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, CliSettingsSource

from budaiscaler.runtime.durations import parse_seconds

EPILOG = (
    'Durations are "15s", "1m30s", "500ms", or plain seconds. Each flag is also an environment '
    "variable: BUDAISCALER_LOG_LEVEL is --log-level, and the flag wins."
)


def source(kind: type[BaseSettings]) -> CliSettingsSource[ArgumentParser]:
    """Make what reads the flags of `kind`, and tells of them."""
    parser = ArgumentParser(
        prog=kind.model_config.get("cli_prog_name"),
        usage="%(prog)s [FLAG ...]",
        description=kind.__doc__,
        epilog=EPILOG,
        allow_abbrev=False,
    )

    def add(parser: ArgumentParser, *names: str, **given: Any) -> Any:
        field = kind.model_fields.get(names[0].removeprefix("--").replace("-", "_"))
        if field is not None:
            given |= {"help": _help(field).replace("%", "%%"), "metavar": _word(names[0], field)}
        return parser.add_argument(*names, **given)

    return CliSettingsSource(kind, root_parser=parser, add_argument_method=add)


def _help(field: FieldInfo) -> str:
    """Describe a flag; what is left out or empty by default, its description says."""
    default, said = field.default, field.description or ""
    if field.default_factory is not None or default in (None, "", ()):
        return said
    return f"{said} Default: {f'{default:g}s' if _is_duration(field) else default}"


def _word(name: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "word" in extra:
        return str(extra["word"])
    return "DURATION" if _is_duration(field) else name.rpartition("-")[2].upper()


def _is_duration(field: FieldInfo) -> bool:
    return any(getattr(one, "func", None) is parse_seconds for one in field.metadata)
