"""DriftMoE beside the straightforward composition of torch and River that it replaces, and the gain of each correction.

    python benchmarks/drift_moe.py                        # rows/s and accuracy of both, same rows, same run
    python benchmarks/drift_moe.py --ablation --rows 200000   # accuracy: published, corrected, without each switch
    python benchmarks/drift_moe.py --trace experts.png    # which expert answers over a stream that drifts

The composition is what the method's description says, written with the usual tools: a router of `torch.nn` modules and
`torch.optim.Adam`, experts from River, dicts for rows. It needs torch and River; nothing else here does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

import streamlearn as sl
from streamlearn.batch import Batch

STREAMS = ("electricity", "sea_a", "led_g", "rbf_f", "rbf_m", "airlines", "covertype")
SWITCHES: dict[str, dict[str, dict[str, Any]]] = {
    "data": {
        "without normalize": {"normalize": False},
        "without joint_vote": {"joint_vote": False},
        "without recycle": {"recycle": False},
        "without normalize_votes": {"normalize_votes": False},
        "with count_untrained": {"count_untrained": True},
        "with exploration=0.02": {"exploration": 0.02},
    },
    "task": {
        "without normalize": {"normalize": False},
        "without expert_votes": {"expert_votes": False},
        "without recycle": {"recycle": False},
        "with dropout=0.2": {"dropout": 0.2},
        "with batch_size=256": {"batch_size": 256},
    },
}


def opened(name: str, rows: int) -> sl.Source:
    """A stream of about so many rows; the RBF model is that of the published figures, seed 1."""
    if name.startswith("rbf"):
        name = f"{name}:seed=42,model_seed=1,rows={rows}"
    elif name.endswith(("_a", "_g")):
        name = f"{name}:seed=42,rows={rows}"
    return sl.open_stream(name)


def ours(variant: str, fidelity: str, name: str, rows: int, **switches: Any) -> tuple[float, float]:
    """Accuracy in percent, and rows a second of processor time."""
    model = sl.DriftMoEClassifier(variant=variant, fidelity=fidelity, seed=1, **switches)
    right = seen = 0
    seconds = 0.0
    for batch in opened(name, rows).batches(limit=rows):
        start = time.process_time()
        prediction = model.process(batch).prediction
        seconds += time.process_time() - start
        right += int((prediction == batch.y).sum())
        seen += len(batch)
    return 100.0 * right / seen, seen / seconds


class Composition:
    """DriftMoE as published, out of torch and River."""

    def __init__(self, variant: str, n_fields: int, n_classes: int, nominal: list[str], seed: int) -> None:
        import torch
        from river import tree

        torch.manual_seed(seed)
        torch.set_num_threads(1)
        self.torch, self.variant, self.C = torch, variant, n_classes
        K = 12 if variant == "data" else n_classes
        layers = [torch.nn.Linear(n_fields, 256), torch.nn.Linear(256, 128), torch.nn.Linear(128, K)]
        for layer in layers:
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        relu, drop = torch.nn.ReLU, torch.nn.Dropout(0.2)
        self.router = torch.nn.Sequential(layers[0], relu(), drop, layers[1], relu(), layers[2])
        self.router.train(variant == "task")
        self.adam = torch.optim.Adam(self.router.parameters(), lr=2e-3)
        self.loss = torch.nn.BCEWithLogitsLoss()
        self.experts = [
            tree.HoeffdingTreeClassifier(
                grace_period=50, delta=1e-7, tau=0.05, nominal_attributes=nominal, merit_preprune=False
            )
            for _ in range(K)
        ]
        self.batch: list[tuple[Any, Any]] = []

    def test_then_train(self, x: dict[str, Any], values: np.ndarray, y: int) -> int:
        """One row, as the description has it."""
        return self._data(x, values, y) if self.variant == "data" else self._task(x, values, y)

    def _data(self, x: dict[str, Any], values: np.ndarray, y: int) -> int:
        torch = self.torch
        row = torch.from_numpy(values)
        with torch.no_grad():
            weights = torch.softmax(self.router(row) / 0.8, -1)
        votes = [expert.predict_proba_one(x) for expert in self.experts]
        answers = [max(vote, key=vote.__getitem__) if vote else 0 for vote in votes]
        mask = [1.0 if answer == y else 0.0 for answer in answers]
        if not any(mask):
            mask[int(np.argmax([vote.get(y, 0.0) for vote in votes]))] = 1.0
        prediction = answers[int(weights.argmax())]
        self.batch.append((row, torch.tensor(mask)))
        if len(self.batch) == 256:
            rows, masks = (torch.stack(column) for column in zip(*self.batch, strict=True))
            self._step(self.router(rows), masks)
            self.batch = []
        for k in torch.topk(weights, 3).indices.tolist():
            self.experts[k].learn_one(x, y)
        return int(prediction)

    def _task(self, x: dict[str, Any], values: np.ndarray, y: int) -> int:
        logits = self.router(self.torch.from_numpy(values))
        answers = [expert.predict_one(x) for expert in self.experts]
        mask = self.torch.tensor([1.0 if answer == 1 and k == y else 0.0 for k, answer in enumerate(answers)])
        if not mask.any():
            mask[y] = 1.0
        prediction = int(logits.argmax())
        self._step(logits, mask)
        for k, expert in enumerate(self.experts):
            expert.learn_one(x, int(k == y))
        return prediction

    def _step(self, logits: Any, targets: Any) -> None:
        self.adam.zero_grad()
        self.loss(logits, targets).backward()
        self.adam.step()


def records(batches: Iterator[Batch]) -> Iterator[tuple[dict[Hashable, Any], np.ndarray, int]]:
    """Rows as dicts with labels for categories, and as float32 vectors."""
    for batch in batches:
        fields = batch.schema.fields
        assert batch.y is not None
        for x, y in zip(batch.X, batch.y.tolist(), strict=True):
            row = {f.name: int(v) if f.kind == "nominal" else float(v) for f, v in zip(fields, x, strict=True)}
            yield row, x.astype(np.float32), y


def theirs(variant: str, name: str, rows: int) -> tuple[float, float]:
    """Accuracy and rows a second of the composition."""
    source = opened(name, rows)
    schema = source.schema
    nominal = [field.name for field in schema.fields if field.kind == "nominal"]
    made = list(records(source.batches(limit=rows)))
    model = Composition(variant, len(schema.fields), len(schema.classes), nominal, 1)
    start = time.process_time()
    right = sum(model.test_then_train(x, values, y) == y for x, values, y in made)
    return 100.0 * right / len(made), len(made) / (time.process_time() - start)


def race(streams: list[str], rows: int, their_rows: int) -> None:
    """Print rows a second of both, as published."""
    print(f"| variant | stream | ours, {rows:,} rows | torch + River, {their_rows:,} rows | ratio |")
    print("|---|---|---|---|---|")
    for variant in ("data", "task"):
        ours(variant, "published", streams[0], 600)  # compiles
        for name in streams:
            accuracy, speed = ours(variant, "published", name, rows)
            their_accuracy, their_speed = theirs(variant, name, their_rows)
            print(
                f"| {variant} | {name} | {speed:,.0f} rows/s, {accuracy:.1f} % "
                f"| {their_speed:,.0f} rows/s, {their_accuracy:.1f} % | {speed / their_speed:.0f}x |",
                flush=True,
            )


def ablation(variants: list[str], streams: list[str], rows: int) -> None:
    """Print accuracies as published, corrected, and with one correction undone at a time."""
    for variant in variants:
        print(f"\n| {variant}, {rows:,} rows | " + " | ".join(streams) + " |")
        print("|---|" + "---|" * len(streams))
        cases = [("published", "published", {}), ("corrected", "corrected", {})]
        cases += [(title, "corrected", switches) for title, switches in SWITCHES[variant].items()]
        for title, fidelity, switches in cases:
            cells = [f"{ours(variant, fidelity, name, rows, **switches)[0]:.2f}" for name in streams]
            print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", default=None, help="names with commas between")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--their-rows", type=int, default=2_000, help="rows for torch + River, which is slow")
    parser.add_argument("--variants", default="data,task")
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--trace", metavar="PICTURE", help="draw the experts' course over the first of the streams")
    options = parser.parse_args()
    streams = options.streams.split(",") if options.streams else list(STREAMS)
    if options.trace:
        model = sl.DriftMoEClassifier(seed=1)
        stream = opened(streams[0] if options.streams else "sea_a", options.rows)
        model.trace(stream, window=max(1, options.rows // 50), limit=options.rows).plot(options.trace)
    elif options.ablation:
        ablation(options.variants.split(","), streams, options.rows)
    else:
        race(streams if options.streams else ["electricity", "sea_a", "led_g"], options.rows, options.their_rows)


if __name__ == "__main__":
    main()
