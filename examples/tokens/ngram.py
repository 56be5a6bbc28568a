"""An interpolated Kneser-Ney model over tokens.

The estimate after a context is its discounted counts; the mass that the discount frees is shared out
by the model of the context that is one token shorter, down to single tokens. Below the highest order
a token counts once for each different token seen before it, not once for each occurrence: a token that
follows only one other is an unlikely guess after anything else.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import exp, log


class NGram:
    def __init__(self, tokens: Sequence[str], order: int = 4):
        self.order = order
        self.vocabulary = sorted(set(tokens))
        # followers[n][context of n tokens] counts the tokens that come next.
        self.followers: list[dict[tuple, Counter]] = [defaultdict(Counter) for _ in range(order)]
        self.discounts = [0.0] * order
        grams = Counter(zip(*(tokens[start:] for start in range(order)), strict=False))
        for length in reversed(range(order)):
            for gram, count in grams.items():
                self.followers[length][gram[:-1]][gram[-1]] = count
            self.discounts[length] = _discount(grams)
            grams = Counter(gram[1:] for gram in grams)

    def distribution(self, context: Sequence[str]) -> dict[str, float]:
        """Returns the probability of each token of the vocabulary after `context`. They sum to 1."""
        probabilities = dict.fromkeys(self.vocabulary, 1 / len(self.vocabulary))
        for length in range(min(self.order - 1, len(context)) + 1):
            counts = self.followers[length].get(tuple(context[len(context) - length :]))
            if counts is None:
                break
            total, discount = counts.total(), self.discounts[length]
            freed = discount * len(counts) / total
            probabilities = {token: freed * shorter for token, shorter in probabilities.items()}
            for token, count in counts.items():
                probabilities[token] += (count - discount) / total
        return probabilities

    def sample(self, context: Sequence[str], temperature: float, dice: random.Random) -> Iterator[str]:
        """Yields tokens after `context`, without end. Temperature 0 always takes the likeliest token."""
        context = list(context)
        while True:
            probabilities = self.distribution(context)
            if temperature == 0:
                token = max(probabilities, key=probabilities.__getitem__)
            else:
                # Divided by the largest, so that a low temperature does not make all of them 0.
                top = log(max(probabilities.values()))
                weights = accumulate(exp((log(p) - top) / temperature) for p in probabilities.values())
                (token,) = dice.choices(list(probabilities), cum_weights=list(weights))
            yield token
            context = [*context, token][1 - self.order :]


def _discount(grams: Counter) -> float:
    """Returns Ney's estimate of the discount, from the numbers of n-grams that were seen once and twice."""
    once, twice = (sum(count == seen for count in grams.values()) for seen in (1, 2))
    return once / (once + 2 * twice) if once else 0.0
