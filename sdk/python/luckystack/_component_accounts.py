"""Accounts, through the imports of the contract. Only imported in components that use them."""

from wit_world.imports import accounts


def ask(name, *arguments):
    """Calls the function of that name."""
    return getattr(accounts, name)(*arguments)
