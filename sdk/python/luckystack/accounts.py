"""User records, passwords, e-mail addresses. The preset must grant `accounts`.

    from luckystack import accounts

    accounts.update(ctx.user["id"], {"name": input.name})

These act for any user, so say whom you mean: the caller's id, in nearly all cases. What is refused is raised as
HandlerError with the framework's reason, such as `login.wrongPassword`; left alone, it reaches the client.
"""

import json

from . import _host
from ._json import dumps


def _ask(name, *arguments):
    return _host.current.accounts(name, *arguments)


def get(user_id):
    """The record of a user as a dict, without its secrets; None when there is none."""
    record = _ask("get", user_id)
    return None if record is None else json.loads(record)


def update(user_id, fields):
    """Sets fields of a record, and alike in all sessions of the user; None removes one. Answers with the record as
    it is then.

    Raises HandlerError: `account.fieldNotAllowed` for `id`, `email`, `provider` and secrets.
    """
    if not isinstance(fields, dict):
        raise TypeError(f"the fields of a record are a dict, not {fields!r}")
    return json.loads(_ask("update", user_id, dumps(fields)))


def check_password(user_id, password):
    """Checks a password, for what is asked for twice, such as a deletion. Raises HandlerError
    (`login.wrongPassword`), also for a user who has none."""
    _ask("check_password", user_id, password)


def change_password(user_id, current, new, *, keep=None):
    """Sets a new password, if `current` is right, and ends all other sessions of the user. `keep` is the token of
    the one that goes on: `ctx.session.token`."""
    if not isinstance(current, str):
        # The contract takes none for a change without a check, which a missing input must not become.
        raise TypeError("`current` is the current password; set_password changes it without one")
    _ask("change_password", user_id, current, new, keep)


def set_password(user_id, new, *, keep=None):
    """The same without a check, for a user who was identified otherwise."""
    _ask("change_password", user_id, None, new, keep)


def request_password_reset(email, ip):
    """Sends a link for a new password, if somebody has that address; the same answer if not. `ip` is the caller's:
    `ctx.ip`."""
    _ask("request_password_reset", email, ip)


def complete_password_reset(token, new):
    """Sets a new password with the token of such a link, once. Ends all sessions of the user."""
    _ask("complete_password_reset", token, new)


def request_email_change(user_id, email):
    """Sends a link to a new address, which confirms it."""
    _ask("request_email_change", user_id, email)


def confirm_email_change(token):
    """Changes the address with the token of such a link, once."""
    _ask("confirm_email_change", token)


def delete(user_id):
    """Deletes a user and ends all sessions."""
    _ask("delete", user_id)
