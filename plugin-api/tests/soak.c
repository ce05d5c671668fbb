/*
 * Many small jobs in one process, with failures among them; the memory in use must not grow.
 *
 *     soak MODEL.partdiff JOBS
 *
 * Prints the bytes that the program holds from malloc after a fifth of the jobs and at the end.
 */
#define _DEFAULT_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "partdiff.h"

#define WIDTH 12
#define HEIGHT 9
#define LARGEST (2 * WIDTH * 2 * HEIGHT * 4 * 4)

static int32_t stop_at(void *user, double fraction, uint32_t step, uint32_t steps)
{
    (void)step;
    (void)steps;
    return fraction >= *(const double *)user;
}

static int32_t rows(void *user, uint32_t top, const partdiff_image *strip)
{
    (void)top;
    if (user != NULL)
        memset(strip->data, 0x40, strip->size);
    return 0;
}

static partdiff_image describe(int job, uint32_t width, uint32_t height, unsigned char *data)
{
    const uint32_t color = 1 + (uint32_t)job % 4, sample = 1 + (uint32_t)job / 4 % 4;
    partdiff_image image = {0};
    image.struct_size = sizeof image;
    image.sample = sample;
    image.color = color;
    image.layout = (uint32_t)job / 16 % 2;
    image.width = width;
    image.height = height;
    image.data = data;
    image.size = (size_t)width * height * color * (sample == 1 ? 1 : sample == 4 ? 4 : 2);
    return image;
}

static void expect(partdiff_status status, partdiff_status expected, int line)
{
    if (status != expected) {
        fprintf(stderr, "line %d: status %d, expected %d\n", line, (int)status, (int)expected);
        exit(1);
    }
}

#define EXPECT(call, status) expect((call), (status), __LINE__)

int main(int argc, char **argv)
{
    const double never = 2.0, at_once = 0.0;
    const int jobs = argc > 2 ? atoi(argv[2]) : 100;
    /* Not on the stack, so that a byte beyond either is found out. */
    unsigned char *small = calloc(1, LARGEST), *large = calloc(1, LARGEST);
    partdiff_context *context;
    partdiff_model *model = NULL;
    partdiff_job *job;
    char text[64];
    size_t length, held = 0;
    int i;

    if (argc < 2 || small == NULL || large == NULL)
        return 2;
    EXPECT(partdiff_context_create(PARTDIFF_ABI_MAJOR, PARTDIFF_ABI_MINOR, &context), PARTDIFF_STATUS_OK);
    EXPECT(partdiff_context_set_text(context, "device", "cpu"), PARTDIFF_STATUS_OK);
    EXPECT(partdiff_context_set_int(context, "threads", 2), PARTDIFF_STATUS_OK);
    EXPECT(partdiff_model_open(context, "/no/such/model", &model), PARTDIFF_STATUS_MODEL);
    EXPECT(partdiff_model_open(context, argv[1], &model), PARTDIFF_STATUS_OK);
    for (i = 0; i < jobs; i++) {
        const int cancelled = i % 10 == 3;
        partdiff_image input = describe(i, WIDTH, HEIGHT, small);
        partdiff_image output = describe(i, 2 * WIDTH, 2 * HEIGHT, large);
        EXPECT(partdiff_job_create(model, &job), PARTDIFF_STATUS_OK);
        EXPECT(partdiff_job_set_int(job, "steps", 1 + i % 2), PARTDIFF_STATUS_OK);
        EXPECT(partdiff_job_set_text(job, "nonsense", "1"), PARTDIFF_STATUS_UNKNOWN_KEY);
        EXPECT(partdiff_job_set_profile(job, i % 5 ? NULL : (const uint8_t *)"rubbish", i % 5 ? 0 : 7),
               PARTDIFF_STATUS_OK);
        EXPECT(partdiff_job_set_progress(job, stop_at, (void *)(cancelled ? &at_once : &never)),
               PARTDIFF_STATUS_OK);
        if (i % 3 == 0)
            EXPECT(partdiff_upscale(job, &input, &output),
                   cancelled ? PARTDIFF_STATUS_CANCELLED : PARTDIFF_STATUS_OK);
        else
            EXPECT(partdiff_upscale_strips(job, &input, rows, small, &output, rows, NULL),
                   cancelled ? PARTDIFF_STATUS_CANCELLED : PARTDIFF_STATUS_OK);
        output.size = 1;
        EXPECT(partdiff_upscale(job, &input, &output), PARTDIFF_STATUS_INVALID_ARGUMENT);
        EXPECT(partdiff_job_error(job, text, sizeof text, &length), PARTDIFF_STATUS_OK);
        EXPECT(partdiff_job_get_text(job, "report", text, sizeof text, &length), PARTDIFF_STATUS_OK);
        EXPECT(partdiff_job_destroy(job), PARTDIFF_STATUS_OK);
        EXPECT(partdiff_job_destroy(job), PARTDIFF_STATUS_INVALID_HANDLE);
        if (i == jobs / 5)
            held = mallinfo2().uordblks;
    }
    printf("%lu %lu\n", (unsigned long)held, (unsigned long)mallinfo2().uordblks);
    EXPECT(partdiff_model_destroy(model), PARTDIFF_STATUS_OK);
    EXPECT(partdiff_context_destroy(context), PARTDIFF_STATUS_OK);
    free(small);
    free(large);
    return 0;
}
