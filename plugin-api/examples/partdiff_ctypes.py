"""libpartdiff from Python: numpy in, numpy out.

    from partdiff_ctypes import PartDiff
    large = PartDiff().upscale(small, scale=2.0, steps=1)

Arrays are [height, width] (grey) or [height, width, channels] (2 grey and alpha, 3 RGB, 4 RGBA) of uint8, uint16,
float16 or float32, of any strides that step forward; the result has the same kind. Run as a program, it enlarges a
.npy file:

    python3 partdiff_ctypes.py small.npy large.npy [KEY=VALUE]...
"""

import ctypes as c
import os
import sys

import numpy as np

ABI = (1, 0)
SAMPLES = {"uint8": 1, "uint16": 2, "float16": 3, "float32": 4}
INTERLEAVED = 0
CANCELLED = 13


class Image(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32),
        ("sample", c.c_uint32),
        ("color", c.c_uint32),
        ("layout", c.c_uint32),
        ("width", c.c_uint32),
        ("height", c.c_uint32),
        ("data", c.c_void_p),
        ("size", c.c_size_t),
        ("row_stride", c.c_size_t),
        ("plane_stride", c.c_size_t),
    ]


ProgressCall = c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_double, c.c_uint32, c.c_uint32)


class PartDiffError(Exception):
    """A failure; `status` is the library's."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class PartDiff:
    """A model, ready."""

    def __init__(self, model=None, device="auto", library=None):
        # ONNX Runtime reads it when the first model is opened.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        library = library or os.environ.get("PARTDIFF_LIBRARY") or "libpartdiff.so.1"
        self._lib = c.CDLL(library)
        self._lib.partdiff_status_text.restype = c.c_char_p
        self._lib.partdiff_version.restype = c.c_char_p
        # Addresses and sizes must not pass as 32-bit integers.
        p, s, n = c.c_void_p, c.c_char_p, c.c_size_t
        for name, arguments in {
            "context_create": [c.c_uint32, c.c_uint32, p],
            "context_destroy": [p],
            "context_set_text": [p, s, s],
            "context_error": [p, p, n, p],
            "model_open": [p, s, p],
            "model_destroy": [p],
            "model_get_text": [p, s, p, n, p],
            "model_error": [p, p, n, p],
            "job_create": [p, p],
            "job_destroy": [p],
            "job_set_text": [p, s, s],
            "job_set_profile": [p, p, n],
            "job_set_progress": [p, p, p],
            "job_output_size": [p, c.c_uint32, c.c_uint32, p, p],
            "job_get_text": [p, s, p, n, p],
            "job_error": [p, p, n, p],
            "upscale": [p, p, p],
        }.items():
            getattr(self._lib, f"partdiff_{name}").argtypes = arguments
        self._context, self._model = p(), p()
        status = self._lib.partdiff_context_create(*ABI, c.byref(self._context))
        if status:
            raise PartDiffError(status, self._lib.partdiff_status_text(status).decode())
        self._check("context", self._context, "context_set_text", b"device", device.encode())
        name = None if model is None else os.fsencode(model)
        self._check("context", self._context, "model_open", name, c.byref(self._model))

    def __del__(self):
        if getattr(self, "_model", None):
            self._lib.partdiff_model_destroy(self._model)
        if getattr(self, "_context", None):
            self._lib.partdiff_context_destroy(self._context)

    def upscale(self, array, icc=None, progress=None, **options):
        """`array` enlarged; `options` are those of the header, `progress(fraction, step, steps)` may return False."""
        array = np.asarray(array)
        if array.dtype.name not in SAMPLES or array.ndim not in (2, 3):
            raise TypeError("expected [height, width(, channels)] of uint8, uint16, float16 or float32")
        job = c.c_void_p()
        self._check("model", self._model, "job_create", c.byref(job))
        try:
            for key, value in options.items():
                self._check("job", job, "job_set_text", key.encode(), str(value).encode())
            if icc is not None:
                self._check("job", job, "job_set_profile", icc, len(icc))
            thrown = []

            def tell(_, fraction, step, steps):
                # Exceptions cannot pass through C.
                try:
                    return 1 if progress(fraction, step, steps) is False else 0
                except BaseException as error:
                    thrown.append(error)
                    return 1

            call = ProgressCall(tell)
            if progress is not None:
                self._check("job", job, "job_set_progress", c.cast(call, c.c_void_p), None)
            width, height = c.c_uint32(), c.c_uint32()
            size = (array.shape[1], array.shape[0], c.byref(width), c.byref(height))
            self._check("job", job, "job_output_size", *size)
            result = np.empty((height.value, width.value) + array.shape[2:], array.dtype)
            source = array if self._fits(array) else np.ascontiguousarray(array)
            images = self._image(source), self._image(result)
            try:
                self._check("job", job, "upscale", *map(c.byref, images))
            except PartDiffError:
                if thrown:
                    raise thrown[0]
                raise
            return result
        finally:
            self._lib.partdiff_job_destroy(job)

    def text(self, key):
        """What the model says of itself: "name", "provider", "presets", "manifest"..."""
        return self._text("model_get_text", self._model, key.encode())

    @staticmethod
    def _fits(array):
        """Whether pixels lie side by side and rows one after the other."""
        pixel = array.itemsize * (array.shape[2] if array.ndim == 3 else 1)
        samples = array.ndim == 2 or array.strides[2] == array.itemsize
        return samples and array.strides[1] == pixel and array.strides[0] >= pixel * array.shape[1]

    @staticmethod
    def _image(array):
        channels = array.shape[2] if array.ndim == 3 else 1
        size = (array.shape[0] - 1) * array.strides[0] + array.shape[1] * channels * array.itemsize
        form = (c.sizeof(Image), SAMPLES[array.dtype.name], channels, INTERLEAVED, array.shape[1], array.shape[0])
        return Image(*form, array.ctypes.data, size, array.strides[0], 0)

    def _text(self, function, *arguments):
        length = c.c_size_t()
        size = 256
        while True:
            buffer = c.create_string_buffer(size)
            getattr(self._lib, f"partdiff_{function}")(*arguments, buffer, size, c.byref(length))
            if length.value < size:
                return buffer.value.decode()
            size = length.value + 1

    def _check(self, kind, handle, function, *arguments):
        status = getattr(self._lib, f"partdiff_{function}")(handle, *arguments)
        if status:
            message = self._text(f"{kind}_error", handle)
            raise PartDiffError(status, message or self._lib.partdiff_status_text(status).decode())


if __name__ == "__main__":
    small, large = sys.argv[1:3]
    chosen = dict(option.split("=", 1) for option in sys.argv[3:])
    engine = PartDiff(device="cpu")
    np.save(large, engine.upscale(np.load(small), **chosen))
    print(engine.text("name"), "on", engine.text("provider"))
