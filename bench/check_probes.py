#!/usr/bin/env python3
"""The probes' scores of a run held against PyTorch, scikit-learn and NumPy on the same features.

    relata embed RUN --split train --out train.npy
    relata embed RUN --split test --out test.npy
    relata probe RUN --protocol all --seeds 0,1,2
    python bench/check_probes.py --train train.npy --test test.npy --probes RUN/probes

Results are those by the run's own settings (RUN/probes/linear.json, linear-seeds=0+1+2.json); those of other data or another checkpoint
are taken by what their names say: --differs cifar100 for linear-cifar100.json, beside the features of the same images and checkpoint.

Each line is one figure: ours, the other's, and whether their distance is within what is allowed. Exit code 1 where one is not.
- linear: a PyTorch layer by the result's own epochs, batch size and learning rate, three seeds on both sides; means within 0.3 points.
- logistic: scikit-learn's LogisticRegression(C = 1 / l2) behind a StandardScaler; ours not worse by more than 0.1 points.
- knn: the weighted vote in NumPy, f64 from f32 similarities; 0.02 points, two of 10,000 images, for similarities that round otherwise.
- retrieval: recall at 1, 5, 10 and mean average precision in NumPy; 0.02 points, for the same reason.
- kmeans: scikit-learn's KMeans, the best of as many starts; inertia not above by 0.1 % (starts differ), NMI within 0.01. Scores of given
  clusters are compared exactly in crates/probe's fixture.
At the end the time of PyTorch's linear probe on cached features, and of one that runs Conv-4 over all images again in every epoch, as the
reference code does (two epochs measured, images in memory already, which favours it).

Needs: pip install torch==2.9.1 numpy scikit-learn==1.9.1    (the CPU is used)
"""
import argparse
import json
import pathlib
import re
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
    return np.load(path).astype(np.float32), np.load(path.with_suffix(".labels.npy")).astype(np.int64)


def linear(train, train_labels, test, test_labels, classes, seed, settings):
    """Accuracy in percent of the last epoch, and seconds."""
    torch.manual_seed(seed)
    x, y = torch.from_numpy(train), torch.from_numpy(train_labels)
    layer = nn.Linear(train.shape[1], classes)
    optimizer = torch.optim.Adam(layer.parameters(), lr=settings["lr"])
    start = time.perf_counter()
    for _ in range(settings["epochs"]):
        for rows in torch.randperm(len(x)).split(settings["batch_size"]):
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


def of_most_seeds(folder, protocol, differs, images):
    """The result of a protocol that is by the run's own settings but for its seeds and what `differs` says; of several the one over
    most seeds. A result's name says what it differs in."""
    name = "-".join([protocol, *differs])
    is_wanted = re.compile(re.escape(name) + r"(-seeds=[0-9+]+)?").fullmatch
    found = {path: json.loads(path.read_text()) for path in sorted(folder.glob("*.json")) if is_wanted(path.stem)}
    if not found:
        sys.exit(f"{folder} has no {name}.json and no {name}-seeds=....json: relata probe RUN --protocol {protocol} makes it")
    seeds = {path: len(one.get("accuracy_by_seed_pct") or [0]) for path, one in found.items()}
    most = [path for path in found if seeds[path] == max(seeds.values())]
    if len(most) > 1:
        sys.exit(f"{' and '.join(map(str, most))} are over as many seeds: leave one of them there")
    result = found[most[0]]
    if (result["split"], result["train_images"], result["test_images"]) != ("test", *images):
        sys.exit(f"{most[0]} is of {result['train_images']} training and {result['test_images']} {result['split']} images, the features "
                 f"of {images[0]} and {images[1]}: give those of the same images (--split train, --split test)")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--train", type=pathlib.Path, required=True)
    parser.add_argument("--test", type=pathlib.Path, required=True)
    parser.add_argument("--probes", type=pathlib.Path, required=True)
    parser.add_argument("--differs", nargs="*", default=[], metavar="WORD",
                        help="what the results' names say beside protocol and seeds: cifar100, epoch-0005")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    (train, train_labels), (test, test_labels) = load(options.train), load(options.test)
    classes = int(train_labels.max()) + 1
    names = ("linear", "logistic", "knn", "kmeans", "retrieval")
    images = (len(train), len(test))
    result = {name: of_most_seeds(options.probes, name, options.differs, images) for name in names}
    if result["retrieval"]["settings"]["gallery"] != "train":
        sys.exit("the retrieval searched the test images; here the training images are searched")
    failed = []

    def line(what, ours, theirs, good, rule):
        print(f"{what:<22} {ours:12.4f} {theirs:12.4f} {ours - theirs:+10.4f}  {'ok' if good else 'NO'} ({rule})", flush=True)
        if not good:
            failed.append(what)

    def close(what, ours, theirs, allowed):
        line(what, ours, theirs, abs(ours - theirs) <= allowed, f"within {allowed:g}")

    print(f"{'':<22} {'here':>12} {'the other':>12} {'difference':>10}")
    own = result["linear"]
    scores = [linear(train, train_labels, test, test_labels, classes, seed, own["settings"]) for seed in range(3)]
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
    starts, iterations = own["settings"]["restarts"], own["settings"]["max_iterations"]
    prepared = unit if own["settings"]["normalise"] else lambda rows: rows
    kmeans = KMeans(classes, n_init=starts, max_iter=iterations, tol=0, random_state=0).fit(prepared(train))
    inertia = own["other_scores"]["train_inertia"]
    line("k-means inertia", inertia, kmeans.inertia_, inertia <= 1.001 * kmeans.inertia_, "not above by 0.1 %")
    theirs = normalized_mutual_info_score(test_labels, kmeans.predict(prepared(test)))
    line("k-means NMI", own["other_scores"]["nmi"], theirs, abs(own["other_scores"]["nmi"] - theirs) <= 0.01, "within 0.01")

    print(f"PyTorch, linear probe on cached features, {result['linear']['settings']['epochs']} epochs: "
          f"{np.median([seconds for _, seconds in scores]):.1f} s")
    epoch = seconds_of_recomputing(len(train), classes, 2)
    print(f"PyTorch, features computed again in every epoch: {epoch:.1f} s an epoch of 2 measured, {100 * epoch:.0f} s for 100 (estimated)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
