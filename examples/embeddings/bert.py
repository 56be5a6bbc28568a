"""The forward pass of BERT in numpy, with mean pooling, as sentence-transformers runs it.

Shapes are written as b (batch), s (tokens), h (heads), d (width of a head), w (width of the model).
All arithmetic is float32.
"""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass
class Linear:
    weight: Array  # [out, in], as stored
    bias: Array

    def __call__(self, x: Array) -> Array:
        y = x @ self.weight.T
        y += self.bias
        return y


@dataclass
class LayerNorm:
    weight: Array
    bias: Array
    epsilon: float

    def __call__(self, x: Array) -> Array:
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt(np.square(x).mean(-1, keepdims=True) + self.epsilon)
        x *= self.weight
        x += self.bias
        return x


@dataclass
class Layer:
    heads: int
    query_key_value: Linear  # the three projections as one product of [w, 3w]
    attended: Linear
    attended_norm: LayerNorm
    widen: Linear
    narrow: Linear
    narrow_norm: LayerNorm

    def __call__(self, x: Array, penalty: Array) -> Array:
        x = self.attended_norm(x + self.attended(self.attention(x, penalty)))
        return self.narrow_norm(x + self.narrow(gelu(self.widen(x))))

    def attention(self, x: Array, penalty: Array) -> Array:
        b, s, w = x.shape
        d = w // self.heads
        query, key, value = self.query_key_value(x).reshape(b, s, 3, self.heads, d).transpose(2, 0, 3, 1, 4)
        scores = query @ key.swapaxes(-1, -2)  # [b, h, s, s]
        scores *= d**-0.5
        scores += penalty
        return (softmax(scores) @ value).swapaxes(1, 2).reshape(b, s, w)


class Bert:
    """`tensors` are named as in the Hugging Face checkpoint; `config` is its config.json."""

    def __init__(self, tensors: dict[str, Array], config: dict):
        if config["hidden_act"] != "gelu" or config["position_embedding_type"] != "absolute":
            raise ValueError("only BERT with GELU and absolute positions is implemented")

        def linear(*names: str) -> Linear:
            weights, biases = ([tensors[f"{name}.{part}"] for name in names] for part in ("weight", "bias"))
            return Linear(np.concatenate(weights), np.concatenate(biases))

        def norm(name: str) -> LayerNorm:
            return LayerNorm(tensors[f"{name}.weight"], tensors[f"{name}.bias"], config["layer_norm_eps"])

        def layer(name: str) -> Layer:
            return Layer(
                heads=config["num_attention_heads"],
                query_key_value=linear(*(f"{name}.attention.self.{part}" for part in ("query", "key", "value"))),
                attended=linear(f"{name}.attention.output.dense"),
                attended_norm=norm(f"{name}.attention.output.LayerNorm"),
                widen=linear(f"{name}.intermediate.dense"),
                narrow=linear(f"{name}.output.dense"),
                narrow_norm=norm(f"{name}.output.LayerNorm"),
            )

        self.width = config["hidden_size"]
        self.words = tensors["embeddings.word_embeddings.weight"]
        # All text is segment 0, so the embedding of the segment is the same at each position.
        segment = tensors["embeddings.token_type_embeddings.weight"][0]
        self.positions = tensors["embeddings.position_embeddings.weight"] + segment
        self.norm = norm("embeddings.LayerNorm")
        self.layers = [layer(f"encoder.layer.{index}") for index in range(config["num_hidden_layers"])]

    def embed(self, ids: Array, mask: Array) -> Array:
        """Returns unit vectors [b, w] for token ids [b, s]. `mask` is false where there is only padding."""
        x = self.norm(self.words[ids] + self.positions[: ids.shape[1]])
        penalty = np.where(mask, np.float32(0), np.float32(-np.inf))[:, None, None, :]
        for layer in self.layers:
            x = layer(x, penalty)
        weights = mask / mask.sum(1, keepdims=True, dtype=np.float32)
        pooled = np.einsum("bsw,bs->bw", x, weights.astype(np.float32))
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def softmax(x: Array) -> Array:
    """Computes the softmax over the last axis, in place."""
    x -= x.max(-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(-1, keepdims=True)
    return x


def gelu(x: Array) -> Array:
    y = erf(x * np.float32(0.5**0.5))
    y += 1
    y *= x
    y *= np.float32(0.5)
    return y


# numpy has no erf. This is the rational approximation P(x²)/Q(x²)·x of Eigen and XLA, whose error
# stays below 4e-7; beyond |x| = 4, erf is ±1 in float32.
ERF_P = (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
         -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02)  # fmt: skip
ERF_Q = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
         -1.42647390514189e-02)  # fmt: skip


def erf(x: Array) -> Array:
    x = np.clip(x, -4, 4)
    square = x * x
    x *= polynomial(ERF_P, square)
    x /= polynomial(ERF_Q, square)
    return x


def polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """Evaluates a polynomial by Horner's scheme, with the highest power first."""
    y = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        y *= x
        y += np.float32(coefficient)
    return y
