"""The sampling loop as most people would write it in Python: Pillow, numpy and one engine, picture by picture.

python_loop.py onnxruntime|torch BUNDLE_FOLDER PICTURE OUTPUT STEPS
"""

import json
import pathlib
import sys

import numpy as np
from PIL import Image


def onnx_networks(bundle, manifest):
    import onnxruntime

    encoder = onnxruntime.InferenceSession(bundle / manifest["encoder"]["file"])
    denoiser = onnxruntime.InferenceSession(bundle / manifest["denoiser"]["file"])
    level = np.zeros(1, np.float32)

    def encode(lr):
        return encoder.run(None, {"lr": lr, "level": level})[0]

    def denoise(z, features, t):
        return denoiser.run(None, {"z": z, "features": features, "t": np.array([t], np.float32)})[0]

    return encode, denoise


def torch_networks(bundle, manifest):
    import torch

    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "onnx"))
    from partdiff_train.network import NetworkShape, PartialDiffusion

    # Untrained weights of the same shapes take the same time; the picture is not looked at.
    shape = NetworkShape(scale=manifest["scale"], image_channels=manifest["channels"])
    network = PartialDiffusion(shape).eval()

    def encode(lr):
        with torch.inference_mode():
            return network.encoder(torch.from_numpy(lr), torch.zeros(1)).numpy()

    def denoise(z, features, t):
        with torch.inference_mode():
            z, features = torch.from_numpy(z), torch.from_numpy(features)
            return network.denoiser(z, features, torch.tensor([t])).numpy()

    return encode, denoise


def main():
    engine, bundle, picture, output, steps = sys.argv[1:]
    bundle, steps = pathlib.Path(bundle), int(steps)
    manifest = json.loads((bundle / "model.json").read_text())
    encode, denoise = {"onnxruntime": onnx_networks, "torch": torch_networks}[engine](bundle, manifest)
    schedule, start = manifest["schedule"], manifest["start_step"]
    betas = np.linspace(schedule["beta_start"], schedule["beta_end"], schedule["timesteps"])
    alpha_bar = np.concatenate([[1.0], np.cumprod(1.0 - betas)])
    deviation, scale = manifest["prediction"]["scale"], manifest["scale"]

    def levels(t):
        return np.sqrt(alpha_bar[t]) * (1 - t / start) * deviation, np.sqrt(1 - alpha_bar[t])

    image = Image.open(picture).convert("RGB")
    size = (image.width * scale, image.height * scale)
    lr = np.asarray(image, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
    planes = [Image.fromarray(plane).resize(size, Image.BICUBIC) for plane in lr[0]]
    u = np.stack([np.asarray(plane) for plane in planes])[None]
    features = encode(lr)
    z = np.random.default_rng(0).standard_normal(u.shape, np.float32) * np.float32(levels(start)[1])
    timesteps = [round(start * (steps - i) / steps) for i in range(steps)] + [0]
    for t, s in zip(timesteps, timesteps[1:]):
        signal, noise = levels(t)
        r = denoise(z * np.float32(1 / np.hypot(signal, noise)), features, t / start)
        next_signal, next_noise = levels(s)
        z = np.float32(next_signal) * r + np.float32(next_noise / noise) * (z - np.float32(signal) * r)
    pixels = np.clip((u + np.float32(deviation) * r + 1) * 127.5, 0, 255).round().astype(np.uint8)
    Image.fromarray(pixels[0].transpose(1, 2, 0)).save(output)


main()
