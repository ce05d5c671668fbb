/*
 * Enlarges a binary PGM or PPM image, in C99 that is C++ as well:
 *
 *     cc -std=c99 upscale.c -o upscale $(pkg-config --cflags --libs partdiff)
 *     ./upscale small.ppm large.ppm [KEY=VALUE]...
 *
 * KEY is an option of partdiff_job_set_text() and its sisters, such as scale=2, steps=4 or preset=detailed; the
 * result is the one of `partdiff upscale` with the same options, byte for byte.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "partdiff.h"

/* Reads the next number of a PNM header; 0 if there is none. */
static uint32_t number(FILE *file)
{
    int c = fgetc(file);
    unsigned long value = 0;
    while (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '#') {
        if (c == '#')
            while (c != '\n' && c != EOF)
                c = fgetc(file);
        c = fgetc(file);
    }
    for (; c >= '0' && c <= '9' && value < 100000000; c = fgetc(file))
        value = value * 10 + (unsigned long)(c - '0');
    return (uint32_t)value;
}

/* PNM stores 16-bit samples with the high byte first, the library takes the machine's order. */
static void swap_if_needed(partdiff_image *image)
{
    const uint16_t one = 1;
    unsigned char *bytes = (unsigned char *)image->data;
    size_t i;
    if (image->sample != PARTDIFF_SAMPLE_U16 || *(const unsigned char *)&one == 0)
        return;
    for (i = 0; i + 1 < image->size; i += 2) {
        const unsigned char high = bytes[i];
        bytes[i] = bytes[i + 1];
        bytes[i + 1] = high;
    }
}

static int allocate(partdiff_image *image)
{
    const size_t channels = image->color == PARTDIFF_COLOR_GREY ? 1 : 3;
    const size_t bytes = image->sample == PARTDIFF_SAMPLE_U8 ? 1 : 2;
    image->size = (size_t)image->width * image->height * channels * bytes;
    image->data = malloc(image->size);
    return image->data != NULL;
}

static int load(const char *path, partdiff_image *image)
{
    FILE *file = fopen(path, "rb");
    char magic[2];
    uint32_t most;
    int good = 0;
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 0;
    }
    if (fread(magic, 1, 2, file) == 2 && magic[0] == 'P' && (magic[1] == '5' || magic[1] == '6')) {
        image->color = magic[1] == '5' ? PARTDIFF_COLOR_GREY : PARTDIFF_COLOR_RGB;
        image->width = number(file);
        image->height = number(file);
        most = number(file);
        image->sample = most == 255 ? PARTDIFF_SAMPLE_U8 : PARTDIFF_SAMPLE_U16;
        good = (most == 255 || most == 65535) && image->width > 0 && image->height > 0 && allocate(image)
               && fread(image->data, 1, image->size, file) == image->size;
        if (good)
            swap_if_needed(image);
    }
    if (!good)
        fprintf(stderr, "%s: expected a whole binary PGM or PPM with 255 or 65535 levels\n", path);
    fclose(file);
    return good;
}

static int save(const char *path, partdiff_image *image)
{
    FILE *file = fopen(path, "wb");
    int good;
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 0;
    }
    swap_if_needed(image);
    fprintf(file, "P%c\n%lu %lu\n%d\n", image->color == PARTDIFF_COLOR_GREY ? '5' : '6',
            (unsigned long)image->width, (unsigned long)image->height,
            image->sample == PARTDIFF_SAMPLE_U8 ? 255 : 65535);
    good = fwrite(image->data, 1, image->size, file) == image->size;
    good = fclose(file) == 0 && good;
    if (!good)
        fprintf(stderr, "%s: cannot be written whole\n", path);
    return good;
}

static int32_t show(void *user, double fraction, uint32_t step, uint32_t steps)
{
    (void)user;
    fprintf(stderr, "\r%3.0f %%  step %u of %u", 100.0 * fraction, (unsigned)step, (unsigned)steps);
    return 0; /* anything else would cancel */
}

int main(int argc, char **argv)
{
    partdiff_context *context = NULL;
    partdiff_model *model = NULL;
    partdiff_job *job = NULL;
    partdiff_image input, output;
    partdiff_status status;
    char message[1024] = "", *value;
    int i, good = 0;

    if (argc < 3) {
        fprintf(stderr, "usage: %s SMALL LARGE [KEY=VALUE]...\n", argv[0]);
        return 2;
    }
    memset(&input, 0, sizeof input);
    memset(&output, 0, sizeof output);
    input.struct_size = sizeof input;
    if (!load(argv[1], &input))
        goto end;

    status = partdiff_context_create(PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR, &context);
    if (status != PARTDIFF_STATUS_OK) {
        fprintf(stderr, "%s\n", partdiff_status_text(status));
        goto end;
    }
    if (partdiff_context_set_text(context, "device", "cpu") != PARTDIFF_STATUS_OK
        || partdiff_model_open(context, NULL, &model) != PARTDIFF_STATUS_OK) {
        partdiff_context_error(context, message, sizeof message, NULL);
        fprintf(stderr, "%s\n", message);
        goto end;
    }
    if (partdiff_job_create(model, &job) != PARTDIFF_STATUS_OK)
        goto end;
    for (i = 3; i < argc; i++) {
        value = strchr(argv[i], '=');
        if (value != NULL)
            *value++ = '\0';
        if (partdiff_job_set_text(job, argv[i], value) != PARTDIFF_STATUS_OK)
            goto failed;
    }
    partdiff_job_set_progress(job, show, NULL);

    output = input;
    if (partdiff_job_output_size(job, input.width, input.height, &output.width, &output.height)
        != PARTDIFF_STATUS_OK)
        goto failed;
    if (!allocate(&output)) {
        fprintf(stderr, "no memory for %u x %u pixels\n", (unsigned)output.width, (unsigned)output.height);
        output.data = NULL;
        goto end;
    }
    status = partdiff_upscale(job, &input, &output);
    fputc('\n', stderr);
    if (status == PARTDIFF_STATUS_OK) {
        partdiff_job_get_text(job, "warnings", message, sizeof message, NULL);
        if (message[0] != '\0')
            fprintf(stderr, "%s\n", message);
        good = save(argv[2], &output);
        goto end;
    }
failed:
    partdiff_job_error(job, message, sizeof message, NULL);
    fprintf(stderr, "%s\n", message);
end:
    free(output.data);
    free(input.data);
    partdiff_job_destroy(job);
    partdiff_model_destroy(model);
    partdiff_context_destroy(context);
    return good ? 0 : 1;
}
