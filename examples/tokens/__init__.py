"""A small language model that streams its tokens: the app is `tokens:Tokens`."""

from .tokens import Tokens

__all__ = ["Tokens"]
