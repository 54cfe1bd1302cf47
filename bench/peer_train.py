#!/usr/bin/env python3
"""The PyTorch peer of the main job: relational training on CIFAR-10, then a linear probe and a kNN.

    python peer_train.py --root cifar-10-batches-bin --epochs 10 --seed 1
    python peer_train.py --root cifar-10-batches-bin --steps 50 --skip-evaluation     (a timing)
    python peer_train.py --root cifar-10-batches-bin --epochs 0                       (random weights, the lower bound)

Reads the publisher's binary folder (data_batch_1.bin .. data_batch_5.bin, test_batch.bin). Augments with torchvision on PIL
images in DataLoader workers, trains backbone and relation head with Adam 1e-3 on `cat` pairs with BCE, all in f32.
The probe is a linear layer on the frozen backbone's features, computed once: Adam 1e-3, batch 128, 100 epochs, accuracy of
the last epoch. The kNN votes with exp(cosine / 0.1) among the 200 nearest. Every epoch prints a line of JSON on stderr, the end one
line of JSON on stdout. The defaults are PyTorch's best setting on two cores: one training thread and one worker, channels last.

Needs: pip install torch==2.9.1 torchvision==0.24.1 numpy    (the CPU is used)
"""
import argparse
import json
import math
import os
import resource
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision.transforms as T
from PIL import Image

MEAN, STD = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)


def conv4():
    def stage(c_in, c_out, pool):
        return nn.Sequential(nn.Conv2d(c_in, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True), pool)
    return nn.Sequential(stage(3, 8, nn.AvgPool2d(2)), stage(8, 16, nn.AvgPool2d(2)), stage(16, 32, nn.AvgPool2d(2)),
                         stage(32, 64, nn.AdaptiveAvgPool2d(1)), nn.Flatten()), 64


class Residual(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        same = stride == 1 and c_in == c_out
        self.downsample = nn.Identity() if same else nn.Sequential(
            nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + self.downsample(x), inplace=True)


def resnet_small(blocks):
    layers, c_in = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True)], 16
    for c_out, stride in ((16, 1), (32, 2), (64, 2)):
        for i in range(blocks):
            layers.append(Residual(c_in, c_out, stride if i == 0 else 1))
            c_in = c_out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), 64


BACKBONES = {"conv4": conv4, "resnet8": lambda: resnet_small(1), "resnet32": lambda: resnet_small(5),
             "resnet56": lambda: resnet_small(9)}


def initialise(net):
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.normal_(m.weight, 0, math.sqrt(2 / (m.kernel_size[0] * m.kernel_size[1] * m.out_channels)))
    return net


def relation_pairs(features, views):
    """All view pairs (i, j), i < j: a positive pair of the same images, a negative one by rolling the second view."""
    size, shift, pairs, targets = features.shape[0] // views, 1, [], []
    view = features.split(size)
    for i in range(views):
        for j in range(i + 1, views):
            pairs += [torch.cat([view[i], view[j]], 1), torch.cat([view[i], torch.roll(view[j], shift, 0)], 1)]
            targets += [torch.ones(size), torch.zeros(size)]
            shift = shift + 1 if shift + 1 < size else 1
    return torch.cat(pairs), torch.cat(targets)


def read_cifar10(root):
    """Images as uint8 NHWC and labels: (train, test)."""
    def read(names):
        rows = np.concatenate([np.fromfile(os.path.join(root, n), dtype=np.uint8) for n in names]).reshape(-1, 3073)
        images = np.ascontiguousarray(rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        return images, torch.from_numpy(rows[:, 0].astype(np.int64))
    return read([f"data_batch_{i}.bin" for i in range(1, 6)]), read(["test_batch.bin"])


class Views(torch.utils.data.Dataset):
    """K augmented views of each image."""

    def __init__(self, images, views, side=32):
        self.images, self.views = images, views
        self.transform = T.Compose([
            T.RandomResizedCrop(side, scale=(0.08, 1.0), ratio=(0.75, 4 / 3)), T.RandomHorizontalFlip(),
            T.RandomApply([T.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8), T.RandomGrayscale(0.2),
            T.ToTensor(), T.Normalize(MEAN, STD)])

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        image = Image.fromarray(self.images[i])
        return [self.transform(image) for _ in range(self.views)]


def worker_start(_):
    torch.set_num_threads(1)


def train(net, head, images, a, memory):
    loader = torch.utils.data.DataLoader(Views(images, a.views), batch_size=a.batch, shuffle=True, num_workers=a.workers,
                                         persistent_workers=a.workers > 0, worker_init_fn=worker_start)
    adam = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=1e-3, fused=a.fused)
    epochs, steps, wait, compute, step_seconds = [], 0, 0.0, 0.0, []
    net.train()
    head.train()
    begin = time.perf_counter()
    for epoch in range(a.epochs):
        loss_sum, correct, correct_positive, rows, epoch_begin = 0.0, 0, 0, 0, time.perf_counter()
        mark = epoch_begin
        for views in loader:
            ready = time.perf_counter()
            if len(views[0]) < 2:
                continue                                        # one image alone has no negative
            x = torch.cat(views).contiguous(memory_format=memory)
            adam.zero_grad(set_to_none=True)
            pairs, targets = relation_pairs(net(x), a.views)
            logits = head(pairs).squeeze(1)
            loss = F.binary_cross_entropy_with_logits(logits, targets)
            loss.backward()
            adam.step()
            with torch.no_grad():
                right = (logits > 0) == (targets > 0.5)
                loss_sum += loss.item() * len(targets)
                correct += right.sum().item()
                correct_positive += (right & (targets > 0.5)).sum().item()
                rows += len(targets)
            now = time.perf_counter()
            wait += ready - mark
            compute += now - ready
            step_seconds.append(now - mark)
            mark = now
            steps += 1
            if steps == a.steps:
                break
        epochs.append({"epoch": epoch + 1, "loss": round(loss_sum / rows, 5), "pair_accuracy": round(100 * correct / rows, 3),
                       "positive_accuracy": round(200 * correct_positive / rows, 3),
                       "negative_accuracy": round(200 * (correct - correct_positive) / rows, 3),
                       "seconds": round(time.perf_counter() - epoch_begin, 3)})
        print(json.dumps(epochs[-1]), file=sys.stderr, flush=True)
        if steps == a.steps:
            break
    total = time.perf_counter() - begin
    if not steps:
        return {"epochs": [], "steps": 0, "train_s": 0.0}
    steady = step_seconds[min(5, len(step_seconds) - 1):]       # without the workers' start
    return {"epochs": epochs, "steps": steps, "train_s": round(total, 3), "data_wait_s": round(wait, 3),
            "compute_s": round(compute, 3), "step_median_s": round(statistics.median(steady), 5),
            "step_mean_s": round(sum(steady) / len(steady), 5),
            "views_per_s": round(a.batch * a.views * len(steady) / sum(steady), 1)}


@torch.no_grad()
def features_of(net, images, memory):
    net.eval()
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    out = []
    for start in range(0, len(images), 500):
        x = torch.from_numpy(images[start:start + 500]).permute(0, 3, 1, 2).float() / 255
        out.append(net(((x - mean) / std).contiguous(memory_format=memory)))
    return torch.cat(out)


def linear_probe(train_x, train_y, test_x, test_y, epochs, fused):
    layer = nn.Linear(train_x.shape[1], 10)
    adam = torch.optim.Adam(layer.parameters(), lr=1e-3, fused=fused)
    for _ in range(epochs):
        for index in torch.randperm(len(train_x)).split(128):
            adam.zero_grad(set_to_none=True)
            F.cross_entropy(layer(train_x[index]), train_y[index]).backward()
            adam.step()
    with torch.no_grad():
        return 100 * (layer(test_x).argmax(1) == test_y).double().mean().item()


@torch.no_grad()
def knn(train_x, train_y, test_x, test_y, k=200, temperature=0.1):
    train_x, test_x, right = F.normalize(train_x, dim=1), F.normalize(test_x, dim=1), 0
    for x, y in zip(test_x.split(500), test_y.split(500)):
        similarity, index = (x @ train_x.T).topk(k, 1)
        votes = torch.zeros(len(x), 10).scatter_add_(1, train_y[index], (similarity / temperature).exp())
        right += (votes.argmax(1) == y).sum().item()
    return 100 * right / len(test_x)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--root", required=True, help="the folder with data_batch_1.bin .. and test_batch.bin")
    p.add_argument("--backbone", default="conv4", choices=sorted(BACKBONES))
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--views", type=int, default=4, help="K, the augmentations per image")
    p.add_argument("--steps", type=int, default=0, help="stop after so many steps, for timing (0: all)")
    p.add_argument("--threads", type=int, default=1, help="threads of the training process")
    p.add_argument("--workers", type=int, default=1, help="DataLoader processes (0: in the training process)")
    p.add_argument("--channels-last", action=argparse.BooleanOptionalAction, default=True)
    p.add_argument("--fused", action=argparse.BooleanOptionalAction, default=True, help="the fused Adam")
    p.add_argument("--probe-epochs", type=int, default=100)
    p.add_argument("--skip-evaluation", action="store_true")
    a = p.parse_args()
    begin = time.perf_counter()
    torch.manual_seed(a.seed)
    torch.set_num_threads(a.threads)
    memory = torch.channels_last if a.channels_last else torch.contiguous_format
    (train_images, train_y), (test_images, test_y) = read_cifar10(a.root)
    net, width = BACKBONES[a.backbone]()
    net = initialise(net).to(memory_format=memory)
    head = nn.Sequential(nn.Linear(2 * width, 256), nn.BatchNorm1d(256), nn.LeakyReLU(inplace=True), nn.Linear(256, 1))
    load_s = time.perf_counter() - begin

    training = train(net, head, train_images, a, memory)
    result = {"job": "relational-cifar10", "backbone": a.backbone, "seed": a.seed, "batch": a.batch, "views": a.views,
              "threads": a.threads, "workers": a.workers, "channels_last": a.channels_last, "fused_adam": a.fused,
              "torch": torch.__version__, "load_s": round(load_s, 3)}
    epochs = training.pop("epochs")
    result.update(training)
    if epochs:
        result.update({k: epochs[-1][k] for k in ("loss", "pair_accuracy", "positive_accuracy", "negative_accuracy")})
    result["epochs"] = epochs
    if not a.skip_evaluation:
        mark = time.perf_counter()
        train_x, test_x = features_of(net, train_images, memory), features_of(net, test_images, memory)
        result["features_s"] = round(time.perf_counter() - mark, 3)
        mark = time.perf_counter()
        result["linear_accuracy"] = round(linear_probe(train_x, train_y, test_x, test_y, a.probe_epochs, a.fused), 3)
        result["linear_s"] = round(time.perf_counter() - mark, 3)
        mark = time.perf_counter()
        result["knn_accuracy"] = round(knn(train_x, train_y, test_x, test_y), 3)
        result["knn_s"] = round(time.perf_counter() - mark, 3)
    result["total_s"] = round(time.perf_counter() - begin, 3)
    result["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
