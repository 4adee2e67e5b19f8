/* The crystal of `widebragg demo` and its scene, from plain numbers; shared by the examples. */
#ifndef DEMO_SCENE_H
#define DEMO_SCENE_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "widebragg.h"

static const double demo_pi = 3.14159265358979323846;

/* Exits with a message if a call failed. */
static void demo_must(int32_t status, const wb_error *error) {
    if (status == WB_OK) return;
    fprintf(stderr, "%s", wb_status_message(status));
    if (error != NULL && error->quantity[0] != '\0') fprintf(stderr, ": %s", error->quantity);
    if (error != NULL && error->allowed[0] != '\0') fprintf(stderr, ", must be %s", error->allowed);
    fprintf(stderr, "\n");
    exit(1);
}

/* A pseudorandom number in (0, 1) for a reflection; the same for its Friedel mate. */
static double demo_uniform(int h, int k, int l) {
    uint64_t x;
    if (h < 0 || (h == 0 && (k < 0 || (k == 0 && l < 0)))) {
        h = -h;
        k = -k;
        l = -l;
    }
    x = ((uint64_t)(h + (1 << 20)) << 42) | ((uint64_t)(k + (1 << 20)) << 21) | (uint64_t)(l + (1 << 20));
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((x ^ (x >> 31)) >> 11) / 9007199254740992.0 + 1e-17;
}

/* Structure factors to 1.6 Angstrom on a dense grid, which the caller frees. star: a*, b*, c*. */
static double *demo_structure_factors(const double *star, const double *edges_angstrom, wb_grid *grid) {
    const double d_min = 1.6, temperature_factor = 18.0, f_mean = 350.0;
    int max[3], i, h, k, l;
    double *f, *cell;
    for (i = 0; i < 3; i++) {
        max[i] = (int)ceil(edges_angstrom[i] / d_min);
        grid->hkl_min[i] = -max[i];
        grid->hkl_len[i] = (size_t)(2 * max[i] + 1);
    }
    grid->f_len = grid->hkl_len[0] * grid->hkl_len[1] * grid->hkl_len[2];
    f = (double *)calloc(grid->f_len, sizeof *f);
    if (f == NULL) exit(1);
    cell = f;
    for (h = -max[0]; h <= max[0]; h++) {
        for (k = -max[1]; k <= max[1]; k++) {
            for (l = -max[2]; l <= max[2]; l++, cell++) {
                double s2 = 0.0;
                for (i = 0; i < 3; i++) {
                    const double s = h * star[i] + k * star[3 + i] + l * star[6 + i];
                    s2 += s * s;
                }
                if (s2 > 0.0 && 1.0 / sqrt(s2) >= d_min) {
                    const double wilson = -log(demo_uniform(h, k, l));
                    const double value = f_mean * sqrt(wilson) * exp(-temperature_factor * s2 / 4.0);
                    *cell = round(value * 100.0) / 100.0;
                }
            }
        }
    }
    grid->f = f;
    return f;
}

/* Allocates `bytes` bytes at a multiple of WB_ALIGNMENT; *whole is the pointer to free. */
static void *demo_memory(size_t bytes, void **whole) {
    uintptr_t start;
    *whole = malloc(bytes + WB_ALIGNMENT);
    if (*whole == NULL) exit(1);
    start = (uintptr_t)*whole;
    return (char *)*whole + (WB_ALIGNMENT - start % WB_ALIGNMENT) % WB_ALIGNMENT;
}

/* A scene and everything that it needs. */
typedef struct demo {
    wb_scene *scene;
    wb_scene_summary summary;
    void *scene_memory;
    /* The parameters of the scene, and the arrays that they point to. */
    wb_scene_parameters parameters;
    double *f, *domains;
} demo;

/* Makes the scene of the parameters in newly allocated memory. */
static void demo_make(const wb_scene_parameters *parameters, demo *out) {
    wb_error error;
    size_t bytes;
    void *memory;
    demo_must(wb_scene_size(parameters, &bytes, &error), &error);
    memory = demo_memory(bytes, &out->scene_memory);
    demo_must(wb_scene_make(parameters, memory, bytes, &out->scene, &error), &error);
    demo_must(wb_scene_summarize(out->scene, &out->summary, sizeof out->summary), NULL);
}

/* The scene of `widebragg demo`: a triclinic cell of 45.3 x 52.1 x 60.7 Angstrom, rotated by one degree in
   five steps, with five mosaic domains. mode: an enum wb_mode. */
static demo demo_scene(int32_t mode) {
    /* Columns a*, b*, c* in units of 1/lambda. */
    static const double matrix[9] = {0.019276564,  0.008910764, 0.007560391,  -0.001555482, 0.016779971,
                                     -0.008979255, -0.011137973, 0.004159062, 0.011337246};
    wb_scene_parameters p;
    double edges_angstrom[3];
    demo out;
    int i;

    demo_must(wb_scene_defaults(&p, sizeof p), NULL);
    p.lambda0_m = 0.9768 * 1e-10;
    p.given |= WB_GIVEN_MATRIX;
    memcpy(p.matrix, matrix, sizeof matrix);
    p.distance_m = 231.27 / 1000.0;
    p.pixel_m = 0.172 / 1000.0;
    p.fast_pixels = 2463;
    p.slow_pixels = 2527;
    p.phi_steps = 5;
    p.phi_step_rad = demo_pi / 180.0 / 5.0;
    out.domains = (double *)malloc(9 * 5 * sizeof *out.domains);
    if (out.domains == NULL) exit(1);
    demo_must(wb_mosaic_domains(0.06 * (demo_pi / 180.0), 12345678, out.domains, 5), NULL);
    p.domains = out.domains;
    p.domain_count = 5;
    p.cells[0] = p.cells[1] = p.cells[2] = 14.0;
    p.oversample = 2;
    p.fluence_per_m2 = 5e27;
    p.mode = mode;

    /* A first scene, without structure factors, computes a*, b*, c* and the cell. */
    demo_make(&p, &out);
    for (i = 0; i < 3; i++) {
        const double *edge = out.summary.direct_m + 3 * i;
        edges_angstrom[i] = 1e10 * sqrt(edge[0] * edge[0] + edge[1] * edge[1] + edge[2] * edge[2]);
    }
    out.f = demo_structure_factors(out.summary.reciprocal_per_angstrom, edges_angstrom, &p.grid);
    free(out.scene_memory);
    demo_make(&p, &out);
    out.parameters = p;
    return out;
}

/* Frees everything. */
static void demo_free(demo *held) {
    free(held->scene_memory);
    free(held->f);
    free(held->domains);
}

/* Writes an image as nanoBragg writes its float image: floats, row by row. Returns 0 if it succeeds. */
static int demo_write(const char *path, const float *image, size_t pixels) {
    FILE *file = fopen(path, "wb");
    size_t written;
    if (file == NULL) return 1;
    written = fwrite(image, sizeof *image, pixels, file);
    return fclose(file) != 0 || written != pixels;
}

#endif
