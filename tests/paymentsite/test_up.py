"""What `manage.py up` prints, and that nobody has to be there to read it."""

from __future__ import annotations

import os
import subprocess
import sys


def test_lines_that_nobody_reads_any_more_end_nothing() -> None:
    program = (
        "import django; django.setup()\n"
        "from paymentsite.management.commands.up import Command\n"
        "command = Command()\n"
        "import sys; sys.stdin.readline()\n"
        "command.say('first'); command.say('second')\n"
        "sys.stderr.write('still here')\n"
    )
    popen = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "paymentsite.settings"},
    )
    assert popen.stdin is not None
    assert popen.stdout is not None
    assert popen.stderr is not None
    popen.stdout.close()
    popen.stdin.write(b"\n")
    popen.stdin.close()
    said = popen.stderr.read().decode()
    assert popen.wait(30) == 0, said
    assert said == "still here"
