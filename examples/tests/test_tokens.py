import asyncio

import pytest

from tokens import Tokens
from tokens.ngram import NGram
from tokens.text import PARAGRAPH, prose, tokenize


@pytest.fixture(scope="module")
def trained():
    app = Tokens()
    app.init()
    return app


@pytest.fixture
def app(trained):
    trained.streams = dict.fromkeys(trained.streams, 0)
    return trained


def generate(app, *args, **options):
    return list(app.generate(*args, **{"delay": 0, **options}))


def test_a_seed_reproduces_the_text(app):
    first = generate(app, "The Rays", 40, seed=1)
    assert first == generate(app, "The Rays", 40, seed=1)
    assert first != generate(app, "The Rays", 40, seed=2)


def test_it_stops_at_max_tokens_and_speaks_its_vocabulary(app):
    tokens = generate(app, max_tokens=50, temperature=1.5, seed=3)
    assert len(tokens) == 50
    assert set(tokens) <= set(app.model.vocabulary)
    assert generate(app, max_tokens=0) == []


def test_tokens_join_to_text(app):
    text = "".join(generate(app, max_tokens=80, seed=4))
    assert tokenize(text)[:-1] == generate(app, max_tokens=80, seed=4)[: len(tokenize(text)) - 1]
    assert " ," not in text
    assert "  " not in text


def test_the_likeliest_continuation_is_newtons(app):
    assert "".join(generate(app, "by a second", 1, temperature=0)) == " Prism"
    assert "".join(generate(app, "the least refrangible", 1, temperature=0)) == " Rays"


def test_words_it_has_never_seen_are_no_error(app):
    assert len(generate(app, "gRPC on a Unix socket", 10, seed=5)) == 10


def test_a_negative_temperature_is_refused(app):
    with pytest.raises(ValueError, match="temperature"):
        generate(app, temperature=-1)


def test_a_caller_that_leaves_is_counted(app):
    stream = app.generate(delay=0)
    next(stream)
    assert app.info()["streams"] == {"running": 1, "finished": 0, "left": 0}
    stream.close()
    assert app.info()["streams"] == {"running": 0, "finished": 0, "left": 1}
    generate(app, max_tokens=2)
    assert app.info()["streams"] == {"running": 0, "finished": 1, "left": 1}


def test_the_async_twin_yields_the_same_and_closes_too(app):
    async def run():
        tokens = [token async for token in app.agenerate("Light", 20, seed=6, delay=0)]
        left = app.agenerate(delay=3600)
        await anext(left)
        await left.aclose()
        return tokens

    assert asyncio.run(run()) == generate(app, "Light", 20, seed=6)
    assert app.info()["streams"]["left"] == 1


def test_training_is_quick_and_the_book_is_all_there(app):
    info = app.info()
    assert info["trained_on_tokens"] > 100_000
    assert info["training_seconds"] < 15  # 0.4 s on an idle machine


@pytest.mark.parametrize("context", [[], ["a"], ["b", "a"], ["z", "a", "b"], ["unseen"], ["unseen", "a"]])
def test_every_distribution_sums_to_one(context):
    model = NGram(list("abracadabra babar"), order=3)
    distribution = model.distribution(context)
    assert sum(distribution.values()) == pytest.approx(1)
    assert min(distribution.values()) > 0
    assert list(distribution) == model.vocabulary


def test_a_token_of_one_context_is_an_unlikely_guess_elsewhere():
    # "Francisco" is as frequent as "the", but follows "San" only.
    model = NGram(tokenize(" San Francisco saw the San Francisco hit the San Francisco near the"), order=2)
    anywhere = model.distribution(["unseen"])
    assert anywhere[" the"] > anywhere[" Francisco"]
    after_san = model.distribution([" San"])
    assert max(after_san, key=after_san.get) == " Francisco"


def test_prose_drops_what_is_no_running_text():
    sentence = "The Sun's Light _consists_ of Rays differently refrangible,[A]\nas every Experiment above has shewn."
    book = f"HEADING\n\n{sentence}\n\n  a table | of figures\n\n[Illustration: FIG. 1.]\n"
    clean = "The Sun's Light consists of Rays differently refrangible, as every Experiment above has shewn."
    assert prose(book) == clean + PARAGRAPH
