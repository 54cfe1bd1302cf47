#!/usr/bin/env python3
"""The PyTorch peer of `cargo xtask bench`: one part of the relational training job, timed.

    python peer_torch.py step --backbone conv4 --batch 64 --views 4 --side 32 --threads 2
    python peer_torch.py augment --side 96
    python peer_torch.py pipeline --backbone conv4 --views 32 --threads 1 --workers 1

step: forward, relation head, backward and Adam on a batch in memory. augment: views from torchvision on PIL images, one
thread. pipeline: both, fed by a DataLoader. Random bytes are the images: the content does not change the cost. Nets, pairs
and views are those of peer_train.py. The end is one line of JSON: views a second (by the median step, and by the best) and the
peak of resident memory, workers included.

Needs: pip install torch==2.9.1 torchvision==0.24.1 numpy    (the CPU is used)
"""
import argparse
import json
import resource
import statistics
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision

import peer_train


def backbone_of(name):
    if name in peer_train.BACKBONES:
        return peer_train.BACKBONES[name]()
    net = getattr(torchvision.models, name)()
    net.fc = nn.Identity()
    return net, 512


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("part", choices=("step", "augment", "pipeline"))
    p.add_argument("--backbone", default="conv4", choices=[*sorted(peer_train.BACKBONES), "resnet18", "resnet34"])
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--views", type=int, default=4, help="K, the augmentations per image")
    p.add_argument("--side", type=int, default=32)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--workers", type=int, default=1)
    p.add_argument("--channels-last", action=argparse.BooleanOptionalAction, default=True)
    a = p.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1 if a.part == "augment" else a.threads)
    memory = torch.channels_last if a.channels_last else torch.contiguous_format
    net, width = backbone_of(a.backbone)
    net = net.to(memory_format=memory).train()
    head = nn.Sequential(nn.Linear(2 * width, 256), nn.BatchNorm1d(256), nn.LeakyReLU(inplace=True), nn.Linear(256, 1))
    adam = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=1e-3, fused=True)

    def step(x):
        adam.zero_grad(set_to_none=True)
        pairs, targets = peer_train.relation_pairs(net(x), a.views)
        loss = F.binary_cross_entropy_with_logits(head(pairs).squeeze(1), targets)
        loss.backward()
        adam.step()
        return loss.item()

    warm_up = 3
    count = a.batch * (a.steps + warm_up) if a.part == "pipeline" else a.batch
    images = np.random.default_rng(0).integers(0, 256, (count, a.side, a.side, 3), dtype=np.uint8)
    views = peer_train.Views(images, a.views, a.side)
    seconds, mark = [], time.perf_counter()
    if a.part == "pipeline":
        loader = torch.utils.data.DataLoader(views, batch_size=a.batch, num_workers=a.workers, drop_last=True,
                                             worker_init_fn=peer_train.worker_start)
        jobs = (lambda batch=batch: step(torch.cat(batch).contiguous(memory_format=memory)) for batch in loader)
    elif a.part == "step":
        x = torch.randn(a.batch * a.views, 3, a.side, a.side).contiguous(memory_format=memory)
        jobs = (lambda: step(x) for _ in range(a.steps + warm_up))
    else:
        jobs = (lambda: [views[i] for i in range(a.batch)] for _ in range(a.steps + warm_up))
    mark = time.perf_counter()
    for job in jobs:
        job()
        now = time.perf_counter()
        seconds.append(now - mark)
        mark = now
    seconds = seconds[warm_up:]
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * a.workers if a.part == "pipeline" else 0
    # A pipeline's steps come in bursts, as the loader has batches ready: its rate is that of all of them together.
    typical = sum(seconds) / len(seconds) if a.part == "pipeline" else statistics.median(seconds)
    print(json.dumps({
        "views_per_s": round(a.batch * a.views / typical, 1), "best_views_per_s": round(a.batch * a.views / min(seconds), 1),
        "peak_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + workers) / 1024, 1), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
