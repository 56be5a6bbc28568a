"""Sentence embeddings on the CPU: the app is `embeddings:Embeddings`."""

from .embeddings import Embeddings

__all__ = ["Embeddings"]
