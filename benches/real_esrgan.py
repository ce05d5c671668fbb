"""Real-ESRGAN x4plus on the processor, picture by picture.

real_esrgan.py PEER_FOLDER PICTURE OUTPUT (`python -m partdiff_train peer PEER_FOLDER` in onnx/ fills the folder)
"""

import pathlib
import sys

import numpy as np
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "onnx"))
from partdiff_train.peer import RealEsrgan

peer, picture, output = sys.argv[1:]
lr = np.asarray(Image.open(picture).convert("RGB"), np.float32).transpose(2, 0, 1)
made = RealEsrgan(pathlib.Path(peer)).upscale(lr)
Image.fromarray(made.astype(np.uint8).transpose(1, 2, 0)).save(output)
