/*
 * libpartdiff: image super-resolution with partial diffusion models.
 *
 * Made by cbindgen from plugin-api/src; do not edit.
 *
 * An image in, a larger one out:
 *
 *     partdiff_context *context;  partdiff_model *model;  partdiff_job *job;
 *     partdiff_context_create(PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR, &context);
 *     partdiff_model_open(context, NULL, &model);
 *     partdiff_job_create(model, &job);
 *     partdiff_job_set_real(job, "scale", 2.0);
 *     partdiff_job_output_size(job, input.width, input.height, &output.width, &output.height);
 *     ... allocate output.data ...
 *     partdiff_upscale(job, &input, &output);
 *     partdiff_job_destroy(job);  partdiff_model_destroy(model);  partdiff_context_destroy(context);
 *
 * Status. Every call that can fail returns a partdiff_status. The handle that the call was made on (for a call that
 * creates one, the handle it is made from) keeps a sentence on the latest failure: see partdiff_context_error() and
 * its sisters. No call ends the process, and no panic or exception leaves the library.
 *
 * Ownership. Each handle is ended by its own destroy call, in any order: what still needs a handle keeps it alive
 * inside. Handles are numbers, not addresses: a null, destroyed or mistaken one is answered by
 * PARTDIFF_STATUS_INVALID_HANDLE. Images, strings and profiles belong to the host; the library reads them during
 * the call only and copies what it keeps. Text goes into buffers of the host, always ended by a zero, cut to the
 * buffer at a character's end; the length told is that of the whole text without the zero. Text is UTF-8. Strings
 * that are returned directly live as long as the process.
 *
 * Pointers. A pointer must be null or valid for what its call says. Where null is not said to mean something, it is
 * answered by PARTDIFF_STATUS_INVALID_ARGUMENT. `buffer` has `size` bytes; `buffer` or `length` may be null.
 *
 * Threads. Any handle may be used from any thread. Settings of a handle at work are refused with
 * PARTDIFF_STATUS_BUSY, as is a second upscale on the same job. partdiff_job_cancel() and all reading calls work at
 * any time. Destroying a job at work cancels the work, whose call still has to return before the images may be
 * freed.
 *
 * Callbacks. They are called on the thread that called partdiff_upscale() or partdiff_upscale_strips(), one at a
 * time, and only while that call lasts. From within a callback another upscale is refused with
 * PARTDIFF_STATUS_BUSY; do not wait there for another thread that does one with the same model, which may itself be
 * waiting for the memory of this one. A callback must return: no longjmp, no C++ exception. A returned value other
 * than 0 ends the work.
 *
 * Environment. The library does not change the environment of the process. Set ORT_DISABLE_TELEMETRY=1 early in
 * main(), before any thread: official builds of ONNX Runtime for Linux and macOS from 1.29 on send an event and write
 * a device id while they start, and only that variable prevents it. All later telemetry is switched off anyway.
 *
 * Unloading. The library cannot be unloaded: once loaded, it stays until the process ends (dlclose() is harmless).
 * Do not use it in a child process after fork() without exec().
 */


#ifndef PARTDIFF_H
#define PARTDIFF_H

#include <stddef.h>
#include <stdint.h>

// Major version of the ABI: a host must have been built for the same.
#define PARTDIFF_ABI_MAJOR 1

// Minor version of the ABI: a library serves hosts built for the same or an older one.
#define PARTDIFF_ABI_MINOR 0

// How a call ended.
enum partdiff_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // All went well.
    PARTDIFF_STATUS_OK = 0,
    // An argument is null, too small, overlapping or of an unknown kind.
    PARTDIFF_STATUS_INVALID_ARGUMENT = 1,
    // Invalid or freed handle: it is null, was destroyed, or is of another type.
    PARTDIFF_STATUS_INVALID_HANDLE = 2,
    // The host was built for an ABI that this library does not serve.
    PARTDIFF_STATUS_ABI_MISMATCH = 3,
    // The handle is at work in another call, or the call is not allowed from within a callback.
    PARTDIFF_STATUS_BUSY = 4,
    // No option or property has that key.
    PARTDIFF_STATUS_UNKNOWN_KEY = 5,
    // An option has a value outside its range, or options contradict each other.
    PARTDIFF_STATUS_INVALID_OPTION = 6,
    // The input image cannot be used.
    PARTDIFF_STATUS_INPUT = 7,
    // The result cannot be delivered.
    PARTDIFF_STATUS_OUTPUT = 8,
    // The model is missing, damaged or does not fit its own description.
    PARTDIFF_STATUS_MODEL = 9,
    // ONNX Runtime or the wanted device is unavailable, or failed.
    PARTDIFF_STATUS_RUNTIME = 10,
    // A limit on pixels or memory does not allow the work.
    PARTDIFF_STATUS_LIMIT = 11,
    // The model's output is unusable, and was not passed on.
    PARTDIFF_STATUS_QUALITY = 12,
    // The work was cancelled.
    PARTDIFF_STATUS_CANCELLED = 13,
    // A callback of the host reported failure.
    PARTDIFF_STATUS_CALLBACK = 14,
    // Internal error (please report); the library goes on working.
    PARTDIFF_STATUS_INTERNAL = 15,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum partdiff_status partdiff_status;
#else
typedef int32_t partdiff_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How one sample is stored, in the machine's byte order.
typedef enum partdiff_sample {
    // 8-bit integers, 0 black to 255 white.
    PARTDIFF_SAMPLE_U8 = 1,
    // 16-bit integers, 0 black to 65535 white.
    PARTDIFF_SAMPLE_U16 = 2,
    // IEEE 754 half precision, 0 black to 1 white; values beyond are kept.
    PARTDIFF_SAMPLE_F16 = 3,
    // IEEE 754 single precision, 0 black to 1 white; values beyond are kept.
    PARTDIFF_SAMPLE_F32 = 4,
} partdiff_sample;

// The channels of an image, in this order. Colour is not multiplied by alpha; alpha is 0 (clear) to full (opaque).
typedef enum partdiff_color {
    // Grey.
    PARTDIFF_COLOR_GREY = 1,
    // Grey, alpha.
    PARTDIFF_COLOR_GREY_ALPHA = 2,
    // Red, green, blue.
    PARTDIFF_COLOR_RGB = 3,
    // Red, green, blue, alpha.
    PARTDIFF_COLOR_RGBA = 4,
} partdiff_color;

// Where the channels of a pixel lie.
typedef enum partdiff_layout {
    // Side by side.
    PARTDIFF_LAYOUT_INTERLEAVED = 0,
    // Each channel in a plane of its own.
    PARTDIFF_LAYOUT_PLANAR = 1,
} partdiff_layout;

// Where models run, and the way to them.
typedef struct partdiff_context partdiff_context;

// Settings for images to be enlarged one after the other.
typedef struct partdiff_job partdiff_job;

// A model, loaded. Jobs of one model may be at work at the same time and share its threads: earlier ones go first,
// later ones fill the gaps, and each waits until its memory is free. Each model has threads of its own.
typedef struct partdiff_model partdiff_model;

// Told the share of the work done, 0 to 1, and the denoising step at work (0: none yet) of `steps`; the last call, with
// 1, comes when the whole result was delivered. Returns 0, or anything else to cancel.
typedef int32_t (*partdiff_progress)(void *user, double fraction, uint32_t step, uint32_t steps);

// An image, or a strip of one, in memory of the host. Zero what you do not set.
typedef struct partdiff_image {
    // sizeof(partdiff_image), by which the library knows the fields that the host knows.
    uint32_t struct_size;
    // A partdiff_sample.
    uint32_t sample;
    // A partdiff_color.
    uint32_t color;
    // A partdiff_layout.
    uint32_t layout;
    // Pixels in a row.
    uint32_t width;
    // Rows.
    uint32_t height;
    // The first sample of the top left pixel; null where a callback delivers or takes the samples. It need not
    // be aligned.
    void *data;
    // Bytes from `data` to the end of the memory.
    size_t size;
    // Bytes from one row to the next; 0 where rows follow each other without a gap.
    size_t row_stride;
    // Bytes from one plane to the next, if planar; 0 where planes follow each other without a gap.
    size_t plane_stride;
} partdiff_image;

// Asked to fill `strip`, the rows from `top` on of the input. Returns 0, or anything else to give up.
typedef int32_t (*partdiff_read_rows)(void *user, uint32_t top, const struct partdiff_image *strip);

// Given `strip`, the rows from `top` on of the result; strips come from top to bottom, each row once. Returns 0, or
// anything else to give up.
typedef int32_t (*partdiff_write_rows)(void *user, uint32_t top, const struct partdiff_image *strip);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The ABI of this library: its major version times 65536, plus its minor version.
uint32_t partdiff_abi_version(void);

// The version of the program that this library is part of, such as "0.1.0".
const char *partdiff_version(void);

// What a status means, in a few words; for numbers that are no status, "unknown status".
const char *partdiff_status_text(int32_t status);

// Makes a context for a host built for ABI `major`.`minor`: pass PARTDIFF_ABI_MAJOR and PARTDIFF_ABI_MINOR.
//
// PARTDIFF_STATUS_ABI_MISMATCH if this library does not serve that ABI.
partdiff_status partdiff_context_create(uint32_t major, uint32_t minor, struct partdiff_context **context);

// Ends a context. Models opened with it stay.
partdiff_status partdiff_context_destroy(struct partdiff_context *context);

// Sets a text for models opened from now on; null brings the default back.
//
// "device": "auto" (default: the fastest that really runs here with 32-bit results), "cpu", "openvino",
// "openvino:bf16", "openvino:gpu", "openvino:npu", "webgpu", "cuda", "tensorrt".
// "library": path of ONNX Runtime's library (default: found as the command finds it).
// "memory": what the library may take with a model and its jobs, such as "2G" or a number of bytes, more than 128 MiB
// (default: no limit but the jobs' own, which goes before this one). A small limit also lowers the number of threads.
partdiff_status partdiff_context_set_text(struct partdiff_context *context,
                                          const char *key,
                                          const char *value);

// Sets a number for models opened from now on.
//
// "threads": threads on the processor, 0 for one per core (default). "memory": bytes, as
// partdiff_context_set_text() says, 0 for no limit (default).
partdiff_status partdiff_context_set_int(struct partdiff_context *context, const char *key, int64_t value);

// Gives a text.
//
// "models": the names of the models inside the library, one a line. "default_model": the one opened for null.
// "runtime": the path of ONNX Runtime's library, "runtime_version": its version; both empty until a model is open.
partdiff_status partdiff_context_get_text(const struct partdiff_context *context,
                                          const char *key,
                                          char *buffer,
                                          size_t size,
                                          size_t *length);

// Gives the sentence on the latest failure of a call on this context; empty if there was none.
partdiff_status partdiff_context_error(const struct partdiff_context *context,
                                       char *buffer,
                                       size_t size,
                                       size_t *length);

// Opens a model: the name of one inside the library, or the path of a bundle directory or .partdiff file; null for
// the default. ONNX Runtime is loaded with the first model.
partdiff_status partdiff_model_open(struct partdiff_context *context,
                                    const char *name,
                                    struct partdiff_model **model);

// Opens a model from the bytes of a .partdiff file, which are copied.
partdiff_status partdiff_model_open_memory(struct partdiff_context *context,
                                           const uint8_t *bytes,
                                           size_t size,
                                           struct partdiff_model **model);

// Ends a model. Its memory is freed when its last job has gone.
partdiff_status partdiff_model_destroy(struct partdiff_model *model);

// Gives a text: "name", "version", "description", "licence", "digest" (SHA-256 that identifies the model),
// "provider" (what it really runs on, and why), "presets" (names, one a line, fewest steps first), "manifest" (JSON).
partdiff_status partdiff_model_get_text(const struct partdiff_model *model,
                                        const char *key,
                                        char *buffer,
                                        size_t size,
                                        size_t *length);

// Gives a number: "scale" (the model's own factor), "channels" (1 or 3), "steps" (by default), "start_step" (the
// most steps), "cleanup" (1 if the model takes a clean-up level).
partdiff_status partdiff_model_get_int(const struct partdiff_model *model,
                                       const char *key,
                                       int64_t *value);

// Gives the sentence on the latest failure of a call on this model; empty if there was none.
partdiff_status partdiff_model_error(const struct partdiff_model *model,
                                     char *buffer,
                                     size_t size,
                                     size_t *length);

// Makes a job for images to be enlarged by `model`, with the model's defaults.
partdiff_status partdiff_job_create(struct partdiff_model *model, struct partdiff_job **job);

// Ends a job. One that is at work is cancelled; its call returns soon and uses the images until then.
partdiff_status partdiff_job_destroy(struct partdiff_job *job);

// Sets an option to a text; null brings the default back. Numbers may be given as text, with a point.
//
// "preset": one of the model's. "sampler": "ddim", "ddpm", "dpmpp-2m". "spacing": "uniform", "quadratic".
// "cleanup": "auto" (what the damage of the image calls for). That is the default where the model estimates damage, the
// result is larger than the input, and no consistency is asked for; else the default is 0. "deblur": "auto" (2 where the
// image is found to be blurred, else 1). That is the default where the clean-up follows the image, the result is larger than
// the input, and no consistency is asked for; else the default is 1.
partdiff_status partdiff_job_set_text(struct partdiff_job *job,
                                      const char *key,
                                      const char *value);

// Sets an option to a whole number.
//
// "steps": denoising steps, from 1 (the most faithful) to the model's start step. "start_step": the step at which
// denoising starts. "seed": of the noise (default 0). "width", "height": size of the result in pixels; one alone
// keeps the proportions. "fit_width" with "fit_height": as large as fits into that box. "tile": largest side of a
// tile in pixels of the input (default: planned). "deblur": the factor by which a blurred image is made smaller before it is
// enlarged: 1 (not at all), 2 or 4. "consistency": rounds at most that make the result agree with the
// input, which need the whole result in memory (default: the preset's). "memory": bytes that the engine may use
// (default: the limit of the context that opened the model, else half of what is free). "linear": 1 if the samples are
// linear light instead of coded (default 0).
partdiff_status partdiff_job_set_int(struct partdiff_job *job,
                                     const char *key,
                                     int64_t value);

// Sets an option to a number.
//
// "scale": factor over the input's size, up to 64 (default: the model's own). "eta": share of fresh noise in DDIM
// steps, 0 to 1. "cleanup": 0 (trust every pixel) to 1, for models that take one (default: see
// partdiff_job_set_text()).
partdiff_status partdiff_job_set_real(struct partdiff_job *job,
                                      const char *key,
                                      double value);

// Sets the ICC profile of the images, which is copied; null means sRGB. The result has the same one.
//
// A profile that cannot be used is passed over with a warning (see partdiff_job_get_text()).
partdiff_status partdiff_job_set_profile(struct partdiff_job *job, const uint8_t *icc, size_t size);

// Sets whom to tell of progress; null for nobody. `user` is handed back.
partdiff_status partdiff_job_set_progress(struct partdiff_job *job, partdiff_progress progress, void *user);

// Tells the size of the result for an input of that size.
partdiff_status partdiff_job_output_size(const struct partdiff_job *job,
                                         uint32_t width,
                                         uint32_t height,
                                         uint32_t *output_width,
                                         uint32_t *output_height);

// Cancels the run under way, or, if there is none, the next one; each run ends at most one cancellation.
partdiff_status partdiff_job_cancel(const struct partdiff_job *job);

// Gives a text on the latest run that succeeded: "warnings" (sentences, one a line: what could not be kept, which
// repair was left out or may be wrong), "report" (JSON: how the image was made).
partdiff_status partdiff_job_get_text(const struct partdiff_job *job,
                                      const char *key,
                                      char *buffer,
                                      size_t size,
                                      size_t *length);

// Gives the sentence on the latest failure of a call on this job; empty if there was none.
partdiff_status partdiff_job_error(const struct partdiff_job *job, char *buffer, size_t size, size_t *length);

// Enlarges `input` into `output`, both in memory and not overlapping. Returns when it is done.
//
// `output` has the input's `color` and the size that partdiff_job_output_size() tells; sample, layout and strides
// are free. After a failure its contents are undefined.
partdiff_status partdiff_upscale(struct partdiff_job *job,
                                 const struct partdiff_image *input,
                                 const struct partdiff_image *output);

// As partdiff_upscale(), but with `read` the input, and with `write` the result, goes through strips: `data` and
// `size` of that image are ignored, sample, layout and size hold. Where `read` or `write` is null, the image is
// in memory. Never is there a whole result in the library's memory because of this.
partdiff_status partdiff_upscale_strips(struct partdiff_job *job,
                                        const struct partdiff_image *input,
                                        partdiff_read_rows read,
                                        void *read_user,
                                        const struct partdiff_image *output,
                                        partdiff_write_rows write,
                                        void *write_user);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PARTDIFF_H */
