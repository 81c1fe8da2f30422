"""`budaiscaler`: the command line."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version

import yaml

from budaiscaler.cli import demo
from budaiscaler.domain.api.crd import budaiscaler_crd


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(
        prog="budaiscaler", description="Autoscaler for LLM inference on Kubernetes."
    )
    parser.add_argument("--version", action="version", version=version("budaiscaler"))
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("crd", help="print the CustomResourceDefinition, generated from the types")
    demo.register(commands)
    arguments = parser.parse_args()
    if arguments.command == "crd":
        sys.stdout.write(crd_yaml())
    elif arguments.command == "demo":
        sys.exit(arguments.run(arguments))


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
