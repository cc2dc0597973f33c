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
    """The console's address, the login, four things to try with commands to copy, and how to stop.

    `simulators` is where the simulated card gateway and prepaid mainframe are, None when none run.
    """
    shown = password or "the one you chose"
    prefix = _prefix()
    return f"""
  paymentsite is running.

  Console    {address}{console_path}
  Login      {username}
  Password   {shown}

  Four things to try. The first is in the console, the others in another terminal in this folder:

  1. Log in. Open an invoice: its money, what happens next, what you can do. Press Refund: every effect is shown
     before you ask for it. What waits for a second person stands under Approvals.

  2. Be a partner: quote, order, pay by card, take the receipt, refund, and let another system approve.
       KEY=$(cat {state.demo_api_key_file}) APPROVER_KEY=$(cat {state.demo_approver_key_file}) \\
         BASE_URL={address} sh docs/invoice_session.sh

  3. The 200 demo payments are recorded within half a minute: see Payments, Rejections and Conflicts. Stage more:
       {prefix}./run manage load_demo --rows 5000
       {prefix}./run manage ingest_staging --until-empty --progress

  4. Sign and post three webhooks with nothing but curl and openssl: a payment, the same again, another amount.
       BASE_URL={address} SECRET=$(cat {state.demo_webhook_secret_file}) sh docs/send_webhooks.sh

  How it is: {address}/health   The API: {address}/api/docs{_line_of(simulators)}
  Logs are in {state.log_folder}. Stop with Ctrl-C.
"""


def _line_of(simulators: str | None) -> str:
    return f"\n  Simulated card gateway and prepaid mainframe: {simulators}" if simulators else ""


def _prefix() -> str:
    """The variables that another terminal needs in order to reach this instance."""
    names = [name for name in ("PAYMENTSITE_STATE", "PORT") if os.environ.get(name)]
    return "".join(f"{name}={os.environ[name]} " for name in names)
