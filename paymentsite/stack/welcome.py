"""What `./run` prints when everything is up."""

from __future__ import annotations

import os

from paymentsite.stack.folders import StateFolder


def welcome(
    *,
    address: str,
    console_path: str,
    username: str,
    password: str | None,
    state: StateFolder,
    simulators: str | None = None,
) -> str:
    """The console's address, the login, three things to try with commands to copy, and how to stop.

    `simulators` is where the simulated card gateway and prepaid mainframe are, None when none run.
    """
    shown = password or "the one you chose"
    prefix = _prefix()
    return f"""
  paymentsite is running.

  Console    {address}{console_path}
  Login      {username}
  Password   {shown}

  Three things to try. The first is in the console, the others in another terminal in this folder:

  1. Log in. The 200 demo rows are recorded within half a minute: see what became of them under Payments,
     Rejections and Conflicts. Then stage 5,000 more and watch them go through:
       {prefix}./run manage load_demo --rows 5000
       {prefix}./run manage ingest_staging --until-empty --progress

  2. Sign and post three webhooks with nothing but curl and openssl: a payment, the same again, another amount.
       BASE_URL={address} SECRET=$(cat {state.demo_webhook_secret_file}) sh docs/send_webhooks.sh

  3. Read payments as a partner does:
       curl -H "Authorization: Bearer $(cat {state.demo_api_key_file})" "{address}/api/v1/payments?limit=3"

  How it is: {address}/health   The API: {address}/api/docs{_line_of(simulators)}
  Logs are in {state.log_folder}. Stop with Ctrl-C.
"""


def _line_of(simulators: str | None) -> str:
    return f"\n  Simulated card gateway and prepaid mainframe: {simulators}" if simulators else ""


def _prefix() -> str:
    """The variables that another terminal needs in order to reach this instance."""
    names = [name for name in ("PAYMENTSITE_STATE", "PORT") if os.environ.get(name)]
    return "".join(f"{name}={os.environ[name]} " for name in names)
