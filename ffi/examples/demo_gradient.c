/* The gradient of a least-squares loss: how well the demo's crystal explains an image of one whose cell is slightly longer.
   One pullback gives dL/dp for all parameters; central differences, from scenes made anew with moved parameters, say the
   same. So does the image of one pushforward, which is written as floats to demo_gradient.bin. Exit status 0 if all agree
   to 1e-5.

   cc demo_gradient.c $(pkg-config --cflags --libs widebragg) -lm -o demo_gradient && ./demo_gradient demo_gradient.bin */
#include "demo_scene.h"

/* The band of rows that is looked at. */
enum { FIRST_ROW = 1200, ROWS = 48 };

typedef struct move {
    const char *name;
    int32_t parameter;
    double step; /* in the parameter's unit */
} move;

static const move moves[] = {
    {"a, x / A", WB_BY_A_X, 2e-4},      {"a, y / A", WB_BY_A_Y, 2e-4},        {"a, z / A", WB_BY_A_Z, 2e-4},
    {"b, x / A", WB_BY_B_X, 2e-4},      {"b, y / A", WB_BY_B_Y, 2e-4},        {"b, z / A", WB_BY_B_Z, 2e-4},
    {"c, x / A", WB_BY_C_X, 2e-4},      {"c, y / A", WB_BY_C_Y, 2e-4},        {"c, z / A", WB_BY_C_Z, 2e-4},
    {"phi0 / rad", WB_BY_PHI0, 1e-5},   {"osc / rad", WB_BY_OSC, 1e-5},       {"wavelength / m", WB_BY_WAVELENGTH, 1e-15},
};
enum { MOVES = sizeof moves / sizeof moves[0], PUSHED = 10 };

/* The parameters with one of them moved by `by`. */
static wb_scene_parameters moved(const wb_scene_parameters *parameters, int32_t parameter, double by) {
    wb_scene_parameters p = *parameters;
    if (parameter <= WB_BY_C_Z) {
        p.direct_m[parameter - WB_BY_A_X] += 1e-10 * by;
    } else if (parameter == WB_BY_PHI0) {
        p.phi0_rad += by;
    } else if (parameter == WB_BY_OSC) {
        p.phi_step_rad += by / (double)p.phi_steps;
    } else {
        p.lambda0_m += by;
    }
    return p;
}

/* The band of the scene that the parameters make. */
static void render(const wb_scene_parameters *parameters, double *image, size_t pixels) {
    demo held;
    demo_make(parameters, &held);
    demo_must(wb_render_rows_f64(held.scene, FIRST_ROW, ROWS, image, pixels, NULL), NULL);
    free(held.scene_memory);
}

static double loss(const double *image, const double *target, size_t pixels) {
    double sum = 0.0;
    size_t i;
    for (i = 0; i < pixels; i++) sum += 0.5 * (image[i] - target[i]) * (image[i] - target[i]);
    return sum;
}

int main(int argc, char **argv) {
    demo held = demo_scene(WB_SPEC);
    const size_t pixels = ROWS * held.summary.fast_pixels;
    double *target = (double *)malloc(pixels * sizeof *target), *image = (double *)malloc(pixels * sizeof *image);
    double *weights = (double *)malloc(pixels * sizeof *weights), *pushed = (double *)malloc(pixels * sizeof *pushed);
    double *differences = (double *)calloc(pixels, sizeof *differences);
    float *floats = (float *)malloc(pixels * sizeof *floats);
    wb_variables directions[MOVES], sums;
    wb_scene_parameters start, p;
    wb_turns *turns;
    wb_error error;
    void *turns_memory, *memory;
    uint64_t wanted;
    size_t bytes, i;
    double along = 0.0, largest = 0.0, off = 0.0;
    int m, k, wrong = 0;

    if (target == NULL || image == NULL || weights == NULL || pushed == NULL) return 1;
    if (differences == NULL || floats == NULL) return 1;
    /* The same crystal as axes: a matrix scales with the wavelength, and no spot would move. The reciprocal axes matter to
       gaussian spots only, and stay as they are. */
    start = held.parameters;
    start.given = (start.given & ~WB_GIVEN_MATRIX) | WB_GIVEN_AXES;
    memcpy(start.direct_m, held.summary.direct_m, sizeof start.direct_m);
    memcpy(start.reciprocal_per_angstrom, held.summary.reciprocal_per_angstrom, sizeof start.reciprocal_per_angstrom);
    p = start;
    for (i = 0; i < 9; i++) p.direct_m[i] *= 1.0002;
    render(&p, target, pixels);
    render(&start, image, pixels);
    for (i = 0; i < pixels; i++) weights[i] = image[i] - target[i]; /* dL/dI */
    printf("loss %.9g over %lu pixels\n", loss(image, target, pixels), (unsigned long)pixels);

    /* What is moved says what is wanted; what is wanted, how much memory that takes. */
    for (m = 0; m < MOVES; m++) {
        demo_must(wb_direction(&start, moves[m].parameter, &directions[m], &error), &error);
    }
    demo_must(wb_wanted_along(directions, MOVES, &wanted), NULL);
    demo_must(wb_turns_size(held.scene, wanted, &bytes), NULL);
    memory = demo_memory(bytes, &turns_memory);
    demo_must(wb_turns_make(held.scene, wanted, memory, bytes, &turns), NULL);
    memset(&sums, 0, sizeof sums);
    demo_must(wb_pullback_rows(held.scene, turns, FIRST_ROW, ROWS, weights, pixels, &sums, NULL, 0, NULL, &error), &error);
    demo_must(wb_pushforward_rows(held.scene, turns, FIRST_ROW, ROWS, &directions[PUSHED], 1, pushed, pixels, NULL, &error),
              &error);

    printf("%-16s%22s%22s%12s\n", "parameter", "pullback", "differences", "relative");
    for (m = 0; m < MOVES; m++) {
        const double found = wb_dot(&sums, &directions[m]);
        double expected = 0.0, relative;
        /* Two steps, and what both say of a step of 0: (4 D(h/2) - D(h))/3. */
        for (k = 0; k < 4; k++) {
            const double step = (k < 2 ? 1.0 : 0.5) * moves[m].step, sign = k % 2 == 0 ? 1.0 : -1.0;
            const double factor = sign * (k < 2 ? -1.0 : 4.0) / 3.0 / (2.0 * step);
            p = moved(&start, moves[m].parameter, sign * step);
            render(&p, image, pixels);
            expected += factor * loss(image, target, pixels);
            for (i = 0; m == PUSHED && i < pixels; i++) differences[i] += factor * image[i];
        }
        relative = fabs(found - expected) / fabs(expected);
        wrong += !(relative < 1e-5);
        printf("%-16s%22.12g%22.12g%12.1e\n", moves[m].name, found, expected, relative);
    }
    for (i = 0; i < pixels; i++) {
        along += weights[i] * pushed[i];
        largest = fmax(largest, fabs(differences[i]));
        off = fmax(off, fabs(pushed[i] - differences[i]));
    }
    printf("pushforward along %s: pixels within %.1e of the largest, ", moves[PUSHED].name, off / largest);
    along = fabs(along / wb_dot(&sums, &directions[PUSHED]) - 1.0);
    printf("dL/dp within %.1e\n", along);
    wrong += !(off < 1e-5 * largest) + !(along < 1e-5);

    for (i = 0; i < pixels; i++) floats[i] = (float)pushed[i];
    wrong += demo_write(argc > 1 ? argv[1] : "demo_gradient.bin", floats, pixels);

    free(turns_memory);
    free(floats);
    free(differences);
    free(pushed);
    free(weights);
    free(image);
    free(target);
    demo_free(&held);
    return wrong > 0;
}
