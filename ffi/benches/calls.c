/* Measures the cost of calls: array and scalar sincg compared with sin(x*N)/sin(x) of the C library, and the
   overhead of wb_render_rows. `make -C ffi bench` builds and runs it.

   sincg: 4096 phases between -50 and 50 rad, which stay in the first cache. The rounds of all functions
   alternate; the fastest of 30 counts. Overhead of wb_render_rows: a call whose row lies outside the region
   of interest, which checks everything, clears the row and renders nothing, compared with a row of 2463
   pixels of two scenes: the cheapest, with one step per pixel, and the same crystal with ten phi steps. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>
#include "../examples/demo_scene.h"

enum { PHASES = 4096, ROUNDS = 30 };

static double x[PHASES], out[PHASES];

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void c_expression(double N) {
    int i;
    for (i = 0; i < PHASES; i++) out[i] = x[i] == 0.0 ? N : sin(x[i] * N) / sin(x[i]);
}

static void scalar(double N) {
    int i;
    for (i = 0; i < PHASES; i++) out[i] = wb_sincg(x[i], N);
}

static int32_t level;

static void array(double N) { demo_must(wb_sincg_array(x, PHASES, N, out, level), NULL); }

static void index_array(double N) { demo_must(wb_sincg_index_array(x, PHASES, N, out, level), NULL); }

/* The time per value, in ns, of the fastest round of each function. */
static void sincg_times(double N, double *nanoseconds) {
    static void (*const kinds[4])(double) = {c_expression, scalar, array, index_array};
    int round_, kind;
    for (kind = 0; kind < 4; kind++) nanoseconds[kind] = 1e9;
    for (round_ = 0; round_ < ROUNDS; round_++) {
        for (kind = 0; kind < 4; kind++) {
            const double start = seconds();
            double taken;
            kinds[kind](N);
            taken = 1e9 * (seconds() - start) / PHASES;
            if (taken < nanoseconds[kind]) nanoseconds[kind] = taken;
        }
    }
}

/* The time, in s, of the fastest of many calls that render `rows` rows. */
static double row_time(const wb_scene *scene, size_t first_row, size_t rows, float *image, size_t len, int calls) {
    double fastest = 1e9;
    int i;
    for (i = 0; i < calls; i++) {
        const double start = seconds();
        double taken;
        demo_must(wb_render_rows(scene, first_row, rows, image, len, NULL), NULL);
        taken = seconds() - start;
        if (taken < fastest) fastest = taken;
    }
    return fastest;
}

/* The time, in s, of clearing a row, which is part of a call that renders nothing. */
static double clearing_time(float *image, size_t len) {
    double fastest = 1e9;
    int i;
    for (i = 0; i < 20000; i++) {
        const double start = seconds();
        double taken;
        memset(image, 0, len * sizeof *image);
        taken = seconds() - start;
        if (taken < fastest) fastest = taken;
        if (image[i % 7] != 0.0f) return 0.0;
    }
    return fastest;
}

/* The cheapest scene: no structure factors and one subpixel; a still if there is one phi step. */
static demo cheapest(size_t phi_steps, int only_first_row) {
    wb_scene_parameters p;
    demo out;
    demo_must(wb_scene_defaults(&p, sizeof p), NULL);
    p.given = WB_GIVEN_CELL;
    p.cell_angstrom[0] = p.cell_angstrom[1] = p.cell_angstrom[2] = 60.0;
    p.cell_angles_rad[0] = p.cell_angles_rad[1] = p.cell_angles_rad[2] = demo_pi / 2.0;
    p.fast_pixels = 2463;
    p.slow_pixels = 64;
    p.cells[0] = p.cells[1] = p.cells[2] = 10.0;
    p.grid.default_f = 100.0;
    p.oversample = 1;
    p.phi0_rad = p.phi_step_rad = 0.01 * demo_pi / 180.0;
    p.phi_steps = phi_steps;
    if (only_first_row) {
        p.given |= WB_GIVEN_ROI;
        p.roi_fast_max = 2462;
    }
    demo_make(&p, &out);
    return out;
}

int main(void) {
    static const double cells[] = {5.0, 36.0, 1000.0};
    static const char *const names[] = {"portable", "avx2", "avx512"};
    static float image[64 * 2463];
    demo whole = cheapest(1, 0), turned = cheapest(10, 0), first = cheapest(1, 1);
    double one, ten, nothing, in_many, clearing;
    size_t i;

    for (i = 0; i < PHASES; i++) x[i] = ((double)i * 0.6180339887 - floor((double)i * 0.6180339887) - 0.5) * 100.0;
    printf("sincg, ns a value          C     wb_sincg        array  times C        index  times C\n");
    for (level = WB_SIMD_PORTABLE; level <= WB_SIMD_AVX512; level++) {
        for (i = 0; i < 3; i++) {
            double t[4];
            sincg_times(cells[i], t);
            printf("%-9s N = %-6g %9.2f %12.2f %12.3f %8.1f %12.3f %8.1f\n", names[level - 1], cells[i], t[0], t[1], t[2],
                   t[0] / t[2], t[3], t[0] / t[3]);
        }
        if (strcmp(wb_simd_level(), names[level - 1]) == 0) break;
    }

    one = row_time(whole.scene, 5, 1, image, 2463, 2000);
    ten = row_time(turned.scene, 5, 1, image, 2463, 2000);
    in_many = row_time(whole.scene, 0, 64, image, 64 * 2463, 200) / 64.0;
    nothing = row_time(first.scene, 5, 1, image, 2463, 20000);
    clearing = clearing_time(image, 2463);
    printf("\na row of 2463 pixels: %.2f us with one step a pixel (%.2f us as one of 64 in a call), %.2f us with ten\n", 1e6 * one,
           1e6 * in_many, 1e6 * ten);
    printf("a call that renders nothing: %.3f us, of which clearing the row %.3f us; the rest is %.2f %% and %.2f %% of a row\n",
           1e6 * nothing, 1e6 * clearing, 100.0 * (nothing - clearing) / one, 100.0 * (nothing - clearing) / ten);
    free(whole.scene_memory);
    free(turned.scene_memory);
    free(first.scene_memory);
    return 0;
}
