"""`budaiscaler crd`: the definition of our API, generated from the types."""

from __future__ import annotations

import argparse
import sys

import yaml

from budaiscaler.cli.base import Commands
from budaiscaler.domain.api.crd import budaiscaler_crd


def register(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "crd", help="print the CustomResourceDefinition, generated from the types"
    )
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print it."""
    sys.stdout.write(crd_yaml())
    return 0


def crd_yaml() -> str:
    """The definition as it lies in `manifests/crd`."""
    header = "# Generated from the types by `make generate`; do not edit.\n"
    return header + yaml.dump(
        budaiscaler_crd(), Dumper=_NoAliases, sort_keys=False, width=100, allow_unicode=True
    )


class _NoAliases(yaml.SafeDumper):
    """Writes equal parts out in full; kubectl reads aliases, people do not like to."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the library's signature
        return True
