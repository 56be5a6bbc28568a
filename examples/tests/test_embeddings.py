import math

import numpy as np
import pytest

from embeddings import Embeddings
from embeddings.bert import erf, softmax

# The quick start of sentence-transformers prints these similarities for this very model.
PUBLISHED_SENTENCES = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
PUBLISHED_SIMILARITIES = [
    [1.0000, 0.6660, 0.1046],
    [0.6660, 1.0000, 0.1411],
    [0.1046, 0.1411, 1.0000],
]


@pytest.fixture(scope="module")
def app():
    app = Embeddings()
    app.init()
    return app


def test_similarities_are_the_published_ones(app):
    vectors = app.embed(PUBLISHED_SENTENCES)
    np.testing.assert_allclose(vectors @ vectors.T, PUBLISHED_SIMILARITIES, atol=6e-5)


@pytest.mark.parametrize(
    ("sentence", "paraphrase", "unrelated"),
    [
        ("A man is playing a guitar.", "Someone plays an instrument.", "The bank raised its interest rates."),
        ("How do I reset my password?", "I forgot my login credentials.", "What is the capital of Peru?"),
        ("The cat sleeps on the sofa.", "A kitten is napping on the couch.", "Rust compiles to machine code."),
    ],
)
def test_a_paraphrase_is_nearer_than_an_unrelated_sentence(app, sentence, paraphrase, unrelated):
    base, near, far = app.embed([sentence, paraphrase, unrelated])
    assert base @ near > base @ far + 0.3


def test_vectors_are_unit_float32_in_the_order_of_the_texts(app):
    texts = ["a much longer sentence, which ends up in another place once sorted by length", "short", "of some length"]
    vectors = app.embed(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(app.embed(text)[0], vector, atol=1e-5)


def test_padding_and_company_change_nothing(app):
    texts = [f"sentence number {n} " + "and so on " * n for n in range(40)]  # more than one batch
    together = app.embed(texts)
    np.testing.assert_allclose(together, np.vstack([app.embed(text) for text in texts]), atol=1e-5)


def test_the_same_text_gives_the_same_bits(app):
    assert app.embed(PUBLISHED_SENTENCES).tobytes() == app.embed(PUBLISHED_SENTENCES).tobytes()


def test_empty_and_overlong_texts_have_vectors_too(app):
    assert app.embed([]).shape == (0, 384)
    assert np.isfinite(app.embed("")).all()
    limit = app.info()["max_tokens"]
    np.testing.assert_array_equal(app.embed("word " * limit), app.embed("word " * 10 * limit))


def test_nearest_gives_the_best_first(app):
    texts = ["Bread needs flour and water.", "The queen moves diagonally.", "Castling protects the king."]
    nearest = app.nearest("chess", texts, k=2)
    assert {answer["text"] for answer in nearest} == set(texts[1:])
    assert nearest[0]["score"] >= nearest[1]["score"]
    assert app.nearest("chess", []) == []


def test_erf_is_exact_to_float32():
    x = np.linspace(-6, 6, 10_001, dtype=np.float32)
    np.testing.assert_allclose(erf(x), [math.erf(value) for value in x.tolist()], atol=4e-7)


def test_softmax_gives_masked_places_nothing():
    np.testing.assert_allclose(softmax(np.array([0, math.log(3), -np.inf], np.float32)), [0.25, 0.75, 0], atol=1e-7)
