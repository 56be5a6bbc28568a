"""Asks the embeddings app for the sentences that are nearest to each question."""

import numpy as np
from dirtyd import DirtyClient

APP = "embeddings:Embeddings"
SENTENCES = [
    "The kitten naps on the sofa.",
    "Interest rates were raised again.",
    "Boil the pasta for nine minutes.",
    "White light is a mixture of all colours.",
    "The train to Vienna leaves at noon.",
]
ANSWERS = {
    "Where is the cat?": SENTENCES[0],
    "What does a prism show?": SENTENCES[3],
    "How do I cook spaghetti?": SENTENCES[2],
}

with DirtyClient() as client:
    vectors = client.execute(APP, "embed", SENTENCES)
    if vectors.shape != (len(SENTENCES), 384) or vectors.dtype != np.float32:
        raise SystemExit(f"expected float32 vectors, got {vectors.dtype} {vectors.shape}")
    print(f"{len(SENTENCES)} sentences became an array of {vectors.dtype}, {vectors.shape}.")

    for question, answer in ANSWERS.items():
        print(f"\n  {question}")
        nearest = client.execute(APP, "nearest", question, SENTENCES, k=2)
        for found in nearest:
            print(f"    {found['score']:5.2f}  {found['text']}")
        if nearest[0]["text"] != answer:
            raise SystemExit(f"expected {answer!r} first")
