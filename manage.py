#!/usr/bin/env python
"""Command line of the product: every command here is also a button or a schedule in the console."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentsite.settings")
    if sys.argv[1:2] == ["up"]:
        # It sets Django up by itself, once it has a folder for what its programs count: they begin as its copies.
        from paymentsite.management.commands.up import Command

        Command().run_from_argv(sys.argv)
        return
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
