"""What `./run` prints when everything is up."""

from __future__ import annotations

import os


def welcome(*, address: str, console_path: str, username: str, password: str | None, log_folder: str) -> str:
    """The console's address, the login, three things to try with commands to copy, and how to stop."""
    shown = password or "the one you chose"
    prefix = _prefix()
    return f"""
  paymentsite is running.

  Console    {address}{console_path}
  Login      {username}
  Password   {shown}

  Three things to try, each in another terminal in this folder:

  1. Watch staged rows become payments, then look at "Payments" and "Staging" in the console:
       {prefix}./run manage ingest_staging --until-empty --progress

  2. Post three signed webhooks with nothing but curl and openssl:
       {prefix}sh docs/send-webhooks.sh

  3. Ask how it is:
       curl {address}/health

  Logs are in {log_folder}. Stop with Ctrl-C.
"""


def _prefix() -> str:
    """The variables that another terminal needs in order to reach this instance."""
    names = [name for name in ("PAYMENTSITE_STATE", "PORT") if os.environ.get(name)]
    return "".join(f"{name}={os.environ[name]} " for name in names)
