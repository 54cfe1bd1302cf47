#!/usr/bin/env python3
"""The probes' scores of a run held against PyTorch, scikit-learn and NumPy on the same features.

    relata embed RUN --split train --out train.npy
    relata embed RUN --split test --out test.npy
    relata probe RUN --protocol all --seeds 0,1,2
    python bench/check_probes.py --train train.npy --test test.npy --probes RUN/probes

Each line is one figure: ours, the other's, and whether their distance is within what is allowed. Exit code 1 where one is not.
- linear: a PyTorch layer by the paper's protocol (Adam 1e-3, batch 128, 100 epochs), three seeds on both sides; means within 0.3 points.
- logistic: scikit-learn's LogisticRegression(C = 1 / l2) behind a StandardScaler; ours not worse by more than 0.1 points.
- knn: the weighted vote in NumPy, f64 from f32 similarities; 0.02 points, two of 10,000 images, for similarities that round otherwise.
- retrieval: recall at 1, 5, 10 and mean average precision in NumPy; 0.02 points, for the same reason.
- kmeans: scikit-learn's KMeans on rows of length 1, the best of as many starts; inertia within 0.1 % (starts differ). Scores of given
  clusters are compared exactly in crates/probe's fixture.
At the end the time of PyTorch's linear probe on cached features, and of one that runs Conv-4 over all images anew in every epoch, as the
reference code does (two epochs measured, images in memory already, which favours it).

Needs: pip install torch==2.9.1 numpy scikit-learn==1.9.1    (the CPU is used)
"""
import argparse
import json
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import normalized_mutual_info_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

BLOCK = 250  # test rows at a time


def load(path):
    labels = path.with_suffix("").with_suffix(".labels.npy") if path.suffix == ".npy" else None
    return np.load(path).astype(np.float32), np.load(labels).astype(np.int64)


def linear(train, train_labels, test, test_labels, classes, seed, epochs):
    """Accuracy in percent of the last epoch, and seconds."""
    torch.manual_seed(seed)
    x, y = torch.from_numpy(train), torch.from_numpy(train_labels)
    layer = nn.Linear(train.shape[1], classes)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
    start = time.perf_counter()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            F.cross_entropy(layer(x[rows]), y[rows]).backward()
            optimizer.step()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        right = (layer(torch.from_numpy(test)).argmax(1) == torch.from_numpy(test_labels)).float().mean().item()
    return 100 * right, seconds


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def knn_and_retrieval(train, train_labels, test, test_labels, classes, k, temperature):
    keys, queries = unit(train), unit(test)
    right, recall, precision = 0, np.zeros(3), 0.0
    for first in range(0, len(queries), BLOCK):
        similarity = queries[first:first + BLOCK] @ keys.T
        order = np.argsort(-similarity, axis=1, kind="stable")
        nearest = order[:, :k]
        weight = np.exp(np.take_along_axis(similarity, nearest, 1).astype(np.float64) / temperature)
        votes = np.stack([(weight * (train_labels[nearest] == c)).sum(1) for c in range(classes)], 1)
        truth = test_labels[first:first + BLOCK]
        right += (votes.argmax(1) == truth).sum()
        relevant = train_labels[order] == truth[:, None]
        recall += [relevant[:, :at].any(1).sum() for at in (1, 5, 10)]
        at = np.cumsum(relevant, 1) / np.arange(1, len(keys) + 1)
        precision += ((at * relevant).sum(1) / np.maximum(relevant.sum(1), 1)).sum()
    n = len(queries)
    return 100 * right / n, 100 * recall / n, 100 * precision / n


def seconds_of_recomputing(images, classes, epochs):
    """Seconds an epoch of a probe that runs Conv-4 over all images in every epoch."""
    layers, c_in = [], 3
    for c_out in (8, 16, 32, 64):
        pool = nn.AdaptiveAvgPool2d(1) if c_out == 64 else nn.AvgPool2d(2)
        layers += [nn.Conv2d(c_in, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(), pool]
        c_in = c_out
    backbone, layer = nn.Sequential(*layers, nn.Flatten()).eval(), nn.Linear(64, classes)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
    x, y = torch.randn(images, 3, 32, 32), torch.randint(classes, (images,))
    start = time.perf_counter()
    for _ in range(epochs):
        for rows in torch.randperm(images).split(128):
            with torch.no_grad():
                features = backbone(x[rows])
            optimizer.zero_grad()
            F.cross_entropy(layer(features), y[rows]).backward()
            optimizer.step()
    return (time.perf_counter() - start) / epochs


def of_most_seeds(folder, protocol, images):
    """The result of a protocol on as many training and test images; of several the one over most seeds."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    found = [one for one in found if one["protocol"] == protocol and one["split"] == "test"
             and (one["train_images"], one["test_images"]) == images]
    if not found:
        sys.exit(f"{folder} has no result of {protocol} on as many images as these features")
    return max(found, key=lambda one: len(one.get("accuracy_by_seed_pct") or [0]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", type=pathlib.Path, required=True)
    parser.add_argument("--test", type=pathlib.Path, required=True)
    parser.add_argument("--probes", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    (train, train_labels), (test, test_labels) = load(options.train), load(options.test)
    classes = int(train_labels.max()) + 1
    names = ("linear", "logistic", "knn", "kmeans", "retrieval")
    result = {name: of_most_seeds(options.probes, name, (len(train), len(test))) for name in names}
    failed = []

    def line(what, ours, theirs, good, rule):
        print(f"{what:<22} {ours:12.4f} {theirs:12.4f} {ours - theirs:+10.4f}  {'ok' if good else 'NO'} ({rule})", flush=True)
        if not good:
            failed.append(what)

    def close(what, ours, theirs, allowed):
        line(what, ours, theirs, abs(ours - theirs) <= allowed, f"within {allowed:g}")

    print(f"{'':<22} {'here':>12} {'the other':>12} {'difference':>10}")
    own = result["linear"]
    scores = [linear(train, train_labels, test, test_labels, classes, seed, own["settings"]["epochs"]) for seed in range(3)]
    close("linear, mean of 3", own["accuracy_pct"], float(np.mean([score for score, _ in scores])), 0.3)
    print(f"    seeds: here {own.get('accuracy_by_seed_pct')}, PyTorch {[round(score, 2) for score, _ in scores]}")

    own = result["logistic"]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / own["settings"]["l2"], max_iter=5000, tol=1e-8))
    model.fit(train.astype(np.float64), train_labels)
    theirs = 100 * model.score(test.astype(np.float64), test_labels)
    line("logistic", own["accuracy_pct"], theirs, own["accuracy_pct"] >= theirs - 0.1, "not below by 0.1")

    own, found = result["knn"]["settings"], result["retrieval"]["other_scores"]
    knn, recall, precision = knn_and_retrieval(
        train, train_labels, test, test_labels, classes, own["k"], own["temperature"])
    close("knn", result["knn"]["accuracy_pct"], knn, 0.02)
    for at, value in zip((1, 5, 10), recall):
        close(f"recall at {at}", found[f"recall_at_{at}_pct"], value, 0.02)
    close("mean avg. precision", found["map_pct"], precision, 0.02)

    own = result["kmeans"]
    kmeans = KMeans(classes, n_init=own["settings"]["restarts"], max_iter=300, tol=0, random_state=0).fit(unit(train))
    inertia = own["other_scores"]["train_inertia"]
    line("k-means inertia", inertia, kmeans.inertia_, inertia <= 1.001 * kmeans.inertia_, "not above by 0.1 %")
    theirs = normalized_mutual_info_score(test_labels, kmeans.predict(unit(test)))
    line("k-means NMI", own["other_scores"]["nmi"], theirs, abs(own["other_scores"]["nmi"] - theirs) <= 0.01, "within 0.01")

    print(f"PyTorch, linear probe on cached features, {result['linear']['settings']['epochs']} epochs: "
          f"{np.median([seconds for _, seconds in scores]):.1f} s")
    epoch = seconds_of_recomputing(len(train), classes, 2)
    print(f"PyTorch, features anew in every epoch: {epoch:.1f} s an epoch of 2 measured, {100 * epoch:.0f} s for 100 (reckoned)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
