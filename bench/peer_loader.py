#!/usr/bin/env python3
"""Loading a folder of JPEGs: relata beside PIL, in turns.

    python bench/peer_loader.py make FOLDER --images train_X.bin --side 96 96     # JPEGs of STL-10's images, or of any side
    python bench/peer_loader.py compare FOLDER --threads 2 --rounds 7              # the images read, no more
    python bench/peer_loader.py compare FOLDER --views 4 --view-side 96            # what training gets: batches of K views an image
    python bench/peer_loader.py compare FOLDER --views 0 --view-side 96            # what an evaluation gets: each image resized

compare starts an example of ours (`cargo build --release -p relata-data -p relata-augment --features relata-data/jpeg-turbo --examples`)
and this script's own `pil` in turns, each a process of its own, and prints images a second, processor time an image (which a busy machine
disturbs less) and the ratios, round by round.

Reading (`read_folder` of relata-data): both give upright RGB bytes, [height, width, 3], in the process that requests them. PIL is tried
with a pool of threads and with a pool of processes (each image then comes back through a pipe), and with processes that keep their
images to themselves; the best of the three counts for the peer in each round.
Views (`load_folder` of relata-augment, whose ViewLoader is what training and evaluation read from): both give batches of 64 images'
normalised f32 views by the paper's augmentation, PIL's by torchvision's transforms (those of peer_train.py) in a DataLoader with as many
workers, or in a pool of processes that keep their views to themselves; the better counts.

Needs: pip install pillow numpy; for views torch==2.9.1 torchvision==0.24.1 too
"""
import argparse
import json
import multiprocessing.pool
import pathlib
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
from PIL import Image, ImageOps


JPEG_SIDE = 0


def read(path):
    with Image.open(path) as image:
        if JPEG_SIDE:
            image.draft("RGB", (JPEG_SIDE, JPEG_SIDE))
        return np.asarray(ImageOps.exif_transpose(image.convert("RGB")))


def read_and_keep(path):
    return read(path).shape


class Views:
    """K views of each image, or for K = 0 the whole image resized, as torchvision makes them of PIL's images."""

    def __init__(self, paths, views, side):
        import torchvision.transforms as transforms

        import peer_train

        self.paths, self.views = paths, max(views, 1)
        if views:
            self.transform = peer_train.Views((), views, side).transform
        else:
            self.transform = transforms.Compose([transforms.Resize((side, side)), transforms.ToTensor(),
                                                 transforms.Normalize(peer_train.MEAN, peer_train.STD)])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as image:
            image = ImageOps.exif_transpose(image.convert("RGB"))
        return [self.transform(image) for _ in range(self.views)]


VIEWS = None


def make_and_keep(index):
    """A job of a forked worker, which has VIEWS from its parent."""
    return len(VIEWS[index])


def cpu_us(work, paths):
    start = time.process_time()
    work()
    return (time.process_time() - start) / len(paths) * 1e6


def rate_of(work, count):
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def torchvision_views(paths, a):
    import torch
    import torch.utils.data

    from peer_train import worker_start

    torch.set_num_threads(1)
    global VIEWS
    VIEWS = views = Views(paths, a.views, a.view_side)
    loader = torch.utils.data.DataLoader(views, batch_size=64, num_workers=a.threads, worker_init_fn=worker_start)
    # A DataLoader starts its workers again for each epoch, as training does.
    rates = {"DataLoader": rate_of(lambda: [None for _ in loader], len(paths))}
    with multiprocessing.get_context("fork").Pool(a.threads, worker_start, (None,)) as pool:
        rates["processes, views kept"] = rate_of(lambda: list(pool.imap(make_and_keep, range(len(paths)), chunksize=8)), len(paths))
    way = max(rates, key=rates.get)
    alone = paths[:200]
    return {"images_per_s": rates[way], "way": way, "cpu_us": cpu_us(lambda: [views[i] for i in range(len(alone))], alone)}


def pil(a):
    paths = sorted(map(str, pathlib.Path(a.folder).rglob("*.jpg")))
    if a.views is not None:
        print(json.dumps(torchvision_views(paths, a)))
        return
    # One thread may do without a pool; what a pool of processes uses is not seen from here.
    cpu = [cpu_us(lambda: [read(path) for path in paths], paths)]
    best = None
    for way in ("threads", "processes", "processes, images kept"):
        make = multiprocessing.pool.ThreadPool if way == "threads" else multiprocessing.Pool
        with make(a.threads) as pool:
            job = read_and_keep if way.endswith("kept") else read
            list(pool.imap(job, paths[:64], chunksize=8))
            start = time.perf_counter()
            count = sum(1 for _ in pool.imap(job, paths, chunksize=8))
            rate = count / (time.perf_counter() - start)
            if way == "threads":
                cpu += [cpu_us(lambda job=job: list(pool.imap(job, paths, chunksize=8)), paths) for job in (read, read_and_keep)]
        if best is None or rate > best["images_per_s"]:
            best = {"images_per_s": rate, "way": way}
    best["cpu_us"] = min(cpu)
    print(json.dumps(best))


def make(a):
    width, height = a.side
    data = np.fromfile(a.images, np.uint8)
    data = data[: len(data) // 27_648 * 27_648].reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1)
    folder = pathlib.Path(a.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(a.count):
        image = Image.fromarray(np.ascontiguousarray(data[number % len(data)]))
        if (width, height) != (96, 96):
            # A mosaic, so that the detail of a pixel is a photograph's and not an enlargement's.
            whole = Image.new("RGB", (width, height))
            for y in range(0, height, 96):
                for x in range(0, width, 96):
                    which = (number * 31 + y // 96 * 7 + x // 96) % len(data)
                    whole.paste(Image.fromarray(np.ascontiguousarray(data[which])), (x, y))
            image = whole
        image.save(folder / f"{number:05}.jpg", quality=a.quality)


def compare(a):
    if a.views is None:
        program, arguments, warm_up = "read_folder", [a.jpeg_side], 64
        pil_arguments = ["--draft", a.draft]
    else:
        program, arguments, warm_up = "load_folder", [a.views, a.view_side], 0
        pil_arguments = ["--views", a.views, "--view-side", a.view_side]
    ours_command = [str(pathlib.Path(a.ours) / program), a.folder, str(a.threads), *map(str, arguments)]
    pil_command = [sys.executable, "-B", __file__, "pil", a.folder, "--threads", str(a.threads), *map(str, pil_arguments)]
    rates, times = [], []
    for number in range(1, a.rounds + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = json.loads(subprocess.check_output(ours_command).splitlines()[-1])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        ours["cpu_us"] = used / (ours["images"] + warm_up) * 1e6
        peer = json.loads(subprocess.check_output(pil_command).splitlines()[-1])
        rates.append(ours["images_per_s"] / peer["images_per_s"])
        times.append(peer["cpu_us"] / ours["cpu_us"])
        print(f"round {number}: {ours['images_per_s']:.0f} images/s, PIL {peer['images_per_s']:.0f} ({peer['way']}), ratio {rates[-1]:.2f}; "
              f"{ours['cpu_us']:.0f} us of processor time an image, PIL {peer['cpu_us']:.0f}, ratio {times[-1]:.2f}", flush=True)
    for what, ratios in (("rate", rates), ("processor time", times)):
        print(f"{what}: median ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=("make", "compare", "pil"))
    p.add_argument("folder")
    p.add_argument("--images", help="make: STL-10's train_X.bin or unlabeled_X.bin")
    p.add_argument("--side", type=int, nargs=2, default=(96, 96), metavar=("WIDTH", "HEIGHT"))
    p.add_argument("--quality", type=int, default=90)
    p.add_argument("--count", type=int, default=1000)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--views", type=int, metavar="K", help="K views of an image in batches; 0: the whole image resized; without it the images are read, no more")
    p.add_argument("--view-side", type=int, default=96, metavar="PX")
    p.add_argument("--ours", default="target/release/examples", help="the folder of our examples")
    p.add_argument("--jpeg-side", type=int, default=0, help="compare: our jpeg_side_px; 0: whole images")
    p.add_argument("--draft", type=int, default=0, help="PIL's own way to the same, which torchvision does not use; 0: whole images")
    a = p.parse_args()
    global JPEG_SIDE
    JPEG_SIDE = a.draft
    {"make": make, "compare": compare, "pil": pil}[a.what](a)


if __name__ == "__main__":
    main()
